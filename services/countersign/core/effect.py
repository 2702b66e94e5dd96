"""What a tenant's flow of Actions asked for, as the decision sees it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from countersign.core.result import Reason


class Provider(StrEnum):
    """Who challenges (Auth0: the first argument of `api.multifactor.enable`)."""

    NONE = "none"
    ANY = "any"
    DUO = "duo"
    GUARDIAN = "guardian"
    GOOGLE_AUTHENTICATOR = "google-authenticator"


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What the tenant's flow of Actions asked for; the default says nothing.

    Attributes:
        denied: an Action denied the login, or failed.
        provider: the last word on who challenges; None leaves it to the policy.
        allow_remember_browser: whether a remembered browser counts, and may come of this; None
            leaves it to the tenant's settings.
    """

    denied: Reason | None = None
    provider: Provider | None = None
    allow_remember_browser: bool | None = None


NO_EFFECT = Effect()
