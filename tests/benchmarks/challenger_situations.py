"""How long round trips take while other things go on, beside how long they take as a rule.

One challenger, round trips at a steady rate whatever becomes of each: first and last with nothing else
going on, in between with a thousand challenges open that nobody comes for, and with tenants whose Duo
hangs while their browsers keep coming.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from time import perf_counter
from typing import Any, Final

from tests.benchmarks.challenger_ground import Ground
from tests.benchmarks.challenger_server import MUTE, OURS, STUCK
from tests.benchmarks.challenger_walks import Trip, Walkers
from tests.benchmarks.figures import VoidRunError, percentile
from tests.benchmarks.load import utc_now

IDLE: Final = 1_000
"""Challenges that are open and that nobody comes for."""
USUAL: Final = "nothing else"

_EVERY = 0.1
"""Seconds from a round trip's start to the next one's: 10 a second, which a busy machine can do."""
_COMING = 0.1
"""Seconds from a browser's coming, whose Duo hangs, to the next one's: its 8 s want ten times its share."""
_WARM_UP = 100
_HANGING_FOR = 3.0
"""Seconds that a tenant's Duo has hung when measuring begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What was measured while something went on; times in milliseconds.

    Attributes:
        name: what went on.
        visit_p99: of a visit.
        callback_p99: of a callback, the exchange with Duo included.
        trips: how many were measured.
    """

    name: str
    visit_p99: float
    callback_p99: float
    trips: int


async def measure_situations(
    ground: Ground, walkers: Walkers, *, trips: int, say: Callable[[str], None]
) -> list[Situation]:
    """Measure the usual, and each situation beside it.

    Args:
        ground: where it takes place.
        walkers: the browsers.
        trips: round trips in each situation.
        say: is told what is being measured.

    Raises:
        VoidRunError: a browser was not sent on.
    """
    await ground.clear()
    later = utc_now() + timedelta(hours=1)
    async with ground.at_work(OURS) as ours, ground.hanging_duo():
        await walkers.walk(ours.port, await ground.open(_WARM_UP, later), 8)

        async def steady() -> list[Trip]:
            challenges = await ground.open(trips, later)
            return await _at_a_steady_rate(
                challenges, _EVERY, lambda one: walkers.trip(ours.port, one)
            )

        say(f"round trips beside {USUAL}")
        usual = await steady()
        say(f"round trips beside {IDLE:,} open challenges")
        await ground.open(IDLE, later)
        found = [_situation(f"{IDLE:,} challenges open", await steady())]
        for tenant, name in (
            (MUTE, "another's Duo hangs"),
            (STUCK, "another's Duo hangs in exchanges"),
        ):
            say(f"round trips while {name}")
            longest = 3 * (_HANGING_FOR + trips * _EVERY)
            browsers = await ground.open(int(longest / _COMING), later, tenant=tenant)
            async with _coming(browsers, lambda one: walkers.knock(ours.port, one)):
                await asyncio.sleep(_HANGING_FOR)
                found.append(_situation(name, await steady()))
        say(f"round trips beside {USUAL}, once more")
        usual += await steady()
    return [_situation(USUAL, usual), *found]


def _situation(name: str, trips: Sequence[Trip]) -> Situation:
    return Situation(
        name=name,
        visit_p99=percentile([trip.visit * 1_000 for trip in trips], 0.99),
        callback_p99=percentile([trip.callback * 1_000 for trip in trips], 0.99),
        trips=len(trips),
    )


async def _at_a_steady_rate(
    challenges: Sequence[str], every: float, do: Callable[[str], Awaitable[Trip]]
) -> list[Trip]:
    """Do something with each challenge, one begun after the other, whatever became of the first."""
    start = perf_counter()

    async def begun(number: int, challenge: str) -> Trip:
        await asyncio.sleep(max(0.0, start + every * number - perf_counter()))
        return await do(challenge)

    return await asyncio.gather(
        *(begun(number, challenge) for number, challenge in enumerate(challenges))
    )


@asynccontextmanager
async def _coming(
    challenges: Sequence[str], do: Callable[[str], Coroutine[Any, Any, None]]
) -> AsyncIterator[None]:
    """Browsers that keep coming, each with a challenge of its own, until the context ends.

    Raises:
        VoidRunError: they stopped before that.
    """

    async def come() -> None:
        start = perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number, challenge in zip(count(), challenges, strict=False):
                await asyncio.sleep(max(0.0, start + _COMING * number - perf_counter()))
                tasks.create_task(do(challenge))

    coming = asyncio.create_task(come())
    try:
        yield
        if coming.done():
            message = "the browsers whose Duo hangs stopped coming"
            raise VoidRunError(message)
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
