"""The embedded stack keeps its promises: real servers, no orphans, faults on demand, clear errors."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from countersign.local import Silence, Stack, StackError, embedded_stack
from countersign.local.child import wait_until
from countersign.local.jars import ensure_jars, listed_jars
from countersign.local.java import Java
from countersign.local.kafka import kafka_server
from countersign.local.maven import fetch_from_maven
from countersign.local.ports import HOST, free_port
from countersign.local.valkey import valkey_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ORPHAN_SECONDS = 5

OWNER = """
import asyncio, json, psutil
from countersign.local import embedded_stack

async def main():
    async with embedded_stack() as stack:
        children = [child.pid for child in psutil.Process().children(recursive=True)]
        print(json.dumps({"children": children, "directory": str(stack.directory)}), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def kafka_admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Connect an admin client for a while."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def make_topic(bootstrap: str) -> str:
    """Make a topic of a name of its own, and return the name."""
    name = f"local-{uuid.uuid4()}"
    async with kafka_admin(bootstrap) as admin:
        await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    return name


async def publish(bootstrap: str, topic: str, value: bytes) -> None:
    """Publish one record, and wait until it's acknowledged."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def consume(bootstrap: str, topic: str) -> bytes | None:
    """Return the first record of a topic, as a member of a new consumer group."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=f"group-{uuid.uuid4()}",
        auto_offset_reset="earliest",
        session_timeout_ms=1_000,
        heartbeat_interval_ms=300,
    )
    await consumer.start()
    try:
        record = await asyncio.wait_for(consumer.getone(), 10)
    finally:
        await consumer.stop()
    value: bytes | None = record.value
    return value


async def test_kafka_delivers_a_record_to_a_consumer_group(stack: Stack) -> None:
    """A record that Kafka acknowledged reaches a group whose session lasts one second."""
    topic = await make_topic(stack.kafka)
    await publish(stack.kafka, topic, b"a login")
    assert await consume(stack.kafka, topic) == b"a login"


async def test_valkey_stores_and_never_evicts(stack: Stack) -> None:
    """Valkey gives back what it was given, listens on loopback alone, and evicts nothing."""
    async with Redis.from_url(stack.redis_url) as redis:
        await redis.set("local:key", b"value")
        assert await redis.get("local:key") == b"value"
        assert (await redis.config_get("maxmemory-policy"))["maxmemory-policy"] == "noeviction"
        assert (await redis.config_get("bind"))["bind"] == HOST


async def test_killed_kafka_comes_back_as_it_was(stack: Stack) -> None:
    """Kafka killed and started again has the same port, its topics, and its records."""
    topic = await make_topic(stack.kafka)
    await publish(stack.kafka, topic, b"kept")
    killed = stack.kafka_server.pid
    try:
        await stack.kafka_server.kill()
        assert not stack.kafka_server.running
    finally:
        await stack.kafka_server.start()
    assert stack.kafka_server.pid not in {killed, None}
    assert stack.kafka_server.address == stack.kafka
    assert await consume(stack.kafka, topic) == b"kept"


async def test_paused_valkey_is_silent_until_it_goes_on(stack: Stack) -> None:
    """A paused server takes connections and answers nothing; resumed, it answers again."""
    try:
        await stack.valkey_server.pause()
        async with Redis.from_url(stack.redis_url, socket_timeout=0.1, retry=None) as redis:
            with pytest.raises(RedisTimeoutError):
                await redis.ping()
    finally:
        await stack.valkey_server.resume()
    async with Redis.from_url(stack.redis_url) as redis:
        assert await redis.ping()


async def test_paused_server_can_be_stopped_in_order(tmp_path: Path) -> None:
    """A paused server that is told to stop does stop, and isn't left frozen."""
    server = valkey_server(tmp_path, free_port())
    await server.start()
    await server.pause()
    await server.stop()
    assert "ready to exit" in server.log.read_text(encoding="utf-8")


@pytest.mark.parametrize(("appendonly", "kept"), [(True, b"value"), (False, None)])
async def test_valkey_keeps_data_only_when_asked(
    tmp_path: Path, *, appendonly: bool, kept: bytes | None
) -> None:
    """What Valkey acknowledged survives SIGKILL with `appendonly`, and is gone without."""
    server = valkey_server(tmp_path, free_port(), appendonly=appendonly)
    try:
        await server.start()
        async with Redis(host=HOST, port=server.port) as redis:
            await redis.set("key", "value")
        await server.kill()
        await server.start()
        async with Redis(host=HOST, port=server.port) as redis:
            assert await redis.get("key") == kept
    finally:
        await server.kill()


async def test_given_directory_is_kept_and_taken_up_again(stack: Stack, tmp_path: Path) -> None:
    """A second stack in the same directory, on other ports, has the topics of the first."""
    del stack  # it has made sure that a stack can start here
    home = tmp_path / "given"
    async with embedded_stack(home) as first:
        topic = await make_topic(first.kafka)
    assert (home / "kafka.log").exists()
    async with embedded_stack(home) as second, kafka_admin(second.kafka) as admin:
        assert second.kafka != first.kafka
        assert topic in await admin.list_topics()


async def test_nothing_is_left_when_the_context_ends(stack: Stack) -> None:
    """After the context neither a process nor the temporary directory is there."""
    del stack
    async with embedded_stack() as own:
        processes = [
            psutil.Process(pid)
            for pid in (own.kafka_server.pid, own.valkey_server.pid)
            if pid is not None
        ]
        assert own.directory.is_dir()
    assert len(processes) == 2
    assert not any(process.is_running() for process in processes)
    assert not own.directory.exists()


def test_killed_owner_leaves_no_process_and_no_directory(stack: Stack) -> None:
    """When the owner of a stack is killed with SIGKILL, all it started is gone soon after."""
    del stack
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE) as owner:  # noqa: S603  # our own script
        assert owner.stdout is not None
        told = json.loads(owner.stdout.readline())
        children = [psutil.Process(pid) for pid in told["children"]]
        owner.send_signal(signal.SIGKILL)
    assert len(children) == 4  # two servers and their guards
    _, alive = psutil.wait_procs(children, timeout=ORPHAN_SECONDS)
    assert not alive
    assert not Path(told["directory"]).exists()


async def test_cancelled_start_leaves_no_process(stack: Stack, tmp_path: Path) -> None:
    """A stack that is cancelled while Kafka starts ends what it had started."""
    del stack
    ours = set(psutil.Process().children(recursive=True))

    async def open_stack() -> None:
        async with embedded_stack(tmp_path):
            pytest.fail("cancelled before it could be ready")

    opening = asyncio.create_task(open_stack())
    # Ready to cancel once Java runs for a server: the format before it is over then.
    assert await wait_until(
        lambda: any("kafka.Kafka" in command for command in new_commands(ours)),
        timedelta(seconds=20),
    )
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert not new_commands(ours)


def new_commands(known: set[psutil.Process]) -> list[list[str]]:
    """Return the command lines of our children, apart from those known and those that ended."""
    commands = []
    for process in set(psutil.Process().children(recursive=True)) - known:
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                commands.append(process.cmdline())
        except psutil.NoSuchProcess:
            continue
    return commands


async def test_java_that_is_not_there_is_named(tmp_path: Path) -> None:
    """When Java can't be executed the error says so, and says what to do."""
    java = Java(program="/nowhere/java", version="25", jars=[])
    with pytest.raises(StackError) as caught:
        await kafka_server(tmp_path, free_port(), java)
    assert "/nowhere/java can't be executed" in str(caught.value)
    assert "What to do:" in str(caught.value)


async def test_taken_port_is_named(stack: Stack) -> None:
    """When a port is taken the error names it, and nothing of the stack is left running."""
    ours = set(psutil.Process().children(recursive=True))
    with pytest.raises(StackError, match=f"port {stack.valkey_server.port} of {HOST} is taken"):
        async with embedded_stack(valkey_port=stack.valkey_server.port):
            pytest.fail("started on a port that is taken")
    assert not new_commands(ours)


async def test_server_that_ends_early_shows_its_log(tmp_path: Path) -> None:
    """When a server ends before it answers, the error shows the last lines of its log."""
    server = valkey_server(tmp_path, free_port(), appendonly=True)
    (tmp_path / "valkey" / "appendonlydir").write_text("in the way of a directory")
    with pytest.raises(StackError, match="ended with status 1") as caught:
        await server.start()
    assert "appendonlydir" in str(caught.value)


def test_damaged_jar_is_fetched_again(tmp_path: Path) -> None:
    """A jar whose bytes aren't those of the list is replaced from Maven's central repository."""
    smallest = min(listed_jars(), key=lambda jar: jar.size)
    (tmp_path / smallest.name).write_bytes(b"PK, but no jar")
    try:
        (path,) = ensure_jars(
            [smallest], tmp_path, Silence(), aborted=Event(), fetch=fetch_from_maven
        )
    except StackError as exc:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(exc))
    assert smallest.is_whole(path)


def test_free_ports_are_free() -> None:
    """A port that is handed out can be listened on."""
    with socket.create_server((HOST, free_port())) as listening:
        assert listening.fileno() >= 0
