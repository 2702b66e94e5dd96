"""The push budget: a sliding window, so no boundary lets twice as many prompts through."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.core.budget import is_spent
from countersign.core.tenant import PushBudget
from tests.builders import NOW

BUDGET = PushBudget(prompts=5, window=timedelta(minutes=10))
MOMENT = timedelta(milliseconds=1)


@pytest.mark.parametrize("before", [0, 1, 4])
def test_up_to_the_limit_there_is_room(before: int) -> None:
    """Four prompts in the window leave room for the fifth."""
    assert not is_spent([NOW - MOMENT] * before, BUDGET, NOW)


def test_the_sixth_prompt_in_ten_minutes_is_one_too_many() -> None:
    """Five prompts in the window leave room for none, up to its last moment."""
    assert is_spent([NOW - MOMENT] * 5, BUDGET, NOW)
    assert is_spent([NOW - BUDGET.window + MOMENT] * 5, BUDGET, NOW)
    assert not is_spent([NOW - BUDGET.window] * 5, BUDGET, NOW)


def test_a_prompt_from_a_clock_ahead_counts() -> None:
    """Another worker's clock may be ahead; its prompt was made all the same."""
    assert is_spent([NOW + timedelta(seconds=30)] * 5, BUDGET, NOW)


@given(
    gaps=st.lists(st.integers(0, 900), max_size=60),
    prompts=st.integers(1, 10),
    window=st.integers(60, 1800),
)
def test_no_span_of_the_windows_length_holds_more_than_the_limit(
    gaps: list[int], prompts: int, window: int
) -> None:
    """Prompting whenever there is room never puts more than the limit into any such span."""
    budget = PushBudget(prompts=prompts, window=timedelta(seconds=window))
    given_out: list[datetime] = []
    now = NOW
    for gap in gaps:
        now += timedelta(seconds=gap)
        if not is_spent(given_out, budget, now):
            given_out.append(now)
    for first in given_out:
        span = [at for at in given_out if first <= at < first + budget.window]
        assert len(span) <= prompts
