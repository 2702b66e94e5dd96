"""Security signals as an identity system sends them: claims, tokens and records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jwt.api_jws import PyJWS

from countersign.core.login import SecuritySignal
from countersign.core.public_key import PublicKey
from countersign.core.tenant import SignalRules, TenantSettings, Trust
from countersign.wire.inbound import SECURITY_SIGNAL, read_event
from countersign.wire.signals import KNOWN
from tests.builders import ACME, ALICE, NOW, InboundRecord, a_tenant
from tests.signing import a_public_key, private_key

ISSUER = "https://id.example.com"
AUDIENCE = "https://mfa.example.com"
SESSION_REVOKED, CREDENTIAL_CHANGE, ASSURANCE_LEVEL_CHANGE, *_ = KNOWN


def claims(
    *events: str,
    subject: str = ALICE,
    payload: Mapping[str, object] | None = None,
    **changes: object,
) -> dict[str, Any]:
    """Return the claims of a SET about a user; of a claim that is given as `...` nothing is left."""
    payload = {"event_timestamp": int(NOW.timestamp())} if payload is None else payload
    found: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "jti": "signal-1",
        "iat": int(NOW.timestamp()),
        "sub_id": {"format": "opaque", "id": subject},
        "events": dict.fromkeys(events or (SESSION_REVOKED,), payload),
        **changes,
    }
    return {name: value for name, value in found.items() if value is not ...}


def a_set(
    content: Mapping[str, object] | None = None,
    *,
    kind: str = "ES256",
    name: str = "k1",
    header: Mapping[str, object] | None = None,
) -> str:
    """Return a SET by the issuer's key, or another; what is given as `...` its header lacks."""
    payload = json.dumps(claims() if content is None else content).encode()
    headers: dict[str, Any] = {"typ": "secevent+jwt", "kid": name, **(header or {})}
    headers = {name: value for name, value in headers.items() if value is not ...}
    return PyJWS().encode(payload, private_key(kind, name), kind, headers=headers)


def a_signal_record(
    content: str | Mapping[str, object] | None = None,
    *,
    subject: str = ALICE,
    tenant: str = ACME,
    event_id: str = "envelope-1",
    time: datetime = NOW,
) -> InboundRecord:
    """Return a signal's record: a token as it is, claims as JSON; by default a SET about Alice."""
    content = a_set(claims(subject=subject)) if content is None else content
    token = isinstance(content, str)
    headers = [
        ("content-type", b"application/secevent+jwt" if token else b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_type", SECURITY_SIGNAL.encode()),
        ("ce_source", b"https://id.example.com/signals"),
        ("ce_id", event_id.encode()),
        ("ce_time", time.isoformat().encode()),
        ("ce_tenantid", tenant.encode()),
    ]
    value = content.encode() if isinstance(content, str) else json.dumps(content).encode()
    return InboundRecord(f"{tenant}:{subject}".encode(), value, headers)


def a_signal(content: str | Mapping[str, object] | None = None) -> SecuritySignal:
    """Return a signal as the reader takes it; takes what `a_signal_record` takes."""
    event = read_event(*a_signal_record(content))
    assert isinstance(event, SecuritySignal)
    return event


def rules(*keys: PublicKey, trust: Trust = Trust.SIGNED) -> SignalRules:
    """Return whose signals the tenant takes: the issuer's."""
    return SignalRules(
        trust=trust, issuer=ISSUER, audience=AUDIENCE, keys=keys or (a_public_key(),)
    )


def a_heeding_tenant(**changes: Any) -> TenantSettings:  # noqa: ANN401  # a_tenant's own arguments
    """Return settings that take the issuer's SETs."""
    return a_tenant(**{"signals": rules(), **changes})
