"""What happened at the simulator, for tests to hold whole systems against; holds no secret, code or state."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

LONGEST: Final = 10_000
"""So many entries are kept; the oldest go."""


class Kind(StrEnum):
    """What happened; a closed list."""

    HEALTH_CHECKED = "health_checked"
    PROMPT_OPENED = "prompt_opened"
    ENROLLED = "enrolled"
    WRONG_PASSCODE = "wrong_passcode"
    ALLOWED = "allowed"
    DENIED = "denied"
    FRAUD_REPORTED = "fraud_reported"
    LOCKED = "locked"
    CANCELLED = "cancelled"
    ERROR_RETURNED = "error_returned"
    EXCHANGED = "exchanged"
    FAULT_INJECTED = "fault_injected"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened.

    Attributes:
        kind: what.
        username: the Duo user name that it happened to; None for a health check.
        factor: Duo's name of the factor in use, where one was.
        fault: which fault struck, where one was injected.
        at: when.
    """

    kind: Kind
    username: str | None
    factor: str | None
    fault: str | None
    at: datetime


class Ledger:
    """What happened, in order.

    Args:
        clock: tells the time.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._entries: deque[Entry] = deque(maxlen=LONGEST)

    def note(
        self,
        kind: Kind,
        username: str | None = None,
        factor: str | None = None,
        *,
        fault: str | None = None,
    ) -> None:
        """Write down that something happened now."""
        entry = Entry(kind=kind, username=username, factor=factor, fault=fault, at=self._clock())
        self._entries.append(entry)

    def __iter__(self) -> Iterator[Entry]:
        """Go through the entries, oldest first."""
        return iter(tuple(self._entries))

    def kinds(self, username: str | None = None) -> list[Kind]:
        """Return what happened to a user, oldest first; None: to everybody."""
        return [each.kind for each in self if username in {None, each.username}]
