"""Whose calls find a thread: an account its share and no more, whoever hangs, goes away or stops."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from countersign.adapters.duo.bulkhead import SHARE, THREADS, Bulkhead
from countersign.core.errors import DuoBusyError, DuoUnavailableError
from tests.waiting import eventually

ACME, GLOBEX, INITECH = "acme", "globex", "initech"
LONG, SHORT = 60.0, 0.2


class Work:
    """Blocking work that ends when it is let go."""

    def __init__(self) -> None:
        self.under_way = 0
        self.done = 0
        self._lock = threading.Lock()
        self._gate = threading.Semaphore(0)

    def __call__(self) -> str:
        """Hang."""
        with self._lock:
            self.under_way += 1
        self._gate.acquire()
        with self._lock:
            self.under_way -= 1
            self.done += 1
        return "done"

    def let_go(self, count: int = 1_000) -> None:
        """End so many."""
        self._gate.release(count)


@contextmanager
def sharing(
    *,
    threads: int = 8,
    share: int = 2,
    timeout: float = LONG,
    most_waiting: int = 100,
    monotonic: Callable[[], float] | None = None,
) -> Iterator[tuple[Bulkhead, Work]]:
    """A bulkhead, and work that hangs in it until the end."""
    work = Work()
    loop = asyncio.get_running_loop()
    bulkhead = Bulkhead(
        timeout=timeout,
        monotonic=monotonic or loop.time,
        threads=threads,
        share=share,
        most_waiting=most_waiting,
    )
    try:
        yield bulkhead, work
    finally:
        bulkhead.close()
        work.let_go()


def calls(bulkhead: Bulkhead, account: str, work: Work, count: int) -> list[asyncio.Task[str]]:
    """Begin so many calls."""
    return [asyncio.create_task(bulkhead.call(account, work)) for _ in range(count)]


async def rounds(count: int = 10) -> None:
    """Let everything that can happen now happen."""
    for _ in range(count):
        await asyncio.sleep(0)


async def all_free(bulkhead: Bulkhead, threads: int) -> None:
    """Every thread is free again, and nothing is kept of anybody."""
    await eventually(lambda: bulkhead._free == threads)  # noqa: SLF001  # a leak is to be seen
    assert not bulkhead._under_way  # noqa: SLF001  # likewise
    assert not bulkhead._waiting  # noqa: SLF001  # likewise


async def test_an_account_has_its_share_and_others_theirs() -> None:
    """An account whose every call hangs has its share of threads; other accounts have theirs at once."""
    with sharing(threads=8, share=2) as (bulkhead, work):
        hanging = calls(bulkhead, ACME, work, 50)
        await eventually(lambda: work.under_way == 2)
        assert await bulkhead.call(GLOBEX, lambda: "at once") == "at once"
        others = [calls(bulkhead, name, work, 1) for name in (GLOBEX, INITECH)]
        await eventually(lambda: work.under_way == 4)
        work.let_go()
        assert await asyncio.gather(*hanging, *others[0], *others[1]) == ["done"] * 52
        await all_free(bulkhead, 8)


async def test_many_may_hang() -> None:
    """With the numbers of production, fifteen accounts that hang leave threads for another; each has some."""
    with sharing(threads=THREADS, share=SHARE) as (bulkhead, work):
        hanging = [calls(bulkhead, f"hanging-{number}", work, 30) for number in range(15)]
        await rounds()
        assert await bulkhead.call(ACME, lambda: "found") == "found"
        assert min(bulkhead._under_way[f"hanging-{n}"] for n in range(15)) == 1  # noqa: SLF001  # to be seen
        assert max(bulkhead._under_way.values()) == SHARE  # noqa: SLF001  # likewise
        work.let_go()
        await asyncio.gather(*itertools.chain(*hanging))
        await all_free(bulkhead, THREADS)


async def test_waiting_calls_are_served_in_order_and_accounts_in_turn() -> None:
    """A thread that comes free goes to each account in turn, and within one to who came first."""
    order: list[str] = []
    with sharing(threads=1, share=1) as (bulkhead, work):
        first = calls(bulkhead, ACME, work, 1)
        await eventually(lambda: work.under_way == 1)

        async def call(account: str, name: str) -> None:
            await bulkhead.call(account, lambda: order.append(name))

        waiting = [asyncio.create_task(call(ACME, f"acme-{n}")) for n in range(3)]
        await rounds()
        waiting += [asyncio.create_task(call(GLOBEX, f"globex-{n}")) for n in range(2)]
        await rounds()
        work.let_go()
        await asyncio.gather(*first, *waiting)
        assert order == ["acme-0", "globex-0", "acme-1", "globex-1", "acme-2"]
        await all_free(bulkhead, 1)


async def test_one_call_too_many_is_busy_at_once() -> None:
    """Where as many wait as may, one more of that account is busy at once; another account isn't."""
    with sharing(share=1, most_waiting=3) as (bulkhead, work):
        begun = calls(bulkhead, ACME, work, 4)
        await eventually(lambda: work.under_way == 1)
        with pytest.raises(DuoBusyError):
            await bulkhead.call(ACME, work)
        assert await bulkhead.call(GLOBEX, lambda: "at once") == "at once"
        work.let_go()
        assert await asyncio.gather(*begun) == ["done"] * 4
        await all_free(bulkhead, 8)


async def test_waiting_has_an_end() -> None:
    """A call that gets no thread in half of its time is busy, its work never done; it isn't Duo's fault."""
    with sharing(share=1, timeout=SHORT) as (bulkhead, work):
        first, second = calls(bulkhead, ACME, work, 2)
        with pytest.raises(DuoBusyError):
            await second
        with pytest.raises(DuoUnavailableError):
            await first
        work.let_go()
        await all_free(bulkhead, 8)
        assert work.done == 1


async def test_a_thread_that_hangs_counts_until_it_ends() -> None:
    """A call that outlives its deadline keeps its thread, and so do those who stopped waiting for it."""
    with sharing(share=2, timeout=SHORT) as (bulkhead, work):
        late, cancelled = calls(bulkhead, ACME, work, 2)
        await eventually(lambda: work.under_way == 2)
        cancelled.cancel()
        with pytest.raises(DuoUnavailableError):
            await late
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        with pytest.raises(DuoBusyError):
            await bulkhead.call(ACME, work)
        work.let_go(1)
        await eventually(lambda: work.under_way == 1)
        assert await bulkhead.call(ACME, lambda: "free again") == "free again"
        work.let_go()
        await all_free(bulkhead, 8)


async def test_who_goes_away_leaves_no_gap() -> None:
    """Calls cancelled while they wait leave the line; those behind them come sooner, nothing leaks."""
    with sharing(share=1) as (bulkhead, work):
        first, *waiting = calls(bulkhead, ACME, work, 20)
        await eventually(lambda: work.under_way == 1)
        for task in waiting[:-1]:
            task.cancel()
        work.let_go(2)
        assert await first == "done"
        assert await waiting[-1] == "done"
        assert all(task.cancelled() for task in waiting[:-1])
        await all_free(bulkhead, 8)


async def test_a_thread_for_somebody_who_just_left_goes_on() -> None:
    """A thread handed to a call that is cancelled in the same moment goes to the next in line."""
    with sharing(share=1) as (bulkhead, work):
        first, second, third = calls(bulkhead, ACME, work, 3)
        await eventually(lambda: work.under_way == 1)
        handed = bulkhead._waiting[ACME][0]  # noqa: SLF001  # the moment can't be met otherwise
        handed.add_done_callback(lambda _: second.cancel())
        work.let_go()
        await first
        with pytest.raises(asyncio.CancelledError):
            await second
        assert await third == "done"
        await all_free(bulkhead, 8)


async def test_a_process_that_stood_still_asks_nothing() -> None:
    """A thread that comes after half of a call's time, as of a process that was halted, isn't used."""
    now = 1_000.0
    with sharing(share=1, monotonic=lambda: now) as (bulkhead, work):
        first, second = calls(bulkhead, ACME, work, 2)
        await eventually(lambda: work.under_way == 1)
        now += LONG / 2 + 1
        work.let_go()
        assert await first == "done"
        with pytest.raises(DuoBusyError):
            await second
        await all_free(bulkhead, 8)
        assert work.done == 1


async def test_closing_leaves_nobody_waiting() -> None:
    """Closing makes busy all who wait and all who come; calls under way still end."""
    with sharing(share=1) as (bulkhead, work):
        first, *waiting = calls(bulkhead, ACME, work, 5)
        await eventually(lambda: work.under_way == 1)
        bulkhead.close()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(error) for error in ended} == {DuoBusyError}
        with pytest.raises(DuoBusyError):
            await bulkhead.call(GLOBEX, work)
        work.let_go()
        assert await first == "done"


async def test_closing_in_the_moment_of_a_turn() -> None:
    """A call that was just handed a thread when we close is busy, and does nothing any more."""
    with sharing(share=1) as (bulkhead, work):
        first, second = calls(bulkhead, ACME, work, 2)
        await eventually(lambda: work.under_way == 1)
        bulkhead._waiting[ACME][0].add_done_callback(  # noqa: SLF001  # the moment can't be met otherwise
            lambda _: bulkhead.close()
        )
        work.let_go()
        assert await first == "done"
        with pytest.raises(DuoBusyError):
            await second
        await all_free(bulkhead, 8)
