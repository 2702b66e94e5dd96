"""What is remembered of health checks, who shares a call, what is renewed, and when the breaker opens."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import pytest

from countersign.adapters.duo.health import (
    BAD_FOR,
    GOOD_FOR,
    RENEWED_AFTER,
    THRESHOLD,
    Health,
)
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
        self.error: Exception | None = None
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
    duo.now += RENEWED_AFTER - 0.01
    await health.check(ACME, duo)
    assert duo.calls == 1
    await health.check(GLOBEX, duo)
    assert duo.calls == 2
    duo.now += GOOD_FOR
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


async def test_those_who_waited_in_vain_go_on_as_they_came() -> None:
    """Who came later hears of an error later by as much, so that many don't go on in one moment."""
    duo = Duo()
    duo.gate.clear()
    duo.error = DuoUnavailableError("Duo is not there")
    health = Health(monotonic=duo.clock)
    told: dict[float, float] = {}

    async def come(late: float) -> None:
        with pytest.raises(DuoUnavailableError):
            await health.check(ACME, duo)
        told[late] = time.monotonic()

    began, waiting = duo.now, []
    for late in (0.0, 0.1, 0.3):
        duo.now = began + late
        waiting.append(asyncio.create_task(come(late)))
        await asyncio.wait(waiting, timeout=0.01)
    duo.gate.set()
    await asyncio.gather(*waiting)
    assert list(told) == [0.0, 0.1, 0.3]
    assert told[0.3] - told[0.0] > 0.25
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


async def renewing(duo: Duo, health: Health) -> None:
    """Get a good answer, and let somebody who is given it start a renewal, which hangs at the gate."""
    await health.check(ACME, duo)
    duo.gate.clear()
    duo.now += RENEWED_AFTER
    await health.check(ACME, duo)
    await eventually(lambda: duo.calls == 2)


async def landed(health: Health, duo: Duo) -> None:
    """Open the gate, and wait until what was under way has been learnt: the next call can begin."""
    duo.gate.set()
    known = health._accounts[ACME]  # noqa: SLF001  # no browser can see when a renewal ends
    await eventually(lambda: known.flight is None)


async def test_a_good_answer_is_renewed_before_it_runs_out() -> None:
    """Many who come late in its time are all given it at once, one call renews it, and nobody waits."""
    duo = Duo()
    health = Health(monotonic=duo.clock)
    await renewing(duo, health)
    await asyncio.gather(*(health.check(ACME, duo) for _ in range(20)))
    assert duo.calls == 2
    await landed(health, duo)
    duo.now += RENEWED_AFTER - 0.01
    await health.check(ACME, duo)
    assert duo.calls == 2


async def test_no_answer_is_given_beyond_its_time() -> None:
    """Who comes when the good answer has run out waits for the renewal, which still is the only call."""
    duo = Duo()
    health = Health(monotonic=duo.clock)
    await renewing(duo, health)
    duo.now += GOOD_FOR - RENEWED_AFTER
    waiting = [asyncio.create_task(health.check(ACME, duo)) for _ in range(5)]
    done, _ = await asyncio.wait(waiting, timeout=0)
    assert not done
    duo.gate.set()
    await asyncio.gather(*waiting)
    assert duo.calls == 2


@pytest.mark.parametrize("kind", [DuoUnavailableError, DuoBusyError, DuoRefusedError])
async def test_a_renewal_that_fails_counts_at_once(kind: type[DuoError]) -> None:
    """What a renewal found is the newest that is known: an error of it replaces the good answer."""
    duo = Duo()
    health = Health(monotonic=duo.clock)
    await renewing(duo, health)
    duo.error = kind("Duo is not well")
    await landed(health, duo)
    for _ in range(3):
        with pytest.raises(kind):
            await health.check(ACME, duo)
    assert duo.calls == 2
    duo.now += BAD_FOR
    duo.error = None
    await health.check(ACME, duo)
    assert duo.calls == 3


async def test_a_renewal_counts_for_the_breaker() -> None:
    """A renewal that is out of reach is the first of the times that open the breaker."""
    duo = Duo()
    health = Health(monotonic=duo.clock)
    await renewing(duo, health)
    duo.error = DuoUnavailableError("Duo is not there")
    await landed(health, duo)
    for _ in range(THRESHOLD + 3):
        await duo.fails(health)
    assert duo.calls == 1 + THRESHOLD


async def test_a_renewal_that_breaks_breaks_nobody() -> None:
    """A fault of our own in a renewal leaves the answer for its time, and is told to who waits for one."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    duo = Duo()
    health = Health(monotonic=duo.clock)
    await renewing(duo, health)
    duo.error = RuntimeError("broken")
    await landed(health, duo)
    await health.check(ACME, duo)
    await landed(health, duo)
    duo.now += GOOD_FOR
    with pytest.raises(RuntimeError, match="broken"):
        await health.check(ACME, duo)
    gc.collect()
    assert complaints == []


async def test_closing_ends_what_is_under_way() -> None:
    """Closing leaves no task: a renewal ends, who waits hears that we are busy, and nobody asks again."""
    duo = Duo()
    health = Health(monotonic=duo.clock)
    await renewing(duo, health)
    duo.now += GOOD_FOR
    waiting = [asyncio.create_task(health.check(ACME, duo)) for _ in range(3)]
    duo.error = DuoRefusedError("never told")
    waiting.append(asyncio.create_task(health.check(GLOBEX, duo)))
    await eventually(lambda: duo.calls == 3)
    await health.close()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(error) for error in ended} == {DuoBusyError}
    assert asyncio.all_tasks() == {asyncio.current_task()}
    with pytest.raises(DuoBusyError):
        await health.check(ACME, duo)
    assert duo.calls == 3


async def test_an_account_is_forgotten_while_it_is_asked_for() -> None:
    """Closing ends the call of an account that had to make room for another meanwhile."""
    duo = Duo()
    health = Health(monotonic=duo.clock, max_accounts=1)
    await renewing(duo, health)
    other = asyncio.create_task(health.check(GLOBEX, duo))
    await eventually(lambda: duo.calls == 3)
    gc.collect()
    await health.close()
    with pytest.raises(DuoBusyError):
        await other
    assert asyncio.all_tasks() == {asyncio.current_task()}
