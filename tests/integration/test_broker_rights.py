"""Rights at Kafka, live: with what the script grants each service works, and can do nothing else.

Law: nobody but a decider and a challenger writes results, and nobody but an operator writes settings.
"""

from __future__ import annotations

import asyncio
import shlex
import stat
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from countersign.adapters.kafka.configured import kafka_connection, topic_names
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.adapters.kafka.topics import create_topics
from countersign.core.errors import BusUnavailableError
from countersign.local import Silence
from countersign.local.jars import Jar, cache_directory, ensure_jars
from countersign.local.java import Java, packaged_java
from countersign.local.kafka import kafka_server
from countersign.local.maven import fetch_from_maven
from countersign.local.ports import HOST, free_port
from countersign.local.stack import kafka_jars
from countersign.local.training import trained
from countersign.settings import Settings, load_settings
from countersign.wire.results import OutboundRecord

SCRIPT = Path(__file__).parents[2] / "deploy" / "kafka" / "grant-rights"
PASSWORD = "made-up-for-this-test"
COMMANDS = Jar(
    coordinate="org.apache.kafka:kafka-tools:4.2.2",
    size=667_380,
    sha256="894caaca48b11d351cbe1f27d58c7a3c09ff22563bf3ab4bccf1ef69933e099c",
)
"""Kafka's own commands, which a broker runs without."""
EVENTS, RESULTS, LETTERS, TENANTS = (
    *("login-events", "mfa-results"),
    *("login-events-dlq", "tenant-settings"),
)
TOPICS = {EVENTS, RESULTS, LETTERS, TENANTS}
READS = {
    "decider": {EVENTS, TENANTS},
    "challenger": {TENANTS},
    "relying-party": {RESULTS},
    "operator": TOPICS,
    "stranger": set[str](),
}
WRITES = {
    "decider": {RESULTS, LETTERS},
    "challenger": {RESULTS},
    "relying-party": {EVENTS},
    "operator": {EVENTS, TENANTS},
    "stranger": set[str](),
}
GROUPS = {
    "decider": {"countersign-decider"},
    "relying-party": {"countersign-client-7f"},
}
ALL_GROUPS = {group for groups in GROUPS.values() for group in groups}


class Broker(NamedTuple):
    """A broker with an authorizer: a listener for its administrator, and one that wants a login."""

    administered: str
    guarded: str

    def settings(self, user: str) -> Settings:
        """Return the settings of a process that logs in under this name."""
        return load_settings(
            kafka_bootstrap=self.guarded,
            kafka_security="sasl_plaintext",
            kafka_sasl_mechanism="PLAIN",
            kafka_sasl_username=user,
            kafka_sasl_password=PASSWORD,
        )


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    """A broker on which the script has granted its rights."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        java = replace(packaged_java(), jars=await kafka_jars(Silence()))
        java = await trained(java, cache_directory(), Silence())
        plain, guarded = free_port(), free_port()
        server = await kafka_server(home, plain, java)
        properties = home / "kafka" / "server.properties"
        lines = properties.read_text().replace(
            f"PLAINTEXT://{HOST}:{plain}",
            f"PLAINTEXT://{HOST}:{plain},SASL_PLAINTEXT://{HOST}:{guarded}",
        )
        lines = lines.replace(
            "map=PLAINTEXT:PLAINTEXT,", "map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,"
        )
        users = " ".join(f'user_{name}="{PASSWORD}"' for name in READS)
        login = f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
        lines += "sasl.enabled.mechanisms=PLAIN\n"
        lines += f"listener.name.sasl_plaintext.plain.sasl.jaas.config={login}\n"
        lines += "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n"
        # Who comes by the listener without a login is the administrator, and the controller.
        lines += "super.users=User:ANONYMOUS\n"
        properties.write_text(lines)
        await server.start()
        try:
            found = Broker(f"{HOST}:{plain}", f"{HOST}:{guarded}")
            admin = load_settings(kafka_bootstrap=found.administered)
            await create_topics(
                kafka_connection(admin), topic_names(admin), partitions=1, replication_factor=1
            )
            await granted(home, java, found.administered)
            yield found
        finally:
            await server.kill()


async def granted(home: Path, java: Java, bootstrap: str) -> None:
    """Run the script with Kafka's own command."""
    commands = await asyncio.to_thread(
        ensure_jars,
        [COMMANDS],
        cache_directory() / "jars",
        Silence(),
        aborted=threading.Event(),
        fetch=fetch_from_maven,
    )
    # What the broker remembers of its own class path is of no use with another one.
    java = replace(java, jars=[*commands, *java.jars], recall=None)
    line = java.command("org.apache.kafka.tools.AclCommand", options=["-XX:TieredStopAtLevel=1"])
    command = home / "kafka-acls.sh"
    command.write_text(f'#!/bin/sh\nexec {shlex.join(line)} "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    script = await asyncio.create_subprocess_exec(
        str(SCRIPT),
        *("--bootstrap-server", bootstrap),
        env={"PATH": "/usr/bin:/bin", "KAFKA_ACLS": str(command)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await script.communicate()
    assert script.returncode == 0, said.decode()


async def writes(settings: Settings, topic: str) -> bool:
    """Say whether a record gets onto the topic."""
    publisher = KafkaPublisher(kafka_connection(settings))
    try:
        await publisher.publish([OutboundRecord(topic, b"k", b"v", [], 1)])
    except BusUnavailableError:
        return False
    else:
        return True
    finally:
        await publisher.close()


async def reads(settings: Settings, topic: str, group: str | None = None) -> bool:
    """Say whether a record can be read from the topic."""
    consumer = AIOKafkaConsumer(
        **kafka_connection(settings).arguments(), group_id=group, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        if group is None:
            place = TopicPartition(topic, 0)
            consumer.assign([place])
        else:
            consumer.subscribe([topic])
        async with asyncio.timeout(15):
            await consumer.getone()
    except (KafkaError, TimeoutError):
        return False
    else:
        return True
    finally:
        await consumer.stop()


async def test_each_service_does_its_own_work_and_no_others(broker: Broker) -> None:
    """Each topic, and each group, with each service: what it needs works, everything else is refused."""
    admin = load_settings(kafka_bootstrap=broker.administered)
    for topic in sorted(TOPICS):
        assert await writes(admin, topic)

    async def granted_to(service: str) -> tuple[set[str], set[str], set[str]]:
        settings = broker.settings(service)
        topic = RESULTS if RESULTS in READS[service] else EVENTS
        return (
            await those(TOPICS, lambda name: reads(settings, name)),
            await those(TOPICS, lambda name: writes(settings, name)),
            await those(ALL_GROUPS, lambda group: reads(settings, topic, group)),
        )

    found = dict(zip(READS, await asyncio.gather(*map(granted_to, READS)), strict=True))
    assert found == {
        service: (READS[service], WRITES[service], GROUPS.get(service, set())) for service in READS
    }


async def those(names: set[str], allowed: Callable[[str], Awaitable[bool]]) -> set[str]:
    """Return the names that something is allowed for; what is refused may take its time to be."""
    answers = await asyncio.gather(*map(allowed, sorted(names)))
    return {name for name, yes in zip(sorted(names), answers, strict=True) if yes}
