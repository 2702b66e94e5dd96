"""What Duo's signed token says: allowed or not, and by what.

Law 6: an answer allows only where Duo says `allow` in both of its places; whatever is missing or
unknown denies. Law 7: only what is known for a second factor counts as one; every other way past
the prompt is a bypass, and never seeds a remembered browser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from countersign.core.result import Assurance

if TYPE_CHECKING:
    from collections.abc import Mapping

_MFA_REASONS = frozenset({"user_approved", "valid_passcode"})
# Ways past the prompt that Duo's policies and administrators open. With one of these as the "factor",
# nobody held a second factor in hand.
_NO_FACTORS = frozenset({"bypass_code", "remembered_device", "trusted_network", "not_available"})
FRAUD = "user_marked_fraud"


class DuoAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What Duo said at the end of a prompt.

    Attributes:
        allowed: Duo said allow.
        assurance: what stands behind an allow: `mfa`, or `duo_bypass`.
        fraud: the user reported that somebody else asked for the prompt.
    """

    allowed: bool
    assurance: Assurance = Assurance.NONE
    fraud: bool = False


def read_duo_answer(token: Mapping[str, object]) -> DuoAnswer:
    """Return what a verified token says.

    Args:
        token: the claims of Duo's `id_token`, its signature, audience, user and nonce verified. The SDK
            verifies those, and never looks at `auth_result`.
    """
    result = _section(token, "auth_result")
    context = _section(token, "auth_context")
    fraud = context.get("reason") == FRAUD
    allowed = result.get("result") == "allow" and result.get("status") == "allow"
    # A context that contradicts the result is no allow.
    if not allowed or fraud or context.get("result", "success") not in {"success", None}:
        return DuoAnswer(allowed=False, fraud=fraud)
    factor, reason = context.get("factor"), context.get("reason")
    real = (
        isinstance(factor, str)
        and bool(factor)
        and factor not in _NO_FACTORS
        and isinstance(reason, str)
        and reason in _MFA_REASONS
    )
    return DuoAnswer(allowed=True, assurance=Assurance.MFA if real else Assurance.DUO_BYPASS)


def _section(token: Mapping[str, object], name: str) -> Mapping[str, object]:
    section = token.get(name)
    return section if isinstance(section, dict) else {}
