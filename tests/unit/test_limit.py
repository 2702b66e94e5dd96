"""The limit on dead letters of our own making."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from countersign.decider.limit import DeadLetterLimit, DeadLetterLimitError
from tests.builders import NOW

MINUTE = timedelta(minutes=1)


def take(limit: DeadLetterLimit, count: int, now: datetime, last: Exception) -> None:
    """Check, and charge, as a batch does that is published at once."""
    limit.check(count, now, last)
    limit.charge(count, now)


def test_up_to_the_limit_is_taken() -> None:
    """As many failures as the limit says become dead letters; one more stops the worker."""
    limit = DeadLetterLimit(3, 10 * MINUTE)
    take(limit, 2, NOW, ValueError())
    take(limit, 1, NOW, ValueError())
    with pytest.raises(DeadLetterLimitError, match=r"more than 3 events within 10 min.*KeyError"):
        take(limit, 1, NOW, KeyError())


def test_a_batch_over_the_limit_is_charged_whole_or_not_at_all() -> None:
    """A batch that would pass the limit charges nothing: none of it is published."""
    limit = DeadLetterLimit(3, 10 * MINUTE)
    with pytest.raises(DeadLetterLimitError):
        take(limit, 4, NOW, ValueError())
    take(limit, 3, NOW, ValueError())


def test_old_failures_make_room() -> None:
    """Only the failures of the latest span count."""
    limit = DeadLetterLimit(3, 10 * MINUTE)
    take(limit, 3, NOW, ValueError())
    take(limit, 3, NOW + 10 * MINUTE, ValueError())
    with pytest.raises(DeadLetterLimitError):
        take(limit, 1, NOW + 19 * MINUTE, ValueError())
