"""Settings that could never challenge anybody, or contradict themselves, are refused by name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.core.tenant import (
    ChallengeRules,
    Factors,
    Policy,
    PushBudget,
    Remember,
    TenantSettings,
    problems,
)
from tests import strategies
from tests.builders import RETURN_URL, a_duo_account, a_tenant, decided

SECOND = timedelta(seconds=1)


def keys(settings: TenantSettings) -> list[str]:
    """Return which settings are wrong."""
    return [problem.key for problem in problems(settings)]


def returning_to(*urls: str) -> TenantSettings:
    """Return settings that list these URLs."""
    return a_tenant(challenge=ChallengeRules(return_urls=urls))


def test_the_builders_settings_have_no_problem() -> None:
    """What the other tests start from could be published."""
    assert problems(a_tenant()) == ()


def test_settings_that_switch_nothing_on_have_no_problem() -> None:
    """A tenant may exist before it has a Duo account."""
    nothing = a_tenant(policy=Policy.NEVER, factors=Factors(), duo=None, challenge=ChallengeRules())
    assert problems(nothing) == ()


@pytest.mark.parametrize(
    ("settings", "key", "says"),
    [
        (
            a_tenant(duo=a_duo_account(client_id="DI123")),
            "duo.client_id",
            "has 5 characters, a Duo Client ID has 20",
        ),
        (a_tenant(duo=None), "factors.duo", "there is no Duo account"),
        (a_tenant(factors=Factors(duo=True, otp=True, sms=True)), "factors.duo", "on: otp, sms"),
        (a_tenant(challenge=ChallengeRules()), "challenge.return_urls", "is empty"),
        (
            a_tenant(factors=Factors(), policy=Policy.CONFIDENCE_SCORE),
            "mfa.policy",
            "is confidence-score, but no factor is on",
        ),
        (a_tenant(remember=Remember(idle=timedelta())), "remember.idle", "is 0 s"),
        (
            a_tenant(remember=Remember(idle=timedelta(days=7, seconds=1))),
            "remember.idle",
            "is 604801 s",
        ),
        (
            a_tenant(remember=Remember(absolute=timedelta(days=31))),
            "remember.absolute",
            "is 2678400 s",
        ),
        (
            a_tenant(remember=Remember(idle=2 * SECOND, absolute=SECOND)),
            "remember.idle",
            "longer than remember.absolute",
        ),
        (
            a_tenant(challenge=ChallengeRules(lifetime=29 * SECOND, return_urls=(RETURN_URL,))),
            "challenge.lifetime",
            "is 29 s",
        ),
        (
            a_tenant(challenge=ChallengeRules(lifetime=-SECOND, return_urls=(RETURN_URL,))),
            "challenge.lifetime",
            "is -1 s",
        ),
        (
            a_tenant(push_budget=PushBudget(window=timedelta(days=2))),
            "push_budget.window",
            "is 172800 s",
        ),
        (
            a_tenant(push_budget=PushBudget(window=timedelta.max)),
            "push_budget.window",
            "is 86400000000000 s",
        ),
    ],
)
def test_each_problem_is_named(settings: TenantSettings, key: str, says: str) -> None:
    """A problem says which setting, what is wrong with it, and what to write instead."""
    (problem,) = problems(settings)
    assert problem.key == key
    assert says in problem.problem
    assert problem.remedy


def test_bounds_are_told_in_plain_numbers() -> None:
    """The remedy gives both bounds as seconds and an example that would be taken."""
    (problem,) = problems(a_tenant(remember=Remember(absolute=timedelta(days=99))))
    assert str(problem) == (
        "remember.absolute: is 8553600 s. Give between 1 s and 2592000 s,"
        " as an ISO 8601 duration such as P30D"
    )


@pytest.mark.parametrize(
    "settings",
    [
        a_tenant(remember=Remember(idle=SECOND, absolute=SECOND)),
        a_tenant(remember=Remember(idle=timedelta(days=7), absolute=timedelta(days=30))),
        a_tenant(challenge=ChallengeRules(lifetime=30 * SECOND, return_urls=(RETURN_URL,))),
        a_tenant(challenge=ChallengeRules(lifetime=3600 * SECOND, return_urls=(RETURN_URL,))),
        a_tenant(push_budget=PushBudget(window=60 * SECOND)),
        a_tenant(push_budget=PushBudget(window=timedelta(days=1))),
        a_tenant(factors=Factors(otp=True, sms=True), challenge=ChallengeRules()),
    ],
)
def test_the_bounds_themselves_are_taken(settings: TenantSettings) -> None:
    """A second, 7 and 30 days, half a minute and an hour, a minute and a day are all allowed."""
    assert problems(settings) == ()


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({"version": 1}, True),
        ({"version": 0}, False),
        ({"push_budget": {"prompts": 1}}, True),
        ({"push_budget": {"prompts": 100}}, True),
        ({"push_budget": {"prompts": 0}}, False),
        ({"push_budget": {"prompts": 101}}, False),
        ({"updated_at": "2026-03-02T09:00:00"}, False),
    ],
)
def test_numbers_out_of_range_are_no_settings(changes: dict[str, Any], *, taken: bool) -> None:
    """A version counts from 1, a budget allows 1 to 100 prompts, and an instant has a zone."""
    document = {**msgspec.to_builtins(a_tenant()), **changes}
    if taken:
        assert msgspec.convert(document, TenantSettings)
        return
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(document, TenantSettings)


def test_all_problems_are_found_at_once() -> None:
    """Whoever writes settings sees everything that is wrong, not only the first."""
    wrong = a_tenant(
        duo=a_duo_account(client_id="", api_host="https://api.example.com/"),
        factors=Factors(duo=True, email=True),
        challenge=ChallengeRules(lifetime=timedelta(), return_urls=("nowhere",)),
        push_budget=PushBudget(window=timedelta()),
    )
    assert keys(wrong) == [
        "duo.client_id",
        "duo.api_host",
        "factors.duo",
        "challenge.lifetime",
        "challenge.return_urls[0]",
        "push_budget.window",
    ]


@pytest.mark.parametrize(
    "host", ["api-1.duosecurity.com", "localhost:8443", "127.0.0.1:9", "a.b", f"{'a' * 63}.com"]
)
def test_a_host_name_is_taken(host: str) -> None:
    """Names, addresses and a port are what Duo's hostname and a simulator's look like."""
    assert keys(a_tenant(duo=a_duo_account(api_host=host))) == []


@pytest.mark.parametrize(
    "host",
    [
        "",
        "https://api.example.com",
        "api.example.com/path",
        "user@api.example.com",
        "api.example.com\n",
        "api..example.com",
        "-api.example.com",
        "api-.example.com",
        "api.example.com:",
        "api.example.com:123456",
        "api.example.com:\u0664\u0664\u0663",
        "b\u00fccher.example",
        f"{'a' * 64}.com",
        ".".join(["a" * 60] * 5),
    ],
)
def test_what_is_no_host_name_is_refused(host: str) -> None:
    """A host goes into the URL that users are sent to, so nothing else may hide in it."""
    assert keys(a_tenant(duo=a_duo_account(api_host=host))) == ["duo.api_host"]


@pytest.mark.parametrize(
    "url",
    [
        RETURN_URL,
        "https://app.example.com",
        "https://app.example.com:8443/return?kind=mfa&x=%20",
        "https://[2001:db8::1]/return",
        "http://localhost:3000/return",
        "http://127.0.0.1/return",
        "http://[::1]:8000/return",
    ],
)
def test_an_https_url_or_a_loopback_address_is_taken(url: str) -> None:
    """Browsers return to https, and to a developer's own machine."""
    assert keys(returning_to(url)) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/return",
        "//app.example.com/return",
        "app.example.com/return",
        "https:app.example.com",
        "https:///return",
        "https://:443/return",
        "http://app.example.com/return",
        "http://localhost.example.com/return",
        "http://127.0.0.1.example.com/return",
        "javascript:alert(1)",
        "ftp://app.example.com/",
        "https://user@app.example.com/",
        "https://user:password@app.example.com/",
        "https://@app.example.com/",
        "https://app.example.com\\@evil.example/",
        "https://evil.example\\.app.example.com/",
        "https://app.example.com/return#part",
        "https://app.example.com/return#",
        "https://app.example.com/return?mfa_code=1",
        "https://app.example.com/return?a=b&mfa_code",
        "https://app.example.com/a b",
        "https://app.example.com/\r\nSet-Cookie:x=1",
        "\thttps://app.example.com/",
        "https://app.example.com/\x00",
        "https://b\u00fccher.example/",
        "https://app.example.com/\u2028",
        "https://app.example.com:99999/",
        "https://app.example.com:port/",
        "https://[::1/",
        "https://\u2100.example/",
    ],
)
def test_any_other_return_url_is_refused(url: str) -> None:
    """Where browsers are sent with a one-time code is an exact, absolute, plain https URL."""
    assert keys(returning_to(RETURN_URL, url)) == ["challenge.return_urls[1]"]


@given(st.text(max_size=60))
def test_any_text_is_judged_as_a_url(url: str) -> None:
    """Whatever stands in the list, it is a problem or none; nothing is raised."""
    assert keys(returning_to(url)) in ([], ["challenge.return_urls[0]"])


@given(settings=strategies.tenants())
def test_settings_without_problems_let_a_plain_login_be_challenged(
    settings: TenantSettings,
) -> None:
    """A policy that asks for MFA, and has no problem, denies nobody for want of a factor."""
    if problems(settings):
        return
    assert "no-usable-factor" not in decided(tenant=settings).trace


@pytest.mark.law(10)
@pytest.mark.parametrize(
    "name", ["", "Acme", "ac me", "acme:eu", "acme\n", "a/b", "a" * 64, "\u00e4"]
)
def test_a_tenants_name_cannot_forge_a_key(name: str) -> None:
    """Law 10: a name is lower case, digits and hyphens, so a key splits in one way only."""
    document = msgspec.to_builtins(a_tenant())
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**document, "tenant": name}, TenantSettings)


def test_factors_are_named_as_auth0_names_them() -> None:
    """Enabled factors come in a fixed order, in kebab-case."""
    assert Factors(webauthn_roaming=True, push_notification=True, duo=True).enabled() == (
        "duo",
        "push-notification",
        "webauthn-roaming",
    )
