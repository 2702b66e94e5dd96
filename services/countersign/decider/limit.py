"""The limit on dead letters of our own making: a bad deploy must not empty the topic into them.

Only unexpected exceptions count. Bad input is the sender's making, and never trips it.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

from countersign.core.errors import CountersignError


class DeadLetterLimitError(CountersignError):
    """Too many events failed unexpectedly; the worker stops taking events."""


class DeadLetterLimit:
    """Counts unexpected failures over a sliding window.

    Args:
        most: how many may become dead letters,
        window: in any span of this length.
    """

    def __init__(self, most: int, window: timedelta) -> None:
        self._most = most
        self._window = window
        self._charged: deque[datetime] = deque()

    def check(self, count: int, now: datetime, last: BaseException) -> None:
        """Check that there is room for `count` more dead letters.

        Args:
            count: how many a batch would make.
            now: the instant.
            last: one of the exceptions, to say why.

        Raises:
            DeadLetterLimitError: they are too many; none of them may be published.
        """
        while self._charged and self._charged[0] <= now - self._window:
            self._charged.popleft()
        if len(self._charged) + count > self._most:
            minutes = self._window / timedelta(minutes=1)
            message = (
                f"more than {self._most} events within {minutes:g} min failed by this program's own"
                f" fault, the last with {type(last).__name__}; roll the last deploy back or mend it,"
                " then start again: nothing was committed past them"
            )
            raise DeadLetterLimitError(message) from last

    def charge(self, count: int, now: datetime) -> None:
        """Count dead letters that are published; a batch that is tried again is charged once."""
        self._charged.extend([now] * count)
