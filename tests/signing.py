"""Keys to sign with in tests, made anew in each run, and what a tenant lists of them."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from countersign.client.signing import public_jwk, signer
from countersign.core.public_key import PublicKey
from countersign.core.tenant import EventRules, TenantSettings
from countersign.wire.inbound import read_event
from countersign.wire.outbound_events import signed
from countersign.wire.results import OutboundRecord
from countersign.wire.signed_part import Signer
from tests.builders import InboundRecord, a_tenant

KINDS = ("ES256", "RS256", "PS256", "EdDSA")


def private_key(kind: str = "ES256", name: str = "k1") -> bytes:
    """Return a private key in PEM; the same one for the same name."""
    return _made(kind, name)


@cache
def _made(kind: str, _name: str) -> bytes:
    key: Any
    match kind:
        case "ES256":
            key = generate_private_key(SECP256R1())
        case "EdDSA":
            key = Ed25519PrivateKey.generate()
        case _:
            key = generate_rsa(65537, 2048)
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem


def a_jwk(kind: str = "ES256", name: str = "k1") -> dict[str, str]:
    """Return the public half as people write it into a JWK Set."""
    return public_jwk(private_key(kind, name), name, pss=kind == "PS256")


@cache
def a_public_key(kind: str = "ES256", name: str = "k1") -> PublicKey:
    """Return the public half as settings hold it."""
    return msgspec.convert(a_jwk(kind, name), PublicKey)


@cache
def a_signer(kind: str = "ES256", name: str = "k1", *, kid: str | None = None) -> Signer:
    """Return a signer with the private half, under its own name or another."""
    return signer(private_key(kind, name), kid or name, pss=kind == "PS256")


def a_signing_tenant(*keys: PublicKey, **changes: Any) -> TenantSettings:  # noqa: ANN401  # a_tenant's own arguments
    """Return settings that take signed events alone."""
    rules = EventRules(signed=True, keys=keys or (a_public_key(),))
    return a_tenant(events=rules, **changes)


def sign(record: InboundRecord, with_: Signer | None = None) -> InboundRecord:
    """Return a record with its signature."""
    event = read_event(*record)
    plain = OutboundRecord("topic", record.key, record.value, record.headers, None)
    _, key, value, headers, _ = signed(plain, event.identity.tenant, with_ or a_signer())
    return InboundRecord(key, value, headers)
