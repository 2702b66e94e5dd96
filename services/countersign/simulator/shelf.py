"""Keeps values by key for a while, and only so many of them: old ones go, then the oldest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Shelf(Generic[Value]):
    """Values that end.

    Args:
        lifetime: how long each is kept.
        most: how many are kept; one too many pushes out the oldest.
        clock: tells the time.
    """

    def __init__(self, *, lifetime: timedelta, most: int, clock: Callable[[], datetime]) -> None:
        self._lifetime = lifetime
        self._most = most
        self._clock = clock
        self._kept: OrderedDict[str, tuple[datetime, Value]] = OrderedDict()

    def put(self, key: str, value: Value) -> None:
        """Keep a value from now on."""
        now = self._clock()
        self._kept.pop(key, None)
        self._kept[key] = (now + self._lifetime, value)
        while len(self._kept) > self._most or next(iter(self._kept.values()))[0] <= now:
            self._kept.popitem(last=False)

    def get(self, key: str) -> Value | None:
        """Return a value, or None where there is none or its time is over."""
        ends_at, value = self._kept.get(key, (None, None))
        return value if ends_at is not None and self._clock() < ends_at else None

    def take(self, key: str) -> Value | None:
        """Return a value as `get` does, and keep it no longer."""
        value = self.get(key)
        self._kept.pop(key, None)
        return value
