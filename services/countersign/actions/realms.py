"""The realms that a sandbox keeps: one a flow, so that a login doesn't pay for making one.

Law 10: a realm serves one tenant. One that is spent, or that hasn't been used for longest, is thrown away.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol

from countersign.actions.flow import SETTING_UP, FlowCode, FlowLogin, FlowReport

MARGIN: Final = 0.25
"""Seconds beyond its limit at which a flow that the engine didn't stop is stopped with the process."""
MOST_REALMS: Final = 500
"""A small flow's realm has some hundred kilobytes."""


class Runnable(Protocol):
    """A realm, as it is used here."""

    spent: bool
    """Whether it can't be used for another login."""

    def run(self, login: FlowLogin) -> FlowReport:
        """Return what the flow did for a login."""
        ...


class Realms:
    """Code of flows, by number, and the realms that run it.

    Args:
        make: makes a realm for a flow.
        most: realms that are kept.
    """

    def __init__(self, make: Callable[[FlowCode], Runnable], most: int = MOST_REALMS) -> None:
        self._make = make
        self._most = most
        self._codes: dict[int, FlowCode] = {}
        self._realms: OrderedDict[tuple[int, str], Runnable] = OrderedDict()

    def __len__(self) -> int:
        """Return how many realms there are."""
        return len(self._realms)

    def learn(self, flows: dict[int, FlowCode], dropped: tuple[int, ...]) -> None:
        """Take new code, and forget what is needed no more."""
        for number in dropped:
            del self._codes[number]
        if dropped:
            gone = frozenset(dropped)
            for key in [key for key in self._realms if key[0] in gone]:
                del self._realms[key]
        self._codes.update(flows)

    def code(self, number: int) -> FlowCode:
        """Return a flow's code."""
        return self._codes[number]

    def longest(self, number: int, login: FlowLogin) -> float:
        """Return the seconds that a login may take at the very most; a realm may have to be made for it."""
        there = (number, login.tenant) in self._realms
        return self._codes[number].flow_time_limit + MARGIN + (0 if there else SETTING_UP)

    def run(self, number: int, login: FlowLogin) -> FlowReport:
        """Return what a flow did for a login."""
        key = (number, login.tenant)
        realm = self._realms.pop(key, None)
        if realm is None:
            if len(self._realms) >= self._most:
                self._realms.popitem(last=False)
            realm = self._make(self._codes[number])
        report = realm.run(login)
        # Not put back where `run` has failed.
        if not realm.spent:
            self._realms[key] = realm
        return report
