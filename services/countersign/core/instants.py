"""Instants in whole milliseconds since 1970, as JavaScript and the scripts in Redis count them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)


def milliseconds_of(instant: datetime) -> int:
    """Return the whole milliseconds between 1970 and an instant; what is left over is cut off."""
    return (instant - EPOCH) // MILLISECOND


def instant_of(milliseconds: int) -> datetime:
    """Return the instant so many milliseconds after 1970.

    Raises:
        OverflowError: no calendar goes that far.
    """
    return EPOCH + timedelta(milliseconds=milliseconds)
