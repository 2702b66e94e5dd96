"""What Duo's token is read as: laws 6 and 7 over any token, and each known factor and reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.core.duo_answer import (
    FACTORS,
    REASONS,
    DuoAnswer,
    disclosed,
    read_duo_answer,
)
from countersign.core.result import Assurance, DuoDetails
from countersign.core.tenant import Detail
from tests.builders import DUO_SAID

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
WORDS = st.sampled_from(["allow", "deny", "success", "denied", "fraud", "ALLOW", "bypass", ""])
FACTOR_WORDS = st.sampled_from(
    [*sorted(FACTORS), "webauthn_platform", "bypass_code", "remembered_device", "trusted_network"]
)
REASON_WORDS = st.sampled_from([*sorted(REASONS), "user_marked_fraud", "bypass_user"])
RESULTS = st.fixed_dictionaries({}, optional={"result": WORDS | JSON, "status": WORDS | JSON})
CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "result": WORDS | JSON,
        "factor": FACTOR_WORDS | JSON,
        "reason": REASON_WORDS | JSON,
    },
)
TOKENS = st.fixed_dictionaries(
    {}, optional={"auth_result": RESULTS | JSON, "auth_context": CONTEXTS | JSON}
)

NO_FACTORS = ["bypass_code", "remembered_device", "trusted_network", "not_available", "", "novel"]
NO_REASONS = [
    *("remembered_device", "trusted_network", "trusted_location", "bypass_user"),
    *("allowed_by_policy", "allow_unenrolled_user", "", "novel"),
]
WEBAUTHN = ["webauthn", "webauthn_platform", "webauthn_roaming", "WebAuthn Security Key"]


def read(factor: object = "duo_push", reason: object = "user_approved") -> DuoAnswer:
    """Read a token that allows, by this factor and reason."""
    return read_duo_answer(
        {
            "auth_result": {"result": "allow", "status": "allow"},
            "auth_context": {"result": "success", "factor": factor, "reason": reason},
        }
    )


def said(answer: DuoAnswer) -> tuple[bool, Assurance]:
    """Return whether it allows, and what stands behind it."""
    return answer.allowed, answer.assurance


@pytest.mark.law(6)
@given(TOKENS)
def test_only_two_allows_allow(token: dict[str, object]) -> None:
    """Law 6: any token has an answer, and it allows only with `allow` in both places and no contradiction."""
    answer = read_duo_answer(token)
    result = token.get("auth_result")
    if answer.allowed:
        assert isinstance(result, dict)
        assert (result["result"], result["status"]) == ("allow", "allow")
        context = token.get("auth_context")
        if isinstance(context, dict):
            assert context.get("result") in [None, "success"]
        assert not answer.fraud
    else:
        assert answer.assurance is Assurance.NONE


@pytest.mark.law(7)
@given(TOKENS)
def test_only_the_known_is_mfa(token: dict[str, object]) -> None:
    """Law 7: an MFA has a known second factor and something that the person did."""
    answer = read_duo_answer(token)
    if answer.assurance is Assurance.MFA:
        assert answer.allowed
        context = token["auth_context"]
        assert isinstance(context, dict)
        assert context["reason"] in REASONS
        assert context["factor"] in FACTORS or context["factor"] == "webauthn_platform"


@pytest.mark.law(7)
@pytest.mark.parametrize("factor", [*NO_FACTORS, None, ["duo_push"], "DUO_PUSH"])
def test_no_factor_is_a_bypass(factor: object) -> None:
    """Law 7: what is no second factor, or isn't known for one, gets past the prompt as a bypass."""
    assert said(read(factor=factor)) == (True, Assurance.DUO_BYPASS)


@pytest.mark.law(7)
@pytest.mark.parametrize("reason", [*NO_REASONS, None, ["user_approved"]])
def test_no_deed_is_a_bypass(reason: object) -> None:
    """Law 7: a policy's or administrator's reason, or an unknown one, is a bypass with any factor."""
    assert said(read(reason=reason)) == (True, Assurance.DUO_BYPASS)


@pytest.mark.parametrize("factor", [*sorted(FACTORS), *WEBAUTHN])
@pytest.mark.parametrize("reason", sorted(REASONS))
def test_a_second_factor_is_mfa(factor: str, reason: str) -> None:
    """A factor in somebody's hand, and used, is an MFA."""
    assert said(read(factor=factor, reason=reason)) == (True, Assurance.MFA)


@pytest.mark.law(6)
@pytest.mark.parametrize(
    "token",
    [
        {"auth_context": {"reason": "user_marked_fraud"}},
        {"auth_context": {"result": "fraud"}},
        {"auth_result": {"result": "deny", "status": "fraud"}},
        {
            "auth_result": {"result": "allow", "status": "allow"},
            "auth_context": {"result": "success", "reason": "user_marked_fraud"},
        },
    ],
)
def test_a_fraud_is_reported(token: dict[str, object]) -> None:
    """A report of fraud is passed on from any of its places, and never goes with an allow."""
    answer = read_duo_answer(token)
    assert (answer.allowed, answer.fraud) == (False, True)


def test_a_silent_context_is_a_bypass() -> None:
    """An allow that doesn't say by what is a bypass."""
    allow = {"auth_result": {"result": "allow", "status": "allow"}}
    for token in (allow, allow | {"auth_context": None}, allow | {"auth_context": {}}):
        assert said(read_duo_answer(token)) == (True, Assurance.DUO_BYPASS)


FULL: dict[str, object] = {
    "preferred_username": "alice",
    "auth_result": {"result": "allow", "status": "allow"},
    "auth_context": {
        "result": "success",
        "factor": "duo_push",
        "reason": "user_approved",
        "auth_device": {"name": "Alice's phone (XXX-XXX-0100)", "ip": "192.0.2.8"},
        "access_device": {
            "ip": "192.0.2.7",
            "location": {"city": "Ann Arbor", "state": "Michigan", "country": "United States"},
        },
    },
}


def test_what_duo_says_besides_is_read() -> None:
    """Factor, reason, device, location, address and user name are read from where Duo puts them."""
    assert read_duo_answer(FULL).details == DUO_SAID


@given(st.lists(st.sampled_from(Detail), unique=True))
def test_only_what_a_tenant_asks_for_is_let_out(wanted: list[Detail]) -> None:
    """A detail that the tenant doesn't name is not there; without any there is nothing."""
    shown = disclosed(DUO_SAID, wanted)
    assert (shown is None) == (not wanted)
    if shown is not None:
        assert (shown.factor, shown.reason) == (
            ("duo_push", "user_approved") if Detail.FACTOR in wanted else (None, None)
        )
        for detail in set(Detail) - {Detail.FACTOR}:
            found = getattr(shown, detail.value)
            assert found == (getattr(DUO_SAID, detail.value) if detail in wanted else None)


@given(TOKENS, st.text(max_size=300))
def test_details_are_short_and_on_one_line(token: dict[str, object], text: str) -> None:
    """Whatever Duo sends, a detail is a short text without control characters, or isn't there."""
    context = {"factor": text, "access_device": {"ip": text, "location": {"city": text}}}
    for answer in (read_duo_answer(token), read_duo_answer({"auth_context": context})):
        for name in DuoDetails.__struct_fields__:
            found = getattr(answer.details, name)
            assert found is None or (0 < len(found) <= 128 and found.isprintable())
