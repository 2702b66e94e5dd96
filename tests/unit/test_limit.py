"""The limit on dead letters of our own making."""

from __future__ import annotations

from datetime import timedelta

import pytest

from countersign.decider.limit import DeadLetterLimit, DeadLetterLimitError
from tests.builders import NOW

MINUTE = timedelta(minutes=1)


def test_up_to_the_limit_is_taken() -> None:
    """As many failures as the limit says become dead letters; one more stops the worker."""
    limit = DeadLetterLimit(3, 10 * MINUTE)
    limit.charge(2, NOW, ValueError())
    limit.charge(1, NOW, ValueError())
    with pytest.raises(DeadLetterLimitError, match=r"more than 3 events within 10 min.*KeyError"):
        limit.charge(1, NOW, KeyError())


def test_a_batch_over_the_limit_is_charged_whole_or_not_at_all() -> None:
    """A batch that would pass the limit charges nothing: none of it is published."""
    limit = DeadLetterLimit(3, 10 * MINUTE)
    with pytest.raises(DeadLetterLimitError):
        limit.charge(4, NOW, ValueError())
    limit.charge(3, NOW, ValueError())


def test_old_failures_make_room() -> None:
    """Only the failures of the latest span count."""
    limit = DeadLetterLimit(3, 10 * MINUTE)
    limit.charge(3, NOW, ValueError())
    limit.charge(3, NOW + 10 * MINUTE, ValueError())
    with pytest.raises(DeadLetterLimitError):
        limit.charge(1, NOW + 19 * MINUTE, ValueError())
