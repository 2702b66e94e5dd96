"""The inbound events: Auth0's post-login `event` plus `login`, a return, a "forget", a security signal.

Fields that this list lacks are accepted and left alone; the values keep what a decision reads. Names
and shapes follow Auth0's reference of the post-login trigger's event object.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from countersign.core.errors import Defect, InvalidEventError
from countersign.core.identity import EventIdentity

MULTI_FACTOR_ACR = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"
"""The `acr_values` entry that asks for MFA (OpenID PAPE 1.0, section 4)."""

MAX_CLOCK_AHEAD = timedelta(minutes=5)
"""How far a sender's clock may be ahead; an event from later than that is refused."""

# `$` in Python's patterns (not in JSON Schema's) also matches before a last line feed, so a look-ahead
# refuses that one.
TenantId = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,63}$(?!\n)")]
# The next four are free of control characters, too, see `control_character_in`.
Identifier = Annotated[str, Meta(min_length=1, max_length=256)]
SourceUri = Annotated[str, Meta(min_length=1, max_length=512)]
Subject = Annotated[str, Meta(min_length=1, max_length=512)]
BrowserId = Annotated[str, Meta(min_length=16, max_length=256)]
# What stands for a browser: the keyed hash of its id, as `Pseudonyms.browser` makes it.
BrowserHandle = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{22}$(?!\n)")]
ReturnCode = Annotated[str, Meta(min_length=1, max_length=256)]
Url = Annotated[str, Meta(min_length=1, max_length=2048)]
Instant = Annotated[datetime, Meta(tz=True)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Part of an event; immutable, and equal where its fields are."""


class User(_Part, frozen=True, kw_only=True):
    """Who logged in; `user_id` is the subject."""

    user_id: Subject
    email: str | None = None
    email_verified: bool | None = None
    username: str | None = None
    name: str | None = None
    nickname: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    phone_number: str | None = None
    phone_verified: bool | None = None
    picture: str | None = None
    created_at: Instant | None = None
    updated_at: Instant | None = None
    last_password_reset: Instant | None = None
    app_metadata: dict[str, Any] | None = None
    user_metadata: dict[str, Any] | None = None
    identities: tuple[dict[str, Any], ...] = ()
    multifactor: tuple[str, ...] = ()
    enrolled_factors: tuple[dict[str, Any], ...] = msgspec.field(name="enrolledFactors", default=())


class RelyingParty(_Part, frozen=True, kw_only=True):
    """The application being logged into, Auth0's `event.client`."""

    client_id: Identifier
    name: str | None = None
    metadata: dict[str, Any] | None = None


class Connection(_Part, frozen=True, kw_only=True):
    """Where the user's identity came from."""

    id: str | None = None
    name: str | None = None
    strategy: str | None = None
    metadata: dict[str, Any] | None = None


class Organization(_Part, frozen=True, kw_only=True):
    """The organization that the user logs in to."""

    id: str | None = None
    name: str | None = None
    display_name: str | None = None
    metadata: dict[str, Any] | None = None


class GeoIp(_Part, frozen=True, kw_only=True, rename="camel"):
    """Where the request's address lies."""

    city_name: str | None = None
    continent_code: str | None = None
    country_code: str | None = None
    country_code3: str | None = None
    country_name: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    subdivision_code: str | None = None
    subdivision_name: str | None = None
    time_zone: str | None = None


class Request(_Part, frozen=True, kw_only=True):
    """The HTTP request that started the login."""

    ip: str | None = None
    asn: str | None = None
    hostname: str | None = None
    language: str | None = None
    method: str | None = None
    user_agent: str | None = None
    query: dict[str, Any] | None = None
    body: dict[str, Any] | None = None
    geoip: GeoIp | None = None


class AuthenticationMethod(_Part, frozen=True, kw_only=True):
    """A method that this session has completed; `name` is an open list (`pwd`, `mfa`, …)."""

    name: str
    timestamp: Instant | None = None
    type: str | None = None


class RiskAssessment(_Part, frozen=True, kw_only=True):
    """What the identity system thinks of the login; `confidence` is an open list."""

    confidence: str | None = None
    version: str | None = None
    assessments: dict[str, Any] | None = None


class Authentication(_Part, frozen=True, kw_only=True):
    """How the user authenticated, and how sure the identity system is."""

    methods: tuple[AuthenticationMethod, ...] = ()
    risk_assessment: RiskAssessment | None = msgspec.field(name="riskAssessment", default=None)


class Transaction(_Part, frozen=True, kw_only=True):
    """What the relying party asked for."""

    id: str | None = None
    acr_values: tuple[str, ...] = ()
    max_age: Annotated[int, Meta(ge=0)] | None = None
    protocol: str | None = None
    prompt: tuple[str, ...] = ()
    requested_scopes: tuple[str, ...] = ()
    response_mode: str | None = None
    response_type: tuple[str, ...] = ()
    redirect_uri: str | None = None
    state: str | None = None
    locale: str | None = None
    ui_locales: tuple[str, ...] = ()
    login_hint: str | None = None
    metadata: dict[str, Any] | None = None


class Authorization(_Part, frozen=True, kw_only=True):
    """The roles that the user has."""

    roles: tuple[str, ...] = ()


class Stats(_Part, frozen=True, kw_only=True):
    """How often the user has logged in."""

    logins_count: int | None = None


class Session(_Part, frozen=True, kw_only=True):
    """The session that the login belongs to."""

    id: str | None = None
    created_at: Instant | None = None
    authenticated_at: Instant | None = None


class TenantRef(_Part, frozen=True, kw_only=True):
    """The tenant, as Auth0's `event.tenant`."""

    id: TenantId


class Login(_Part, frozen=True, kw_only=True):
    """What Auth0's own engine knows and a bus must carry.

    Attributes:
        browser_id: the relying party's opaque id of this browser; without one it is never remembered.
        return_url: where the browser goes after the prompt; the tenant's settings must list it.
        expires_at: from when on the login is void, and is denied.
    """

    browser_id: BrowserId | None = None
    return_url: Url | None = None
    expires_at: Instant | None = None

    def has_expired(self, now: datetime) -> bool:
        """Say whether the login is void by now."""
        return self.expires_at is not None and now >= self.expires_at


class PostLoginEvent(_Part, frozen=True, kw_only=True):
    """The data of `login.attempted`."""

    user: User
    client: RelyingParty
    login: Login = Login()
    tenant: TenantRef | None = None
    connection: Connection | None = None
    organization: Organization | None = None
    request: Request | None = None
    authentication: Authentication | None = None
    transaction: Transaction | None = None
    authorization: Authorization | None = None
    stats: Stats | None = None
    session: Session | None = None


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """What every event on `login-events` has.

    Attributes:
        identity: tenant, source and id.
        subject: the user.
        key: the Kafka key, `tenant:subject`.
        key_hash: its murmur2; bucket and partition follow from it.
        time: when it happened, by the sender's clock.
        digest: a hash of what came, to tell a redelivery from another event under the same id.
        traceparent: W3C trace context, passed through.
    """

    identity: EventIdentity
    subject: str
    key: bytes
    key_hash: int
    time: datetime
    digest: bytes
    traceparent: str | None = None


class LoginAttempted(Inbound, frozen=True, kw_only=True):
    """A user has passed the first factor; decide what else is owed.

    Attributes:
        event: what a decision reads of it.
        data: all of it, as it came, for the tenant's Actions; a JSON object.
    """

    event: PostLoginEvent
    data: bytes


class LoginReturned(Inbound, frozen=True, kw_only=True):
    """The browser came back to the relying party with a one-time return code.

    Attributes:
        login: the login event whose challenge it answers; same tenant, source and user.
        code: the code, in clear.
    """

    login: EventIdentity
    code: str

    def __repr__(self) -> str:
        """Return which event it is, without the code (law 9)."""
        return f"LoginReturned(identity={self.identity!r}, login={self.login!r})"


class BrowsersForget(Inbound, frozen=True, kw_only=True):
    """Forget remembered browsers of the user, before the next login is decided.

    Attributes:
        browser: the keyed hash of the one to forget; None: every one.
    """

    browser: str | None = None


class SecuritySignal(BrowsersForget, frozen=True, kw_only=True):
    """Somebody else says that what the user has proven may no longer hold: CAEP, RISC.

    Attributes:
        audience: for whom it was said.
        revokes: whether the user's browsers are to be forgotten; an assurance that went up revokes nothing.
        token: the Security Event Token that proves who says it; None where only the topic vouches for it.
    """

    audience: tuple[str, ...]
    revokes: bool
    token: str | None

    def __repr__(self) -> str:
        """Return which event it is, without the token (law 9)."""
        return f"SecuritySignal(identity={self.identity!r}, revokes={self.revokes!r})"


_CONTROL = re.compile("[\x00-\x1f\x7f]")


def control_character_in(*texts: str) -> int | None:
    """Return the position of the first text that holds a control character; None where none does.

    Identifiers end up in keys, headers and logs. They are looked through together, since a pattern of
    each one's own costs as much as decoding the whole event.
    """
    if not _CONTROL.search("".join(texts)):
        return None
    return next(position for position, text in enumerate(texts) if _CONTROL.search(text))


def refuse_from_the_future(time: datetime, now: datetime) -> None:
    """Check that an event's time is not beyond what clocks may differ.

    Raises:
        InvalidEventError: it is.
    """
    if time > now + MAX_CLOCK_AHEAD:
        minutes = MAX_CLOCK_AHEAD // timedelta(minutes=1)
        raise InvalidEventError(
            Defect.TIME_IN_FUTURE,
            f"time is more than {minutes} minutes ahead of this worker; set the sender's clock right",
        )
