"""A tenant's public keys: which are taken, what is said of the others, and that none of them is shown."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from countersign.adapters.tenant_files import load_draft
from countersign.client.signing import public_jwk, signer
from countersign.core.errors import SettingsError
from countersign.core.public_key import MAX_KEYS, PublicKey
from countersign.core.tenant import EventRules, SignalRules, problems
from countersign.wire.keys import algorithm_of, key_problems, public_keys, verifier
from countersign.wire.tenant_file import write_toml
from countersign.wire.tenant_toml import read_draft
from tests.builders import NOW, a_tenant
from tests.signing import KINDS, a_jwk, a_public_key, private_key

CANARY = "canary-7f3a"
SIGNED = 'tenant = "acme"\n[events]\nsigned = true\n'


def told(*jwks: dict[str, Any]) -> dict[str, str]:
    """Return what is wrong with keys: each setting's name, and the rest of the line."""
    found = list(key_problems("events.keys", jwks))
    return {problem.key: f"{problem.problem}. {problem.remedy}" for problem in found}


def _too_short() -> RSAPrivateKey:
    return generate_rsa(65537, 1024)  # noqa: S505  # it is to be refused


def short_rsa() -> dict[str, Any]:
    """Return an RSA key of 1024 bits."""
    numbers = _too_short().public_key().public_numbers()
    return {**a_jwk("RS256"), "n": _encoded(numbers.n)}


def _encoded(number: int) -> str:
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_key_has_its_algorithm(kind: str) -> None:
    """A key names its algorithm, and verifies with that one."""
    key = a_public_key(kind)
    made = verifier(key)
    assert made is not None
    assert (algorithm_of(key), made.algorithm_name) == (kind, kind)
    assert told(a_jwk(kind)) == {}


def test_without_alg_the_kind_decides() -> None:
    """An RSA key that doesn't say is for RS256."""
    for kind in ("ES256", "RS256", "EdDSA"):
        jwk = {name: text for name, text in a_jwk(kind).items() if name not in {"alg", "use"}}
        assert told(jwk) == {}
        assert algorithm_of(*public_keys([jwk])) == kind


@pytest.mark.parametrize(
    ("jwk", "key", "says"),
    [
        ({**a_jwk(), "kid": None}, "events.keys[0].kid", "is no text"),
        ({**a_jwk(), "kid": ""}, "events.keys[0].kid", "a name of its own"),
        ({**a_jwk(), "kid": "a\n"}, "events.keys[0].kid", "control character"),
        ({**a_jwk(), "kid": "x" * 257}, "events.keys[0].kid", "1 to 256"),
        ({n: t for n, t in a_jwk().items() if n != "kid"}, "events.keys[0].kid", "is missing"),
        ({**a_jwk(), "d": CANARY}, "events.keys[0].d", "private part"),
        ({**a_jwk("RS256"), "p": CANARY, "q": CANARY}, "events.keys[0].p", "make a new key pair"),
        ({"kid": "k", "kty": "oct", "k": CANARY}, "events.keys[0].kty", "symmetric"),
        ({**a_jwk(), "k": CANARY}, "events.keys[0].kty", "symmetric"),
        ({**a_jwk(), "use": "enc"}, "events.keys[0].use", "for signatures"),
        ({**a_jwk(), "use": None}, "events.keys[0].use", "for signatures"),
        ({**a_jwk(), "use": ["sig"]}, "events.keys[0].use", "for signatures"),
        ({**a_jwk(), "key_ops": ["encrypt"]}, "events.keys[0].key_ops", "for verifying signatures"),
        ({**a_jwk(), "key_ops": ["sign"]}, "events.keys[0].key_ops", "with verify in key_ops"),
        ({**a_jwk(), "key_ops": []}, "events.keys[0].key_ops", "doesn't list verify"),
        ({**a_jwk(), "key_ops": "verify"}, "events.keys[0].key_ops", "doesn't list verify"),
        ({**a_jwk(), "key_ops": None}, "events.keys[0].key_ops", "doesn't list verify"),
        ({**a_jwk(), "key_ops": [CANARY, 5]}, "events.keys[0].key_ops", "doesn't list verify"),
        ({**a_jwk(), "kty": "ec"}, "events.keys[0].kty", "Use EC with P-256"),
        ({**a_jwk(), "crv": "P-384"}, "events.keys[0].kty", "Use EC with P-256"),
        ({**a_jwk(), "crv": "secp256k1"}, "events.keys[0].kty", "no kind that is taken"),
        ({**a_jwk("EdDSA"), "crv": "X25519"}, "events.keys[0].kty", "no kind that is taken"),
        ({"kid": "k", "kty": "EC"}, "events.keys[0].kty", "no kind that is taken"),
        ({**a_jwk(), "kty": 5}, "events.keys[0]", "no text"),
        ({"kid": "k"}, "events.keys[0]", "missing"),
        ({**a_jwk(), "alg": "none"}, "events.keys[0].alg", "Use ES256"),
        ({**a_jwk(), "alg": "HS256"}, "events.keys[0].alg", "Use ES256"),
        ({**a_jwk("RS256"), "alg": "RS512"}, "events.keys[0].alg", "RS256 or PS256"),
        ({**a_jwk(), "x": CANARY}, "events.keys[0]", "no EC key"),
        ({**a_jwk(), "x": a_jwk()["y"]}, "events.keys[0]", "Export the public key again"),
        ({**a_jwk("EdDSA"), "x": "AA"}, "events.keys[0]", "no OKP key"),
        ({**a_jwk("RS256"), "n": None}, "events.keys[0]", "2048 to 8192"),
        ({**a_jwk("RS256"), "e": "AA"}, "events.keys[0]", "no RSA key"),
        ({**a_jwk("RS256"), "n": "_" * 1600}, "events.keys[0]", "2048 to 8192"),
        (short_rsa(), "events.keys[0]", "2048 to 8192"),
    ],
)
@pytest.mark.law(9)
def test_a_key_that_is_not_to_be_used_is_told(jwk: dict[str, Any], key: str, says: str) -> None:
    """The setting, what is wrong with it and what to do; and no value of it, which may be a secret."""
    found = told(jwk)
    assert says in found[key]
    assert CANARY not in str(found)


@given(
    st.dictionaries(
        st.sampled_from(("kid", "kty", "alg", "crv", "x", "y", "n", "e", "d", "k", "use", "z")),
        st.none() | st.integers() | st.text(max_size=50) | st.sampled_from(("EC", "RSA", "P-256")),
    )
)
def test_any_object_is_a_key_or_told(jwk: dict[str, Any]) -> None:
    """Whatever stands in a file: a key that can be verified with, or a problem."""
    if not told(jwk):
        (key,) = public_keys([jwk])
        assert verifier(key) is not None


def test_the_file_lies_beside_the_settings(tmp_path: Path) -> None:
    """Keys are read from the JWK Set that the settings name, without what isn't read of them."""
    file = tmp_path / "acme.toml"
    file.write_text(SIGNED + 'jwks_file = "keys/shop.json"')
    with pytest.raises(SettingsError, match=r"events.jwks_file: .*can't be read"):
        load_draft(file)
    (tmp_path / "keys").mkdir()
    for text in ("", "[]", "{}", '{"keys": [5]}', "[" * 100_000, '{"keys": {}}', "\xff"):
        (tmp_path / "keys" / "shop.json").write_text(text, "latin-1")
        with pytest.raises(SettingsError, match=r"events.jwks_file: .*holds no JWK Set"):
            load_draft(file)
    jwks = {"keys": [{**a_jwk(), "x5t": "AA", "key_ops": ["verify"]}, a_jwk("RS256", "k2")]}
    (tmp_path / "keys" / "shop.json").write_text(json.dumps(jwks))
    settings = load_draft(file).settings(version=1, updated_at=NOW, secret=None)
    assert settings.events == EventRules(
        signed=True, keys=(a_public_key(), a_public_key("RS256", "k2"))
    )


def test_the_issuers_keys_are_read_likewise(tmp_path: Path) -> None:
    """`[signals]` has a file of its own, and tells of its own places."""
    file = tmp_path / "acme.toml"
    file.write_text(
        'tenant = "acme"\n[signals]\nissuer = "https://id.example.com"\n'
        'audience = "https://mfa.example.com"\njwks_file = "issuer.json"'
    )
    with pytest.raises(SettingsError, match=r"signals.jwks_file: .*can't be read"):
        load_draft(file)
    (tmp_path / "issuer.json").write_text(json.dumps({"keys": [{**a_jwk(), "d": CANARY}]}))
    with pytest.raises(SettingsError, match=r"signals.keys\[0\].d: .*private part"):
        load_draft(file)
    (tmp_path / "issuer.json").write_text(json.dumps({"keys": [a_jwk()]}))
    settings = load_draft(file).settings(version=1, updated_at=NOW, secret=None)
    assert settings.signals == SignalRules(
        issuer="https://id.example.com",
        audience="https://mfa.example.com",
        keys=(a_public_key(),),
    )
    file.write_text('tenant = "acme"\n[signals]\ntrust = "everybody"')
    with pytest.raises(SettingsError, match=r"signals.trust: .*Use one of signed, topic"):
        load_draft(file)


def test_everything_wrong_with_a_file_is_told_at_once(tmp_path: Path) -> None:
    """Each bad key by its place, and the rest of the settings besides."""
    (tmp_path / "keys.json").write_text(
        json.dumps({"keys": [a_jwk(), {**a_jwk(), "d": CANARY}, a_jwk("EdDSA")]})
    )
    file = tmp_path / "acme.toml"
    file.write_text(SIGNED + 'jwks_file = "keys.json"\n[mfa]\npolicy = "all-applications"')
    with pytest.raises(SettingsError) as raised:
        load_draft(file)
    found = {problem.key for problem in raised.value.problems}
    assert found == {"events.keys[1].d", "events.keys[1].kid", "events.keys[2].kid", "mfa.policy"}
    assert CANARY not in str(raised.value)


def test_signed_without_a_key_is_refused(tmp_path: Path) -> None:
    """Every event would be a dead letter, so that isn't published."""
    file = tmp_path / "acme.toml"
    file.write_text(SIGNED)
    with pytest.raises(SettingsError, match=r"events.signed: is true, but there is no key"):
        load_draft(file)


def test_keys_are_given_once() -> None:
    """Keys in the file and a file for them are one too many; and a text is no list of keys."""
    for keys, says in (("keys = [{kid = 'k'}]", "jwks_file too"), ("keys = 'k'", "name a file")):
        with pytest.raises(SettingsError, match=says):
            read_draft((SIGNED + f"{keys}\njwks_file = 'keys.json'").encode(), "acme.toml")


def test_too_many_keys_are_refused() -> None:
    """A tenant lists those in use, and a few that were replaced."""
    keys = tuple(msgspec.structs.replace(a_public_key(), kid=f"k{n}") for n in range(MAX_KEYS + 1))
    (problem,) = problems(a_tenant(events=EventRules(keys=keys)))
    assert (problem.key, problem.problem) == ("events.keys", "has 21 keys")
    assert problems(a_tenant(events=EventRules(keys=keys[1:]))) == ()


def test_shown_settings_name_the_keys_and_can_be_applied_again() -> None:
    """What is shown holds each key, its name first, as it can be written into a file."""
    keys = tuple(a_public_key(kind, f"key-{kind}") for kind in KINDS)
    shown = write_toml(a_tenant(events=EventRules(signed=True, keys=keys)))
    assert '    { kid = "key-ES256", kty = "EC", alg = "ES256"' in shown
    again = read_draft(shown.encode(), "acme.toml")
    settings = again.settings(version=1, updated_at=NOW, secret=None)
    assert settings.events == EventRules(signed=True, keys=keys)


@pytest.mark.parametrize(
    "pem",
    [
        *(b"", b"no pem", private_key()[:-40]),
        generate_private_key(SECP384R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
        _too_short().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    ],
)
def test_a_private_key_that_can_not_be_used_is_told(pem: bytes) -> None:
    """Another kind, too short, or no key at all: with what would do, before anything is sent."""
    for make in (signer, public_jwk):
        with pytest.raises(
            SettingsError, match="Use EC on P-256, Ed25519, or RSA of at least 2048"
        ):
            make(pem, "k1")


def test_a_public_half_holds_nothing_private() -> None:
    """What goes into the settings can't sign."""
    for kind in KINDS:
        assert a_jwk(kind).keys() <= {"kid", "kty", "alg", "use", "crv", "x", "y", "n", "e"}
        assert isinstance(a_public_key(kind), PublicKey)
