"""Codes and what the tokens say that they are exchanged for, in the words of Duo."""

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


_NO_FACTOR: Final = "not_available"
SCRIPTED: Final[Mapping[Behaviour, Verdict]] = {
    Behaviour.APPROVE: Verdict(factor="duo_push", reason="user_approved"),
    Behaviour.BYPASS: Verdict(factor=_NO_FACTOR, reason="bypass_user"),
    Behaviour.BYPASS_CODE: Verdict(factor="bypass_code", reason="valid_passcode"),
    Behaviour.REMEMBERED_DEVICE: Verdict(factor="remembered_device", reason="remembered_device"),
    Behaviour.TRUSTED_NETWORK: Verdict(factor="trusted_network", reason="trusted_network"),
    Behaviour.ALLOW_UNENROLLED: Verdict(factor=_NO_FACTOR, reason="allow_unenrolled_user"),
    Behaviour.UNKNOWN_FACTOR: Verdict(factor="retina_scan", reason="user_approved"),
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
            "email": wanted.username if "@" in wanted.username else _EMAIL,
            "user": {"name": wanted.username, "key": _USER_KEY, "groups": [_GROUP]},
            "application": {"name": "Countersign's Duo simulator", "key": wanted.client_id},
            "auth_device": _NO_DEVICE if verdict.factor in _WITHOUT_DEVICE else _PHONE,
            "access_device": _COMPUTER,
        },
    }
    if wanted.nonce is not None:
        found["nonce"] = wanted.nonce
    return found


# All made up; the addresses are those of documents (RFC 5737), the number is nobody's.
_EMAIL: Final = "simulated.user@example.com"
_USER_KEY: Final = "DUSIMULATEDUSER00000"
_GROUP: Final = "Simulated users (from Countersign's Duo simulator)"
_ANN_ARBOR: Final = {"city": "Ann Arbor", "state": "Michigan", "country": "United States"}
_PHONE: Final = {
    "name": "Pretended phone (555-555-0100)",
    "ip": "198.51.100.24",
    "location": _ANN_ARBOR,
}
_NO_DEVICE: Final = {
    "name": None,
    "ip": None,
    "location": {"city": None, "state": None, "country": None},
}
_WITHOUT_DEVICE: Final = frozenset(
    {_NO_FACTOR, "bypass_code", "remembered_device", "trusted_network"}
)
_COMPUTER: Final = {
    "browser": "Chrome",
    "browser_version": "140.0.0.0",
    "hostname": None,
    "ip": "203.0.113.7",
    "is_encryption_enabled": "unknown",
    "is_firewall_enabled": "unknown",
    "is_password_set": "unknown",
    "location": _ANN_ARBOR,
    "os": "Mac OS X",
    "os_version": "15.6",
}
