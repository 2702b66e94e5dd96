"""A tenant's share of a worker's processor time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.actions.share import CAPACITY, FREE, REFILL, Shares, charged
from tests.builders import ACME, GLOBEX

_seconds = st.floats(min_value=0, max_value=100)


def test_a_full_bucket_is_two_seconds() -> None:
    """Who has used nothing has two seconds, at any time."""
    assert Shares().left(ACME, 0) == CAPACITY == Shares().left(ACME, 1e9)


def test_what_was_used_comes_back_by_a_fifth_of_the_time() -> None:
    """A second that was used is there again after five."""
    shares = Shares()
    shares.charge(ACME, 1.0, 100)
    assert shares.left(ACME, 100) == pytest.approx(1.0)
    assert shares.left(ACME, 102.5) == pytest.approx(1.5)
    assert shares.left(ACME, 105) == pytest.approx(CAPACITY)
    assert shares.left(ACME, 1000) == CAPACITY


def test_a_debt_is_carried_over() -> None:
    """A login that ran for twenty seconds leaves nothing for ninety."""
    shares = Shares()
    shares.charge(ACME, 20.0, 0)
    assert shares.left(ACME, 89) < 0 < shares.left(ACME, 91)


@pytest.mark.law(10)
def test_shares_are_apart() -> None:
    """Law 10: what one tenant has used is nothing to another."""
    shares = Shares()
    shares.charge(ACME, 20.0, 0)
    assert shares.left(GLOBEX, 0) == CAPACITY


def test_full_buckets_are_forgotten() -> None:
    """A thousand tenants that ran once take no memory once their buckets are full."""
    shares = Shares()
    for n in range(1000):
        shares.charge(f"tenant-{n}", 0.001, n / 1000)
    assert len(shares) == 1000
    shares.charge(ACME, 0.001, 100)
    assert len(shares) == 1


def test_nothing_used_is_nothing_kept() -> None:
    """A charge of nothing leaves no trace."""
    shares = Shares()
    shares.charge(ACME, 0.0, 0)
    assert len(shares) == 0


@given(st.lists(st.tuples(_seconds, st.floats(min_value=0, max_value=10)), max_size=50))
def test_never_more_than_the_refill(uses: list[tuple[float, float]]) -> None:
    """However a tenant's logins come, it starts within two seconds and a fifth of the time that passed.

    A login that was started may go beyond, by what it alone used.
    """
    shares, now, used, last = Shares(), 0.0, 0.0, 0.0
    for seconds, passing in uses:
        now += passing
        if shares.left(ACME, now) > 0:
            shares.charge(ACME, seconds, now)
            used, last = used + seconds, max(last, seconds)
    assert used <= CAPACITY + REFILL * now + last + 1e-6


def test_quick_code_counts_nothing() -> None:
    """Having most of a worker's logins is not being slow: what counts is beyond a millisecond of each."""
    shares = Shares()
    for login in range(100_000):
        shares.charge(ACME, charged(0.0009), login / 5000)
    assert shares.left(ACME, 20) == CAPACITY
    assert charged(FREE + 0.25) == pytest.approx(0.25)
