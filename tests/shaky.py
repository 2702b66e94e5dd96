"""Stores and a bus in memory that are away when a test says so; what they heard before stays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Final, ParamSpec, TypeVar

from countersign.adapters.memory.publisher import MemoryPublisher
from countersign.adapters.memory.store import MemoryStore
from countersign.core.challenge import Challenge
from countersign.core.errors import BusUnavailableError, StoreUnavailableError
from countersign.core.login import BrowsersForget, LoginAttempted
from countersign.core.result import Decision
from countersign.core.tenant import PushBudget
from countersign.ports import Change, Recording, Standing, Visited
from countersign.wire.results import OutboundRecord
from tests.builders import PSEUDONYMS

_P = ParamSpec("_P")
_R = TypeVar("_R")

STORE_AWAY: Final = "The store is away"
BUS_AWAY: Final = "The bus is away"


class ShakyStore(MemoryStore):
    """`ports.Store` that fails at some calls; as with a real one, others have their turn in each.

    Attributes:
        calls: the challenger's calls so far, by name.
        down: every call fails.
        away: the calls, counted from 1, that fail before they do anything.
        unheard: the calls, counted from 1, that do what they were asked to, but whose answer is lost.
        before: what happens once, just before the next call of a name.
    """

    def __init__(self) -> None:
        super().__init__(PSEUDONYMS)
        self.calls: list[str] = []
        self.down = False
        self.away: Collection[int] = ()
        self.unheard: Collection[int] = ()
        self.before: dict[str, Callable[[], Awaitable[object]]] = {}

    async def challenges(self, ids: Sequence[str]) -> list[Challenge | None]:
        """See `ports.Store.challenges`."""
        return await self._called("challenges", super().challenges, ids)

    async def visit(self, challenge: Challenge, budget: PushBudget) -> Visited:
        """See `ports.Store.visit`."""
        return await self._called("visit", super().visit, challenge, budget)

    async def overdue(self, now: datetime, most: int) -> list[str]:
        """See `ports.Store.overdue`."""
        return await self._called("overdue", super().overdue, now, most)

    async def settle(self, changes: Sequence[Change]) -> list[bool]:
        """See `ports.Store.settle`."""
        return await self._called("settle", super().settle, changes)

    async def published(self, ids: Sequence[str]) -> None:
        """See `ports.Store.published`."""
        await self._called("published", super().published, ids)

    async def stands(self, challenge_id: str) -> Challenge:
        """Return a challenge for a test to look at: not a call of the challenger's."""
        (found,) = await super().challenges([challenge_id])
        assert found is not None
        return found

    async def move(self, challenge: Challenge) -> None:
        """Store a challenge's next value, as another process does in between."""
        assert await super().settle([Change(challenge=challenge)]) == [True]

    async def _called(
        self, name: str, call: Callable[_P, Awaitable[_R]], *args: _P.args, **kwargs: _P.kwargs
    ) -> _R:
        self.calls.append(name)
        number = len(self.calls)
        await asyncio.sleep(0)
        if happens := self.before.pop(name, None):
            await happens()
        if self.down or number in self.away:
            raise StoreUnavailableError(STORE_AWAY)
        answer = await call(*args, **kwargs)
        if number in self.unheard:
            raise StoreUnavailableError(STORE_AWAY)
        return answer


class SharedStore(ShakyStore):
    """A shaky store that fails the decider, too.

    Attributes:
        turns: how often others have their turn before the next calls, and after them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.turns: Iterator[int] = iter(())

    async def facts(self, events: Sequence[LoginAttempted]) -> list[Standing]:
        """See `ports.Store.facts`."""
        return await self._called("facts", super().facts, events)

    async def record(self, recordings: Sequence[Recording]) -> list[Decision | None]:
        """See `ports.Store.record`."""
        return await self._called("record", super().record, recordings)

    async def forget(self, events: Sequence[BrowsersForget]) -> None:
        """See `ports.Store.forget`."""
        await self._called("forget", super().forget, events)

    async def _called(
        self, name: str, call: Callable[_P, Awaitable[_R]], *args: _P.args, **kwargs: _P.kwargs
    ) -> _R:
        await yielding(next(self.turns, 0))
        answer = await super()._called(name, call, *args, **kwargs)
        await yielding(next(self.turns, 0))
        return answer

    def fail(self, how: str, calls: Sequence[int]) -> None:
        """Fail at these calls from here on, counted from 1."""
        self.away, self.unheard = (), ()
        setattr(self, how, {len(self.calls) + call for call in calls})


class ShakyPublisher(MemoryPublisher):
    """`ports.Publisher` that fails when a test says so.

    Attributes:
        down: nothing gets through.
        deaf: everything gets through, and no acknowledgement comes back.
        refused: how often something didn't get through.
    """

    def __init__(self) -> None:
        super().__init__()
        self.down = False
        self.deaf = False
        self.refused = 0

    async def publish(self, records: Sequence[OutboundRecord]) -> None:
        """See `ports.Publisher.publish`."""
        await asyncio.sleep(0)
        if self.down:
            self.refused += 1
            raise BusUnavailableError(BUS_AWAY)
        await super().publish(records)
        if self.deaf:
            raise BusUnavailableError(BUS_AWAY)


async def yielding(times: int) -> None:
    """Let others have their turn."""
    for _ in range(times):
        await asyncio.sleep(0)
