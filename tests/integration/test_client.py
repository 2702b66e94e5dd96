"""The client on a real Kafka, with a stand-in that answers its events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from countersign.adapters.kafka.connection import KafkaConnection
from countersign.adapters.kafka.topic_layout import TopicNames
from countersign.adapters.kafka.topics import partition_count
from countersign.client import CountersignClient
from countersign.client.results_reader import ResultsReader
from countersign.core.errors import BusUnavailableError, InvalidEventError, NoAnswerError
from countersign.core.login import BrowsersForget
from countersign.core.result import Assurance, ResultType
from countersign.local import Stack
from tests.builders import ACME, ALICE, BOB, MALLORY, SOURCE, an_identity, login_data
from tests.client_bus import a_result
from tests.fake_decider import RIGHT_CODE, FakeDecider
from tests.kafka_topics import make_topics

PATIENCE = timedelta(seconds=20)
SOON = timedelta(milliseconds=300)
"""A deadline that a test waits for."""


@pytest.fixture
async def topics(stack: Stack) -> TopicNames:
    """Topics of this test alone, of three partitions."""
    return await make_topics(stack.kafka)


@pytest.fixture
async def decider(stack: Stack, topics: TopicNames) -> AsyncIterator[FakeDecider]:
    """A stand-in that answers on these topics."""
    async with FakeDecider(stack.kafka, topics) as running:
        yield running


def a_client(stack: Stack, topics: TopicNames, source: str = SOURCE) -> CountersignClient:
    """Return a relying party's client, not yet open."""
    return CountersignClient(stack.kafka, source=source, tenant=ACME, topics=topics)


@asynccontextmanager
async def an_admin(stack: Stack) -> AsyncIterator[AIOKafkaAdminClient]:
    """Connect an admin client for a while."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def test_a_login_goes_the_whole_way(
    stack: Stack, topics: TopicNames, decider: FakeDecider
) -> None:
    """Submitted, challenged, returned in another process of the relying party, passed; then forgotten."""
    async with a_client(stack, topics) as client, a_client(stack, topics) as other_process:
        decision = await client.submit(login_data(), timeout=PATIENCE)
        assert decision.challenged
        assert decision.challenge_url
        outcome = await other_process.complete(
            decision.event_id, RIGHT_CODE, user_id=ALICE, timeout=PATIENCE
        )
        assert outcome.allowed
        assert outcome.assurance is Assurance.MFA
        await client.forget(ALICE, timeout=PATIENCE)
    events = await decider.seen(3)
    assert isinstance(events[-1], BrowsersForget)
    assert len({event.key for event in events}) == 1


async def test_a_wrong_code_is_denied(
    stack: Stack, topics: TopicNames, decider: FakeDecider
) -> None:
    """A denial comes back as an outcome, and stands for whoever asks again, without another event."""
    async with a_client(stack, topics) as client:
        for _ in range(2):
            outcome = await client.complete("login-1", "a-guess", user_id=ALICE, timeout=PATIENCE)
            assert outcome.denied
    assert len(await decider.seen(1)) == 1


async def test_hundreds_are_in_flight_at_once(
    stack: Stack, topics: TopicNames, decider: FakeDecider
) -> None:
    """Five hundred logins at once over one consumer and one producer each get their own answer."""
    users = {f"user-{number}" for number in range(500)}
    async with a_client(stack, topics) as client:
        calls = {
            user: asyncio.create_task(
                client.submit(login_data(subject=user), event_id=user, timeout=PATIENCE)
            )
            for user in users
        }
        await decider.seen(500)
        assert client.waiting == 500
        await decider.publish(
            *(
                a_result(ResultType.LOGIN_ALLOWED, an_identity(event_id=user), subject=user)
                for user in users
            )
        )
        for user, call in calls.items():
            decision = await call
            assert decision.allowed
            assert decision.result.body.subject == decision.event_id == user
        assert client.waiting == 0


async def test_thousands_for_one_partition_are_published_in_time(
    stack: Stack, topics: TopicNames, decider: FakeDecider
) -> None:
    """A burst on one partition, hundreds of full batches of it, is published and answered at its pace."""
    async with a_client(stack, topics) as client:
        decisions = await asyncio.gather(
            *(client.submit(login_data(subject=BOB), timeout=PATIENCE) for _ in range(4000))
        )
    assert all(decision.allowed for decision in decisions)
    assert len({event.identity for event in await decider.seen(4000)}) == 4000


async def test_results_of_other_relying_parties_are_skipped_undecoded(
    stack: Stack, topics: TopicNames, decider: FakeDecider
) -> None:
    """Others' results, which would not even decode, don't disturb a login and are counted as skipped."""
    elsewhere = an_identity(source="https://bank.example.com")
    decider.noise = [
        a_result(kind, elsewhere)._replace(value=b"\xff no JSON")
        for kind in (ResultType.LOGIN_ALLOWED, ResultType.CHALLENGE_DENIED)
    ]
    async with a_client(stack, topics) as client:
        # One partition has one order: the noise of this user's own key comes before the answer.
        assert (await client.submit(login_data(), timeout=PATIENCE)).challenged
        assert client.counts.skipped == 2
        assert client.counts.malformed == 0


async def test_silence_ends_in_an_error(
    stack: Stack, topics: TopicNames, decider: FakeDecider
) -> None:
    """A login that nobody decides ends in `NoAnswerError` at its deadline; the client goes on working."""
    async with a_client(stack, topics) as client:
        with pytest.raises(NoAnswerError, match="don't allow the login"):
            await client.submit(login_data(subject=MALLORY), timeout=SOON)
        assert (await client.submit(login_data(subject=BOB), timeout=PATIENCE)).allowed
    await decider.seen(2)


async def test_old_answers_are_not_read(
    stack: Stack, topics: TopicNames, decider: FakeDecider
) -> None:
    """A result from before the client was opened answers nothing: reading begins at the topic's end."""
    await decider.publish(a_result(ResultType.LOGIN_ALLOWED, subject=MALLORY))
    async with a_client(stack, topics) as client:
        with pytest.raises(NoAnswerError):
            await client.submit(login_data(subject=MALLORY), event_id="login-1", timeout=SOON)
        assert (await client.submit(login_data(subject=BOB), timeout=PATIENCE)).allowed
        assert client.counts.skipped == 0


async def test_a_broker_outage_is_survived_and_never_an_allow(
    stack: Stack, topics: TopicNames
) -> None:
    """While Kafka is away calls end in errors; once it is back the same client's calls are answered."""
    async with a_client(stack, topics) as client:
        async with FakeDecider(stack.kafka, topics):
            assert (await client.submit(login_data(subject=BOB), timeout=PATIENCE)).allowed
        waiting = asyncio.create_task(
            client.submit(login_data(subject=MALLORY), event_id="login-1", timeout=PATIENCE)
        )
        await stack.kafka_server.kill()
        try:
            with pytest.raises((NoAnswerError, BusUnavailableError)):
                await client.submit(login_data(subject=BOB), timeout=SOON)
        finally:
            await stack.kafka_server.start()
        async with FakeDecider(stack.kafka, topics) as decider:
            await decider.publish(a_result(ResultType.LOGIN_DENIED, subject=MALLORY))
            assert (await waiting).denied
            assert (await client.submit(login_data(subject=BOB), timeout=PATIENCE)).allowed


async def test_closing_during_an_outage_does_not_hang(stack: Stack, topics: TopicNames) -> None:
    """A client closes within seconds even if Kafka is away, fails who waited, and leaves nothing behind."""
    try:
        async with asyncio.timeout(30):
            async with a_client(stack, topics) as client:
                await stack.kafka_server.kill()
                call = asyncio.create_task(client.submit(login_data(), timeout=PATIENCE))
                with pytest.raises(NoAnswerError, match="Kafka has not acknowledged"):
                    await client.complete("login-1", "code", user_id=ALICE, timeout=SOON)
            with pytest.raises(NoAnswerError, match="closed"):
                await call
    finally:
        await stack.kafka_server.start()
    # What the client had begun to send is sent now, and then its last connection is closed.
    async with asyncio.timeout(PATIENCE.total_seconds()):
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)


async def test_partitions_added_later_are_read(
    stack: Stack, topics: TopicNames, decider: FakeDecider
) -> None:
    """Results on a partition that is added while reading all arrive, and none of the others twice."""
    subjects = [f"user-{number}" for number in range(60)]
    results = [a_result(ResultType.LOGIN_ALLOWED, subject=subject) for subject in subjects]
    taken: list[bytes | None] = []
    everything = asyncio.Event()

    def take(value: bytes | None, _headers: object) -> None:
        taken.append(value)
        if len(taken) == len(results) + 1:
            everything.set()

    connection = KafkaConnection(bootstrap=stack.kafka)
    reader = ResultsReader(
        connection, topics.mfa_results, new_partitions_after=timedelta(milliseconds=200)
    )
    await decider.publish(*results)
    await reader.start(partitions=3)
    reading = asyncio.create_task(reader.run(take))
    try:
        await decider.publish(results[0])
        async with an_admin(stack) as admin:
            await admin.create_partitions({topics.mfa_results: NewPartitions(total_count=6)})
        async with FakeDecider(stack.kafka, topics) as fresh:
            counts = await fresh.publish(*results)
        assert set(counts) == set(range(6))
        async with asyncio.timeout(PATIENCE.total_seconds()):
            await everything.wait()
    finally:
        reading.cancel()
        await asyncio.wait([reading])
        await reader.stop()
    assert sorted(taken, key=str) == sorted(
        [results[0].value, *(result.value for result in results)], key=str
    )


async def test_a_login_that_the_topic_refuses_does_no_harm_to_others(
    stack: Stack, topics: TopicNames, decider: FakeDecider
) -> None:
    """Where the topic takes less than the client sends, that login is refused, and the next one passes."""
    small = ConfigResource(
        ConfigResourceType.TOPIC, topics.login_events, {"max.message.bytes": "20000"}
    )
    async with an_admin(stack) as admin:
        await admin.alter_configs([small])
    async with a_client(stack, topics) as client:
        calls = [
            asyncio.create_task(
                client.submit(login_data(subject=BOB, big="a" * size), timeout=PATIENCE)
            )
            for size in (0, 50_000, 0, 50_000, 0)
        ]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        refused = [isinstance(answer, InvalidEventError) for answer in answers]
        assert refused == [False, True, False, True, False]
        assert (await client.submit(login_data(subject=BOB), timeout=PATIENCE)).allowed
    await decider.seen(4)


async def test_an_address_without_a_kafka_is_an_error(topics: TopicNames) -> None:
    """Opening a client where no Kafka listens says where it looked."""
    client = CountersignClient("127.0.0.1:1", source=SOURCE, tenant=ACME, topics=topics)
    with pytest.raises(BusUnavailableError, match=r"127\.0\.0\.1:1"):
        async with client:
            pytest.fail("it was opened")


async def test_a_missing_topic_is_an_error(stack: Stack) -> None:
    """Opening a client whose topics aren't there says which one, and creates none."""
    topics = TopicNames(mfa_results="no-such-results")
    with pytest.raises(BusUnavailableError, match="no topic no-such-results"):
        async with a_client(stack, topics):
            pytest.fail("it was opened")
    connection = KafkaConnection(bootstrap=stack.kafka)
    assert await partition_count(connection, "no-such-results") is None


async def test_a_client_opens_and_closes_quickly(stack: Stack, topics: TopicNames) -> None:
    """A client that is closed as soon as it is open doesn't keep its process waiting."""
    async with asyncio.timeout(10):
        for _ in range(10):
            async with a_client(stack, topics):
                pass
