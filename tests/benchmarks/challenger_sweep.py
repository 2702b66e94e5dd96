"""How long visits take while very many challenges that all became overdue at once are swept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle
from time import perf_counter
from typing import NamedTuple

from tests.benchmarks.challenger_ground import Ground
from tests.benchmarks.challenger_server import OURS
from tests.benchmarks.challenger_walks import Walkers
from tests.benchmarks.figures import VoidRunError, percentile
from tests.benchmarks.load import utc_now

_VISITED = 500
"""Challenges that are not overdue, and are visited again and again."""
_WARM_UP = 100
"""So many of them make a challenger warm."""
_EVERY = 0.025
"""Seconds from a visit's start to the next one's, whatever became of the first: 40 a second."""
_QUIET = 4.0
"""Seconds of visits before the deadline, to compare with."""
_OPENED_A_SECOND = 3_000
"""Challenges that this program opens a second at least."""
_PATIENCE = 300.0


class Visit(NamedTuple):
    """A visit: when it began, and how many seconds it took."""

    at: float
    took: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What was measured with so many sweepers.

    Attributes:
        sweepers: how many.
        seconds: until nothing was overdue any more.
        quiet_p99: of a visit before anything was overdue, in milliseconds.
        p99: of a visit during the sweep, likewise.
        longest: of a visit during the sweep, likewise.
        visits: how many came during the sweep.
    """

    sweepers: int
    seconds: float
    quiet_p99: float
    p99: float
    longest: float
    visits: int


async def measure_sweep(ground: Ground, walkers: Walkers, *, overdue: int, sweepers: int) -> Sweep:
    """Let challenges become overdue, and visit others meanwhile.

    Raises:
        VoidRunError: opening them took until they were overdue, or sweeping them takes for ever.
    """
    await ground.clear()
    visited = await ground.open(_VISITED, utc_now() + timedelta(hours=1))
    async with AsyncExitStack() as cleanup:
        ports = [
            (await cleanup.enter_async_context(ground.at_work(OURS))).port for _ in range(sweepers)
        ]
        for port in ports:
            await walkers.walk(port, visited[:_WARM_UP], 8)
            visited = visited[_WARM_UP:]
        deadline = utc_now() + timedelta(seconds=overdue / _OPENED_A_SECOND + _QUIET)
        ends = perf_counter() + (deadline - utc_now()).total_seconds()
        await ground.open(overdue, deadline)
        if perf_counter() > ends:
            message = "the challenges were overdue before all of them were opened"
            raise VoidRunError(message)
        await asyncio.sleep(max(0.0, ends - _QUIET - perf_counter()))
        done = asyncio.Event()
        visiting = asyncio.create_task(_visit(walkers, ports, visited, done))
        await asyncio.sleep(max(0.0, ends - perf_counter()))
        try:
            async with asyncio.timeout(_PATIENCE):
                while await ground.due() > _VISITED:  # noqa: ASYNC110  # the store has to be asked
                    await asyncio.sleep(0.25)
        except TimeoutError:
            message = "the sweep has no end"
            raise VoidRunError(message) from None
        swept = perf_counter()
        done.set()
        visits = await visiting
    quiet = [one.took * 1_000 for one in visits if one.at + one.took < ends]
    during = [one.took * 1_000 for one in visits if ends < one.at < swept]
    if not quiet or not during:
        message = "the sweep was over before anybody came"
        raise VoidRunError(message)
    return Sweep(
        sweepers=sweepers,
        seconds=swept - ends,
        quiet_p99=percentile(quiet, 0.99),
        p99=percentile(during, 0.99),
        longest=max(during),
        visits=len(during),
    )


async def _visit(
    walkers: Walkers, ports: Sequence[int], challenges: Sequence[str], done: asyncio.Event
) -> list[Visit]:
    """Visit one after the other, at each port in turn, at a steady rate."""
    visits: list[Visit] = []

    async def visit(port: int, challenge: str) -> None:
        began = perf_counter()
        await walkers.visit(port, challenge)
        visits.append(Visit(began, perf_counter() - began))

    start = perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number, (port, challenge) in enumerate(zip(cycle(ports), cycle(challenges))):
            tasks.create_task(visit(port, challenge))
            await asyncio.sleep(max(0.0, start + _EVERY * (number + 1) - perf_counter()))
            if done.is_set():
                break
    return visits
