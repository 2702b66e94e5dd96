"""Browsers, returns and sweepers at one challenge at the same time, in interleavings that hypothesis draws.

Laws 5, 6 and 8: others have their turn before and after each call to the store and to Duo, as often as
drawn, and still there is one outcome, and nobody is let in by half of a proof.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable, Sequence
from datetime import timedelta
from itertools import cycle
from typing import Final

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from countersign.core.challenge import State
from countersign.core.errors import DuoUnavailableError
from countersign.core.result import Assurance
from countersign.core.tenant import PushBudget
from tests.attempts import ACCOUNTS, LAPTOP, PHONE, Attempt, Prompted
from tests.browsers import DUO_HOST, code_of, state_of
from tests.builders import a_login
from tests.machine import World
from tests.shaky import yielding

ALICE_AT_ACME: Final = ACCOUNTS[0]
LEASE: Final = timedelta(seconds=31)
"""Longer than a lease lasts."""

turns = st.lists(st.integers(0, 7), min_size=5, max_size=40)
tried = settings(max_examples=70, deadline=None, derandomize=True)


class Crowd:
    """A challenge of Alice's laptop, and whatever comes to it at once."""

    def __init__(self, turns: Sequence[int]) -> None:
        self.world = World()
        self.turns = turns
        self.world.change(ALICE_AT_ACME.tenant, push_budget=PushBudget(prompts=100))
        event = a_login(event_id="login-1", browser_id="the-laptop-4f2a9c")
        self.one = Attempt(event, ALICE_AT_ACME, LAPTOP, step_up=False)
        self.world.attempts.append(self.one)
        self.names = 0
        self.away = False
        """Whether Duo was ever out of reach."""

    async def prepare(self) -> None:
        """Have the login challenged."""
        await self.world.attempt(self.one)
        await self.world.look()

    async def let_come(self, who: Iterable[Coroutine[object, object, None]]) -> None:
        """Let all come at once, in the interleaving that was drawn."""
        drawn = cycle(self.turns)
        self.world.store.turns = self.world.duo.turns = drawn
        await asyncio.gather(*who)
        self.world.store.turns = self.world.duo.turns = iter(())
        await self.world.look()

    def note(self, seat: int, found: httpx.Response) -> str | None:
        """Note what a browser was answered; return the code that it was given."""
        assert found.status_code != 500
        address = found.headers.get("location", "")
        if DUO_HOST in address:
            self.one.prompts.append(Prompted(state_of(found), seat, self.world.now))
        elif "mfa_code" in address:
            code = code_of(found)
            if seat not in self.world.approved_by(self.one):
                assert self.away
                self.one.skipped_by = seat
            self.one.codes.setdefault(seat, set()).add(code)
            assert sum(len(codes) for codes in self.one.codes.values()) == 1
            return code
        return None

    async def visit(self, seat: int, process: int, late: int = 0) -> None:
        """Open the link at some moment; come back to the relying party where that's the way."""
        await yielding(late)
        browser = self.world.browser(seat, process)
        found = await browser.http.get(f"/c/{self.one.id}")
        await self.go_on(seat, self.note(seat, found))

    async def from_duo(self, prompt: Prompted, process: int, **parameters: str) -> None:
        """Come back from Duo, and to the relying party."""
        browser = self.world.browser(prompt.seat, process)
        found = await browser.callback(prompt.state, **parameters)
        await self.go_on(prompt.seat, self.note(prompt.seat, found))

    async def go_on(self, seat: int, code: str | None) -> None:
        """Bring a code to the relying party, where the session of the login is this browser's."""
        if code is not None and seat == LAPTOP:
            await self.give_back(code, seat)

    async def give_back(self, code: str, seat: int | None) -> None:
        """Have a return judged."""
        self.names += 1
        await self.world.give_back(self.one, code, seat, f"return-{self.names}")

    async def sweep(self, process: int) -> None:
        """Sweep."""
        await self.world.challengers[process].sweeper.sweep()

    async def drain(self, process: int) -> None:
        """Publish what was posted."""
        await yielding(self.turns[0])
        await self.world.challengers[process].outbox.drain()

    async def pass_time(self, span: timedelta, late: int) -> None:
        """Move the clock at some moment."""
        await yielding(late)
        self.world.tick(span)

    async def duo_is(self, late: int, *, away: bool) -> None:
        """Have Duo go away, or come back, at some moment."""
        await yielding(late)
        self.away |= away
        self.world.duo.health[ALICE_AT_ACME.tenant] = DuoUnavailableError("away") if away else None

    async def end_it(
        self, who: list[str], ends: tuple[str, str], late: int, left: timedelta
    ) -> None:
        """Let all come to a challenge that two browsers are at prompts of."""
        await self.prepare()
        for seat in (LAPTOP, PHONE):
            await self.world.visit(self.one, seat, 0)
        codes = [
            self.world.duo.end(prompt.state, end)
            for prompt, end in zip(self.one.prompts, ends, strict=True)
        ]
        self.one.refused_by_error = "an error" in who
        self.world.tick(timedelta(minutes=5) - left)
        await self.let_come([self.comer(name, codes, late) for name in who])
        await self.world.end()

    def comer(self, name: str, codes: list[str], late: int) -> Coroutine[object, object, None]:
        """Return one of those who come."""
        laptop, phone = self.one.prompts
        match name:
            case "laptop":
                return self.from_duo(laptop, 0, duo_code=codes[0])
            case "laptop at another":
                return self.from_duo(laptop, 1, duo_code=codes[0])
            case "phone":
                return self.from_duo(phone, 1, duo_code=codes[1])
            case "an error":
                return self.from_duo(phone, 0, error="access_denied")
            case "a visit":
                return self.visit(PHONE, 0)
            case "a wrong return":
                return self.give_back("made-up", None)
            case _:
                return self.meanwhile(name, late)

    def meanwhile(self, name: str, late: int) -> Coroutine[object, object, None]:
        """Return something that no browser does."""
        match name:
            case "drain":
                return self.drain(0)
            case "lease":
                return self.pass_time(LEASE, late)
            case "deadline":
                return self.pass_time(timedelta(minutes=5), late)
            case _:
                return self.sweep(int(name[-1]))


COMERS: Final = (
    *("laptop", "laptop", "laptop", "laptop", "laptop at another", "phone", "an error", "a visit"),
    *("sweeper 0", "sweeper 1", "a wrong return", "drain", "lease", "deadline"),
)


@pytest.mark.law(5)
@pytest.mark.law(6)
def test_one_outcome_and_no_pass_by_half_whoever_comes_at_once() -> None:
    """Laws 5, 6: callbacks, visits, returns, sweepers and the clock, in any interleaving."""
    reached = Counter[str]()

    @tried
    @given(
        turns=turns,
        who=st.lists(st.sampled_from(COMERS), min_size=2, max_size=7),
        ends=st.tuples(*[st.sampled_from(("approve", "approve", "fraud", "deny", "busy"))] * 2),
        late=st.integers(0, 60),
        left=st.sampled_from((*[timedelta(minutes=4)] * 4, timedelta(0))),
    )
    def come(
        turns: list[int],
        who: list[str],
        ends: tuple[str, str],
        late: int,
        left: timedelta,
    ) -> None:
        crowd = Crowd(turns)
        with asyncio.Runner() as runner:
            runner.run(crowd.end_it(who, ends, late, left))
        reached.update(crowd.world.reached)

    with capture_logs():
        come()
    ends = {
        *("challenge.passed: mfa", "challenge.denied: wrong_return_code"),
        *("challenge.expired: not_back_in_time", "challenge.denied: duo_denied"),
        "challenge.denied: fraud_reported",
    }
    assert reached.keys() >= ends, ends - reached.keys()


@pytest.mark.law(5)
@pytest.mark.law(8)
def test_nothing_opens_once_a_prompt_is_open_whoever_comes_at_once() -> None:
    """Laws 5, 8: of visits while Duo goes and comes, some are prompted, or one goes on without; not both."""
    reached = Counter[State]()

    @tried
    @given(
        turns=turns,
        seats=st.lists(
            st.tuples(
                st.sampled_from((LAPTOP, LAPTOP, PHONE)), st.integers(0, 1), st.integers(0, 60)
            ),
            min_size=2,
            max_size=4,
        ),
        flips=st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=3),
        away=st.booleans(),
    )
    def come(
        turns: list[int],
        seats: list[tuple[int, int, int]],
        flips: list[tuple[int, bool]],
        *,
        away: bool,
    ) -> None:
        async def crowded() -> None:
            crowd = Crowd(turns)
            world, one = crowd.world, crowd.one
            await crowd.prepare()
            await crowd.duo_is(0, away=away)
            await crowd.let_come(
                [
                    *(crowd.visit(*visitor) for visitor in seats),
                    *(crowd.duo_is(late, away=goes) for late, goes in flips),
                ]
            )
            stands = await world.store.stands(one.id)
            if stands.proof is not None:
                assert crowd.away
                assert stands.proof.assurance is Assurance.FAIL_OPEN
                assert not one.prompts
                assert len(one.codes) <= 1
            reached[stands.state] += 1

        with asyncio.Runner() as runner:
            runner.run(crowded())

    with capture_logs():
        come()
    assert reached.keys() >= {State.PENDING, State.PROVEN, State.FAILED_OPEN}
