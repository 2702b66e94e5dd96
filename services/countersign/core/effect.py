"""What a tenant's flow of Actions asked for, as the decision sees it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from countersign.core.result import AccessDenied, Factor, Reason, Recorded
from countersign.core.tenant import DuoAccount


class Provider(StrEnum):
    """Who challenges (Auth0: the first argument of `api.multifactor.enable`)."""

    NONE = "none"
    GUARDIAN = "guardian"
    GOOGLE_AUTHENTICATOR = "google-authenticator"
    DUO = "duo"
    ANY = "any"


class CacheWrite(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the tenant's cache, which whoever records the decision applies.

    Attributes:
        key: the entry.
        value: its new value; None deletes it.
        expires_at: when it ends; None where it is deleted.
    """

    key: str
    value: str | None = None
    expires_at: datetime | None = None


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What the tenant's flow of Actions asked for; the default says nothing.

    Attributes:
        denied: an Action denied the login, sent it elsewhere, or failed.
        access_denied: what the Action gave as code and reason.
        redirect_url: where the Action wants the browser, if it is `redirected`.
        provider: the last word on who challenges; None leaves it to the policy.
        allow_remember_browser: whether a remembered browser counts, and may come of this; None
            leaves it to the tenant's settings.
        duo: the Action's own Duo account; None: the tenant's.
        duo_username: the user's name at Duo; None leaves it to the tenant's settings, "" is an attribute that
            the Action named and the user lacks.
        factors: built-in factors that the flow waits for; they override `provider`.
        recorded: calls that change nothing here, for the relying party to act on.
        cache: changes of the tenant's cache.
        trace: which Action said what, in order.
    """

    denied: Reason | None = None
    access_denied: AccessDenied | None = None
    redirect_url: str | None = None
    provider: Provider | None = None
    allow_remember_browser: bool | None = None
    duo: DuoAccount | None = None
    duo_username: str | None = None
    factors: tuple[Factor, ...] = ()
    recorded: tuple[Recorded, ...] = ()
    cache: tuple[CacheWrite, ...] = ()
    trace: tuple[str, ...] = ()


NO_EFFECT = Effect()
