"""Threads for blocking calls, shared out among accounts; law: no account's calls keep another's waiting.

A Duo that hangs holds each thread that calls it until the call's deadline. So an account has a share of
the threads and no more, and the fewer are free, the less it may take: the last ones are for accounts that
have none.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from countersign.core.errors import DuoBusyError, DuoUnavailableError

THREADS: Final = 64
"""Calls to Duo at the same time, of all accounts; a thread is made only when a call needs it."""
SHARE: Final = 8
"""Of those, calls of one account; a call takes about 100 ms, so this is about 80 a second."""
MOST_WAITING: Final = 256
"""Calls of one account that wait for a thread: about as many as its share can serve while they wait."""

_FREE_FOR_EACH: Final = 4
"""An account takes another thread only while more than so many are free for each that it has.

With 64 threads and a share of 8, it takes 16 accounts whose every call hangs to leave none free.
"""
_NO_CALL_TO_SPARE: Final = "All calls to Duo that this account may have at once are under way"
_T = TypeVar("_T")
_Turns = deque[asyncio.Future[bool]]


class Bulkhead:
    """The threads; belongs to one event loop.

    Args:
        timeout: seconds that a call may take in all; it waits for a thread at most half of that.
        monotonic: seconds of a clock that never goes back.
        threads: so many calls at the same time.
        share: so many of one account.
        most_waiting: so many calls of one account may wait for a thread.
    """

    def __init__(
        self,
        *,
        timeout: float,
        monotonic: Callable[[], float],
        threads: int = THREADS,
        share: int = SHARE,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._timeout = timeout
        self._now = monotonic
        self._share = share
        self._most_waiting = most_waiting
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="duo")
        self._free = threads
        self._under_way: Counter[Hashable] = Counter()
        self._waiting: OrderedDict[Hashable, _Turns] = OrderedDict()
        self._closed = False

    async def call(self, account: Hashable, work: Callable[[], _T]) -> _T:
        """Do blocking work of an account; the waiting ends at the deadline, whatever the thread does.

        A thread that goes on after that counts as the account's until it ends.

        Raises:
            DuoBusyError: the account had no thread in time; nothing was done, and nothing will be.
            DuoUnavailableError: the work takes too long.
        """
        came = self._now()
        await self._turn(account)
        if self._closed or self._now() > came + self._timeout / 2:
            # It is not Duo that was slow, and anybody who opens enough prompts can bring that about:
            # so it opens no failmode and no breaker.
            self._give_back(account)
            raise DuoBusyError(_NO_CALL_TO_SPARE)
        running = asyncio.wrap_future(self._threads.submit(work))
        running.add_done_callback(lambda _: self._give_back(account))
        # This leaves the work alone, whatever becomes of the one who waits for it.
        done, _ = await asyncio.wait({running}, timeout=came + self._timeout - self._now())
        if not done:
            msg = "Duo hasn't answered in time"
            raise DuoUnavailableError(msg)
        return running.result()

    def close(self) -> None:
        """Take no more calls; those under way end by their own deadline, those that wait are busy."""
        self._closed = True
        for turns in self._waiting.values():
            for turn in turns:
                turn.set_result(False)
        self._waiting.clear()
        self._threads.shutdown(wait=False)

    async def _turn(self, account: Hashable) -> None:
        """Return with one thread more for the account."""
        if account not in self._waiting and self._may_take(account):
            self._take(account)
            return
        if self._closed or len(self._waiting.get(account, ())) >= self._most_waiting:
            raise DuoBusyError(_NO_CALL_TO_SPARE)
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(account, deque()).append(turn)
        taken = False
        try:
            await asyncio.wait({turn}, timeout=self._timeout / 2)
            taken = turn.done() and turn.result()
        finally:
            if not taken:
                self._withdraw(account, turn)
        if not taken:
            raise DuoBusyError(_NO_CALL_TO_SPARE)

    def _withdraw(self, account: Hashable, turn: asyncio.Future[bool]) -> None:
        """Wait no longer; a thread that came in the same moment goes to somebody else."""
        if not turn.done():
            self._waiting[account].remove(turn)
            self._forget_if_idle(account)
        elif turn.result():
            self._give_back(account)

    def _may_take(self, account: Hashable) -> bool:
        mine = self._under_way[account]
        return not self._closed and mine < self._share and mine * _FREE_FOR_EACH < self._free

    def _take(self, account: Hashable) -> None:
        self._under_way[account] += 1
        self._free -= 1

    def _give_back(self, account: Hashable) -> None:
        self._under_way[account] -= 1
        self._free += 1
        self._forget_if_idle(account)
        # Who is served goes to the end, so that accounts take turns.
        for waiting in tuple(self._waiting):
            if self._may_take(waiting):
                self._take(waiting)
                self._waiting[waiting].popleft().set_result(True)
                self._waiting.move_to_end(waiting)
                self._forget_if_idle(waiting)

    def _forget_if_idle(self, account: Hashable) -> None:
        """Keep nothing of an account that has nothing here."""
        if not self._under_way[account]:
            del self._under_way[account]
        if not self._waiting.get(account, True):
            del self._waiting[account]
