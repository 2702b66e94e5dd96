"""A challenger that tests walk through: its twins in memory, or real ones, and browsers with cookies."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from countersign.adapters.memory.duo import MemoryDuo
from countersign.adapters.memory.publisher import MemoryPublisher
from countersign.adapters.memory.store import MemoryStore
from countersign.challenger.app import Challenger
from countersign.challenger.metrics import Metrics
from countersign.core.challenge import Challenge
from countersign.core.identity import Pseudonyms
from countersign.core.login import LoginAttempted
from countersign.core.tenant import TenantSettings
from countersign.ports import Publisher, Recording, Store, TenantDirectory
from countersign.settings import Settings, load_settings
from countersign.wire.results import Result, read_result
from tests.builders import (
    CHALLENGER,
    IDENTIFIER_KEY,
    NOW,
    a_challenge,
    a_login,
    a_tenant,
    decided,
)
from tests.bus import FixedTenants

DUO_HOST = "api-12345678.duosecurity.com"


class Browser:
    """A browser: it keeps cookies, and goes where it is sent only when a test says so."""

    def __init__(self, app: Any, *, base: str = CHALLENGER, peer: str = "127.0.0.1") -> None:  # noqa: ANN401  # an ASGI application
        transport = httpx.ASGITransport(app, raise_app_exceptions=True, client=(peer, 50_000))
        self.http = httpx.AsyncClient(transport=transport, base_url=base, follow_redirects=False)

    async def visit(self, challenge: Challenge) -> httpx.Response:
        """Open a challenge's link."""
        return await self.http.get(f"/c/{challenge.id}")

    async def callback(self, state: str, **parameters: str) -> httpx.Response:
        """Come back from Duo."""
        return await self.http.get("/callback", params={"state": state, **parameters})


class Walk:
    """A challenger with everything it needs, at an instant that a test moves.

    Args:
        store: where challenges are; in memory by default.
        publisher: the way onto the bus; likewise.
        tenants: the tenants' settings.
        changes: settings of the process that differ.
    """

    def __init__(
        self,
        *tenants: TenantSettings,
        store: Store | None = None,
        publisher: Publisher | None = None,
        settings: Settings | None = None,
        now: datetime = NOW,
    ) -> None:
        self.now = now
        self.settings = settings or load_settings(
            public_url=CHALLENGER, identifier_key=IDENTIFIER_KEY
        )
        self.pseudonyms = Pseudonyms(self.settings.identifier_key_bytes())
        self.store = store or MemoryStore(self.pseudonyms)
        self.duo = MemoryDuo()
        self.published = MemoryPublisher()
        self.tenants = tenants or (a_tenant(),)
        self.directory = FixedTenants(*self.tenants)
        self.challenger = self.another(publisher)

    def another(
        self,
        publisher: Publisher | None = None,
        store: Store | None = None,
        directory: TenantDirectory | None = None,
    ) -> Challenger:
        """Return a challenger beside the first, with the same store and Duo."""
        return Challenger(
            self.settings,
            store=store or self.store,
            publisher=publisher or self.published,
            tenants=directory or self.directory,
            duo=self.duo,
            metrics=Metrics(),
            clock=lambda: self.now,
        )

    def browser(self, challenger: Challenger | None = None) -> Browser:
        """Return a browser without cookies, which comes to the first challenger or to another."""
        return Browser((challenger or self.challenger).app)

    def pass_time(self, **span: float) -> None:
        """Let time go by."""
        self.now += timedelta(**span)

    async def open(self, login: LoginAttempted | None = None, **changes: Any) -> Challenge:  # noqa: ANN401  # a_challenge's
        """Do the decider's part: a login is challenged."""
        login = a_login() if login is None else login
        tenant = next(one for one in self.tenants if one.tenant == login.identity.tenant)
        challenge = a_challenge(login, now=self.now, **changes)
        decision = decided(login, tenant=tenant, now=self.now)
        recording = Recording(
            event=login, decision=decision, challenge=challenge, budget=tenant.push_budget
        )
        await self.store.record([recording])
        return challenge

    async def stands(self, challenge: Challenge) -> Challenge:
        """Return the challenge as it stands."""
        (found,) = await self.store.challenges([challenge.id])
        assert found is not None
        return found

    async def results(self) -> list[Result]:
        """Return what was published, once all that was posted is."""
        await self.challenger.outbox.drain()
        return [read_result(one.value or b"", one.headers) for one in self.published.records]


def state_of(response: httpx.Response) -> str:
    """Return the state that a browser was sent to Duo with."""
    address = urlsplit(response.headers["location"])
    assert address.netloc == DUO_HOST
    (state,) = parse_qs(address.query)["state"]
    return state


def code_of(response: httpx.Response) -> str:
    """Return the one-time return code that a browser was sent back to the relying party with."""
    (code,) = parse_qs(urlsplit(response.headers["location"]).query)["mfa_code"]
    return code


def title_of(response: httpx.Response) -> str:
    """Return a page's title."""
    found = re.search("<title>(.*?)</title>", response.text)
    return unescape(found[1]) if found else ""


async def at_the_prompt(walk: Walk) -> tuple[Challenge, Browser, str]:
    """Return a challenge, a browser that was sent to its prompt, and the prompt's state."""
    challenge = await walk.open()
    browser = walk.browser()
    return challenge, browser, state_of(await browser.visit(challenge))
