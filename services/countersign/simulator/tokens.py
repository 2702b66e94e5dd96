"""Codes and the signed tokens that they are exchanged for, in the words of Duo."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from countersign.simulator.behaviour import Behaviour
from countersign.simulator.wanted import Wanted

CODE_LIFETIME: Final = timedelta(seconds=60)
TOKEN_LIFETIME: Final = timedelta(hours=1)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How a prompt ended, in Duo's words.

    Attributes:
        factor: what was used.
        reason: why it ended so.
        result: `success`, `denied` or `fraud`.
    """

    factor: str
    reason: str
    result: str = "success"

    @property
    def allowed(self) -> bool:
        """Whether Duo lets the user in."""
        return self.result == "success"


SCRIPTED: Final[Mapping[Behaviour, Verdict]] = {
    Behaviour.APPROVE: Verdict(factor="duo_push", reason="user_approved"),
    Behaviour.BYPASS: Verdict(factor="not_available", reason="bypass_user"),
    Behaviour.DENY_WITH_TOKEN: Verdict(factor="duo_push", reason="user_cancelled", result="denied"),
    Behaviour.FRAUD: Verdict(factor="duo_push", reason="user_marked_fraud", result="fraud"),
}
"""The scripted users whose prompts end with a token."""


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a code stands for.

    Attributes:
        wanted: what the client asked for.
        txid: names the prompt.
        verdict: how it ended.
        at: when it ended.
    """

    wanted: Wanted
    txid: str
    verdict: Verdict
    at: datetime


def claims(grant: Grant, *, api_host: str, now: datetime) -> dict[str, Any]:
    """Return what the signed token says (Duo's OIDC Auth API, "Token")."""
    wanted, verdict = grant.wanted, grant.verdict
    word = "allow" if verdict.allowed else "deny"
    issued, ended = int(now.timestamp()), int(grant.at.timestamp())
    found: dict[str, Any] = {
        "iss": f"https://{api_host}/oauth/v1/token",
        "aud": wanted.client_id,
        "sub": wanted.username,
        "preferred_username": wanted.username,
        "iat": issued,
        "exp": issued + int(TOKEN_LIFETIME.total_seconds()),
        "auth_time": ended,
        "auth_result": {
            "result": word,
            "status": word,
            "status_msg": "Login Successful" if verdict.allowed else "Login request denied.",
        },
        "auth_context": {
            "txid": grant.txid,
            "timestamp": ended,
            "isotimestamp": grant.at.isoformat(),
            "event_type": "authentication",
            "factor": verdict.factor,
            "reason": verdict.reason,
            "result": verdict.result,
            "alias": "",
            "email": "",
            "user": {"name": wanted.username, "key": "DUSIMULATEDUSER00000", "groups": []},
            "application": {"name": "Countersign's Duo simulator", "key": wanted.client_id},
            "auth_device": {"name": "A pretended phone", "ip": None, "location": _NOWHERE},
            "access_device": {
                "browser": None,
                "browser_version": None,
                "hostname": None,
                "ip": None,
                "is_encryption_enabled": "unknown",
                "is_firewall_enabled": "unknown",
                "is_password_set": "unknown",
                "location": _NOWHERE,
                "os": None,
                "os_version": None,
            },
        },
    }
    if wanted.nonce is not None:
        found["nonce"] = wanted.nonce
    return found


_NOWHERE: Final = {"city": None, "country": None, "state": None}
