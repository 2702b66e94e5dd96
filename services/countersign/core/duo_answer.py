"""What Duo's signed token says: allowed or not, and by what.

Law 6: an answer allows only where Duo says `allow` in both of its places; whatever is missing or
unknown denies. Law 7: only what is known for a second factor counts as one; every other way past
the prompt is a bypass, and never seeds a remembered browser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from countersign.core.result import Assurance, DuoDetails
from countersign.core.tenant import Detail

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Duo's names of factors that a person has in hand. Its enumerations are open, and new members come
# without notice: one that isn't listed here is a bypass until somebody has looked at it.
FACTORS: Final = frozenset(
    {
        *("duo_push", "verified_duo_push", "phone_call"),
        # Passcodes: of unsaid origin, from the app, from a text message, from a token.
        *("passcode", "duo_mobile_passcode", "sms_passcode"),
        *("hardware_token", "yubikey_code", "yubikey_passcode"),
    }
)
# Duo spells a security key as "webauthn", "WebAuthn Credential", "webauthn_platform" and so on, with
# the kind of key behind: the first word is the factor.
_WEBAUTHN: Final = "webauthn"

# The factors that are none, so that nobody adds them above: bypass_code (an administrator's),
# remembered_device and trusted_network (nothing was asked for), not_available.

# The person did something. The other reasons of a success are a policy's or an administrator's doing:
# remembered_device, trusted_network, trusted_location, bypass_user, allowed_by_policy,
# allow_unenrolled_user.
REASONS: Final = frozenset({"user_approved", "valid_passcode"})

_FRAUD_REASON: Final = "user_marked_fraud"
_FRAUD: Final = "fraud"

_LONGEST: Final = 128
"""Characters of a detail that are kept: enough for any name, and no way to fill a store."""
_FIELDS: Final[Mapping[Detail, tuple[str, ...]]] = {
    Detail.FACTOR: ("factor", "reason"),
    Detail.DEVICE: ("device",),
    Detail.LOCATION: ("location",),
    Detail.IP: ("ip",),
    Detail.USERNAME: ("username",),
}


class DuoAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What Duo said at the end of a prompt.

    Attributes:
        allowed: Duo said allow.
        assurance: what stands behind an allow: `mfa`, or `duo_bypass`.
        fraud: the user reported that somebody else asked for the prompt.
        details: what else Duo said; not yet what a tenant lets out.
    """

    allowed: bool
    assurance: Assurance = Assurance.NONE
    fraud: bool = False
    details: DuoDetails = DuoDetails()


def read_duo_answer(token: Mapping[str, object]) -> DuoAnswer:
    """Return what a verified token says; any token has an answer, none raises.

    Args:
        token: the claims of Duo's `id_token`, its signature, audience, user and nonce verified. The SDK
            verifies those, and never looks at `auth_result`.
    """
    result = _section(token, "auth_result")
    context = _section(token, "auth_context")
    # Duo's older interfaces report a fraud as a result or status, so all of its places are looked at.
    fraud = context.get("reason") == _FRAUD_REASON or _FRAUD in [
        *(context.get("result"), result.get("result"), result.get("status"))
    ]
    allowed = result.get("result") == "allow" and result.get("status") == "allow"
    # A context may be silent (Duo leaves fields out, or null); one that contradicts is no allow.
    contradicted = context.get("result") not in [None, "success"]
    details = _details(token, context)
    if not allowed or fraud or contradicted:
        return DuoAnswer(allowed=False, fraud=fraud, details=details)
    return DuoAnswer(
        allowed=True,
        assurance=Assurance.MFA if _second_factor(context) else Assurance.DUO_BYPASS,
        details=details,
    )


def disclosed(details: DuoDetails, wanted: Iterable[Detail]) -> DuoDetails | None:
    """Return what a tenant lets out; None where that is nothing."""
    names = [name for detail in wanted for name in _FIELDS[detail]]
    found = {name: value for name in names if (value := getattr(details, name)) is not None}
    return DuoDetails(**found) if found else None


def _details(token: Mapping[str, object], context: Mapping[str, object]) -> DuoDetails:
    browser = _section(context, "access_device")
    place = _section(browser, "location")
    parts = [_text(place.get(part)) for part in ("city", "state", "country")]
    return DuoDetails(
        factor=_text(context.get("factor")),
        reason=_text(context.get("reason")),
        device=_text(_section(context, "auth_device").get("name")),
        location=_text(", ".join(part for part in parts if part)),
        ip=_text(browser.get("ip")),
        username=_text(token.get("preferred_username")),
    )


def _text(value: object) -> str | None:
    """Return a text as it may be kept and shown: of bounded length, on one line."""
    if not isinstance(value, str):
        return None
    return "".join(one for one in value[:_LONGEST] if one.isprintable()).strip() or None


def _second_factor(context: Mapping[str, object]) -> bool:
    factor, reason = context.get("factor"), context.get("reason")
    if not isinstance(factor, str) or not isinstance(reason, str):
        return False
    known = factor in FACTORS or factor.lower().replace("_", " ").split()[:1] == [_WEBAUTHN]
    return known and reason in REASONS


def _section(token: Mapping[str, object], name: str) -> Mapping[str, object]:
    section = token.get(name)
    return section if isinstance(section, dict) else {}
