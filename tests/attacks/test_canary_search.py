"""The search for canaries finds each form of a secret, and nothing else."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.attacks.canaries import Canaries, Document, Found

SECRET = "kept/to ourselves+4711~é"
INNOCENT = b'{"event": "started", "port": 8443, "detail": "' + b"0123456789abcdef" * 50 + b'"}'
WAYS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": bytes,
    "in hexadecimal": lambda secret: secret.hex().encode(),
    "in hexadecimal capitals": lambda secret: secret.hex().upper().encode(),
    "percent-encoded": lambda secret: quote(secret, safe="").encode(),
    "in base64": b64encode,
    "in url-safe base64": urlsafe_b64encode,
    "in base64 behind one byte": lambda secret: b64encode(b":" + secret),
    "in base64 behind two bytes": lambda secret: b64encode(b"::" + secret + b"::"),
    "in base64 of JSON": lambda secret: b64encode(json.dumps({"code": "x"}).encode() + secret),
    "in Python's own words": lambda secret: repr(secret).encode(),
}


def canaries() -> Canaries:
    """Return canaries that know the secret, and let it stand on one topic."""
    known = Canaries()
    known.add("code", SECRET)
    known.allow("code", "login-events")
    return known


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_each_form_is_found(way: Callable[[bytes], bytes]) -> None:
    """A secret is found however it was written, in the middle of other text."""
    document = Document("log", "challenger:7", INNOCENT + way(SECRET.encode()) + INNOCENT)
    (found,) = {one._replace(form="") for one in canaries().search([document])}
    assert found == Found("code", "", "log", "challenger:7")


def test_what_is_at_home_is_let_stand() -> None:
    """A kind of secret may stand where it is at home, and nowhere else."""
    data = SECRET.encode()
    assert canaries().search([Document("login-events", "0:1", data)]) == []
    assert canaries().search([Document("mfa-results", "0:1", data)])


def test_nothing_is_found_in_what_is_innocent() -> None:
    """Other text, and a part of a secret, are no finding."""
    part = SECRET.encode()[:-1]
    assert canaries().search([Document("log", "1", INNOCENT), Document("log", "2", part)]) == []


def test_a_signed_token_is_found_without_being_known() -> None:
    """Whatever looks like a signed token is a finding, but where an identity system sends its own."""
    token = b"eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
    (found,) = canaries().search([Document("mfa-results", "0:1", b"x=" + token)])
    assert found.kind == "signed token"
    assert canaries().search([Document("login-events", "0:1", b"x=" + token)]) == []


def test_a_short_secret_is_refused() -> None:
    """What would be found by accident is no canary."""
    with pytest.raises(ValueError, match="by accident"):
        canaries().add("code", "4711")
