"""What hypothesis draws from: logins, settings, effects and facts, the hostile ones included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from countersign.core.action import ActionKind, ActionRef, ActionRules, ActionVersion
from countersign.core.effect import Effect, Provider
from countersign.core.facts import Facts
from countersign.core.login import MULTI_FACTOR_ACR, LoginAttempted
from countersign.core.remember import RememberedBrowser
from countersign.core.result import AccessDenied, Factor, Reason, Recorded
from countersign.core.tenant import (
    ChallengeRules,
    DuoUsername,
    Factors,
    Mfa,
    Policy,
    PushBudget,
    Remember,
    TenantSettings,
)
from tests.builders import ALICE, BOB, LAPTOP, NOW, RETURN_URL, a_duo_account, a_login, a_tenant

_MONTH = 31 * 24 * 3600

near_now = st.integers(-_MONTH, _MONTH).map(lambda seconds: NOW + timedelta(seconds=seconds))
"""Instants within a month."""

extreme = st.sampled_from(
    (
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-12))),
    )
)
"""Instants at the ends of the calendar, and beyond them in UTC."""

instants = st.one_of(near_now, near_now, extreme)

max_ages = st.one_of(
    st.integers(0, 3600), st.integers(0, 10**40), st.sampled_from((0, 1, 10**9, 10**18))
)

query_max_ages = st.one_of(
    max_ages,
    max_ages.map(str),
    st.integers(-10, -1),
    st.text(max_size=8),
    st.none(),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.text(max_size=3), max_size=2),
)


@st.composite
def _transactions(draw: st.DrawFn) -> dict[str, Any]:
    transaction: dict[str, Any] = {
        "acr_values": draw(
            st.lists(st.sampled_from((MULTI_FACTOR_ACR, "urn:acr:other")), max_size=2)
        )
    }
    if draw(st.booleans()):
        transaction["max_age"] = draw(max_ages)
    return transaction


@st.composite
def _methods(draw: st.DrawFn) -> list[dict[str, Any]]:
    method = st.fixed_dictionaries(
        {"name": st.sampled_from(("mfa", "pwd", "passkey"))},
        optional={"timestamp": instants.map(datetime.isoformat)},
    )
    return draw(st.lists(method, max_size=3))


@st.composite
def logins(draw: st.DrawFn) -> LoginAttempted:
    """Draw a login as the reader lets it through."""
    parts: dict[str, Any] = {}
    if draw(st.booleans()):
        parts["transaction"] = draw(_transactions())
    parts["authentication"] = {"methods": draw(_methods())}
    if draw(st.booleans()):
        confidence = st.sampled_from(("low", "medium", "high", "neutral", "unheard-of", None))
        parts["authentication"]["riskAssessment"] = {"confidence": draw(confidence)}
    if draw(st.booleans()):
        parts["request"] = {"query": {"max_age": draw(query_max_ages)}}
    for name in draw(st.sets(st.sampled_from(("transaction", "authentication", "request")))):
        parts[name] = None  # as a sender does who knows nothing of it
    return a_login(
        subject=draw(st.sampled_from((ALICE, BOB))),
        browser_id=draw(st.sampled_from((LAPTOP, None))),
        return_url=draw(st.sampled_from((RETURN_URL, RETURN_URL, "https://evil.example/", None))),
        expires_at=draw(st.one_of(st.none(), st.none(), instants)),
        user=draw(
            st.fixed_dictionaries(
                {}, optional={"email_verified": st.booleans(), "nickname": st.just("ally")}
            )
        ),
        **parts,
    )


action_names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True)
_texts = st.text(st.characters(codec="utf-8"), max_size=20)

_refs = st.builds(
    ActionRef, name=action_names, kind=st.sampled_from(ActionKind), version=st.integers(0, 10**6)
)

actions = st.builds(
    ActionVersion,
    tenant=st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True),
    name=action_names,
    version=st.integers(1, 10**9 - 1),
    kind=st.sampled_from(ActionKind),
    created_at=near_now,
    source=_texts,
    modules=st.dictionaries(_texts, _texts, max_size=3),
    secrets=st.dictionaries(_texts, st.just(a_duo_account().client_secret), max_size=3),
)
"""Versions of Actions, with any characters in their code."""


@st.composite
def tenants(draw: st.DrawFn) -> TenantSettings:
    """Draw settings, those with problems included."""
    durations = st.integers(1, _MONTH).map(lambda seconds: timedelta(seconds=seconds))
    return a_tenant(
        version=draw(st.integers(1, 10**6)),
        duo=draw(st.sampled_from((a_duo_account(), a_duo_account(), None))),
        factors=draw(
            st.sampled_from(
                (
                    Factors(duo=True),
                    Factors(duo=True),
                    Factors(),
                    Factors(otp=True),
                    Factors(duo=True, otp=True),
                    Factors(sms=True, webauthn_roaming=True),
                )
            )
        ),
        mfa=Mfa(
            policy=draw(st.sampled_from(Policy)),
            duo_username=draw(st.sampled_from(DuoUsername)),
            universal_login=draw(st.booleans()),
        ),
        remember=Remember(
            enabled=draw(st.booleans()), idle=draw(durations), absolute=draw(durations)
        ),
        challenge=ChallengeRules(return_urls=(RETURN_URL,), lifetime=timedelta(minutes=5)),
        push_budget=PushBudget(prompts=draw(st.integers(1, 5))),
        actions=ActionRules(time_limit=draw(durations), flow_time_limit=draw(durations)),
        flow=tuple(draw(st.lists(_refs, max_size=3))),
    )


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=8),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
"""Whatever JSON can hold."""

recorded = st.builds(
    Recorded,
    call=st.sampled_from(("user.setUserMetadata", "accessToken.setCustomClaim")),
    arguments=st.lists(json_values, max_size=3).map(tuple),
)

factors = st.builds(
    Factor,
    type=st.sampled_from(("otp", "phone", "webauthn-roaming")),
    enroll=st.booleans(),
    options=st.one_of(st.none(), st.dictionaries(st.text(max_size=5), json_values, max_size=2)),
)

_denials: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.just({}),
    st.just({"denied": Reason.ACTION_ERROR}),
    st.fixed_dictionaries(
        {
            "denied": st.just(Reason.ACTION_DENIED),
            "access_denied": st.builds(
                AccessDenied, reason=st.text(), code=st.one_of(st.none(), st.text())
            ),
        }
    ),
    st.just({"denied": Reason.REDIRECTED, "redirect_url": "https://acme.example/why?a=%C3%BC"}),
)


@st.composite
def _effects(draw: st.DrawFn) -> Effect:
    return Effect(
        **draw(_denials),
        provider=draw(st.sampled_from((None, *Provider))),
        allow_remember_browser=draw(st.sampled_from((None, True, False))),
        duo=draw(st.sampled_from((None, None, OWN_ACCOUNT))),
        duo_username=draw(st.sampled_from((None, None, "", " ", "ally"))),
        factors=tuple(draw(st.one_of(st.just([]), st.lists(factors, max_size=3)))),
        recorded=tuple(draw(st.lists(recorded, max_size=3))),
        trace=tuple(
            draw(
                st.lists(
                    st.sampled_from(
                        (
                            "rule:old@1:silent",
                            "action:require-duo@3:enable-duo",
                            "action:both@1:enable-any+recorded",
                            "python:wire-transfers:deny",
                        )
                    ),
                    max_size=3,
                    unique=True,
                )
            )
        ),
    )


OWN_ACCOUNT = a_duo_account(client_id="DIOWNOWNOWNOWNOWNOWN")
"""An Action's own Duo account."""

effects = _effects()

browsers = st.builds(
    RememberedBrowser,
    since=near_now,
    renewed=near_now,
    absolute_end=near_now,
    challenge=st.just("00AAAAAAAAAAAAAAAAAAAAAA"),
)

facts = st.builds(
    Facts,
    remembered=st.one_of(st.none(), browsers),
    prompts=st.lists(
        st.integers(-900, 60).map(lambda seconds: NOW + timedelta(seconds=seconds)), max_size=6
    ).map(tuple),
)
