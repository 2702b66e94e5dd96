"""A tenant's share of a worker's processor time, so that one tenant's code can't hold up the others.

A bucket a tenant: two seconds at once, filled again with a fifth of what passes. A login starts while there
is something in it and runs to its own limits; what it used beyond that is owed. The clock is an argument.
"""

from __future__ import annotations

from typing import Final

import msgspec

CAPACITY: Final = 2.0
"""Seconds of processor time that a tenant may use at once."""
REFILL: Final = 0.2
"""Seconds of processor time that a tenant gets back each second."""
FREE: Final = 0.001
"""Seconds of each login that count nothing."""


class _Used(msgspec.Struct):
    seconds: float
    at: float


def charged(seconds: float) -> float:
    """Return what a login's time counts: quick code holds nobody up, however many logins a tenant has."""
    return max(0.0, seconds - FREE)


class Shares:
    """What is left to each tenant; who has used nothing lately takes no memory."""

    def __init__(self) -> None:
        self._used: dict[str, _Used] = {}
        self._swept_at: float | None = None

    def __len__(self) -> int:
        """Return how many tenants' buckets are not full, or weren't when last looked at."""
        return len(self._used)

    def left(self, tenant: str, now: float) -> float:
        """Return the seconds that are left to a tenant; zero or less: nothing may start.

        Args:
            tenant: whose share.
            now: a clock that only moves on, in seconds.
        """
        used = self._used.get(tenant)
        return CAPACITY if used is None else CAPACITY - _still_used(used, now)

    def charge(self, tenant: str, seconds: float, now: float) -> None:
        """Take what a tenant's code has used from its share."""
        self._sweep(now)
        used = self._used.get(tenant)
        before = 0.0 if used is None else _still_used(used, now)
        if before + seconds > 0:
            self._used[tenant] = _Used(before + seconds, now)

    def _sweep(self, now: float) -> None:
        """Forget full buckets, once in the time that fills an empty one."""
        if self._swept_at is not None and now - self._swept_at < CAPACITY / REFILL:
            return
        self._swept_at = now
        self._used = {
            tenant: used for tenant, used in self._used.items() if _still_used(used, now) > 0
        }


def _still_used(used: _Used, now: float) -> float:
    return max(0.0, used.seconds - REFILL * max(0.0, now - used.at))
