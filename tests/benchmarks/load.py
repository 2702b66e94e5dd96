"""The logins, made beforehand: who logs in, in what order, and what has to come of each.

Law: the same number of logins is the same bytes, but for the time; and the push budget of nobody runs
out, so each login has one right result.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from countersign.core.identity import murmur2
from countersign.core.result import ResultType
from countersign.core.tenant import Policy, TenantSettings
from countersign.wire.inbound import LOGIN_ATTEMPTED
from countersign.wire.results import OutboundRecord
from tests.builders import RETURN_URL, a_tenant

LOGINS_EACH = 3
"""How often a user logs in; the default budget has room for five prompts."""

QUIET, STRICT = "hooli", "initech"
TENANTS = {
    QUIET: a_tenant(tenant=QUIET, policy=Policy.NEVER),
    STRICT: a_tenant(tenant=STRICT, policy=Policy.ALL_APPLICATIONS),
}
"""The tenants' settings: one never asks for MFA, one always does."""

SOURCE = "https://shop.example.com"


def settings_of(tenant: str) -> TenantSettings:
    """Return the settings of a tenant: those of its sort, where there are many of each."""
    sort = QUIET if tenant.startswith(QUIET) else STRICT
    return msgspec.structs.replace(TENANTS[sort], tenant=tenant)


class Kind(StrEnum):
    """What becomes of a login."""

    NOT_DUE = "not due"
    REMEMBERED = "remembered"
    CHALLENGED = "challenged"


SHARES = {Kind.NOT_DUE: 0.4, Kind.REMEMBERED: 0.3, Kind.CHALLENGED: 0.3}
RESULTS = {
    Kind.NOT_DUE: ResultType.LOGIN_ALLOWED,
    Kind.REMEMBERED: ResultType.LOGIN_ALLOWED,
    Kind.CHALLENGED: ResultType.LOGIN_CHALLENGED,
}


class User(NamedTuple):
    """Somebody who logs in, always from the same browser."""

    kind: Kind
    tenant: str
    subject: str
    browser: str


class Login(NamedTuple):
    """A login event, ready for the bus.

    Attributes:
        event_id: its id.
        user: whose it is.
        key: the record's key.
        value: its value, Auth0's post-login event.
        headers: CloudEvents' attributes.
    """

    event_id: str
    user: User
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]

    def outbound(self, topic: str) -> OutboundRecord:
        """Return the record that a relying party would publish."""
        return OutboundRecord(topic, self.key, self.value, self.headers, murmur2(self.key))


def make_logins(count: int, now: datetime, *, tenants: int = 1) -> list[Login]:
    """Return so many logins, well mixed: any first part of them has the mix of the whole.

    Args:
        count: how many.
        now: when they happen.
        tenants: how many tenants of each of the two sorts they are spread over.
    """
    chance = random.Random(20260302)  # noqa: S311  # repeatable, and nothing secret
    turns: list[User] = []
    for kind, share in SHARES.items():
        users = [
            make_user(kind, chance, tenants) for _ in range(1 + round(count * share / LOGINS_EACH))
        ]
        turns += users * LOGINS_EACH
    chance.shuffle(turns)
    return [make_login(f"login-{n:08d}", user, now, chance) for n, user in enumerate(turns[:count])]


def make_user(kind: Kind, chance: random.Random, tenants: int = 1) -> User:
    """Return somebody new."""
    sort = QUIET if kind is Kind.NOT_DUE else STRICT
    return User(
        kind=kind,
        tenant=sort if tenants == 1 else f"{sort}-{chance.randrange(tenants)}",
        subject=f"auth0|{chance.getrandbits(96):024x}",
        browser=f"{chance.getrandbits(128):032x}",
    )


def make_login(event_id: str, user: User, now: datetime, chance: random.Random) -> Login:
    """Return a login of somebody."""
    data = login_data(user, now, chance)
    headers = [
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_source", SOURCE.encode()),
        ("ce_type", LOGIN_ATTEMPTED.encode()),
        ("ce_time", _stamp(now).encode()),
        ("ce_tenantid", user.tenant.encode()),
    ]
    key = f"{user.tenant}:{user.subject}".encode()
    return Login(event_id, user, key, json.dumps(data, separators=(",", ":")).encode(), headers)


def login_data(user: User, now: datetime, chance: random.Random) -> dict[str, Any]:
    """Return what Auth0's post-login event says, without the parts that nobody reads: some 650 bytes."""
    return {
        "user": {
            "user_id": user.subject,
            "email": f"{user.subject[-8:]}@example.com",
            "email_verified": True,
            "created_at": "2025-05-04T10:11:12.000Z",
        },
        "client": {"client_id": "aBcDeFgHiJkLmNoPqRsTuVwXyZ012345", "name": "The shop"},
        "login": {
            "browser_id": user.browser,
            "return_url": RETURN_URL,
            "expires_at": _stamp(now + timedelta(days=1)),
        },
        "connection": {"id": "con_Ab12Cd34Ef56", "name": "Users", "strategy": "auth0"},
        "request": {
            "ip": f"203.0.113.{chance.randrange(256)}",
            "method": "POST",
            "geoip": {"countryCode": "DE", "cityName": "Berlin"},
        },
        "authentication": {"methods": [{"name": "pwd", "timestamp": _stamp(now)}]},
        "transaction": {"protocol": "oidc-basic-profile", "acr_values": []},
        "stats": {"logins_count": chance.randrange(1000)},
    }


def users_of(logins: Sequence[Login], kind: Kind) -> list[User]:
    """Return the different users of a kind, in the order of their first logins."""
    return list(dict.fromkeys(login.user for login in logins if login.user.kind is kind))


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def _stamp(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
