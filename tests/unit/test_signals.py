"""Security signals: which are read, whose user they are about, whose word counts, and what they revoke."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from countersign.core.errors import Defect, InvalidEventError
from countersign.core.identity import EventIdentity
from countersign.core.login import SecuritySignal
from countersign.core.tenant import SignalRules, TenantSettings, Trust, problems
from countersign.decider.proof import needs_proof, verify
from countersign.wire.inbound import read_event
from countersign.wire.signals import KNOWN
from tests.builders import ACME, ALICE, BOB, NOW, InboundRecord, a_login, a_tenant
from tests.signals import (
    ASSURANCE_LEVEL_CHANGE,
    AUDIENCE,
    CREDENTIAL_CHANGE,
    ISSUER,
    SESSION_REVOKED,
    a_heeding_tenant,
    a_set,
    a_signal,
    a_signal_record,
    claims,
    rules,
)
from tests.signing import KINDS, a_public_key, a_signer, a_signing_tenant, sign

OTHER = "https://schemas.openid.net/secevent/caep/event-type/token-claims-change"
CANARY = "canary-7f3a"
DEEP = b'{"a":' * 9999
unhurried = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Record:
    """A record as the decider has it."""

    topic, partition, offset = "events", 0, 0

    def __init__(self, record: InboundRecord) -> None:
        self.key, self.value, self.headers = record


def refused(content: str | Mapping[str, object], subject: str = ALICE) -> InvalidEventError:
    """Return why a signal can't be read."""
    with pytest.raises(InvalidEventError) as caught:
        read_event(*a_signal_record(content, subject=subject))
    assert CANARY not in str(caught.value)
    return caught.value


def distrusted(record: InboundRecord, tenant: TenantSettings) -> InvalidEventError:
    """Return why a signal, which can be read, isn't taken."""
    with pytest.raises(InvalidEventError) as caught:
        trusted(record, tenant)
    return caught.value


def trusted(record: InboundRecord, tenant: TenantSettings) -> None:
    """Read a signal, and ask who sent it."""
    event = read_event(*record)
    assert needs_proof(event, tenant)
    verify(Record(record), event, tenant)


@pytest.mark.parametrize("event", KNOWN)
def test_each_known_event_revokes(event: str) -> None:
    """The four changes, a purge and a demand: all of the user's browsers, in a token and as claims."""
    for content in (claims(event), a_set(claims(event))):
        signal = a_signal(content)
        assert (signal.subject, signal.key, signal.revokes) == (ALICE, b"acme:auth0|alice", True)
        assert signal.browser is None
        assert signal.audience == (AUDIENCE,)


def test_issuer_and_jti_identify_a_signal() -> None:
    """The same SET in another envelope is the same signal; the envelope's id isn't asked."""
    token = a_set()
    events = [read_event(*a_signal_record(token, event_id=name)) for name in ("a", "b")]
    assert {event.identity for event in events} == {EventIdentity(ACME, ISSUER, "signal-1")}


@pytest.mark.parametrize(
    ("payload", "revokes"),
    [
        ({"change_direction": "increase"}, False),
        ({"change_direction": "decrease"}, True),
        ({"change_direction": "INCREASE"}, True),
        ({"change_direction": None}, True),
        ({}, True),
    ],
)
def test_only_an_assurance_that_went_up_revokes_nothing(
    payload: dict[str, object], *, revokes: bool
) -> None:
    """Whatever isn't clearly an increase forgets; of several events one that does is enough."""
    events = {ASSURANCE_LEVEL_CHANGE: payload}
    assert a_signal(claims(events=events)).revokes is revokes
    assert a_signal(claims(events={**events, SESSION_REVOKED: {}})).revokes
    assert a_signal(claims(events={**events, OTHER: {}})).revokes is revokes
    assert a_signal(claims(events={SESSION_REVOKED: {"change_direction": "increase"}})).revokes


@pytest.mark.parametrize(
    "named",
    [
        {"sub_id": {"format": "opaque", "id": ALICE}},
        {"sub_id": {"format": "iss_sub", "iss": ISSUER, "sub": ALICE}},
        {
            "sub_id": {
                "format": "complex",
                "user": {"format": "iss_sub", "iss": ISSUER, "sub": ALICE},
                "session": {"format": "opaque", "id": "session-1"},
                "device": {"format": "opaque", "id": "device-1"},
                "application": {"format": "opaque", "id": "application-1"},
                "tenant": None,
            }
        },
        {"sub_id": {"format": "opaque", "id": ALICE, "iss": "another", "tenant": "another"}},
        {"sub_id": ..., "payload": {"subject": {"format": "opaque", "id": ALICE}}},
        {
            "sub_id": ...,
            "payload": {"subject": {"subject_type": "iss-sub", "iss": ISSUER, "sub": ALICE}},
        },
        {
            "sub_id": None,
            "payload": {"subject": {"user": {"format": "iss_sub", "iss": ISSUER, "sub": ALICE}}},
        },
        {"payload": {"subject": {"format": "opaque", "id": ALICE}}},
    ],
)
def test_the_user_may_be_named_in_each_way(named: dict[str, Any]) -> None:
    """RFC 9493 at the top, or the drafts before it in the event; simple, or as part of a complex one."""
    assert a_signal(claims(**named)).subject == ALICE


@pytest.mark.parametrize(
    ("sub_id", "says"),
    [
        ({"format": "email", "email": CANARY}, "opaque with id, or iss_sub with the signal's iss"),
        ({"format": "phone_number", "phone_number": CANARY}, "a format that doesn't name a user"),
        ({"format": "account", "uri": CANARY}, "being the user_id"),
        ({"format": "aliases", "identifiers": []}, "a format that doesn't name a user"),
        ({"format": CANARY}, "a format that doesn't name a user"),
        ({}, "a format that doesn't name a user"),
        ({"format": "opaque"}, "a format that doesn't name a user"),
        ({"format": "opaque", "id": ""}, "a format that doesn't name a user"),
        ({"format": "iss_sub", "iss": ISSUER}, "a format that doesn't name a user"),
        ({"format": "complex", "session": {"format": "opaque", "id": "s"}}, "has no user"),
        ({"format": "complex", "user": {"format": "email", "email": CANARY}}, "being the user_id"),
        ({"format": "complex", "user": {"format": "complex"}}, "a format that doesn't name a user"),
        *(
            (
                {"format": "complex", "user": {"format": "opaque", "id": ALICE}, part: there},
                f"has {part}, of which",
            )
            for part in ("tenant", "org_unit", "group")
            for there in ({"format": "opaque", "id": CANARY}, CANARY, {}, 0)
        ),
        (
            {"user": {"format": "opaque", "id": ALICE}, "group": CANARY},
            "send a signal for each user",
        ),
        ({"format": "iss_sub", "sub": ALICE}, "sub_id.iss is missing; send the same one"),
        ({"format": "iss_sub", "iss": None, "sub": ALICE}, "sub_id.iss is missing"),
        ({"format": "iss_sub", "iss": "", "sub": ALICE}, "sub_id.iss is another"),
        ({"format": "iss_sub", "iss": CANARY, "sub": ALICE}, "sub_id.iss is another than the iss"),
        ({"format": "iss_sub", "iss": f"{ISSUER}/", "sub": ALICE}, "in the format opaque with id"),
        (
            {"format": "complex", "user": {"format": "iss_sub", "iss": CANARY, "sub": ALICE}},
            "sub_id.iss is another",
        ),
        ({"format": 5}, "sub_id.format: Expected `str | null`"),
        ({"format": "opaque", "id": 5}, "sub_id.id: Expected `str | null`"),
        (CANARY, "sub_id: Expected `object | null`"),
        ([CANARY], "sub_id: Expected `object | null`"),
        (None, "sub_id is missing"),
        (..., "sub_id is missing"),
    ],
)
def test_a_subject_that_names_no_user_is_refused(sub_id: object, says: str) -> None:
    """With what to send instead, and never with what came (law 9)."""
    for content in (claims(sub_id=sub_id), a_set(claims(sub_id=sub_id))):
        error = refused(content)
        assert error.defect is Defect.INVALID_EVENT
        assert says in error.detail


def test_a_subject_in_the_event_is_no_less_exact() -> None:
    """An older draft's subject is another issuer's user, or a group's, no more than a `sub_id` is."""
    alice = {"subject_type": "opaque", "id": ALICE}
    for subject, says in (
        ({"subject_type": "iss-sub", "sub": ALICE}, "iss is missing"),
        ({"subject_type": "iss_sub", "iss": CANARY, "sub": ALICE}, "iss is another"),
        ({"user": {"subject_type": "iss_sub", "iss": CANARY, "sub": ALICE}}, "iss is another"),
        ({"user": alice, "tenant": CANARY}, "has tenant, of which"),
        ({"subject_type": "complex", "user": alice, "org_unit": CANARY}, "has org_unit, of which"),
    ):
        assert says in refused(claims(sub_id=..., payload={"subject": subject})).detail
        # Nor is it overlooked beside one that is right.
        assert says in refused(claims(payload={"subject": subject})).detail


@pytest.mark.law(10)
def test_a_signal_is_about_the_user_of_its_key() -> None:
    """Law 10: another user's signal, or another tenant's, would come out of turn: a dead letter."""
    for content in (claims(), a_set()):
        assert refused(content, subject=BOB).defect is Defect.KEY_MISMATCH
    two = claims(payload={"subject": {"format": "opaque", "id": BOB}})
    assert "name different users" in refused(two).detail
    several = claims(
        sub_id=...,
        events={
            SESSION_REVOKED: {"subject": {"format": "opaque", "id": ALICE}},
            CREDENTIAL_CHANGE: {"subject": {"format": "opaque", "id": BOB}},
        },
    )
    assert "name different users" in refused(several).detail


@pytest.mark.parametrize(
    ("changes", "defect", "says"),
    [
        ({"iss": ...}, Defect.INVALID_EVENT, "iss is missing; send it"),
        ({"iss": 5}, Defect.INVALID_EVENT, "iss: Expected `str`"),
        ({"iss": ""}, Defect.INVALID_EVENT, "iss: Expected `str` of length >= 1"),
        ({"iss": "a\n"}, Defect.INVALID_EVENT, "iss holds a control character"),
        ({"jti": ...}, Defect.INVALID_EVENT, "jti is missing; send it"),
        ({"jti": "x" * 257}, Defect.INVALID_EVENT, "jti: Expected `str` of length <= 256"),
        ({"jti": "\x00"}, Defect.INVALID_EVENT, "jti holds a control character"),
        ({"iat": ...}, Defect.INVALID_EVENT, "iat is missing; send it"),
        ({"iat": CANARY}, Defect.INVALID_EVENT, "iat: Expected `float`"),
        ({"iat": True}, Defect.INVALID_EVENT, "iat: Expected `float`"),
        ({"iat": -1}, Defect.INVALID_EVENT, "iat: Expected `float` >= 0"),
        ({"iat": 10**12}, Defect.INVALID_EVENT, "iat: Expected `float` <= 253402300799"),
        ({"iat": 10**40}, Defect.INVALID_EVENT, "iat: Expected `float` <= 253402300799"),
        ({"aud": 5}, Defect.INVALID_EVENT, "aud: Expected"),
        ({"aud": [5]}, Defect.INVALID_EVENT, "aud[0]: Expected `str`"),
        ({"events": ...}, Defect.INVALID_EVENT, "events is missing; send it"),
        ({"events": {}}, Defect.INVALID_EVENT, "events is empty"),
        ({"events": [SESSION_REVOKED]}, Defect.INVALID_EVENT, "events: Expected `object`"),
        ({"events": SESSION_REVOKED}, Defect.INVALID_EVENT, "events: Expected `object`"),
        ({"events": {SESSION_REVOKED: None}}, Defect.INVALID_EVENT, "Expected `object`"),
        ({"events": {SESSION_REVOKED: CANARY}}, Defect.INVALID_EVENT, "Expected `object`"),
        (
            {"events": {ASSURANCE_LEVEL_CHANGE: {"change_direction": 1}}},
            Defect.INVALID_EVENT,
            "change_direction: Expected",
        ),
        ({"events": {OTHER: {}}}, Defect.UNKNOWN_TYPE, "none of those that are read"),
        ({"events": {CANARY: CANARY}}, Defect.UNKNOWN_TYPE, SESSION_REVOKED),
    ],
)  # fmt: skip
def test_a_claim_that_is_wrong_is_named(changes: dict[str, Any], defect: Defect, says: str) -> None:
    """Missing, of another type, too long: the claim and the remedy, in a token and as claims."""
    for content in (claims(**changes), a_set(claims(**changes))):
        error = refused(content)
        assert error.defect is defect
        assert says in error.detail


def _part(content: object) -> str:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("", "has no value"),
        ("a.b", "no JWT in the compact form"),
        ("a.b.c.d.e", "not encrypted"),
        (f" {a_set()}", "no JWT in the compact form"),
        (f"{a_set()}\n", "no JWT in the compact form"),
        (json.dumps(a_set()), "no JWT in the compact form"),
        (a_set().replace(".", "=.", 1), "no JWT in the compact form"),
        ("a.b.c", "truncated"),
        (f"{_part({'typ': 'JWT'})}.{_part(claims())}.c", "send a SET, with typ secevent+jwt"),
        (f"{_part({'typ': None})}.{_part(claims())}.c", "typ is another"),
        (f"{_part({'alg': 'ES256'})}.{_part(claims())}.c", "typ is another"),
        (f"{_part([])}.{_part(claims())}.c", "Expected `object`"),
        (f"{_part({'typ': 'secevent+jwt'})}.{_part([])}.c", "Expected `object`"),
        (f"{_part({'typ': 'secevent+jwt'})}.{_part(a_set())}.c", "Expected `object`"),
        (f"{_part({'typ': 'secevent+jwt'})}.{_part(b'[' * 9999)}.c", "Expected `object`"),
        (f"{_part({'typ': 'secevent+jwt'})}.{_part(DEEP)}.c", ""),
        (f"{_part({'typ': 'secevent+jwt'})}.{_part(bytes(range(128, 140)))}.c", ""),
        (a_set(claims(txn="x" * 300_000)), "at most 262144 are taken"),
    ],
)
def test_what_is_no_token_is_refused(token: str, says: str) -> None:
    """Encrypted, nested, of another kind, huge, deep, no text: each with its remedy."""
    assert says in refused(token).detail


def test_claims_under_a_tokens_content_type_and_the_other_way_round() -> None:
    """The content type says which of the two it is, and a slip is told."""
    for content, other in ((claims(), "application/secevent+jwt"), (a_set(), "application/json")):
        record = a_signal_record(content)
        headers = [("content-type", other.encode()), *record.headers[1:]]
        with pytest.raises(InvalidEventError, match=r"no JWT|application/secevent\+jwt"):
            read_event(record.key, record.value, headers)


@pytest.mark.parametrize("content", [claims(), a_set()])
def test_the_structured_form_holds_a_text_or_an_object(content: str | Mapping[str, object]) -> None:
    """In an envelope a token is a text, and claims are an object; both are the event that they were."""
    record = a_signal_record(content)
    attributes = {name[3:]: text.decode() for name, text in record.headers[1:]}
    value = json.dumps({**attributes, "data": content}).encode()
    event = read_event(record.key, value, [])
    assert isinstance(event, SecuritySignal)
    plain = a_signal(content)
    assert (event.identity, event.subject, event.token) == (
        plain.identity,
        plain.subject,
        plain.token,
    )


def test_neither_time_may_be_from_the_future() -> None:
    """The later one of the envelope's time and `iat` is the event's."""
    for minutes, expected in ((6, 6), (-6, 0)):
        at = NOW + timedelta(minutes=minutes)
        assert a_signal(claims(iat=at.timestamp())).time == NOW + timedelta(minutes=expected)


@pytest.mark.law(9)
def test_a_token_is_not_shown() -> None:
    """Law 9: a signal that ends up in a log doesn't bring its token along."""
    assert a_set() not in repr(a_signal(a_set()))


# -- whose word counts -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_issuers_token_is_taken(kind: str) -> None:
    """By any kind of key that the tenant lists, for any of several audiences."""
    tenant = a_heeding_tenant(signals=rules(a_public_key("EdDSA", "other"), a_public_key(kind)))
    trusted(a_signal_record(a_set(kind=kind)), tenant)
    trusted(a_signal_record(a_set(claims(aud=["x", AUDIENCE]), kind=kind)), tenant)
    trusted(a_signal_record(a_set(kind=kind, header={"typ": "Application/SecEvent+JWT"})), tenant)


@pytest.mark.parametrize(
    ("token", "says"),
    [
        (a_set(name="other"), "kid that the tenant's settings don't list"),
        (a_set(name="other", header={"kid": "k1"}), "doesn't verify"),
        (a_set(kind="EdDSA"), "another alg than its key, which is for ES256"),
        (a_set(header={"kid": ...}), "no kid"),
        (a_set(header={"crit": ["exp"]}), "crit or b64"),
        (a_set()[:-8], "doesn't verify"),
        (a_set().rsplit(".", 1)[0] + ".", "no signed JWS"),
        (f"{_part({'typ': 'secevent+jwt', 'alg': 'none'})}.{_part(claims())}.", "no signed JWS"),
        (
            f"{_part({'typ': 'secevent+jwt', 'alg': 'none', 'kid': 'k1'})}.{_part(claims())}.AA",
            "another alg",
        ),
    ],
)
def test_nobody_elses_token_is_taken(token: str, says: str) -> None:
    """A key that was taken off the list, another key, no signature: a dead letter, whatever trust says."""
    for trust in Trust:
        error = distrusted(a_signal_record(token), a_heeding_tenant(signals=rules(trust=trust)))
        assert error.defect is Defect.INVALID_SIGNATURE
        assert says in error.detail


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"iss": "https://id.example.com/"}, "iss is not the issuer of [signals]"),
        ({"aud": "https://other.example.com"}, "aud is not the audience of [signals]"),
        ({"aud": []}, "aud is not the audience"),
        ({"aud": ["x", "y"]}, "aud is not the audience"),
        ({"aud": ...}, "aud is not the audience"),
        ({"aud": None}, "aud is not the audience"),
    ],
)
def test_what_is_meant_for_others_is_refused(changes: dict[str, Any], says: str) -> None:
    """Another issuer under the same keys, another audience, none: told with the claim."""
    for content, trust in (
        (a_set(claims(**changes)), Trust.SIGNED),
        (claims(**changes), Trust.TOPIC),
    ):
        error = distrusted(a_signal_record(content), a_heeding_tenant(signals=rules(trust=trust)))
        assert (error.defect, says in error.detail) == (Defect.INVALID_EVENT, True)


def test_without_trust_in_the_topic_claims_alone_are_refused() -> None:
    """A tenant says so in its settings, or takes SETs alone; without an issuer it takes none at all."""
    assert (
        "signed signals alone" in distrusted(a_signal_record(claims()), a_heeding_tenant()).detail
    )
    for content in (claims(), a_set()):
        error = distrusted(a_signal_record(content), a_tenant())
        assert error.defect is Defect.INVALID_SIGNATURE
        assert "issuer, audience or keys are missing in [signals]" in error.detail


def test_with_trust_in_the_topic_claims_are_taken_and_tokens_verified() -> None:
    """Whoever may write there may send them; but a token is never taken unverified."""
    trusting = a_tenant(signals=SignalRules(trust=Trust.TOPIC))
    trusted(a_signal_record(claims(aud=..., iss="anybody")), trusting)
    assert "keys are missing" in distrusted(a_signal_record(a_set()), trusting).detail


def test_where_events_are_signed_claims_are_signed_too() -> None:
    """A SET speaks for itself; claims need the event's signature, although the topic is trusted."""
    tenant = a_signing_tenant(signals=rules(trust=Trust.TOPIC))
    trusted(a_signal_record(a_set()), tenant)
    record = a_signal_record(claims())
    assert "ce_signature is missing" in distrusted(record, tenant).detail
    trusted(sign(record), tenant)
    assert "doesn't verify" in distrusted(sign(record, a_signer(name="x", kid="k1")), tenant).detail


def test_logins_need_no_proof_for_that() -> None:
    """A tenant that takes signals and unsigned events computes nothing for a login."""
    assert not needs_proof(a_login(), a_heeding_tenant())
    assert needs_proof(a_login(), a_signing_tenant())


@pytest.mark.parametrize(
    ("signals", "keys"),
    [
        (SignalRules(), []),
        (SignalRules(trust=Trust.TOPIC), []),
        (SignalRules(trust=Trust.TOPIC, issuer=ISSUER), []),
        (SignalRules(issuer=ISSUER), ["signals.keys"]),
        (SignalRules(audience=AUDIENCE), ["signals.keys"]),
        (SignalRules(keys=(a_public_key(),)), ["signals.issuer", "signals.audience"]),
        (
            SignalRules(trust=Trust.TOPIC, issuer=ISSUER, keys=(a_public_key(),)),
            ["signals.audience"],
        ),
        (rules(a_public_key(), a_public_key("EdDSA")), ["signals.keys[1].kid"]),
        (rules(), []),
    ],
)
def test_settings_that_could_take_nothing_are_refused(
    signals: SignalRules, keys: list[str]
) -> None:
    """Half of what it takes to verify a token is a mistake, and is told before it is published."""
    assert [problem.key for problem in problems(a_tenant(signals=signals))] == keys


SIGNED = a_set()


@unhurried
@given(st.integers(0, len(SIGNED) - 1), st.characters(codec="ascii"))
def test_no_character_of_a_token_can_be_changed(at: int, character: str) -> None:
    """Whichever one is another: it isn't read, or isn't taken."""
    changed = SIGNED[:at] + character + SIGNED[at + 1 :]
    if changed != SIGNED:
        with pytest.raises(InvalidEventError):
            trusted(a_signal_record(changed), a_heeding_tenant())


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from((ALICE, 1e99)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("format", "id", "user", "sub", "subject", *KNOWN)), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@unhurried
@given(st.dictionaries(st.sampled_from(sorted(claims())), _json), st.booleans())
def test_any_claims_are_a_signal_or_refused(changes: dict[str, Any], token: bool) -> None:  # noqa: FBT001  # hypothesis gives it by its place
    """Whatever JSON stands where: an event of the key's user, or an `InvalidEventError`."""
    content = claims(**changes)
    try:
        event = read_event(*a_signal_record(a_set(content) if token else content))
    except InvalidEventError:
        return
    assert event.subject == ALICE
