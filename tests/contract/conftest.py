"""The stores that are held to one suite: in memory, on a server, on a cluster."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from countersign.adapters.memory.caches import MemoryCaches
from countersign.adapters.memory.store import MemoryStore
from countersign.adapters.redis.caches import RedisCaches
from countersign.adapters.redis.connection import RedisClient, connect_redis
from countersign.adapters.redis.store import RedisStore
from countersign.local import Server
from countersign.local.ports import HOST, free_port
from countersign.local.server import Launch
from countersign.local.valkey import program
from countersign.ports import Caches, Store
from countersign.settings import load_settings
from tests.builders import PSEUDONYMS

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from countersign.local import Stack


class MakeStore(Protocol):
    """Makes a store with nothing in it."""

    def __call__(self) -> AbstractAsyncContextManager[Store]:
        """Return the store; it is closed with the context."""
        ...


class MakeCaches(Protocol):
    """Makes caches with nothing in them."""

    def __call__(self) -> AbstractAsyncContextManager[Caches]:
        """Return the caches; they are closed with the context."""
        ...


class OpenRedis(Protocol):
    """Opens a connection to an empty server or cluster."""

    def __call__(self) -> AbstractAsyncContextManager[RedisClient]:
        """Return the connection; it is closed with the context."""
        ...


@pytest.fixture(scope="session")
def cluster(stack: Stack) -> Iterator[str]:
    """A Redis Cluster of one node: it holds every slot, and refuses what crosses slots."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir=stack.directory) as folder:
        directory = Path(folder)
        command = [program(), "--bind", HOST, "--port", str(port), "--dir", folder]
        command += ["--cluster-enabled", "yes", "--save", "", "--maxmemory-policy", "noeviction"]
        server = Server(
            Launch(
                name="Valkey Cluster",
                command=command,
                directory=directory,
                log=directory / "valkey.log",
                port=port,
                answers=lambda: _pings(port),
                start_patience=timedelta(seconds=15),
                stop_patience=timedelta(seconds=5),
            )
        )
        with asyncio.Runner() as runner:
            runner.run(server.start())
            runner.run(_all_slots(port))
            yield f"redis://{HOST}:{port}"
            runner.run(server.stop())


@pytest.fixture(params=["memory", "server", "cluster"])
def open_redis(request: pytest.FixtureRequest) -> OpenRedis | None:
    """Each kind of store in turn: how its connection is opened; None for the one in memory."""
    if request.param == "memory":
        return None
    url = (
        request.getfixturevalue("stack").redis_url
        if request.param == "server"
        else request.getfixturevalue("cluster")
    )
    settings = load_settings(redis_url=url, redis_cluster=request.param == "cluster")

    @asynccontextmanager
    async def opened() -> AsyncIterator[RedisClient]:
        client = connect_redis(settings)
        try:
            await client.flushall()
            yield client
        finally:
            await client.aclose()

    return opened


@pytest.fixture
def make_store(open_redis: OpenRedis | None) -> MakeStore:
    """Each kind of store in turn."""

    @asynccontextmanager
    async def made() -> AsyncIterator[Store]:
        if open_redis is None:
            yield MemoryStore(PSEUDONYMS)
            return
        async with open_redis() as client:
            yield RedisStore(
                client,
                PSEUDONYMS,
                dedupe_window=timedelta(hours=24),
                retention=timedelta(hours=1),
            )

    return made


@pytest.fixture
def make_caches(open_redis: OpenRedis | None) -> MakeCaches:
    """The caches of each kind of store in turn."""

    @asynccontextmanager
    async def made() -> AsyncIterator[Caches]:
        if open_redis is None:
            yield MemoryCaches()
            return
        async with open_redis() as client:
            yield RedisCaches(client, PSEUDONYMS)

    return made


async def _pings(port: int) -> bool:
    client = Redis(host=HOST, port=port)
    try:
        return bool(await client.ping())
    except (RedisError, OSError):
        return False
    finally:
        await client.aclose()


async def _all_slots(port: int) -> None:
    """Give the node every slot, and wait until it calls the cluster whole."""
    client = Redis(host=HOST, port=port)
    await client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
    async with asyncio.timeout(15):
        state = ""
        while "cluster_state:ok" not in state:
            state = str(await client.execute_command("CLUSTER", "INFO"))  # type: ignore[no-untyped-call]  # as above
    await client.aclose()
