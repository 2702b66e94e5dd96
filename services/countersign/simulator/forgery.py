"""Tokens that are wrong in one way each, for clients to notice; without a fault they are right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import jwt

from countersign.simulator.assertions import quiet_key_length, sign
from countersign.simulator.fault import Fault

WRONG_NONCE: Final = "0" * 36
_ANOTHER_CLIENT: Final = "DISOMEBODYELSE000000"
_ANOTHER_ISSUER: Final = "https://api-elsewhere.example.com/oauth/v1/token"
_HOUR: Final = 3600


def signed_token(claims: Mapping[str, Any], secret: str, fault: Fault | None) -> str:
    """Return a token.

    Args:
        claims: what a right one says.
        secret: the client's.
        fault: what is wrong with it.
    """
    if fault is Fault.WRONG_SIGNATURE:
        return sign(claims, f"not {secret}")
    if fault is Fault.ALG_NONE:
        return jwt.encode(dict(claims), "", algorithm="none")
    if fault is Fault.ALG_HS256:
        with quiet_key_length():
            return jwt.encode(dict(claims), secret, algorithm="HS256")
    return sign(claims if fault is None else _bent(claims, fault), secret)


def _bent(claims: Mapping[str, Any], fault: Fault) -> dict[str, Any]:
    """Return claims that are wrong."""
    username, issued = claims["preferred_username"], claims["iat"]
    somebody = f"another-{username}"
    changes: dict[Fault, dict[str, Any]] = {
        Fault.WRONG_AUDIENCE: {"aud": _ANOTHER_CLIENT},
        Fault.WRONG_ISSUER: {"iss": _ANOTHER_ISSUER},
        Fault.WRONG_NONCE: {"nonce": WRONG_NONCE},
        Fault.NO_NONCE: {"nonce": ...},
        Fault.EXPIRED: {"iat": issued - 2 * _HOUR, "exp": issued - _HOUR},
        Fault.ISSUED_IN_FUTURE: {"iat": issued + _HOUR, "exp": issued + 2 * _HOUR},
        Fault.OTHER_USER: _user(claims, somebody),
        # A name without letters has no other case.
        Fault.OTHER_CASE: _user(claims, _other_case(username) or somebody),
        Fault.NO_USER: {"preferred_username": ...},
        Fault.DENY_WITH_200: _denied(claims),
        Fault.NO_AUTH_RESULT: {"auth_result": ...},
        Fault.CONTRADICTORY_RESULT: _result(claims, result="allow", status="deny"),
        Fault.UNKNOWN_RESULT: _result(claims, result="maybe", status="maybe"),
    }
    bent = {**claims, **changes[fault]}
    return {name: value for name, value in bent.items() if value is not ...}


def _other_case(username: str) -> str | None:
    swapped = username.swapcase()
    return swapped if swapped != username else None


def _user(claims: Mapping[str, Any], name: str) -> dict[str, Any]:
    context = claims["auth_context"]
    user = {**context["user"], "name": name}
    return {"preferred_username": name, "sub": name, "auth_context": {**context, "user": user}}


def _result(claims: Mapping[str, Any], **said: str) -> dict[str, Any]:
    return {"auth_result": {**claims["auth_result"], **said}}


def _denied(claims: Mapping[str, Any]) -> dict[str, Any]:
    message = "Login request denied."
    context = {**claims["auth_context"], "result": "denied", "reason": "user_cancelled"}
    return {
        **_result(claims, result="deny", status="deny", status_msg=message),
        "auth_context": context,
    }
