"""Played logins that look like somebody else's doing, and ways past a prompt that are no second factor."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

from countersign.adapters.kafka.configured import kafka_connection
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.core.identity import murmur2, user_key
from countersign.core.result import Reason, ResultType
from countersign.local.demo.stage import Stage
from countersign.wire.results import OutboundRecord

_CHALLENGED: Final = (ResultType.LOGIN_CHALLENGED, Reason.MFA_DUE)
_TABLET: Final = "ivans-tablet-0c31ee"


async def suspicions(stage: Stage) -> None:
    """A report of fraud, bypasses, and a session that the identity system revokes."""
    await _fraud(stage)
    await _bypasses(stage)
    await _revoked(stage)


async def _fraud(stage: Stage) -> None:
    prompted = await stage.login("Grace is challenged", _CHALLENGED, user_id="auth0|grace")
    await stage.walks(prompted, "fraud", "The sign-in was denied")
    await stage.ends(
        "  she reports a fraud: somebody has her password",
        (ResultType.CHALLENGE_DENIED, Reason.FRAUD_REPORTED),
        prompted,
    )
    await stage.login(
        "  who tries again makes her phone ring no more",
        (ResultType.LOGIN_DENIED, Reason.PUSH_COOL_DOWN),
        user_id="auth0|grace",
    )


async def _bypasses(stage: Stage) -> None:
    lenient = await stage.login("Heidi is challenged", _CHALLENGED, user_id="auth0|heidi")
    arrival = await stage.walks(lenient, "bypass")
    await stage.comes_back(
        "  Duo lets her by; acme accepts it as a bypass",
        (ResultType.CHALLENGE_PASSED, Reason.DUO_ALLOWED),
        lenient,
        arrival.code or "",
    )
    await stage.login("  which makes no remembered browser", _CHALLENGED, user_id="auth0|heidi")
    strict = await stage.login(
        "umbrella accepts no bypass: Jill is challenged",
        _CHALLENGED,
        tenant="umbrella",
        user_id="auth0|jill",
    )
    # Her name at Duo is her e-mail address there.
    await stage.script("jill@example.com", "bypass")
    await stage.walks(strict, "bypass", "The sign-in was denied")
    await stage.ends(
        "  Duo lets her by; umbrella doesn't",
        (ResultType.CHALLENGE_DENIED, Reason.DUO_BYPASSED),
        strict,
    )


async def _revoked(stage: Stage) -> None:
    first = await stage.login(
        "Ivan signs in on his tablet", _CHALLENGED, user_id="auth0|ivan", browser_id=_TABLET
    )
    arrival = await stage.walks(first, "approve")
    await stage.comes_back(
        "  he approves, and it is remembered",
        (ResultType.CHALLENGE_PASSED, Reason.DUO_ALLOWED),
        first,
        arrival.code or "",
    )
    await _signal(stage, "auth0|ivan")
    await stage.login(
        "His session is revoked (CAEP); he signs in there",
        _CHALLENGED,
        user_id="auth0|ivan",
        browser_id=_TABLET,
    )


async def _signal(stage: Stage, subject: str) -> None:
    """Publish a security signal, as an identity system does that may write to the topic."""
    settings, now = stage.world.settings, datetime.now(UTC)
    claims = {
        "iss": "https://id.example.com",
        "iat": int(now.timestamp()),
        "jti": stage.event_id(),
        "sub_id": {"format": "opaque", "id": subject},
        "events": {
            "https://schemas.openid.net/secevent/caep/event-type/session-revoked": {
                "event_timestamp": int(now.timestamp())
            }
        },
    }
    headers = [
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_type", b"countersign.security.signal.v1"),
        ("ce_source", b"https://id.example.com"),
        ("ce_id", str(claims["jti"]).encode()),
        ("ce_time", now.isoformat().encode()),
        ("ce_tenantid", b"acme"),
    ]
    key = user_key("acme", subject)
    record = OutboundRecord(
        settings.login_events_topic, key, json.dumps(claims).encode(), headers, murmur2(key)
    )
    publisher = KafkaPublisher(kafka_connection(settings))
    try:
        await publisher.publish([record])
    finally:
        await publisher.close()
