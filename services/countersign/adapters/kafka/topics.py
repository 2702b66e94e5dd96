"""Creates the four topics, and tells where one that stands differs from what it should be.

Law: a topic that stands is never changed. More partitions would break the order of a user's events.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Container, Iterator, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError, for_code

from countersign.adapters.kafka.connection import KafkaConnection
from countersign.adapters.kafka.topic_layout import Topic, TopicNames, wanted_topics
from countersign.core.errors import BusUnavailableError, Problem, SettingsError

__all__ = [
    "Difference",
    "Topic",
    "TopicNames",
    "TopicReport",
    "TopicState",
    "create_topics",
    "describe_topics",
    "partition_count",
]

_APPEAR_WITHIN: Final = timedelta(seconds=30)


class Difference(NamedTuple):
    """Where a topic that stands differs from what it should be, and what to do."""

    what: str
    stands: str
    wanted: str
    remedy: str


class TopicState(StrEnum):
    """What became of a topic."""

    CREATED = "created"
    AS_WANTED = "as wanted"
    DIFFERS = "differs"
    MISSING = "missing"


class TopicReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one topic.

    Attributes:
        topic: what it has to be.
        state: what was found or done.
        differences: where it differs, with remedies.
    """

    topic: Topic
    state: TopicState
    differences: tuple[Difference, ...] = ()


async def create_topics(
    connection: KafkaConnection,
    names: TopicNames,
    *,
    partitions: int,
    replication_factor: int,
) -> list[TopicReport]:
    """Create the topics that are missing; return when all can be used. Safe to call again.

    Args:
        connection: how to reach Kafka.
        names: what the topics are called.
        partitions: of each, the tenants' settings apart; it bounds how many deciders can share the work.
        replication_factor: how many copies of each.

    Returns:
        One report a topic, in a fixed order.

    Raises:
        BusUnavailableError: Kafka can't be reached.
        SettingsError: Kafka refuses a topic; the error says why.
    """
    wanted = wanted_topics(names, partitions=partitions, replication_factor=replication_factor)
    async with _admin(connection) as admin:
        standing = await _standing(admin)
        missing = [topic for topic in wanted if topic.name not in standing]
        created = await _create(admin, missing)
        # A topic that was created has not at once a leader, and is not known to every broker.
        async with asyncio.timeout(_APPEAR_WITHIN.total_seconds()):
            while any(topic.name not in standing for topic in wanted):
                standing = await _standing(admin, led=True)
                await asyncio.sleep(0.05)
        return await _reports(admin, wanted, standing, created)


async def describe_topics(connection: KafkaConnection, names: TopicNames) -> list[TopicReport]:
    """Return how the topics stand, whatever their partitions and copies; changes nothing.

    Raises:
        BusUnavailableError: Kafka can't be reached.
    """
    async with _admin(connection) as admin:
        standing = await _standing(admin)
        wanted = []
        for position, topic in enumerate(wanted_topics(names, partitions=1, replication_factor=1)):
            stands = standing.get(topic.name, topic)
            wanted += wanted_topics(
                names,
                partitions=stands.partitions,
                replication_factor=stands.replication_factor,
            )[position : position + 1]
        return await _reports(admin, wanted, standing, set())


async def partition_count(connection: KafkaConnection, topic: str) -> int | None:
    """Return how many partitions a topic has; None where there is no such topic. Creates none.

    Raises:
        BusUnavailableError: Kafka can't be reached.
    """
    async with _admin(connection) as admin:
        found = (await _standing(admin)).get(topic)
        return found.partitions if found is not None else None


@contextlib.asynccontextmanager
async def _admin(connection: KafkaConnection) -> AsyncIterator[Any]:
    """Open an admin client; what Kafka's absence raises comes out as `BusUnavailableError`."""
    admin = AIOKafkaAdminClient(**connection.arguments(), request_timeout_ms=10_000)
    try:
        await admin.start()
        yield admin
    except (KafkaConnectionError, TimeoutError) as error:
        text = f"Kafka at {connection.bootstrap} can't be reached"
        raise BusUnavailableError(text) from error
    except KafkaError as error:
        text = f"Kafka at {connection.bootstrap} refuses ({type(error).__name__})"
        raise BusUnavailableError(text) from error
    finally:
        await admin.close()


async def _standing(
    admin: Any,  # noqa: ANN401  # aiokafka has no types
    *,
    led: bool = False,
) -> dict[str, Topic]:
    """Return the topics that there are; `led`: those alone that can be used now."""
    standing = {}
    # Asks for all: a question for one may create it.
    for found in await admin.describe_topics():
        partitions = found["partitions"]
        usable = all(partition["leader"] >= 0 for partition in partitions)
        if partitions and (usable or not led):
            copies = min(len(partition["replicas"]) for partition in partitions)
            standing[found["topic"]] = Topic(found["topic"], len(partitions), copies, {})
    return standing


async def _create(admin: Any, topics: Sequence[Topic]) -> set[str]:  # noqa: ANN401  # likewise
    """Create the topics, and return the names of those that nobody else created first."""
    if not topics:
        return set()
    response = await admin.create_topics(
        [
            NewTopic(
                topic.name,
                topic.partitions,
                topic.replication_factor,
                topic_configs=dict(topic.configs),
            )
            for topic in topics
        ]
    )
    created, refused = set(), []
    for name, code, *message in response.topic_errors:
        error = for_code(code)
        if code == 0:
            created.add(name)
        elif error.retriable:
            raise error
        elif error is not TopicAlreadyExistsError:
            remedy = "Grant it, or ask for what the cluster has"
            text = (
                f"{error.__name__}: {message[0] if message and message[0] else 'no reason given'}"
            )
            refused.append(Problem(key=name, problem=f"Kafka refuses it ({text})", remedy=remedy))
    if refused:
        raise SettingsError(source="topics", problems=refused)
    return created


async def _reports(
    admin: Any,  # noqa: ANN401  # likewise
    wanted: Sequence[Topic],
    standing: Mapping[str, Topic],
    created: Container[str],
) -> list[TopicReport]:
    present = [topic.name for topic in wanted if topic.name in standing]
    configs = await _configs(admin, present)
    reports = []
    for topic in wanted:
        stands = standing.get(topic.name)
        differences: tuple[Difference, ...] = ()
        if stands is None:
            state = TopicState.MISSING
        elif topic.name in created:
            state = TopicState.CREATED
        else:
            differences = tuple(_differences(topic, stands._replace(configs=configs[topic.name])))
            state = TopicState.DIFFERS if differences else TopicState.AS_WANTED
        reports.append(TopicReport(topic=topic, state=state, differences=differences))
    return reports


async def _configs(admin: Any, names: Sequence[str]) -> dict[str, dict[str, str]]:  # noqa: ANN401  # likewise
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    configs: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(resources):
        for code, _message, _type, name, entries in response.resources:
            if code:
                raise for_code(code)
            configs[name] = {entry[0]: entry[1] for entry in entries}
    return configs


def _differences(wanted: Topic, stands: Topic) -> Iterator[Difference]:
    if stands.partitions != wanted.partitions:
        yield Difference(
            "partitions",
            str(stands.partitions),
            str(wanted.partitions),
            "Leave them: other partitions break the order of each user's events. Where they must"
            " change, let the deciders read the topic to its end first",
        )
    if stands.replication_factor != wanted.replication_factor:
        yield Difference(
            "replication factor",
            str(stands.replication_factor),
            str(wanted.replication_factor),
            "kafka-reassign-partitions.sh moves and adds copies",
        )
    for key, value in wanted.configs.items():
        if stands.configs.get(key) != value:
            yield Difference(
                key,
                stands.configs.get(key, "unknown"),
                value,
                f"kafka-configs.sh --alter --entity-type topics --entity-name {wanted.name}"
                f" --add-config {key}={value}",
            )
