"""Signed events: what a signature covers, whose counts, and that nothing else gets through."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jwt.algorithms import get_default_algorithms
from jwt.api_jws import PyJWS

from countersign.core.errors import Defect, InvalidEventError
from countersign.core.public_key import PublicKey
from countersign.wire.inbound import MAX_EVENT_BYTES, read_event
from countersign.wire.signatures import MAX_SIGNATURE_LENGTH, verify_event
from countersign.wire.signed_part import HEADER, SignedPart, signed_part
from tests.builders import (
    ACME,
    ALICE,
    NOW,
    SOURCE,
    InboundRecord,
    a_forget_record,
    a_login_record,
    a_return_record,
    login_data,
)
from tests.signing import KINDS, a_public_key, a_signer, private_key, sign

KEYS = (a_public_key(),)
unhurried = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def structured(**changes: object) -> InboundRecord:
    """Return Alice's login in the structured form."""
    envelope = {
        "specversion": "1.0",
        "id": "login-1",
        "source": SOURCE,
        "type": "countersign.login.attempted.v1",
        "time": "2026-03-02T09:00:00.123Z",
        "tenantid": ACME,
        "data": login_data(),
        **changes,
    }
    value = json.dumps(envelope, ensure_ascii=False).encode()
    return InboundRecord(f"{ACME}:{ALICE}".encode(), value, [])


def bare() -> InboundRecord:
    """Return Alice's login without an envelope."""
    data = {**login_data(tenant=ACME), "id": "login-1", "time": NOW.isoformat()}
    return InboundRecord(f"{ACME}:{ALICE}".encode(), json.dumps(data).encode(), [])


FORMS = {
    "binary": a_login_record(),
    "returned": a_return_record(),
    "forget": a_forget_record(),
    "structured": structured(),
    "bare": bare(),
}


def verify(record: InboundRecord, keys: tuple[PublicKey, ...] = KEYS) -> None:
    """Read a record, and verify its signature."""
    tenant = read_event(*record).identity.tenant
    verify_event(signed_part(record.value or b"", record.headers, tenant), keys)


def refusal(record: InboundRecord, keys: tuple[PublicKey, ...] = KEYS) -> str:
    """Return why a record's signature doesn't hold."""
    with pytest.raises(InvalidEventError) as caught:
        verify(record, keys)
    assert caught.value.defect is Defect.INVALID_SIGNATURE
    return caught.value.detail


def with_header(record: InboundRecord, signature: bytes | None) -> InboundRecord:
    """Return a record with this text for its signature."""
    kept = [(name, text) for name, text in record.headers if name != HEADER]
    more: Any = [(HEADER, signature)]
    return record._replace(headers=[*kept, *more])


def a_jws(header: Mapping[str, object] | str, record: InboundRecord, kind: str = "ES256") -> bytes:
    """Return a detached signature with any header, made with the real key."""
    text = header if isinstance(header, str) else json.dumps(header)
    protected = base64.urlsafe_b64encode(text.encode()).rstrip(b"=")
    content = signed_part(record.value or b"", record.headers, ACME).content
    algorithm = get_default_algorithms()[kind]
    key = algorithm.prepare_key(private_key(kind))
    made = algorithm.sign(protected + b"." + base64.urlsafe_b64encode(content).rstrip(b"="), key)
    return protected + b".." + base64.urlsafe_b64encode(made).rstrip(b"=")


@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.parametrize("kind", KINDS)
def test_a_signed_event_is_taken_in_each_form(form: str, kind: str) -> None:
    """Every form and type, by every kind of key, and it is still the event that it was."""
    record = sign(FORMS[form], a_signer(kind))
    verify(record, (a_public_key("EdDSA", "another"), a_public_key(kind)))
    plain = read_event(*FORMS[form])
    assert read_event(*record) == plain


def test_what_is_signed_is_the_same_in_each_form() -> None:
    """Id, source, type, time, tenant and data, a line feed between; times as they were sent."""
    data = json.dumps(login_data()).encode()
    head = f"login-1\n{SOURCE}\ncountersign.login.attempted.v1\n"
    assert signed_part(data, FORMS["binary"].headers, ACME).content == (
        f"{head}{NOW.isoformat()}\n{ACME}\n".encode() + data
    )
    record = structured(data=None)
    value = (record.value or b"").replace(b'"data": null', b'"data":' + data)
    assert signed_part(value, [], ACME).content == (
        f"{head}2026-03-02T09:00:00.123Z\n{ACME}\n".encode() + data
    )
    whole = FORMS["bare"].value or b""
    assert signed_part(whole, [], ACME).content == (
        f"login-1\nshop\ncountersign.login.attempted.v1\n{NOW.isoformat()}\n{ACME}\n".encode()
        + whole
    )


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_missing_signature_is_told(form: str) -> None:
    """An event without one is none of this tenant's."""
    assert "ce_signature is missing" in refusal(FORMS[form])


def test_a_header_is_no_signature_of_the_structured_form() -> None:
    """There the attribute is a member; a header of that name is nobody's."""
    record = sign(structured())
    inside = json.loads(record.value or b"")["signature"]
    beside = with_header(structured(), inside.encode())
    assert "is missing" in refusal(beside)
    assert "is missing" in refusal(structured(signature=None))


@pytest.mark.parametrize("text", [5, [], {}, True, ["a..b"], ""])
def test_a_member_that_is_no_text_is_no_signature(text: object) -> None:
    """Whatever JSON stands there."""
    assert "is no text" in refusal(structured(signature=text))


@pytest.mark.parametrize(
    "text",
    [
        *(b"", None, b"\xff", b".", b"..", b"...", b"a", b"a.b.c", b"..c", b"a..", b"a..c.d"),
        *(b" a..c", b"a..c ", b"a..c\n", b"a=..c", b"a..c=", "ä..c".encode(), b"a,..c"),
        *(b"A" * (MAX_SIGNATURE_LENGTH + 1), b"%s..c" % (b"A" * 400)),
    ],
)
def test_what_is_no_detached_signature_is_refused(text: bytes | None) -> None:
    """Whatever bytes stand in the header, the event is refused, and nothing else happens."""
    assert refusal(with_header(a_login_record(), text))


def test_two_signatures_are_refused() -> None:
    """Nobody could say which one counts."""
    record = sign(a_login_record())
    twice = record._replace(headers=[*record.headers, ("CE_SIGNATURE", record.headers[-1][1])])
    assert "stands twice" in refusal(twice)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ({"alg": "ES256", "kid": "k1", "crit": ["b64"], "b64": False}, "crit or b64"),
        ({"alg": "ES256", "kid": "k1", "crit": ["exp"], "exp": 1}, "crit or b64"),
        ({"alg": "ES256", "kid": "k1", "crit": []}, "crit or b64"),
        ({"alg": "ES256", "kid": "k1", "crit": None}, "crit or b64"),
        ({"alg": "ES256", "kid": "k1", "b64": False}, "crit or b64"),
        ({"alg": "ES256"}, "no kid"),
        ({"alg": "ES256", "kid": None}, "no kid"),
        ({"alg": "ES256", "kid": 5}, "no JSON with alg and kid"),
        ({"alg": "ES256", "kid": "k2"}, "kid that the tenant's settings don't list"),
        ({"alg": "none", "kid": "k1"}, "another alg than its key, which is for ES256"),
        ({"alg": "HS256", "kid": "k1"}, "another alg"),
        ({"alg": "ES384", "kid": "k1"}, "another alg"),
        ({"alg": "es256", "kid": "k1"}, "another alg"),
        ({"kid": "k1"}, "another alg"),
        ({"alg": ["ES256"], "kid": "k1"}, "no JSON"),
        ("[]", "no JSON"),
        ("{", "no JSON"),
        ("[" * 3000, "no JSON"),
        ("\x00", "no JSON"),
    ],
)  # fmt: skip
def test_a_header_that_does_not_fit_its_key_is_refused(
    header: Mapping[str, object] | str, says: str
) -> None:
    """Whatever a header asks for, the key's own algorithm counts, and no extension is understood."""
    record = a_login_record()
    assert says in refusal(with_header(record, a_jws(header, record)))


def test_the_jws_header_may_say_more() -> None:
    """What is not critical is passed over, and `typ` may be anything."""
    record = a_login_record()
    header = {"alg": "ES256", "kid": "k1", "typ": "JWT", "jku": "https://evil.example/keys"}
    verify(with_header(record, a_jws(header, record)))


def test_a_public_key_is_no_secret_to_sign_with() -> None:
    """The old confusion: an HMAC under the public key's own bytes is refused."""
    record = a_login_record()
    content = signed_part(record.value or b"", record.headers, ACME).content
    secret = json.dumps(KEYS[0].x).encode() * 2
    whole = PyJWS().encode(content, secret, "HS256", headers={"kid": "k1"})
    protected, _, signature = whole.split(".")
    assert "another alg" in refusal(with_header(record, f"{protected}..{signature}".encode()))


def test_a_key_signs_with_its_own_algorithm_alone() -> None:
    """An RSA key that is for PS256 takes no RS256, and the other way round."""
    record = a_login_record()
    for kind, other in (("RS256", "PS256"), ("PS256", "RS256")):
        made = with_header(record, a_jws({"alg": other, "kid": "k1"}, record, kind))
        assert "another alg" in refusal(made, (a_public_key(kind),))


def test_another_key_under_the_same_name_is_refused() -> None:
    """The name says which key it should be; the signature, whether it was."""
    record = sign(a_login_record(), a_signer(name="stolen", kid="k1"))
    assert "doesn't verify" in refusal(record)


def test_a_key_that_can_not_be_used_takes_nothing_in() -> None:
    """Settings that another program has published with a broken key refuse, and raise nothing else."""
    broken = PublicKey(kid="k1", kty="EC", crv="P-256", x="AA", y="AA")
    for key in (
        broken,
        PublicKey(kid="k1", kty="oct"),
        PublicKey(kid="k1", kty="RSA", n="!", e=""),
    ):
        assert "can't be used" in refusal(sign(a_login_record()), (key,))


@pytest.mark.law(9)
def test_no_refusal_repeats_what_came() -> None:
    """Law 9: neither the signature nor the key's name is in a dead letter's text."""
    record = a_login_record()
    for header in ({"alg": "canary", "kid": "k1"}, {"alg": "ES256", "kid": "canary"}):
        assert "canary" not in refusal(with_header(record, a_jws(header, record)))
    assert "canary" not in refusal(with_header(record, b"canary"))


def test_the_largest_event_can_be_signed() -> None:
    """256 KiB, signed and verified."""
    record = a_login_record()
    value = record.value or b""
    largest = record._replace(value=value + b" " * (MAX_EVENT_BYTES - len(value)))
    verify(sign(largest))


def _mutated(text: bytes, at: int, byte: int) -> bytes:
    place = at % len(text)
    return text[:place] + bytes([byte]) + text[place + 1 :]


@unhurried
@given(
    st.sampled_from(sorted(FORMS)),
    st.sampled_from(KINDS),
    st.integers(0, 10**6),
    st.integers(0, 255),
    st.sampled_from(("value", "headers")),
)
def test_no_byte_of_a_signed_event_can_be_changed(
    form: str, kind: str, at: int, byte: int, part: str
) -> None:
    """Whichever byte of value or attributes is another one: refused, or the event is the same as before."""
    record = SIGNED[form, kind]
    changed = record
    if part == "value" or not record.headers:
        changed = record._replace(value=_mutated(record.value or b"", at, byte))
    else:
        place = at % len(record.headers)
        name, text = record.headers[place]
        mutated = _mutated(text, at // len(record.headers), byte)
        headers = [*record.headers[:place], (name, mutated), *record.headers[place + 1 :]]
        changed = record._replace(headers=headers)
    try:
        verify(changed, (a_public_key(kind),))
    except InvalidEventError:
        return
    assert read_event(*changed) == read_event(*record)


SIGNED = {(form, kind): sign(FORMS[form], a_signer(kind)) for form in FORMS for kind in KINDS}

_texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
_parts = st.tuples(_texts, _texts, _texts, _texts, _texts, st.binary(max_size=20))


@given(_parts, _parts)
def test_no_two_events_have_the_same_bytes_to_sign(
    one: tuple[str, str, str, str, str, bytes], other: tuple[str, str, str, str, str, bytes]
) -> None:
    """Their five names hold no line feed, so what is signed can be cut in one way only."""

    def content(parts: tuple[str, str, str, str, str, bytes]) -> bytes:
        id_, source, kind, time, tenant, data = parts
        names = {"id": id_, "source": source, "type": kind, "time": time, "specversion": "1.0"}
        headers = [(f"ce_{name}", text.encode()) for name, text in names.items()]
        return signed_part(data, headers, tenant).content

    assert (content(one) == content(other)) is (one == other)


@unhurried
@given(st.binary(max_size=60), st.binary(max_size=40))
def test_any_bytes_for_a_signature_are_refused(text: bytes, tail: bytes) -> None:
    """Whatever comes as a signature is none, or an `InvalidEventError`."""
    part = SignedPart(f"{text.decode(errors='replace')}..{tail.hex()}", b"content")
    with pytest.raises(InvalidEventError):
        verify_event(part, KEYS)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_an_event_is_signed_once(form: str) -> None:
    """Who signs what is signed already is told so."""
    with pytest.raises(InvalidEventError, match="signed already"):
        sign(sign(FORMS[form]))
