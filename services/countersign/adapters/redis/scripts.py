"""Runs the Lua scripts: one call for all items on a single server, one a bucket in a cluster.

Every failure that a later try can mend leaves here as `StoreUnavailableError`; nothing else is
swallowed.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import resources
from typing import Any, NamedTuple

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from countersign.core.errors import StoreUnavailableError

_Arg = str | bytes | int

_AWAY = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    # No node of the cluster is reachable; redis-py leaves it outside its own tree of errors.
    exceptions.RedisClusterException,
    OSError,
)

# Replies that say "not now": full, loading, a replica, a failover or a script under way.
_NOT_NOW = (
    "OOM",
    "LOADING",
    "READONLY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "NOREPLICAS",
    "MISCONF",
    "BUSY",
    "UNBLOCKED",
    "NOAUTH",
    "WRONGPASS",
    "NOPERM",
    "max number of clients",
)

# Each call under way has a connection of its own; a wave can fall into every bucket.
_CALLS_AT_ONCE = 16


class Item(NamedTuple):
    """One item's share of a script's call.

    Attributes:
        bucket: where its keys lie.
        keys: its keys, all of that bucket.
        args: its arguments.
    """

    bucket: int
    keys: Sequence[str]
    args: Sequence[_Arg]


class Script:
    """A script of this package.

    Args:
        client: the connection.
        name: the file's name, without its ending.
        shared: the shared files whose functions it calls, by their names.
        answers: how many values it returns for an item.
    """

    def __init__(
        self,
        client: Redis | RedisCluster,
        name: str,
        *,
        shared: Sequence[str] = (),
        answers: int = 1,
    ) -> None:
        folder = resources.files(__package__) / "lua"
        paths = [*(folder / "shared" / f"{each}.lua" for each in shared), folder / f"{name}.lua"]
        self._text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
        # Redis names a script by its SHA-1; nothing rests on the hash's strength.
        self._sha = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()
        self._client = client
        self._answers = answers

    async def __call__(self, fixed: Sequence[_Arg], items: Sequence[Item]) -> list[Any]:
        """Run the script for the items.

        Args:
            fixed: the arguments that come first in every call.
            items: at least one.

        Returns:
            The answers, in the order of the items.

        Raises:
            StoreUnavailableError: the store can't be asked now.
        """
        if not isinstance(self._client, RedisCluster):
            return await self._run(fixed, items)
        places: dict[int, list[int]] = defaultdict(list)
        for place, item in enumerate(items):
            places[item.bucket].append(place)
        room = asyncio.Semaphore(_CALLS_AT_ONCE)

        async def run(group: Sequence[int]) -> list[Any]:
            async with room:
                return await self._run(fixed, [items[place] for place in group])

        replies = await asyncio.gather(*map(run, places.values()))
        n = self._answers
        answers: list[Any] = [None] * (n * len(items))
        for group, reply in zip(places.values(), replies, strict=True):
            for position, place in enumerate(group):
                answers[n * place : n * place + n] = reply[n * position : n * position + n]
        return answers

    async def _run(self, fixed: Sequence[_Arg], items: Sequence[Item]) -> list[Any]:
        arguments = self.arguments(fixed, items)
        with unavailable():
            try:
                reply = await self._client.evalsha(self._sha, *arguments)
            except exceptions.NoScriptError:
                # A restarted or newly joined server has none of our scripts.
                reply = await self._client.eval(self._text, *arguments)
        return reply  # type: ignore[no-any-return]  # what it is, the script says

    def arguments(self, fixed: Sequence[_Arg], items: Sequence[Item]) -> list[Any]:
        """Return what a call has after the script: how many keys, the keys, the arguments."""
        keys = [key for item in items for key in item.keys]
        return [len(keys), *keys, *fixed, *(arg for item in items for arg in item.args)]

    @property
    def sha(self) -> str:
        """What the server knows the script by."""
        return self._sha


class Call(NamedTuple):
    """A script, and what it is to be run for."""

    script: Script
    fixed: Sequence[_Arg]
    items: Sequence[Item]


async def run_together(client: Redis | RedisCluster, *calls: Call) -> list[list[Any]]:
    """Run scripts that don't wait for each other; on a single server it is one message each way.

    Raises:
        StoreUnavailableError: the store can't be asked now; some may have run.
    """
    if not isinstance(client, RedisCluster):
        with unavailable():
            async with client.pipeline(transaction=False) as pipeline:
                for script, fixed, items in calls:
                    pipeline.evalsha(script.sha, *script.arguments(fixed, items))
                # Without its scripts, as after a restart, each by itself brings its own along.
                with suppress(exceptions.NoScriptError):
                    return await pipeline.execute()
    return await asyncio.gather(*(script(fixed, items) for script, fixed, items in calls))


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn what a later try can mend into `StoreUnavailableError`."""
    try:
        yield
    except _AWAY as error:
        message = f"Redis can't be reached ({type(error).__name__})"
        raise StoreUnavailableError(message) from error
    except exceptions.RedisError as error:
        text = str(error)
        if isinstance(error, exceptions.ResponseError) and not any(w in text for w in _NOT_NOW):
            raise
        message = f"Redis refuses to work now: {text[:120]}"
        raise StoreUnavailableError(message) from error
