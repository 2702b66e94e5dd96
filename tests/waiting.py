"""Waits for conditions, with a deadline; tests sleep nowhere else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta


async def eventually(
    condition: Callable[[], bool], *, within: timedelta = timedelta(seconds=20)
) -> float:
    """Return, when the condition holds, how many seconds that took.

    Raises:
        AssertionError: it still doesn't hold at the deadline.
    """
    started = time.monotonic()
    while not condition():
        assert time.monotonic() < started + within.total_seconds(), "the condition never held"
        await asyncio.sleep(0.005)
    return time.monotonic() - started
