"""Step-up by `max_age`: met only by an MFA of this session that is young enough."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given

from countersign.core.effect import Effect, Provider
from countersign.core.login import LoginAttempted
from countersign.core.tenant import Factors, Policy
from tests import strategies
from tests.builders import NOW, a_login, a_tenant, decided

NEVER = a_tenant(policy=Policy.NEVER)


def asked(login: LoginAttempted) -> bool:
    """Say whether the login steps up by `max_age`."""
    return "step-up-max-age" in decided(login, tenant=NEVER).trace


def a_session(method: str, at: datetime | None, **parts: Any) -> LoginAttempted:  # noqa: ANN401
    """Return a login whose session has completed one method."""
    timestamp = {} if at is None else {"timestamp": at.isoformat()}
    return a_login(authentication={"methods": [{"name": method, **timestamp}]}, **parts)


@pytest.mark.parametrize(
    ("method", "at", "asks"),
    [
        ("mfa", NOW - timedelta(seconds=60), False),
        ("mfa", NOW - timedelta(seconds=61), True),
        ("mfa", NOW + timedelta(minutes=5), False),
        ("mfa", NOW + timedelta(minutes=5, seconds=1), True),
        ("mfa", None, True),
        ("pwd", NOW, True),
    ],
)
def test_only_a_young_mfa_meets_max_age(method: str, at: datetime | None, *, asks: bool) -> None:
    """Another method, an old MFA, one without an instant and one from the future don't count."""
    assert asked(a_session(method, at, transaction={"max_age": 60})) is asks


@pytest.mark.parametrize("max_age", [10**9, 10**12, 2**63, 10**40])
def test_a_huge_max_age_is_met_by_any_mfa(max_age: int) -> None:
    """A max_age beyond the calendar asks for an MFA at any time, and overflows nothing."""
    year_ago = NOW - timedelta(days=365)
    for parts in (
        {"transaction": {"max_age": max_age}},
        {"request": {"query": {"max_age": str(max_age)}}},
    ):
        assert not asked(a_session("mfa", year_ago, **parts))
        assert asked(a_session("pwd", year_ago, **parts))


@pytest.mark.parametrize(
    "max_age", ["abc", "-1", -1, "6 0", "٦٠", 60.0, True, ["60"], {}, "60\n", "+60", "6_0"]
)
def test_a_max_age_that_cannot_be_read_asks_for_the_user(max_age: object) -> None:
    """What stands there and is no number of seconds is on the side of challenging."""
    fresh = NOW - timedelta(seconds=1)
    assert asked(a_session("mfa", fresh, request={"query": {"max_age": max_age}}))


@pytest.mark.parametrize("query", [None, {}, {"max_age": None}, {"max_age": ""}])
def test_no_max_age_asks_for_nothing(query: dict[str, Any] | None) -> None:
    """A query without a max_age, or with an empty one, does not step up."""
    assert not asked(a_login(request={"query": query}))


def test_the_transaction_comes_before_the_query() -> None:
    """Where both say a max_age, the transaction's counts."""
    minute_ago = NOW - timedelta(minutes=1)
    query = {"request": {"query": {"max_age": "1"}}}
    assert not asked(a_session("mfa", minute_ago, transaction={"max_age": 3600}, **query))
    assert asked(a_session("mfa", minute_ago, transaction={}, **query))


@pytest.mark.parametrize("max_age", ["0" * 50 + "60", "60", 60, "060"])
def test_a_max_age_in_the_query_is_read_as_a_number(max_age: object) -> None:
    """Leading zeroes and the JSON type don't change what the query asks."""
    query = {"request": {"query": {"max_age": max_age}}}
    assert not asked(a_session("mfa", NOW - timedelta(seconds=59), **query))
    assert asked(a_session("mfa", NOW - timedelta(seconds=61), **query))


def test_without_any_factor_max_age_speaks_of_the_first_one() -> None:
    """A tenant that has no factor is not denied by a max_age, unless an Action names a factor."""
    login = a_login(transaction={"max_age": 60})
    nothing = a_tenant(policy=Policy.NEVER, factors=Factors())
    assert decided(login, tenant=nothing).trace == ("mfa-not-due",)
    by_action = decided(login, tenant=nothing, effect=Effect(provider=Provider.DUO))
    assert by_action.trace == ("step-up-max-age", "action-asks", "duo-challenge")


@given(login=strategies.logins())
def test_no_login_overflows_the_calendar(login: LoginAttempted) -> None:
    """Whatever instants and durations a login holds, a decision is made."""
    assert decided(login, tenant=NEVER).trace
