"""The faults that are in force: injected, counted down as they strike, removed.

Law: what can't strike is refused when it is injected, so that no test waits for it in vain.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import Final

import msgspec

from countersign.simulator.errors import WishError
from countersign.simulator.fault import (
    NATURES,
    Endpoint,
    Fault,
    Injection,
    Moment,
    Visitor,
)
from countersign.simulator.ledger import Kind, Ledger

MOST: Final = 1_000
"""So many can be in force at a time."""
MOST_TIMES: Final = 1_000_000
LONGEST_NAME: Final = 1024


class Faults:
    """What is in force, oldest first.

    Args:
        ledger: is told of each fault that strikes.
        client_ids: the clients that there are.
    """

    def __init__(self, ledger: Ledger, client_ids: Collection[str]) -> None:
        self._ledger = ledger
        self._client_ids = client_ids
        self._in_force: dict[str, Injection] = {}
        self._count = 0

    def inject(
        self,
        fault: Fault,
        endpoint: Endpoint | None = None,
        *,
        username: str | None = None,
        client_id: str | None = None,
        times: int | None = 1,
        seconds: float | None = None,
    ) -> Injection:
        """Put a fault in force.

        Args:
            fault: what goes wrong.
            endpoint: where; None: wherever it can.
            username: for which Duo user; None: for all.
            client_id: for which client; None: for all.
            times: how often; None: until it is removed.
            seconds: how long `slow` is, and how far `clock_skew` goes.

        Raises:
            WishError: it could never strike, or says too little or too much.
        """
        nature = NATURES[fault]
        if endpoint is None and len(nature.endpoints) == 1:
            (endpoint,) = nature.endpoints
        if endpoint is not None and endpoint not in nature.endpoints:
            known = ", ".join(sorted(nature.endpoints))
            raise WishError(field="endpoint", detail=f"{fault} strikes at {known} alone.")
        self._check_names(endpoint, username, client_id)
        if times is not None and not 1 <= times <= MOST_TIMES:
            detail = f"is a whole number from 1 to {MOST_TIMES}, or null: until it is removed."
            raise WishError(field="times", detail=detail)
        _check_seconds(fault, seconds)
        if len(self._in_force) >= MOST:
            raise WishError(field="fault", detail=f"{MOST} are in force; remove some.")
        self._count += 1
        injection = Injection(
            id=str(self._count),
            fault=fault,
            endpoint=endpoint,
            username=username,
            client_id=client_id,
            times=times,
            left=times,
            seconds=seconds,
        )
        self._in_force[injection.id] = injection
        return injection

    def remove(self, name: str) -> bool:
        """Take a fault out of force by its id; return whether it was there."""
        return self._in_force.pop(name, None) is not None

    def clear(self) -> None:
        """Take every fault out of force."""
        self._in_force.clear()

    def __iter__(self) -> Iterator[Injection]:
        """Go through what is in force, oldest first."""
        return iter(tuple(self._in_force.values()))

    def strike(self, moment: Moment, visitor: Visitor) -> Injection | None:
        """Return the oldest fault that strikes a visitor at this moment, counted and written down."""
        for each in self:
            if NATURES[each.fault].moment is moment and each.meets(visitor):
                self._count_down(each)
                self._ledger.note(Kind.FAULT_INJECTED, visitor.username, fault=each.fault)
                return each
        return None

    def _count_down(self, struck: Injection) -> None:
        if struck.left is None:
            return
        if struck.left == 1:
            del self._in_force[struck.id]
        else:
            # Kept where it is in the order.
            self._in_force[struck.id] = msgspec.structs.replace(struck, left=struck.left - 1)

    def _check_names(
        self, endpoint: Endpoint | None, username: str | None, client_id: str | None
    ) -> None:
        if username is not None:
            if endpoint is Endpoint.HEALTH_CHECK:
                raise WishError(
                    field="username", detail="health checks know no user; leave it out."
                )
            if not 1 <= len(username) <= LONGEST_NAME:
                raise WishError(field="username", detail=f"has 1 to {LONGEST_NAME} characters.")
        if client_id is not None and client_id not in self._client_ids:
            known = ", ".join(sorted(self._client_ids))
            raise WishError(field="client_id", detail=f"is none of: {known}.")


def _check_seconds(fault: Fault, seconds: float | None) -> None:
    limits = NATURES[fault].seconds
    if limits is None:
        if seconds is not None:
            with_seconds = ", ".join(each for each in Fault if NATURES[each].seconds)
            raise WishError(
                field="seconds", detail=f"{fault} takes none; these do: {with_seconds}."
            )
        return
    least, most = limits
    if seconds is None or not math.isfinite(seconds) or not least <= seconds <= most:
        raise WishError(
            field="seconds", detail=f"{fault} needs a number from {least:g} to {most:g}."
        )
