"""What Actions may name in either language, and lint knows: Auth0's words and limits, each written once."""

from __future__ import annotations

from typing import Final

from countersign.core.tenant import CLIENT_ID_LENGTH, CLIENT_SECRET_LENGTH

FACTORS: Final = (
    "otp",
    "email",
    "push-notification",
    "phone",
    "webauthn-platform",
    "webauthn-roaming",
    "recovery-code",
)
"""Types of built-in factors that a login can wait for."""
MAX_FACTOR_CALLS: Final = 4
"""Calls of `challengeWith`, `enrollWith` and their like in a flow."""
INTERACTIVE: Final = (
    "oidc-basic-profile",
    "oidc-implicit-profile",
    "oidc-hybrid-profile",
    "samlp",
    "wsfed",
)
"""Protocols of a login that a browser takes part in, so it can be redirected."""
CREDENTIAL_LENGTHS: Final = {"ikey": CLIENT_ID_LENGTH, "skey": CLIENT_SECRET_LENGTH}
"""Characters of a Duo account's parts, by their names in `providerOptions`."""
MAX_URL: Final = 2048
"""Characters of an address that a browser is sent to."""
