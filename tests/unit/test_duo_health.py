"""What is remembered of health checks, who shares a call, and when the breaker opens."""

from __future__ import annotations

import asyncio
import time

import pytest

from countersign.adapters.duo.health import BAD_FOR, GOOD_FOR, THRESHOLD, Health
from countersign.core.errors import (
    DuoBusyError,
    DuoError,
    DuoRefusedError,
    DuoUnavailableError,
)
from tests.waiting import eventually

ACME, GLOBEX = "acme", "globex"


class Duo:
    """Counts the calls, and ends each as it is told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: DuoError | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.now = 1000.0

    async def __call__(self) -> None:
        """Answer a health check."""
        self.calls += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error

    def clock(self) -> float:
        """Return the test's time."""
        return self.now

    async def fails(self, health: Health, account: str = ACME) -> None:
        """Check, long after what is remembered, and see this Duo's error."""
        self.now += GOOD_FOR
        with pytest.raises(DuoError) as caught:
            await health.check(account, self)
        assert type(caught.value) is type(self.error)


async def test_a_good_answer_is_remembered() -> None:
    """A good answer counts for its time and no longer, and for its account alone."""
    duo = Duo()
    health = Health(monotonic=duo.clock)
    await health.check(ACME, duo)
    duo.now += GOOD_FOR - 0.01
    await health.check(ACME, duo)
    assert duo.calls == 1
    await health.check(GLOBEX, duo)
    assert duo.calls == 2
    duo.now += 0.01
    await health.check(ACME, duo)
    assert duo.calls == 3


@pytest.mark.parametrize("kind", [DuoUnavailableError, DuoBusyError, DuoRefusedError])
async def test_an_error_is_remembered(kind: type[DuoError]) -> None:
    """An error counts for a shorter time; each who asks gets one of their own."""
    duo = Duo()
    duo.error = kind("Duo is not well")
    health = Health(monotonic=duo.clock)
    await duo.fails(health)
    with pytest.raises(kind) as caught:
        await health.check(ACME, duo)
    assert caught.value is not duo.error
    assert duo.calls == 1
    duo.now += BAD_FOR
    duo.error = None
    await health.check(ACME, duo)
    assert duo.calls == 2


async def test_a_call_is_shared() -> None:
    """All who ask at once share a call, and one who goes away doesn't end it for the others."""
    duo = Duo()
    duo.gate.clear()
    health = Health(monotonic=duo.clock)
    waiting = [asyncio.create_task(health.check(ACME, duo)) for _ in range(20)]
    await eventually(lambda: duo.calls > 0)
    waiting[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    duo.gate.set()
    await asyncio.gather(*waiting[1:])
    assert duo.calls == 1


async def test_a_call_that_nobody_waits_for() -> None:
    """A call whose every waiter went away ends all the same, and what it found counts."""
    duo = Duo()
    duo.gate.clear()
    duo.error = DuoRefusedError("Duo is not well")
    health = Health(monotonic=duo.clock)
    waiting = asyncio.create_task(health.check(ACME, duo))
    await eventually(lambda: duo.calls > 0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    duo.gate.set()
    with pytest.raises(DuoRefusedError):
        await health.check(ACME, duo)
    assert duo.calls == 1


async def test_the_breaker_opens() -> None:
    """An account out of reach several times is not called again, and no other account notices."""
    duo = Duo()
    duo.error = DuoUnavailableError("Duo is not there")
    health = Health(monotonic=duo.clock)
    for _ in range(THRESHOLD + 3):
        await duo.fails(health)
    assert duo.calls == THRESHOLD
    duo.error = None
    await health.check(GLOBEX, duo)


@pytest.mark.parametrize("kind", [DuoBusyError, DuoRefusedError])
async def test_only_out_of_reach_opens_it(kind: type[DuoError]) -> None:
    """Being busy or refused opens no breaker, and sets the count back."""
    duo = Duo()
    health = Health(monotonic=duo.clock)
    for _ in range(THRESHOLD + 3):
        duo.error = DuoUnavailableError("Duo is not there")
        await duo.fails(health)
        duo.error = kind("Duo is not well")
        await duo.fails(health)
    assert duo.calls == 2 * (THRESHOLD + 3)


async def test_the_breaker_closes() -> None:
    """After its time an open breaker lets a call through, and a good one closes it."""
    duo = Duo()
    duo.error = DuoUnavailableError("Duo is not there")
    health = Health(monotonic=duo.clock, open_for=0.05)
    for _ in range(THRESHOLD):
        await duo.fails(health)
    opened = time.time()
    await eventually(lambda: time.time() > opened + 0.05)
    duo.error = None
    for _ in range(2):
        duo.now += GOOD_FOR
        await health.check(ACME, duo)
    assert duo.calls == THRESHOLD + 2


async def test_few_accounts_are_remembered() -> None:
    """The account asked for least lately is forgotten where there are too many."""
    duo = Duo()
    health = Health(monotonic=duo.clock, max_accounts=2)
    for account in (ACME, GLOBEX, ACME, "initech", ACME, GLOBEX):
        await health.check(account, duo)
    assert duo.calls == 4
