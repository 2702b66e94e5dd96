"""The services as guarded processes, each as it would run on a machine of its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import aiohttp

from countersign.local.ports import HOST, free_port
from countersign.local.server import Launch, Server

_TRY: Final = aiohttp.ClientTimeout(total=1)
_OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A service's program.

    Attributes:
        name: What the process is called; its log is `NAME.log`.
        arguments: What Python is given.
        port: Where it says that it works.
        path: The path that it says so under, with status 200.
    """

    name: str
    arguments: Sequence[str]
    port: int
    path: str = "/health"


def service(directory: Path, program: Program, environment: Mapping[str, str]) -> Server:
    """Lay out a service; it isn't started yet. It counts as started once it says that it works.

    Args:
        directory: Where its log goes.
        program: What it runs.
        environment: Its settings; no secrets, since a command line shows them.
    """
    address = f"http://{HOST}:{program.port}{program.path}"
    return Server(
        Launch(
            name=program.name,
            command=[
                "/usr/bin/env",
                *(f"{key}={value}" for key, value in environment.items()),
                *(sys.executable, *program.arguments),
            ],
            directory=directory,
            log=directory / f"{program.name}.log",
            port=program.port,
            answers=lambda: _answers(address),
            start_patience=timedelta(seconds=60),
            stop_patience=timedelta(seconds=25),
        )
    )


def probed_service(
    directory: Path, name: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> Server:
    """Lay out a service that has probes: a decider or a challenger; it gets a port for them."""
    port = free_port()
    probes = {"COUNTERSIGN_PROBE_HOST": HOST, "COUNTERSIGN_PROBE_PORT": str(port)}
    program = Program(name=name, arguments=arguments, port=port, path="/ready")
    return service(directory, program, {**environment, **probes})


async def _answers(address: str) -> bool:
    async with aiohttp.ClientSession(timeout=_TRY) as session:
        try:
            async with session.get(address) as response:
                return response.status == _OK
        except (aiohttp.ClientError, TimeoutError):
            return False
