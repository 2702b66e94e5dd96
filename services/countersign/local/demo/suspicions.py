"""Played logins that look like somebody else's doing, and ways past a prompt that are no second factor."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

from countersign.core.identity import user_key
from countersign.core.result import Reason, ResultType
from countersign.local.demo.stage import Stage
from countersign.wire.inbound import SECURITY_SIGNAL

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
    now = datetime.now(UTC)
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
    await stage.publish(
        SECURITY_SIGNAL,
        user_key("acme", subject),
        json.dumps(claims).encode(),
        source="https://id.example.com",
        event_id=str(claims["jti"]),
    )
