"""Starts workers as processes, and ends those that are left."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.bus import PATIENCE, Bus

ROOT = Path(__file__).parents[2]


def environment(bus: Bus) -> dict[str, str]:
    """Return the bus' settings as the environment of a process."""
    given = {
        f"COUNTERSIGN_{name.upper()}": str(getattr(bus.settings, name))
        for name in (
            "kafka_bootstrap",
            "redis_url",
            "login_events_topic",
            "mfa_results_topic",
            "dead_letters_topic",
            "tenant_settings_topic",
            "group_id",
            "probe_port",
        )
    }
    for name in ("identifier_key", "settings_key"):
        key = getattr(bus.settings, name)
        assert key is not None
        given[f"COUNTERSIGN_{name.upper()}"] = key.get_secret_value()
    return {**os.environ, **given, "PYTHONPATH": str(ROOT)}


@asynccontextmanager
async def worker(bus: Bus, point: str = "nowhere") -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a worker that dies at the point, and end it with the context."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.worker", point, env=environment(bus), cwd=ROOT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ended(process: asyncio.subprocess.Process) -> int:
    """Return how the process ended, once it has."""
    async with asyncio.timeout(PATIENCE):
        return await process.wait()


async def terminated(process: asyncio.subprocess.Process) -> int:
    """Tell the process to stop, and return how it ended."""
    process.send_signal(signal.SIGTERM)
    return await ended(process)
