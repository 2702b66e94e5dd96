"""A tenant's settings: what Auth0's Duo page and MFA policy hold, plus the limits that a bus needs.

`problems` is the law: settings that could never challenge anybody, or that contradict themselves,
are refused before they are published.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from countersign.core.action import (
    MAX_TIME_LIMIT,
    MIN_TIME_LIMIT,
    ActionRef,
    ActionRules,
    flow_problems,
)
from countersign.core.errors import Problem
from countersign.core.login import SourceUri, TenantId
from countersign.core.public_key import MAX_KEYS, PublicKey
from countersign.core.return_url import flaw
from countersign.core.sealed import SealedSecret

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_IDLE = timedelta(days=7)
"""Longest time a remembered browser lives unused (Auth0: 7 days of inactivity)."""
MAX_ABSOLUTE = timedelta(days=30)
"""Longest time a remembered browser lives at all (Auth0: 30 days)."""
MIN_LIFETIME = timedelta(seconds=30)
MAX_LIFETIME = timedelta(hours=1)
MIN_BUDGET_WINDOW = timedelta(minutes=1)
MAX_BUDGET_WINDOW = timedelta(hours=24)
MIN_COOL_DOWN = timedelta(minutes=1)
MAX_COOL_DOWN = timedelta(hours=24)
CLIENT_ID_LENGTH = 20
CLIENT_SECRET_LENGTH = 40
"""Characters that Duo's have (duo_universal, Client)."""

_HOST = re.compile(
    r"(?=.{1,253}(:|$))[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*(:[0-9]{1,5})?"
)


class Policy(StrEnum):
    """When MFA is due by the tenant's own policy (Auth0: Guardian policies)."""

    NEVER = "never"
    ALL_APPLICATIONS = "all-applications"
    CONFIDENCE_SCORE = "confidence-score"


class DuoUsername(StrEnum):
    """Which attribute of the user is the Duo user name; there is no fallback to another."""

    USER_ID = "user_id"
    EMAIL = "email"
    USERNAME = "username"
    NICKNAME = "nickname"
    AUTH0_LEGACY = "auth0-legacy"
    """`lower(base64(user_id))`, which is what Auth0 sends by default. It is lossy."""


class Failmode(StrEnum):
    """What happens when Duo can't be reached."""

    CLOSED = "closed"
    OPEN = "open"


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    """Part of a tenant's settings."""


class DuoAccount(_Section, frozen=True, kw_only=True):
    """The Duo application that challenges the tenant's users.

    Attributes:
        client_id: Duo's Client ID (Auth0: `ikey`).
        client_secret: Duo's Client secret (Auth0: `skey`), sealed.
        api_host: Duo's API hostname (Auth0: `host`).
    """

    client_id: str
    client_secret: SealedSecret
    api_host: str


class Factors(_Section, frozen=True, kw_only=True, rename="kebab"):
    """Which factors are switched on; Duo works only where it is the only one (Auth0's rule)."""

    duo: bool = False
    otp: bool = False
    sms: bool = False
    email: bool = False
    push_notification: bool = False
    webauthn_roaming: bool = False
    webauthn_platform: bool = False
    recovery_code: bool = False

    def enabled(self) -> tuple[str, ...]:
        """Return the names of the factors that are on, in a fixed order."""
        return tuple(name for field, name in _FACTORS if getattr(self, field))


_FACTORS = tuple((field.name, field.encode_name) for field in msgspec.structs.fields(Factors))


class Mfa(_Section, frozen=True, kw_only=True):
    """When MFA is due, and how a user is named to Duo.

    Attributes:
        policy: when MFA is due, where no Action says otherwise.
        duo_username: which attribute is the Duo user name.
        universal_login: whether Duo comes only from an Action that asks for `duo`, as in Auth0 with Universal
            Login; the policy and `any` then need another factor.
    """

    policy: Policy = Policy.NEVER
    duo_username: DuoUsername = DuoUsername.USER_ID
    universal_login: bool = False


class Remember(_Section, frozen=True, kw_only=True):
    """How long a browser is remembered.

    Attributes:
        enabled: whether at all, where no Action says otherwise.
        idle: how long unused; at most 7 days.
        absolute: how long at all; at most 30 days.
    """

    enabled: bool = True
    idle: timedelta = MAX_IDLE
    absolute: timedelta = MAX_ABSOLUTE


class Detail(StrEnum):
    """What an outcome may say of the prompt that Duo has run."""

    FACTOR = "factor"
    """How the user answered, and why Duo said what it said."""
    DEVICE = "device"
    """What the user calls the device; it may hold part of a telephone number."""
    LOCATION = "location"
    """Where Duo thinks that the browser was."""
    IP = "ip"
    """The browser's address, as Duo saw it."""
    USERNAME = "username"
    """The user's name at Duo."""


class ChallengeRules(_Section, frozen=True, kw_only=True):
    """How a challenge is run.

    Attributes:
        lifetime: from the decision to the browser's return.
        return_urls: where a browser may be sent afterwards; see `core.return_url`.
        failmode: what happens when Duo can't be reached.
        accept_bypass: whether an allow counts that no second factor stands behind: a bypass code, a user
            whom Duo lets through, a device or network that Duo itself trusts. Such an outcome always says
            so, and no browser is remembered by it.
        details: what an outcome says of the prompt; nothing that names a person unless asked for.
    """

    lifetime: timedelta = timedelta(minutes=5)
    return_urls: tuple[str, ...] = ()
    failmode: Failmode = Failmode.CLOSED
    accept_bypass: bool = True
    details: tuple[Detail, ...] = (Detail.FACTOR,)


class PushBudget(_Section, frozen=True, kw_only=True):
    """How many prompts a user may get; more look like push bombing.

    Attributes:
        prompts: at most so many
        window: in any span of this length.
        refusals: so many prompts denied, or opened and left to expire, within the window begin a cool-down;
            a report of fraud does so at once.
        cool_down: how long the user then gets no prompt.
    """

    prompts: Annotated[int, Meta(ge=1, le=100)] = 5
    window: timedelta = timedelta(minutes=10)
    refusals: Annotated[int, Meta(ge=1, le=100)] = 2
    cool_down: timedelta = timedelta(minutes=15)


class EventRules(_Section, frozen=True, kw_only=True):
    """What inbound events have to bring with them.

    Attributes:
        signed: every event of the tenant carries a signature by one of the keys; else it is none.
        keys: the public keys of those who send. One that was replaced stays, for as long as events
            that it signed may come again.
    """

    signed: bool = False
    keys: tuple[PublicKey, ...] = ()


class Trust(StrEnum):
    """What vouches for a security signal."""

    SIGNED = "signed"
    """A signature: only Security Event Tokens are taken."""
    TOPIC = "topic"
    """The topic, too: whoever may write to it may send signals without a signature."""


class SignalRules(_Section, frozen=True, kw_only=True):
    """Whose security signals are taken.

    Attributes:
        trust: what vouches for a signal.
        issuer: the `iss` that each has.
        audience: the `aud` that each has.
        keys: the issuer's public keys. One that was replaced stays, as in `EventRules`.
    """

    trust: Trust = Trust.SIGNED
    issuer: SourceUri | None = None
    audience: SourceUri | None = None
    keys: tuple[PublicKey, ...] = ()


class TenantSettings(_Section, frozen=True, kw_only=True):
    """All settings of one tenant, one version of them.

    Attributes:
        tenant: whose they are.
        version: counts up from 1; every decision names the one that it used.
        updated_at: when this version was published.
        flow: the Actions in force, in the order in which they run.
    """

    tenant: TenantId
    version: Annotated[int, Meta(ge=1)]
    updated_at: Annotated[datetime, Meta(tz=True)]
    duo: DuoAccount | None = None
    factors: Factors = Factors()
    mfa: Mfa = Mfa()
    remember: Remember = Remember()
    challenge: ChallengeRules = ChallengeRules()
    push_budget: PushBudget = PushBudget()
    events: EventRules = EventRules()
    signals: SignalRules = SignalRules()
    actions: ActionRules = ActionRules()
    flow: tuple[ActionRef, ...] = ()


def problems(settings: TenantSettings) -> tuple[Problem, ...]:
    """Return everything that is wrong with the settings; empty where they can be published."""
    return tuple(
        Problem(key=key, problem=problem, remedy=remedy)
        for check in (_duo, _factors, _remember, _challenge, _budget, _events, _signals, _actions)
        for key, problem, remedy in check(settings)
    )


_Finding = tuple[str, str, str]


def _duo(settings: TenantSettings) -> Iterator[_Finding]:
    if settings.duo is not None:
        for key, problem, remedy in duo_problems(settings.duo.client_id, settings.duo.api_host):
            yield f"duo.{key}", problem, remedy


def duo_problems(client_id: str, api_host: str) -> Iterator[_Finding]:
    """Find what keeps a Duo account from being one: key, problem and remedy of each."""
    if len(client_id) != CLIENT_ID_LENGTH:
        yield (
            "client_id",
            f"has {len(client_id)} characters, a Duo Client ID has {CLIENT_ID_LENGTH}",
            "Copy the Client ID from the Duo application's page",
        )
    if not _HOST.fullmatch(api_host):
        yield (
            "api_host",
            "is not a host name",
            'Copy the API hostname from the Duo application, without "https://" and without a path',
        )


def _factors(settings: TenantSettings) -> Iterator[_Finding]:
    enabled = settings.factors.enabled()
    if settings.factors.duo and len(enabled) > 1:
        others = ", ".join(name for name in enabled if name != "duo")
        yield (
            "factors.duo",
            f"Duo can be used only when all other factors are off, and these are on: {others}",
            "Switch them off, or switch duo off",
        )
    if settings.factors.duo and settings.duo is None:
        yield (
            "factors.duo",
            "is on, but there is no Duo account",
            "Add the section [duo] with client_id, client_secret and api_host",
        )
    if settings.factors.duo and not settings.challenge.return_urls:
        yield (
            "challenge.return_urls",
            "is empty, so every challenge would be denied",
            "List each URL that a browser may return to",
        )
    if settings.mfa.policy is not Policy.NEVER and not enabled:
        yield (
            "mfa.policy",
            f"is {settings.mfa.policy.value}, but no factor is on, so every login would be denied",
            'Switch a factor on, for example duo = true in [factors], or set policy = "never"',
        )


def _remember(settings: TenantSettings) -> Iterator[_Finding]:
    limits = settings.remember
    yield from _within("remember.idle", limits.idle, timedelta(seconds=1), MAX_IDLE)
    yield from _within("remember.absolute", limits.absolute, timedelta(seconds=1), MAX_ABSOLUTE)
    if limits.idle > limits.absolute:
        yield (
            "remember.idle",
            "is longer than remember.absolute",
            "Make it at most as long",
        )


def _challenge(settings: TenantSettings) -> Iterator[_Finding]:
    yield from _within(
        "challenge.lifetime", settings.challenge.lifetime, MIN_LIFETIME, MAX_LIFETIME
    )
    for position, url in enumerate(settings.challenge.return_urls):
        if found := flaw(url):
            yield (
                f"challenge.return_urls[{position}]",
                found,
                "Write the whole address, such as https://app.example.com/return, or a path's beginning"
                " with /* at its end",
            )


def _budget(settings: TenantSettings) -> Iterator[_Finding]:
    yield from _within(
        "push_budget.window", settings.push_budget.window, MIN_BUDGET_WINDOW, MAX_BUDGET_WINDOW
    )
    yield from _within(
        "push_budget.cool_down", settings.push_budget.cool_down, MIN_COOL_DOWN, MAX_COOL_DOWN
    )


def _events(settings: TenantSettings) -> Iterator[_Finding]:
    if settings.events.signed and not settings.events.keys:
        yield (
            "events.signed",
            "is true, but there is no key, so every event would be a dead letter",
            'Name a file with the senders\' public keys (a JWK Set), as in jwks_file = "keys.json"',
        )
    yield from _keys("events.keys", settings.events.keys)


def _signals(settings: TenantSettings) -> Iterator[_Finding]:
    rules = settings.signals
    names = {"issuer": rules.issuer, "audience": rules.audience}
    if rules.keys:
        for name, value in names.items():
            if value is None:
                yield (
                    f"signals.{name}",
                    "is missing, so no signed signal could be taken",
                    "Give what the issuer's tokens have in "
                    + ("iss" if name == "issuer" else "aud"),
                )
    elif rules.trust is Trust.SIGNED and any(names.values()):
        yield (
            "signals.keys",
            "is empty, so no signal could be taken",
            "Name a file with the issuer's public keys (a JWK Set), as in"
            ' jwks_file = "issuer.json", or set trust = "topic"',
        )
    yield from _keys("signals.keys", rules.keys)


def _actions(settings: TenantSettings) -> Iterator[_Finding]:
    limits = settings.actions
    longest = MAX_TIME_LIMIT
    yield from _within("actions.time_limit", limits.time_limit, MIN_TIME_LIMIT, longest)
    yield from _within("actions.flow_time_limit", limits.flow_time_limit, MIN_TIME_LIMIT, longest)
    if limits.time_limit > limits.flow_time_limit:
        yield (
            "actions.time_limit",
            "is longer than actions.flow_time_limit",
            "Make it at most as long",
        )
    yield from flow_problems(settings.flow)


def _keys(place: str, keys: tuple[PublicKey, ...]) -> Iterator[_Finding]:
    if len(keys) > MAX_KEYS:
        remedy = f"List at most {MAX_KEYS}: those in use, and those that were replaced of late"
        yield place, f"has {len(keys)} keys", remedy
    first: dict[str, int] = {}
    for position, key in enumerate(keys):
        if first.setdefault(key.kid, position) != position:
            yield (
                f"{place}[{position}].kid",
                f"is the one of {place}[{first[key.kid]}]",
                "Give each key a name of its own",
            )


def _within(key: str, value: timedelta, least: timedelta, most: timedelta) -> Iterator[_Finding]:
    if not least <= value <= most:
        yield (
            key,
            f"is {_seconds(value)} s",
            f"Give between {_seconds(least)} s and {_seconds(most)} s, as an ISO 8601 duration"
            f" such as {_iso(most)}",
        )


def _seconds(value: timedelta) -> str:
    return f"{value.total_seconds():.15g}"


def _iso(value: timedelta) -> str:
    return msgspec.to_builtins(value)  # type: ignore[no-any-return]  # a str for a timedelta
