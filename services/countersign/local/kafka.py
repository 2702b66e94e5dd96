"""The embedded Kafka: one node that is broker and controller, its settings and its readiness.

Law: it's ready when a client gets cluster metadata and a group coordinator, so that the first
consumer group doesn't wait for anything.
"""

from __future__ import annotations

import asyncio
import base64
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.errors import KafkaError

from countersign.local.child import Child
from countersign.local.errors import StackError
from countersign.local.ports import HOST, free_port
from countersign.local.server import Launch, Server

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from countersign.local.java import Java

FORMAT_PATIENCE = timedelta(seconds=30)

LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.kafka.name = kafka
logger.kafka.level = info
logger.controller.name = org.apache.kafka.controller
logger.controller.level = info
"""


async def kafka_server(
    directory: Path,
    port: int,
    java: Java,
    *,
    learn: Path | None = None,
    discard: Path | None = None,
) -> Server:
    """Lay out a Kafka below a directory and format its storage; it isn't started yet.

    Args:
        directory: Its data goes to `kafka/` in there, its log to `kafka.log`.
        port: The port of the loopback interface to listen on.
        java: How to run Kafka's classes.
        learn: Where Java writes what a later start may recall, when the server is stopped.
        discard: What is deleted if this process is killed while the server runs.

    Raises:
        StackError: The storage can't be formatted.
    """
    home = directory / "kafka"
    home.mkdir(parents=True, exist_ok=True)
    log = directory / "kafka.log"
    controller_port = free_port()
    logging = home / "log4j2.properties"
    logging.write_text(LOGGING, encoding="utf-8")
    properties = home / "server.properties"
    properties.write_text(settings(home / "data", port, controller_port), encoding="utf-8")
    options = [f"-Dlog4j2.configurationFile={logging}", "-XX:-UsePerfData"]
    heap = ["-Xms512m", "-Xmx512m"]
    learning = [] if learn is None else [f"-XX:AOTCacheOutput={learn}"]
    if not (home / "data" / "meta.properties").exists():
        command = java.command(
            "kafka.tools.StorageTool",
            *("format", "-t", new_cluster_id(), "-c", str(properties)),
            options=[*options, "-XX:TieredStopAtLevel=1"],
        )
        await format_storage(command, home, log)
    return Server(
        Launch(
            name="Kafka",
            command=java.command(
                "kafka.Kafka", str(properties), options=[*options, *heap, *learning]
            ),
            directory=home,
            log=log,
            port=port,
            other_ports=[controller_port],
            answers=lambda: answers(port),
            start_patience=timedelta(seconds=60),
            stop_patience=timedelta(seconds=20 if learn is None else 90),
            discard=discard,
        )
    )


def settings(data: Path, port: int, controller_port: int) -> str:
    """Return the broker's `server.properties`."""
    listeners = f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}"
    values = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": listeners,
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(data),
        # Topics are made on purpose; a misspelt name must fail as it does in production.
        "auto.create.topics.enable": "false",
        "num.partitions": "4",
        # One node.
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # The default takes a quarter of the heap, for compaction that hardly ever comes here.
        "log.cleaner.dedupe.buffer.size": "16777216",
        # Quick tests: groups form at once, and a dead member is noticed soon.
        "group.initial.rebalance.delay.ms": "0",
        "broker.heartbeat.interval.ms": "500",
        # How long a restart after SIGKILL waits for the dead process's registration to lapse.
        "broker.session.timeout.ms": "2000",
        "group.min.session.timeout.ms": "1000",
    }
    return "".join(f"{key}={value}\n" for key, value in values.items())


def new_cluster_id() -> str:
    """Return a random id in Kafka's form: 22 characters of URL-safe base64."""
    # Its first character mustn't be a hyphen, which the tool would take for an option.
    return "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]


async def format_storage(command: Sequence[str], home: Path, log: Path) -> None:
    """Run Kafka's storage tool to its end.

    Raises:
        StackError: It failed, or took too long.
    """
    child = await Child.spawn(command, directory=home, log=log)
    try:
        in_time = await child.ended(FORMAT_PATIENCE)
    finally:
        if child.running:
            child.kill()
    if not in_time or child.status != 0:
        problem = f"status {child.status}" if in_time else "no end in sight"
        raise StackError(
            problem=f"Kafka's storage in {home} can't be formatted ({problem}).",
            log=log,
            remedy="put right what the log complains of, then start again in an empty directory.",
        )


async def answers(port: int) -> bool:
    """Return whether a Kafka on the port serves metadata and coordinates groups."""
    try:
        # aiokafka logs an error for each refused connection, so it isn't asked before there is one.
        _, writer = await asyncio.open_connection(HOST, port)
        writer.close()
        await writer.wait_closed()
    except OSError:
        return False
    client = AIOKafkaClient(bootstrap_servers=f"{HOST}:{port}", request_timeout_ms=2_000)
    try:
        await client.bootstrap()
        if not client.cluster.brokers():
            return False
        # The first look-up makes the offsets topic, so it fails a few times on a new broker.
        await client.coordinator_lookup(CoordinationType.GROUP, "countersign-readiness")
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await client.close()
    return True
