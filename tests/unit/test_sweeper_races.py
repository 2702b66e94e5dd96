"""Browsers, callbacks, returns, sweepers, crashes and time in any order, by hypothesis.

Law 5: a challenge never has a second outcome. And each has its outcome on the bus, in one form, by its
deadline, the grace after it, and one sweep.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from countersign.adapters.memory.duo import APPROVED
from countersign.challenger.app import Challenger
from countersign.core.challenge import PUBLICATION_GRACE, TERMINAL, Challenge, come_back
from countersign.core.duo_answer import DuoAnswer
from countersign.core.errors import (
    DuoBusyError,
    DuoError,
    DuoRefusedError,
    DuoUnavailableError,
    UnavailableError,
)
from countersign.core.result import Outcome
from countersign.core.tenant import ChallengeRules, Failmode
from countersign.wire.results import OutboundRecord
from tests.browsers import DUO_HOST, Browser, Walk, state_of
from tests.builders import RETURN_URL, a_login, a_tenant
from tests.shaky import ShakyPublisher, ShakyStore

LIFETIME = timedelta(minutes=5)
MOST = 3

which = st.integers(0, MOST - 1)
answers = st.sampled_from(
    [
        APPROVED,
        DuoAnswer(allowed=False),
        DuoBusyError("busy"),
        DuoRefusedError("refused"),
        DuoUnavailableError("away"),
    ]
)


class Races(RuleBasedStateMachine):
    """Three users' challenges, two challengers, a store and a bus that come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.store, self.bus = ShakyStore(), ShakyPublisher()
        rules = ChallengeRules(return_urls=(RETURN_URL,), failmode=Failmode.OPEN)
        self.walk = Walk(a_tenant(challenge=rules), store=self.store, publisher=self.bus)
        self.challengers = [self.walk.challenger, self.walk.another(self.bus)]
        self.opened: list[Challenge] = []
        self.prompts: list[tuple[Browser, str]] = []
        self.outcomes: dict[str, Outcome] = {}

    def teardown(self) -> None:
        """Whatever happened: the deadline, the grace and one sweep later all is out, once."""
        try:
            self.store.down, self.bus.down = False, False
            ends = [one.deadline for one in self.opened]
            self.walk.now = max([self.walk.now, *ends]) + PUBLICATION_GRACE
            self.runner.run(self.challengers[0].sweeper.sweep())
            out = by_event(self.bus.records)
            assert out.keys() == {one.identity.event_id for one in self.opened}
            assert all(len(texts) == 1 for texts in out.values())
            self.ended_once()
        finally:
            self.runner.close()

    @invariant()
    def ended_once(self) -> None:
        """An outcome that stands never changes, and is published in one form alone."""
        for one in self.opened:
            standing = self.runner.run(self.store.stands(one.id))
            assert (standing.outcome is not None) == (standing.state in TERMINAL)
            if standing.outcome is not None:
                first = self.outcomes.setdefault(one.id, standing.outcome)
                assert standing.outcome == first
        assert all(len(texts) == 1 for texts in by_event(self.bus.records).values())

    @precondition(lambda self: len(self.opened) < MOST)
    @rule()
    def open(self) -> None:
        """A login is challenged."""
        number = len(self.opened)
        login = a_login(event_id=f"e-{number}", subject=f"auth0|user-{number}")
        self.opened.append(self.runner.run(self.walk.open(login)))

    @precondition(lambda self: self.opened)
    @rule(number=which, process=st.integers(0, 1), duo_away=st.booleans())
    def visit(self, number: int, process: int, *, duo_away: bool) -> None:
        """A new browser comes with a link."""
        browser = self.walk.browser(self.challengers[process])
        self.walk.duo.health["acme"] = DuoUnavailableError("away") if duo_away else None
        found = self.runner.run(browser.visit(self.opened[number % len(self.opened)]))
        if DUO_HOST in found.headers.get("location", ""):
            self.prompts.append((browser, state_of(found)))

    @precondition(lambda self: self.prompts)
    @rule(number=st.integers(0, 9), answer=answers, times=st.integers(1, 2))
    def callback(self, number: int, answer: DuoAnswer | DuoError, times: int) -> None:
        """A browser comes back from Duo, perhaps twice at once."""
        browser, state = self.prompts[number % len(self.prompts)]
        code = self.walk.duo.answer(state, answer)

        async def come() -> None:
            comes = (browser.callback(state, duo_code=code) for _ in range(times))
            for response in await asyncio.gather(*comes):
                assert response.status_code != 500

        self.runner.run(come())

    @precondition(lambda self: self.prompts)
    @rule(number=st.integers(0, 9), error=st.sampled_from(["access_denied", "server_error"]))
    def refuse(self, number: int, error: str) -> None:
        """Duo sends an error in place of a code."""
        browser, state = self.prompts[number % len(self.prompts)]
        self.runner.run(browser.callback(state, error=error))

    @precondition(lambda self: self.opened)
    @rule(number=which, right=st.booleans())
    def bring_back(self, number: int, *, right: bool) -> None:
        """The decider settles a return, and goes down before it has published."""
        standing = self.runner.run(self.store.stands(self.opened[number % len(self.opened)].id))
        if standing.state not in TERMINAL:
            code = standing.proof.code_hash if standing.proof is not None and right else "wrong"
            self.runner.run(self.store.move(come_back(standing, code, self.walk.now)))

    @rule()
    def sweep(self) -> None:
        """Both challengers sweep at once; what is away stops them."""

        async def both() -> None:
            sweeps = (one.sweeper.sweep() for one in self.challengers)
            for found in await asyncio.gather(*sweeps, return_exceptions=True):
                assert isinstance(found, int | UnavailableError), repr(found)

        self.runner.run(both())

    @rule(process=st.integers(0, 1), crash=st.booleans())
    def publish(self, process: int, *, crash: bool) -> None:
        """What was posted is published; or the challenger is gone with it, and another comes."""
        if crash:
            self.challengers[process] = self.fresh()
        else:
            self.runner.run(self.challengers[process].outbox.drain())

    def fresh(self) -> Challenger:
        """Return a challenger with nothing in hand."""
        return self.walk.another(self.bus)

    @rule(store=st.booleans(), bus=st.booleans())
    def come_and_go(self, *, store: bool, bus: bool) -> None:
        """The store and the bus go away, or are back."""
        self.store.down, self.bus.down = store, bus

    @rule(seconds=st.sampled_from((1, 9, 10, 16, 100, 299)))
    def tick(self, seconds: int) -> None:
        """Time passes."""
        self.walk.pass_time(seconds=seconds)


def by_event(records: list[OutboundRecord]) -> dict[str, set[str]]:
    """Return the distinct records of each event, whole."""
    found: dict[str, set[str]] = {}
    for record in records:
        event = dict(record.headers)["ce_causationid"].decode()
        found.setdefault(event, set()).add(repr(record))
    return found


TestRaces = pytest.mark.law(5)(Races.TestCase)
TestRaces.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
