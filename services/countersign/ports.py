"""What the callers of `core` need from outside, as Protocols; adapters fulfil them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec

from countersign.core.action import ActionVersion
from countersign.core.challenge import Challenge
from countersign.core.duo_answer import DuoAnswer
from countersign.core.effect import CacheWrite, Effect
from countersign.core.facts import NO_FACTS, CacheEntry, Facts
from countersign.core.login import BrowsersForget, LoginAttempted
from countersign.core.remember import RememberedBrowser
from countersign.core.result import Decision
from countersign.core.sealed import SealedSecret
from countersign.core.tenant import DuoAccount, PushBudget, TenantSettings
from countersign.wire.results import OutboundRecord


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What the store knows of a login event.

    Attributes:
        conflict: another event came first under the same identity; this one is a dead letter.
        decided: the decision that stands already, if any.
        facts: what there is to decide by.
    """

    conflict: bool = False
    decided: Decision | None = None
    facts: Facts = NO_FACTS


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A decision to be recorded, with everything that goes with it.

    Attributes:
        event: the login event.
        decision: what was decided.
        challenge: the challenge to open, if challenged.
        budget: the tenant's push budget, if challenged.
        renewed: the remembered browser that stood in for a challenge, its idle time started anew.
        renewed_until: when that browser ends now.
    """

    event: LoginAttempted
    decision: Decision
    challenge: Challenge | None = None
    budget: PushBudget | None = None
    renewed: RememberedBrowser | None = None
    renewed_until: datetime | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A challenge's next value, stored only if the one before it still stands.

    The one before it has to be a value that was read, or whose storing was confirmed.

    Attributes:
        challenge: the next value; its revision is one higher than that of the value it follows.
        remember: the browser to remember with it, if it earned that.
        remember_until: when that browser ends.
    """

    challenge: Challenge
    remember: RememberedBrowser | None = None
    remember_until: datetime | None = None


class Visited(StrEnum):
    """What became of a visit."""

    STORED = "stored"
    LATE = "late"
    """The challenge's value that it started from no longer stands; read it again."""
    SPENT = "spent"
    """The user's push budget has no room for one more prompt."""
    COOLING_DOWN = "cooling_down"
    """The user refused prompts lately, and is left alone."""


class CacheWrites(msgspec.Struct, frozen=True, kw_only=True):
    """What one login's Actions want changed in their tenant's cache, in order.

    Attributes:
        tenant: whose cache it is.
        at: the instant of the decision.
        writes: the changes.
    """

    tenant: str
    at: datetime
    writes: tuple[CacheWrite, ...]


class FlowCall(msgspec.Struct, frozen=True, kw_only=True):
    """A login for which a tenant's flow is to be run.

    Attributes:
        event: the login.
        tenant: the settings in force; their flow is not empty.
        cache: what the flow's cache holds.
    """

    event: LoginAttempted
    tenant: TenantSettings
    cache: Mapping[str, CacheEntry]


class Flows(Protocol):
    """Runs tenants' flows of Actions."""

    def uses_cache(self, tenant: TenantSettings) -> bool:
        """Return whether a tenant's flow may ask for its cache."""
        ...

    async def effects(self, calls: Sequence[FlowCall]) -> list[Effect]:
        """Return what each flow asked for; whatever goes wrong in one denies its own login alone.

        The same event, settings and cache have the same effect, but for a flow that ran out of its time.
        """
        ...


class Store(Protocol):
    """What is remembered between events. Every method raises `StoreUnavailableError`.

    Each is atomic an event, and safe to call again after a crash or a timeout.
    """

    async def facts(self, events: Sequence[LoginAttempted]) -> list[Standing]:
        """Return what stands for each event; claims each identity for the payload that came first."""
        ...

    async def record(self, recordings: Sequence[Recording]) -> list[Decision | None]:
        """Record each decision unless one stands, and return the ones that stand.

        A decision that was recorded here and now is returned as the object that it is.

        None: nothing stands, since the remembered browser that a decision rests on was forgotten in between;
        the event has to be judged anew.

        A challenge that the push budget has no room for, or whose user is left alone by now, is recorded as
        the denial for that.
        """
        ...

    async def challenges(self, ids: Sequence[str]) -> list[Challenge | None]:
        """Return the challenges as they stand."""
        ...

    async def visit(self, challenge: Challenge, budget: PushBudget) -> Visited:
        """Store a challenge's next value with the visit that made it, and charge the visit's prompt.

        A prompt is charged for when it is opened: the charge that its challenge's decision made moves here,
        and one that is older than the window counts no more.

        The value before it has to be one that was read, or whose storing was confirmed.
        """
        ...

    async def settle(self, changes: Sequence[Change]) -> list[bool]:
        """Store each change whose predecessor still stands, and say which were stored.

        With a challenge that its user refused, the refusal is noted (`core.challenge.refusal`); a report
        of fraud also forgets all of the user's browsers, as a "forget" does.
        """
        ...

    async def overdue(self, now: datetime, most: int) -> list[str]:
        """Return ids of challenges that a sweeper has to look after: `core.challenge.due_at` has passed.

        Args:
            now: the instant.
            most: how many at most from each bucket; the earliest.
        """
        ...

    async def published(self, ids: Sequence[str]) -> None:
        """Note that these challenges' outcomes are on the bus: they need no sweeping, and may end."""
        ...

    async def forget(self, events: Sequence[BrowsersForget]) -> None:
        """Forget each event's browser, or all of its user's.

        Challenges of the user that are open now remember nothing any more, whichever browser was meant.
        """
        ...

    async def hear(self, challenge: Challenge) -> bool:
        """Claim the one late hearing of a challenge (`core.challenge.may_be_heard_late`); say who has it."""
        ...

    async def fraud(self, challenge: Challenge, at: datetime) -> None:
        """Note that a user reported a fraud with a challenge that had ended otherwise.

        It counts as a refusal and forgets all of the user's browsers, once a challenge.
        """
        ...

    async def look(self, event: LoginAttempted) -> Standing:
        """Return what stands for an event without claiming its identity, for people to look at."""
        ...

    async def remembered(self, tenant: str, subject: str) -> dict[str, RememberedBrowser]:
        """Return a user's remembered browsers by their keyed hash, for people to look at."""
        ...


class Caches(Protocol):
    """The caches of tenants' Actions. Every method raises `StoreUnavailableError`."""

    async def cached(self, tenants: Sequence[str]) -> dict[str, dict[str, CacheEntry]]:
        """Return what each tenant's Actions have in their cache; entries may have ended."""
        ...

    async def cache(self, writes: Sequence[CacheWrites]) -> None:
        """Change tenants' caches; one that would get too full loses the entries that end first."""
        ...


class Publisher(Protocol):
    """The way onto the bus."""

    async def publish(self, records: Sequence[OutboundRecord]) -> None:
        """Return when the broker has acknowledged every record; records of a key keep their order.

        Raises:
            BusUnavailableError: some are not acknowledged; publish them all again.
        """
        ...


class TenantDirectory(Protocol):
    """The tenants' settings in force."""

    def get(self, tenant: str) -> TenantSettings | None:
        """Return the newest settings that were read; None where there are none."""
        ...

    async def catch_up(self) -> None:
        """Return when everything published so far was read.

        Raises:
            BusUnavailableError: the topic can't be read now.
        """
        ...


class PublishedActions(Protocol):
    """The versions of tenants' Actions that are published."""

    def action(self, tenant: str, name: str, version: int) -> ActionVersion | None:
        """Return a version of an Action; None where it was not read (yet)."""
        ...

    async def catch_up(self) -> None:
        """Return when everything published so far was read.

        Raises:
            BusUnavailableError: the topic can't be read now.
        """
        ...


class Secrets(Protocol):
    """Seals and unseals tenants' secrets."""

    def seal(self, secret: str, *, tenant: str, purpose: str) -> SealedSecret:
        """Return the secret, sealed so that it opens for this tenant and purpose alone."""
        ...

    def unseal(self, sealed: SealedSecret, *, tenant: str, purpose: str) -> str:
        """Return the secret in clear.

        Raises:
            SettingsError: it can't be unsealed here.
        """
        ...


class Duo(Protocol):
    """Duo's Universal Prompt; each tenant has an account of its own there.

    Every method ends within a deadline, and raises `DuoRefusedError` where the account can't be used: its
    secret can't be unsealed, or its host is not an allowed one.
    """

    async def check(self, tenant: str, account: DuoAccount) -> None:
        """Return if Duo answers for this account; what was found a moment ago may be given again.

        Raises:
            DuoUnavailableError: it is out of reach.
            DuoBusyError: it was asked too often, or we have no call to spare.
            DuoRefusedError: it refuses the account, or isn't who it should be.
        """
        ...

    async def prompt_url(
        self, tenant: str, account: DuoAccount, *, username: str, state: str, nonce: str
    ) -> str:
        """Return the address of a prompt for this user: a bearer link, good for five minutes."""
        ...

    async def exchange(
        self, tenant: str, account: DuoAccount, *, code: str, username: str, nonce: str
    ) -> DuoAnswer:
        """Return what Duo says of the prompt that ended with this code; a code is good for one call.

        Raises:
            DuoUnavailableError: it is out of reach; whether it took the code is unknown.
            DuoBusyError: it was asked too often, or we have no call to spare; the code was not taken.
            DuoRefusedError: it refuses the code or the account, or its answer can't be trusted.
        """
        ...


class Clock(Protocol):
    """The time, as an argument."""

    def __call__(self) -> datetime:
        """Return the instant, aware and in UTC."""
        ...
