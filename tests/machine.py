"""A machine of the browser half on the in-memory twins: what moves it, and a look at it after each step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
from msgspec.structs import replace

from countersign.challenger.app import Challenger
from countersign.challenger.metrics import Metrics
from countersign.core.challenge import TERMINAL
from countersign.core.errors import (
    BusUnavailableError,
    Defect,
    DuoUnavailableError,
    InvalidEventError,
    StoreUnavailableError,
)
from countersign.core.login import Inbound, LoginAttempted
from countersign.core.result import Assurance, Verdict
from countersign.core.tenant import Failmode
from countersign.decider.judge import Answer, Decided, Forgotten, Judge, Settled
from countersign.decider.waves import Entry
from countersign.settings import load_settings
from countersign.wire.results import OutboundRecord, read_result, write_result
from tests.attempts import ACCOUNTS, FORGER, Account, Attempt, Return
from tests.browsers import Browser
from tests.builders import (
    CHALLENGER,
    IDENTIFIER_KEY,
    PSEUDONYMS,
    a_forget,
    a_login,
    a_return,
)
from tests.machine_laws import Ledger
from tests.no_flows import no_effects
from tests.shaky import ShakyPublisher, SharedStore

_FORGED: Final = "A" * 43
_DAY: Final = timedelta(days=1)
_LEEWAY: Final = timedelta(seconds=60)


class World(Ledger):
    """Several tenants' users, their browsers, two challengers and a decider, on one store and one bus."""

    def __init__(self) -> None:
        super().__init__()
        self.store, self.bus = SharedStore(), ShakyPublisher()
        self._settings = load_settings(public_url=CHALLENGER, identifier_key=IDENTIFIER_KEY)
        self.judge = Judge(
            self.store, no_effects(), PSEUDONYMS, public_url=CHALLENGER, clock=lambda: self.now
        )
        self.challengers = [self.fresh(), self.fresh()]
        self.browsers = [Browser(self.challengers[0].app) for _ in range(4)]
        self._looked_at = 0

    def fresh(self) -> Challenger:
        """Return a challenger with nothing in hand."""
        return Challenger(
            self._settings,
            store=self.store,
            publisher=self.bus,
            tenants=self.tenants,
            duo=self.duo,
            metrics=Metrics(),
            clock=lambda: self.now,
        )

    def change(self, tenant: str, **parts: Any) -> None:  # noqa: ANN401  # TenantSettings' own fields
        """Put other settings in force."""
        before = self.settings(tenant)
        self.tenants.put(replace(before, version=before.version + 1, **parts))

    # -- the decider -----------------------------------------------------------------------------

    async def attempt(self, one: Attempt, event: LoginAttempted | None = None) -> Answer:
        """Have a login decided, for the first time or again."""
        (answer,) = await self._judged([event or one.event])
        if not isinstance(answer, Decided):
            return answer
        decision = answer.decision
        if one.decision is None:
            one.decision, one.made = decision, self.step
            self.reached[f"{decision.type.value}: {decision.reason.value}"] += 1
            self.decided(one, decision)
        # Law 2.
        assert decision == one.decision, "a decision changed"
        return answer

    async def give_back(self, one: Attempt, code: str, seat: int | None, name: str) -> None:
        """Have a return judged."""
        identity = one.event.identity
        event = a_return(
            tenant=identity.tenant,
            event_id=name,
            login_id=identity.event_id,
            code=code,
            subject=one.account.subject,
            time=self.now,
        )
        one.returns.append(Return(code, seat, self.now))
        (answer,) = await self._judged([event])
        assert isinstance(answer, Settled), answer
        assert answer.outcome.verdict is not Verdict.PENDING

    async def forget(self, account: Account, name: str) -> None:
        """Have a user's browsers forgotten."""
        event = a_forget(
            tenant=account.tenant, subject=account.subject, event_id=name, time=self.now
        )
        self.marks[account] = self.step
        (answer,) = await self._judged([event])
        assert isinstance(answer, Forgotten)

    async def _judged(self, events: Sequence[Inbound]) -> list[Answer]:
        """Judge as the decider does: again and again while the store is away, then publish."""
        wave = [
            Entry(place, event, self.tenants.get(event.identity.tenant))
            for place, event in enumerate(events)
        ]
        while True:
            try:
                answers = [
                    answer for _, answer in sorted(await self.judge.answer(wave), key=_place)
                ]
                break
            except StoreUnavailableError:
                self.reached["the decider waits"] += 1
        records = [record for answer in answers for record in _written(answer)]
        for record in records:
            self.same_bytes(record)
        settled = [answer.challenge.id for answer in answers if isinstance(answer, Settled)]
        try:
            await self.bus.publish(records)
            await self.store.published(settled)
        except (BusUnavailableError, StoreUnavailableError):
            self.reached["a decider goes down"] += 1
        return answers

    # -- browsers --------------------------------------------------------------------------------

    def browser(self, seat: int, process: int) -> Browser:
        """Return a browser, on its way to one of the challengers."""
        browser = self.browsers[seat]
        if seat == FORGER:
            known = {name for other in self.browsers[:FORGER] for name in other.http.cookies}
            browser.http.cookies = httpx.Cookies(dict.fromkeys(known, _FORGED))
        cookies = browser.http.cookies
        comes = Browser(self.challengers[process].app)
        comes.http.cookies = cookies
        self.browsers[seat] = comes
        return comes

    async def visit(self, one: Attempt, seat: int, process: int) -> None:
        """Let a browser open a challenge's link, and look at what it is told."""
        before = await self.store.stands(one.id)
        found = await self.browser(seat, process).http.get(f"/c/{one.id}")
        after = await self.store.stands(one.id)
        if after.proof is not None and before.proof is None:
            settings = self.settings(one.account.tenant)
            # Law 8: nobody but an open failmode opens, for Duo out of reach, with no prompt about.
            assert after.proof.assurance is Assurance.FAIL_OPEN
            assert settings.challenge.failmode is Failmode.OPEN
            assert type(self.duo.health.get(one.account.tenant)) is DuoUnavailableError
            assert not one.prompts
            one.skipped_by = seat
            self.reached["skipped"] += 1
        self.look_at(one, seat, found)

    # -- the laws --------------------------------------------------------------------------------

    async def look(self) -> None:
        """Hold the store and the bus against what is known."""
        for one in self.challenged():
            standing = await self.store.stands(one.id)
            assert (standing.outcome is not None) == (standing.state in TERMINAL)
            if one.outcome is not None:
                assert standing.outcome == one.outcome, "a second outcome"
            elif standing.outcome is not None:
                one.outcome = standing.outcome
                self.ended(one, standing, standing.outcome)
        for record in self.bus.records[self._looked_at :]:
            self.same_bytes(record)
        self._looked_at = len(self.bus.records)
        for account in ACCOUNTS:
            for name, browser in (await self.store.remembered(*account)).items():
                self.remembered(account, name, browser)
        self.step += 1

    async def end(self) -> None:
        """Everybody is well again, and time passes: each challenge has its outcome, on the bus (law 5)."""
        self.store.down, self.bus.down, self.bus.deaf = False, False, False
        self.store.away, self.store.unheard = (), ()
        self.duo.health.clear()
        stand = [await self.store.stands(one.id) for one in self.challenged()]
        self.tick(max([self.now, *(one.deadline for one in stand)]) - self.now + 2 * _LEEWAY)
        await self.challengers[0].sweeper.sweep()
        await self.look()
        for one in self.attempts:
            await self.attempt(one)
        await self.look()
        out = [read_result(one.value or b"", one.headers) for one in self.bus.records]
        ends = {(one.identity, one.type) for one in out if one.type.value[:9] == "challenge"}
        assert ends == {
            (one.event.identity, one.outcome.type if one.outcome is not None else None)
            for one in self.challenged()
        }
        decided = {one.identity for one in out if one.type.value[:5] == "login"}
        assert decided == {one.event.identity for one in self.attempts}
        assert await self.store.overdue(self.now + 31 * _DAY, 1000) == []


def a_second_login(one: Attempt, at: datetime) -> LoginAttempted:
    """Return another login under the same identity."""
    identity = one.event.identity
    return a_login(
        tenant=identity.tenant,
        event_id=identity.event_id,
        subject=one.account.subject,
        browser_id="another-browser-000",
        time=at,
    )


def is_conflict(answer: Answer) -> bool:
    """Say whether an event was turned away since another came first."""
    return isinstance(answer, InvalidEventError) and answer.defect is Defect.CONFLICT


def _written(answer: Answer) -> list[OutboundRecord]:
    topic = "mfa-results"
    match answer:
        case Decided(event, decision):
            client = event.event.client.client_id
            traced = decision.traceparent
            return [
                write_result(
                    topic, event.identity, event.subject, client, decision, traceparent=traced
                )
            ]
        case Settled(challenge, outcome):
            client, traced = challenge.client_id, challenge.traceparent
            return [
                write_result(
                    topic,
                    challenge.identity,
                    challenge.subject,
                    client,
                    outcome,
                    traceparent=traced,
                )
            ]
        case _:
            return []


def _place(answer: tuple[int, Answer]) -> int:
    return answer[0]
