"""A decider as a guarded process of its own, as it would run on a machine of its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import aiohttp

from countersign.local.ports import HOST, free_port
from countersign.local.server import Launch, Server

_TRY: Final = aiohttp.ClientTimeout(total=1)


def decider_server(directory: Path, name: str, environment: Mapping[str, str]) -> Server:
    """Lay out a decider; it isn't started yet. It counts as started when it takes events.

    Args:
        directory: Where its log goes, as `NAME.log`.
        name: What it is called.
        environment: Its settings; no secrets, since a command line shows them.
    """
    port = free_port()
    given = {**environment, "COUNTERSIGN_PROBE_HOST": HOST, "COUNTERSIGN_PROBE_PORT": str(port)}
    return Server(
        Launch(
            name=name,
            command=[
                "/usr/bin/env",
                *(f"{key}={value}" for key, value in given.items()),
                *(sys.executable, "-m", "countersign", "decider"),
            ],
            directory=directory,
            log=directory / f"{name}.log",
            port=port,
            answers=lambda: _is_ready(port),
            start_patience=timedelta(seconds=60),
            stop_patience=timedelta(seconds=25),
        )
    )


async def _is_ready(port: int) -> bool:
    async with aiohttp.ClientSession(timeout=_TRY) as session:
        try:
            async with session.get(f"http://{HOST}:{port}/ready") as response:
                return response.status == 200  # noqa: PLR2004  # OK (RFC 9110)
        except (aiohttp.ClientError, TimeoutError):
            return False
