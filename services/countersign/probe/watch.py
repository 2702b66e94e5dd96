"""Looks after what a service needs while nothing asks for it, so that `/ready` is true when idle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from countersign.core.errors import CountersignError
from countersign.probe.readiness import Readiness

log = structlog.get_logger(__name__)

INTERVAL: Final = 5.0
"""Seconds between two looks."""


async def watch(readiness: Readiness, checks: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
    """Note for ever which components are there.

    Args:
        readiness: is told.
        checks: for each component what fails, with a `CountersignError`, while it isn't there.
    """
    while True:
        for component, check in checks.items():
            try:
                await check()
            except CountersignError as error:
                readiness.lacks(component, str(error))
                log.warning("component_missing", component=component, reason=str(error))
            else:
                readiness.has(component)
        await asyncio.sleep(INTERVAL)
