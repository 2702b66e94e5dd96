"""Builds what the tests speak of: named people, and values with defaults that any keyword overrides.

Events are built as a sender would: as JSON that goes through the reader, so a builder can't make an
event that the bus could not carry.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from countersign.core.challenge import Challenge, Proof, State, Visit, claim, prove
from countersign.core.decision import decide
from countersign.core.effect import NO_EFFECT, Effect
from countersign.core.facts import NO_FACTS, Facts
from countersign.core.identity import EventIdentity, Pseudonyms, bucket_of
from countersign.core.login import BrowsersForget, LoginAttempted, LoginReturned
from countersign.core.remember import RememberedBrowser
from countersign.core.result import (
    Assurance,
    ChallengeLink,
    Decision,
    DuoDetails,
    Reason,
    ResultType,
)
from countersign.core.sealed import SealedSecret
from countersign.core.tenant import (
    ChallengeRules,
    DuoAccount,
    Factors,
    Mfa,
    Policy,
    TenantSettings,
)
from countersign.wire.inbound import BROWSERS_FORGET, LOGIN_ATTEMPTED, LOGIN_RETURNED, read_event

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""The instant at which the tests play, unless they say otherwise."""

ACME = "acme"
GLOBEX = "globex"

ALICE = "auth0|alice"
BOB = "auth0|bob"
MALLORY = "auth0|mallory"

SHOP = "shop"
"""The relying party's client id."""
SOURCE = "https://shop.example.com"
"""The `ce_source` of the relying party's events."""
RETURN_URL = "https://shop.example.com/return"

LAPTOP = "alices-laptop-4f2a9c"
PHONE = "alices-phone-77b01d"

IDENTIFIER_KEY = b64encode(bytes(range(32))).decode()
PSEUDONYMS = Pseudonyms(bytes(range(32)))
CHALLENGER = "https://mfa.example.com"


class InboundRecord(NamedTuple):
    """A record of `login-events`, as `read_event` takes it: `read_event(*record)`."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


# -- events ----------------------------------------------------------------------------------------


def login_data(
    *,
    subject: str = ALICE,
    tenant: str | None = None,
    client_id: str = SHOP,
    browser_id: str | None = LAPTOP,
    return_url: str | None = RETURN_URL,
    expires_at: datetime | None = None,
    user: dict[str, Any] | None = None,
    **parts: object,
) -> dict[str, Any]:
    """Return the JSON data of a `login.attempted`.

    Args:
        subject: the user's id.
        tenant: becomes `tenant.id`, where the headers don't say it.
        client_id: the relying party.
        browser_id: the relying party's id of this browser; None leaves it out.
        return_url: where the browser goes after the prompt; None leaves it out.
        expires_at: from when on the login is void.
        user: more of the user's attributes.
        **parts: further parts of the event, such as `transaction`; they replace the default's whole.
    """
    login = {
        "browser_id": browser_id,
        "return_url": return_url,
        "expires_at": None if expires_at is None else expires_at.isoformat(),
    }
    data: dict[str, Any] = {
        "user": {
            "user_id": subject,
            "email": "alice@example.com",
            "email_verified": True,
            **(user or {}),
        },
        "client": {"client_id": client_id, "name": "The shop"},
        "login": {name: value for name, value in login.items() if value is not None},
        "connection": {"id": "con_1", "name": "Users", "strategy": "auth0"},
        "request": {"ip": "203.0.113.7", "method": "POST", "query": {}},
        "authentication": {
            "methods": [{"name": "pwd", "timestamp": "2026-03-02T08:59:58.000Z"}],
        },
        "transaction": {"protocol": "oidc-basic-profile", "acr_values": []},
    }
    if tenant is not None:
        data["tenant"] = {"id": tenant}
    return {**data, **parts}


def a_record(
    data: dict[str, Any],
    *,
    kind: str = LOGIN_ATTEMPTED,
    tenant: str = ACME,
    source: str = SOURCE,
    event_id: str = "login-1",
    time: datetime = NOW,
    traceparent: str | None = None,
) -> InboundRecord:
    """Return a record in CloudEvents' binary form, keyed as it has to be."""
    headers = [
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_type", kind.encode()),
        ("ce_source", source.encode()),
        ("ce_id", event_id.encode()),
        ("ce_time", time.isoformat().encode()),
        ("ce_tenantid", tenant.encode()),
    ]
    if traceparent is not None:
        headers.append(("ce_traceparent", traceparent.encode()))
    key = f"{tenant}:{data['user']['user_id']}".encode()
    return InboundRecord(key, json.dumps(data).encode(), headers)


def a_login_record(
    *,
    tenant: str = ACME,
    source: str = SOURCE,
    event_id: str = "login-1",
    time: datetime = NOW,
    traceparent: str | None = None,
    **data: Any,  # noqa: ANN401  # login_data's own arguments
) -> InboundRecord:
    """Return the record of a `login.attempted`; takes what `login_data` takes, too."""
    return a_record(
        login_data(**data),
        tenant=tenant,
        source=source,
        event_id=event_id,
        time=time,
        traceparent=traceparent,
    )


def a_return_record(
    *,
    tenant: str = ACME,
    source: str = SOURCE,
    event_id: str = "return-1",
    login_id: str = "login-1",
    code: str = "the-right-code",
    subject: str = ALICE,
    time: datetime = NOW,
) -> InboundRecord:
    """Return the record of a `login.returned` that answers the login `login_id`."""
    data = {"event_id": login_id, "code": code, "user": {"user_id": subject}}
    return a_record(
        data, kind=LOGIN_RETURNED, tenant=tenant, source=source, event_id=event_id, time=time
    )


def a_forget_record(
    *,
    tenant: str = ACME,
    source: str = SOURCE,
    event_id: str = "forget-1",
    subject: str = ALICE,
    browser: str | None = None,
    time: datetime = NOW,
) -> InboundRecord:
    """Return the record of a `browsers.forget`: of the browser with this hash, or of all."""
    data: dict[str, Any] = {"user": {"user_id": subject}}
    return a_record(
        data if browser is None else {**data, "browser": browser},
        kind=BROWSERS_FORGET,
        tenant=tenant,
        source=source,
        event_id=event_id,
        time=time,
    )


def a_login(**changes: Any) -> LoginAttempted:  # noqa: ANN401  # a_login_record's own arguments
    """Return a login of Alice at Acme's shop; takes what `a_login_record` takes."""
    event = read_event(*a_login_record(**changes))
    assert isinstance(event, LoginAttempted)
    return event


def a_return(**changes: Any) -> LoginReturned:  # noqa: ANN401  # a_return_record's own arguments
    """Return the return of Alice's browser; takes what `a_return_record` takes."""
    event = read_event(*a_return_record(**changes))
    assert isinstance(event, LoginReturned)
    return event


def a_forget(**changes: Any) -> BrowsersForget:  # noqa: ANN401  # a_forget_record's own arguments
    """Return the event that forgets Alice's browsers; takes what `a_forget_record` takes."""
    event = read_event(*a_forget_record(**changes))
    assert isinstance(event, BrowsersForget)
    return event


# -- settings --------------------------------------------------------------------------------------


def a_duo_account(
    *, client_id: str = "DIXXXXXXXXXXXXXXXXXX", api_host: str = "api-12345678.duosecurity.com"
) -> DuoAccount:
    """Return a Duo account; its sealed secret opens nothing."""
    sealed = SealedSecret(key_id="k1", nonce="AAAAAAAAAAAAAAAA", ciphertext="c2VhbGVk")
    return DuoAccount(client_id=client_id, client_secret=sealed, api_host=api_host)


def a_tenant(
    *,
    tenant: str = ACME,
    policy: Policy = Policy.ALL_APPLICATIONS,
    **changes: Any,  # noqa: ANN401  # TenantSettings' own fields
) -> TenantSettings:
    """Return settings without problems: Duo alone, due at every login, browsers remembered.

    `mfa=` replaces what `policy` says.
    """
    settings = TenantSettings(
        tenant=tenant,
        version=1,
        updated_at=NOW - timedelta(days=1),
        duo=a_duo_account(),
        factors=Factors(duo=True),
        mfa=Mfa(policy=policy),
        challenge=ChallengeRules(return_urls=(RETURN_URL,)),
    )
    return msgspec.structs.replace(settings, **changes)


# -- facts, decisions, challenges ------------------------------------------------------------------


def a_browser(
    *,
    since: datetime = NOW - timedelta(days=2),
    renewed: datetime | None = None,
    absolute_end: datetime | None = None,
    challenge: str = "00AAAAAAAAAAAAAAAAAAAAAA",
) -> RememberedBrowser:
    """Return a browser that passed a challenge two days ago."""
    return RememberedBrowser(
        since=since,
        renewed=since if renewed is None else renewed,
        absolute_end=since + timedelta(days=30) if absolute_end is None else absolute_end,
        challenge=challenge,
    )


DUO_SAID = DuoDetails(
    factor="duo_push",
    reason="user_approved",
    device="Alice's phone (XXX-XXX-0100)",
    location="Ann Arbor, Michigan, United States",
    ip="192.0.2.7",
    username="alice",
)
"""Everything that Duo may say of a prompt besides its answer."""


def a_link(login: LoginAttempted) -> ChallengeLink:
    """Return the challenge that the login would have."""
    challenge_id = PSEUDONYMS.challenge(login.identity, bucket_of(login.key_hash))
    return ChallengeLink(id=challenge_id, url=f"{CHALLENGER}/c/{challenge_id}")


def decided(
    login: LoginAttempted | None = None,
    *,
    tenant: TenantSettings | None = None,
    effect: Effect = NO_EFFECT,
    facts: Facts = NO_FACTS,
    now: datetime = NOW,
) -> Decision:
    """Return what the table decides, with Alice's login and Acme's settings for what is left out."""
    login = a_login() if login is None else login
    tenant = a_tenant() if tenant is None else tenant
    return decide(login, tenant, effect, facts, now, a_link(login))


def a_decision(
    *,
    type: ResultType = ResultType.LOGIN_ALLOWED,  # noqa: A002  # the field's own name
    reason: Reason = Reason.MFA_NOT_DUE,
    assurance: Assurance = Assurance.NONE,
    decided_at: datetime = NOW,
    settings_version: int = 1,
    trace: tuple[str, ...] = ("mfa-not-due",),
    **rest: Any,  # noqa: ANN401  # Decision's own optional fields
) -> Decision:
    """Return a decision as given, whether or not the table would make it."""
    return Decision(
        type=type,
        reason=reason,
        assurance=assurance,
        decided_at=decided_at,
        settings_version=settings_version,
        trace=trace,
        **rest,
    )


def a_challenge(
    login: LoginAttempted | None = None,
    *,
    now: datetime = NOW,
    lifetime: timedelta = timedelta(minutes=5),
    remembers: bool = True,
    **changes: Any,  # noqa: ANN401  # Challenge's own optional fields
) -> Challenge:
    """Return the pending challenge of a login, which would remember its browser."""
    login = a_login() if login is None else login
    browser = login.event.login.browser_id if remembers else None
    tenant = login.identity.tenant
    fields: dict[str, Any] = {
        "id": a_link(login).id,
        "identity": login.identity,
        "subject": login.subject,
        "client_id": login.event.client.client_id,
        "created_at": now,
        "deadline": now + lifetime,
        "duo_username": login.subject,
        "return_url": RETURN_URL,
        "settings_version": 1,
        "browser": PSEUDONYMS.browser(tenant, login.subject, browser) if browser else None,
        "traceparent": login.traceparent,
    }
    return Challenge(**{**fields, **changes})


def a_visit(visit_id: str = "visit-1", *, at: datetime = NOW) -> Visit:
    """Return a browser's visit; its hashes are of nothing."""
    return Visit(id=visit_id, cookie=f"cookie of {visit_id}", at=at)


def a_proven_challenge(
    login: LoginAttempted | None = None,
    *,
    code: str = "the-right-code",
    assurance: Assurance = Assurance.MFA,
    duo: DuoDetails | None = None,
    now: datetime = NOW,
    **changes: Any,  # noqa: ANN401  # a_challenge's own arguments
) -> Challenge:
    """Return a challenge that Duo allowed and whose browser still has to come back with `code`."""
    pending = a_challenge(login, now=now, **changes)
    code_hash = PSEUDONYMS.code(pending.id, code)
    proof = Proof(assurance=assurance, code_hash=code_hash, visit=a_visit(), duo=duo)
    proven = prove(claim(pending, "holder-1", now, timedelta(seconds=15)), "holder-1", proof, now)
    assert proven.state is State.PROVEN
    return proven


def an_identity(
    *, tenant: str = ACME, source: str = SOURCE, event_id: str = "login-1"
) -> EventIdentity:
    """Return the identity of a login event."""
    return EventIdentity(tenant, source, event_id)
