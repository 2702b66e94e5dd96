"""A service's life: it listens for its probes, starts, works until it is told to stop, and stops in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeVar

import structlog
from prometheus_client import CollectorRegistry

from countersign.probe.readiness import Readiness
from countersign.probe.server import Probe
from countersign.probe.stop import told_to_stop
from countersign.settings import Settings

log = structlog.get_logger(__name__)

T = TypeVar("T")


async def run_service(
    settings: Settings,
    readiness: Readiness,
    registry: CollectorRegistry,
    start: Callable[[AsyncExitStack], Awaitable[T]],
    status: Callable[[T], int] = lambda _: 0,
) -> int:
    """Run a service until SIGTERM or SIGINT; return the process's exit status.

    Args:
        settings: where its probes listen.
        readiness: what it still lacks.
        registry: its metrics.
        start: starts it, as long as that may take, and leaves on the stack how it is stopped.
        status: the exit status of what was started.

    Raises:
        SettingsError: the settings can't work; nothing was begun.
    """
    stop = told_to_stop()
    async with AsyncExitStack() as stack:
        probe = Probe(readiness, registry, host=settings.probe_host, port=settings.probe_port)
        await probe.start()
        stack.push_async_callback(probe.stop)
        log.info("starting", probe_port=probe.port)

        starting = asyncio.ensure_future(start(stack))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            while not starting.done():
                # Again, since a client may take one cancellation for a time-out of its own.
                starting.cancel()
                await asyncio.wait({starting}, timeout=0.5)
            return 0
        started = starting.result()
        await stop.wait()
        log.info("stopping")
    return status(started)
