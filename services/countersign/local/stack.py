"""A real Kafka and a real Valkey on the loopback interface, for the demo, tests and benchmarks alike.

Law: what this module has started is gone when its context ends, and a directory that it made too.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from countersign.local.jars import cache_directory, ensure_jars, listed_jars
from countersign.local.java import packaged_java
from countersign.local.kafka import kafka_server
from countersign.local.maven import fetch_from_maven
from countersign.local.ports import HOST, free_port
from countersign.local.progress import on_stderr
from countersign.local.training import trained
from countersign.local.valkey import valkey_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from countersign.local.progress import Progress
    from countersign.local.server import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The two servers, as their clients see them and as fault tests handle them."""

    kafka: str
    """Kafka's bootstrap address, as in `127.0.0.1:19092`."""
    redis_url: str
    """Valkey's address, as in `redis://127.0.0.1:16379/0`."""
    directory: Path
    """Where data and logs are: `kafka/`, `kafka.log`, `valkey/`, `valkey.log`."""
    kafka_server: Server
    """Kafka's process, to be stopped, killed, paused and started again."""
    valkey_server: Server
    """Valkey's process, likewise."""


@contextlib.asynccontextmanager
async def embedded_stack(
    directory: Path | None = None,
    *,
    kafka_port: int | None = None,
    valkey_port: int | None = None,
    appendonly: bool = False,
    progress: Callable[[], Progress] = on_stderr,
) -> AsyncIterator[Stack]:
    """Start Kafka and Valkey, hand them over when both answer, and end them with the context.

    The first start ever downloads Kafka's jars into the user's cache (45 MB) and lets Java learn
    Kafka's start there; later ones take two to three seconds.

    Args:
        directory: Where data and logs go. Without one a temporary directory is made, and deleted
            at the end; a given one is kept, and Kafka goes on with what it finds there.
        kafka_port: A port for Kafka; a free one is picked without.
        valkey_port: A port for Valkey; likewise.
        appendonly: Let Valkey keep its data through restarts; otherwise it always starts empty.
        progress: Makes what shows a first start's download.

    Raises:
        StackError: A server can't start; nothing of the stack is left running.
    """
    async with contextlib.AsyncExitStack() as cleanup:
        watcher = progress()
        java = packaged_java()  # first, so that a missing package is told before a download
        java = replace(java, jars=await kafka_jars(watcher))
        java = await trained(java, cache_directory(), watcher)
        home = workplace(directory)
        discard = home if directory is None else None
        if discard is not None:
            cleanup.callback(shutil.rmtree, discard, ignore_errors=True)

        async def run(server: Server) -> Server:
            # Data that is about to be deleted isn't worth an orderly stop.
            cleanup.push_async_callback(server.stop if discard is None else server.kill)
            await server.start()
            return server

        async def run_kafka() -> Server:
            port = kafka_port or free_port()
            return await run(await kafka_server(home, port, java, discard=discard))

        async def run_valkey() -> Server:
            port = valkey_port or free_port()
            return await run(valkey_server(home, port, appendonly=appendonly, discard=discard))

        try:
            async with asyncio.TaskGroup() as starting:
                kafka = starting.create_task(run_kafka())
                valkey = starting.create_task(run_valkey())
        except ExceptionGroup as group:
            # The first failure cancelled the rest: there's one to tell.
            raise group.exceptions[0] from group
        yield Stack(
            kafka=kafka.result().address,
            redis_url=f"redis://{HOST}:{valkey.result().port}/0",
            directory=home,
            kafka_server=kafka.result(),
            valkey_server=valkey.result(),
        )


def workplace(directory: Path | None) -> Path:
    """Make the given directory, or a temporary one, and return its absolute path."""
    if directory is None:
        return Path(tempfile.mkdtemp(prefix="countersign-")).resolve()
    directory.mkdir(parents=True, exist_ok=True)
    return directory.resolve()


async def kafka_jars(progress: Progress) -> list[Path]:
    """Return the paths of Kafka's jars; a cancelled wait ends a download that is under way."""
    aborted = threading.Event()
    try:
        return await asyncio.to_thread(
            ensure_jars,
            listed_jars(),
            cache_directory() / "jars",
            progress,
            aborted=aborted,
            fetch=fetch_from_maven,
        )
    except asyncio.CancelledError:
        aborted.set()
        raise
