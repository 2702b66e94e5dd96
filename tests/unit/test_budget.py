"""The push budget: a sliding window, so no boundary lets twice as many prompts through."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.core.budget import Refusal, Refused, is_cooling_down, is_spent
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


# -- refusals, and the cool-down after them ----------------------------------------------------------

COOL = PushBudget(window=timedelta(minutes=10), refusals=2, cool_down=timedelta(minutes=15))
KINDS = [Refused.DENIED, Refused.LEFT]


def refused(*ago: timedelta, kind: Refused = Refused.DENIED) -> list[Refusal]:
    """Return refusals so long ago."""
    return [Refusal(NOW - one, kind) for one in ago]


@pytest.mark.parametrize("kind", KINDS)
def test_one_refusal_is_forgiven_and_the_second_begins_a_cool_down(kind: Refused) -> None:
    """Anybody may press the wrong button once; twice within the window, and no prompt is opened."""
    once = refused(MOMENT, kind=kind)
    assert not is_cooling_down(once, COOL, NOW)
    assert is_cooling_down(once * 2, COOL, NOW)


def test_a_denial_and_a_silence_add_up() -> None:
    """Whichever way a user says no, it is a no."""
    both = [Refusal(NOW, Refused.DENIED), Refusal(NOW, Refused.LEFT)]
    assert is_cooling_down(both, COOL, NOW)


def test_a_report_of_fraud_begins_a_cool_down_at_once() -> None:
    """The first one is enough, up to the cool-down's last moment."""
    assert is_cooling_down(refused(COOL.cool_down - MOMENT, kind=Refused.FRAUD), COOL, NOW)
    assert not is_cooling_down(refused(COOL.cool_down, kind=Refused.FRAUD), COOL, NOW)


def test_a_cool_down_lasts_from_the_refusal_that_began_it() -> None:
    """The one that fills the number within the window counts, however old the first is by now."""
    ends = COOL.cool_down - MOMENT
    assert is_cooling_down(refused(ends, ends + COOL.window - MOMENT), COOL, NOW)
    assert not is_cooling_down(refused(COOL.cool_down, timedelta(minutes=20)), COOL, NOW)


def test_refusals_far_apart_begin_none() -> None:
    """Two refusals that no window holds both of are two single ones."""
    assert not is_cooling_down(refused(MOMENT, MOMENT + COOL.window), COOL, NOW)


@given(
    st.lists(st.tuples(st.integers(0, 7200), st.sampled_from(Refused)), max_size=12),
    st.integers(0, 3600),
)
def test_a_cool_down_ends_by_itself(ages: list[tuple[int, Refused]], later: int) -> None:
    """Without another refusal it ends, and doesn't begin again."""
    refusals = [Refusal(NOW - timedelta(seconds=age), kind) for age, kind in ages]
    after = NOW + timedelta(seconds=later)
    if not is_cooling_down(refusals, COOL, NOW):
        assert not is_cooling_down(refusals, COOL, after)
    assert not is_cooling_down(refusals, COOL, NOW + COOL.cool_down)


@given(st.permutations([*refused(MOMENT, timedelta(minutes=3)), *refused(timedelta(hours=1))]))
def test_the_order_of_refusals_does_not_matter(refusals: list[Refusal]) -> None:
    """They come from several workers, whose clocks differ."""
    assert is_cooling_down(refusals, COOL, NOW)
