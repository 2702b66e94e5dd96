"""The store or the bus away at each step, clocks apart, faults of our own: never an allow, nothing lost."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import httpx
import pytest
import stamina
import structlog

from countersign.adapters.memory.duo import APPROVED
from countersign.core.challenge import PUBLICATION_GRACE, Challenge, State
from countersign.core.duo_answer import DuoAnswer
from countersign.core.errors import DuoUnavailableError
from countersign.core.result import Assurance, ResultType
from countersign.core.tenant import ChallengeRules, Failmode
from tests.browsers import Browser, Walk, at_the_prompt, code_of, state_of, title_of
from tests.builders import RETURN_URL, a_tenant
from tests.shaky import ShakyPublisher, ShakyStore

LEASE = timedelta(seconds=30)
"""Longer than a lease lasts."""
VISIT = ("challenges", "visit")
CALLBACK = ("challenges", "settle", "settle")
"""The store's calls in a callback: read, claim, record."""


class Shaken(Walk):
    """A walk whose store is away when a test says so."""

    def __init__(self, failmode: Failmode = Failmode.CLOSED) -> None:
        self.shaky = ShakyStore()
        rules = ChallengeRules(return_urls=(RETURN_URL,), failmode=failmode)
        super().__init__(a_tenant(challenge=rules), store=self.shaky)

    def fail(self, how: str, calls: Collection[int]) -> None:
        """Fail at some calls from here on, counted from 1."""
        so_far = len(self.shaky.calls)
        self.shaky.away, self.shaky.unheard = (), ()
        setattr(self.shaky, how, {so_far + call for call in calls})


async def prompted(failmode: Failmode = Failmode.CLOSED) -> tuple[Shaken, Challenge, Browser, str]:
    """Return a challenge whose browser is at its prompt, and the prompt's state."""
    walk = Shaken(failmode)
    return walk, *await at_the_prompt(walk)


def is_not_now(response: httpx.Response) -> None:
    """The page says to come again, and when."""
    assert (response.status_code, title_of(response)) == (503, "Not possible at the moment")
    assert int(response.headers["retry-after"]) > 0
    assert "set-cookie" not in response.headers


@pytest.mark.law(8)
@pytest.mark.parametrize("how", ["away", "unheard"])
@pytest.mark.parametrize("call", range(1, len(VISIT) + 1))
async def test_a_visit_waits_for_the_store(how: str, call: int) -> None:
    """Law 8: whichever call fails, no prompt's address is given away; coming again works."""
    walk = Shaken()
    challenge, browser = await walk.open(), walk.browser()
    walk.fail(how, {call})
    is_not_now(await browser.visit(challenge))
    assert tuple(walk.shaky.calls) == VISIT[:call]
    state = state_of(await browser.visit(challenge))
    back = await browser.callback(state, duo_code=walk.duo.approve(state))
    assert back.status_code == 303
    assert await walk.results() == []


@pytest.mark.law(8)
@pytest.mark.parametrize("call", [1, 2])
async def test_a_callback_waits_for_the_store(call: int) -> None:
    """Law 8: before the code is exchanged a browser that comes again finds everything as it was."""
    walk, challenge, browser, state = await prompted()
    code = walk.duo.approve(state)
    walk.fail("away", {call})
    is_not_now(await browser.callback(state, duo_code=code))
    assert (await walk.stands(challenge)).state is State.PENDING
    assert code in walk.duo.answers
    assert (await browser.callback(state, duo_code=code)).status_code == 303


async def test_a_claim_that_nobody_heard_of_runs_out() -> None:
    """A lease whose storing was not confirmed exchanges nothing, and is free again after its term."""
    walk, challenge, browser, state = await prompted()
    code = walk.duo.approve(state)
    walk.fail("unheard", {2})
    is_not_now(await browser.callback(state, duo_code=code))
    waiting = await browser.callback(state, duo_code=code)
    assert (waiting.status_code, title_of(waiting)) == (202, "One moment")
    assert code in walk.duo.answers
    walk.now += LEASE
    assert (await browser.callback(state, duo_code=code)).status_code == 303
    assert (await walk.stands(challenge)).state is State.PROVEN


@pytest.mark.law(1)
@pytest.mark.parametrize("how", ["away", "unheard"])
async def test_duos_answer_is_held_on_to(how: str) -> None:
    """A code can't be exchanged twice, so its answer waits for the store, and is recorded once."""
    walk, challenge, browser, state = await prompted()
    code = walk.duo.approve(state)
    walk.fail(how, {3, 4} if how == "away" else {3})
    with stamina.set_testing(True, attempts=5, cap=True):
        back = await browser.callback(state, duo_code=code)
    assert back.status_code == 303
    proven = await walk.stands(challenge)
    assert proven.state is State.PROVEN
    assert proven.revision == 3
    assert proven.proof is not None
    assert proven.proof.code_hash == walk.pseudonyms.code(challenge.id, code_of(back))


@pytest.mark.parametrize("how", ["away", "unheard"])
async def test_a_denial_is_held_on_to_as_well(how: str) -> None:
    """A denial that the store had to be asked for more than once is published, once and for all."""
    walk, challenge, browser, state = await prompted()
    code = walk.duo.answer(state, DuoAnswer(allowed=False))
    walk.fail(how, {3})
    with stamina.set_testing(True, attempts=5, cap=True):
        page = await browser.callback(state, duo_code=code)
    assert (page.status_code, title_of(page)) == (403, "The sign-in was denied")
    assert (await walk.stands(challenge)).state is State.DENIED
    walk.now += PUBLICATION_GRACE
    await walk.challenger.sweeper.sweep()
    # Twice perhaps, where it was posted as well; then it is the same (law 2).
    first, *others = await walk.results()
    assert first.type is ResultType.CHALLENGE_DENIED
    assert all(other == first for other in others)


@pytest.mark.law(6)
@pytest.mark.parametrize("answer", [APPROVED, DuoAnswer(allowed=False)])
async def test_a_store_that_never_comes_back_passes_nobody(answer: DuoAnswer) -> None:
    """Law 6: an answer that could not be recorded counts for nothing; the challenge ends by its deadline."""
    walk, challenge, browser, state = await prompted(Failmode.OPEN)
    code = walk.duo.answer(state, answer)
    walk.fail("away", range(3, 100))
    with stamina.set_testing(True, attempts=5, cap=True):
        is_not_now(await browser.callback(state, duo_code=code))
    standing = await walk.shaky.stands(challenge.id)
    assert (standing.state, standing.proof, standing.outcome) == (State.EXCHANGING, None, None)
    walk.fail("away", ())
    walk.now = challenge.deadline
    await walk.challenger.sweeper.sweep()
    (result,) = await walk.results()
    assert result.type is ResultType.CHALLENGE_EXPIRED


@pytest.mark.law(6)
async def test_a_code_that_was_used_in_vain_is_not_good_again() -> None:
    """Law 6: once the store is back, the spent code fails; nobody is let in on a guess."""
    walk, challenge, browser, state = await prompted()
    code = walk.duo.approve(state)
    walk.fail("away", range(3, 100))
    with stamina.set_testing(True, attempts=5, cap=True):
        is_not_now(await browser.callback(state, duo_code=code))
    walk.fail("away", ())
    walk.now += LEASE
    assert (await browser.callback(state, duo_code=code)).status_code == 502
    assert (await walk.stands(challenge)).state is State.FAILED


@pytest.mark.law(8)
@pytest.mark.parametrize("how", ["away", "unheard"])
async def test_a_fail_open_is_recorded_before_anybody_hears_of_it(how: str) -> None:
    """Law 8: the record comes first, tried until it is there; then the browser has code and cookie."""
    walk = Shaken(Failmode.OPEN)
    walk.duo.health["acme"] = DuoUnavailableError("away")
    challenge, browser = await walk.open(), walk.browser()
    walk.fail(how, {2})
    back = await browser.visit(challenge)
    assert back.status_code == 303
    again = await browser.visit(challenge)
    assert again.headers["location"] == back.headers["location"]
    standing = await walk.stands(challenge)
    assert standing.proof is not None
    assert standing.proof.assurance is Assurance.FAIL_OPEN
    assert standing.proof.code_hash == walk.pseudonyms.code(challenge.id, code_of(back))
    assert await walk.results() == []


@pytest.mark.law(8)
async def test_a_fail_open_that_is_never_recorded_lets_nobody_in() -> None:
    """Law 8: without a record there is no code."""
    walk = Shaken(Failmode.OPEN)
    walk.duo.health["acme"] = DuoUnavailableError("away")
    challenge, browser = await walk.open(), walk.browser()
    walk.fail("away", range(2, 100))
    with stamina.set_testing(True, attempts=5, cap=True):
        is_not_now(await browser.visit(challenge))
    walk.fail("away", ())
    assert (await walk.stands(challenge)).proof is None


@pytest.mark.law(8)
async def test_a_bus_that_is_away_keeps_no_browser_waiting() -> None:
    """Law 8: the page is there at once, the outcome stands, and a later sweep brings it to the bus."""
    bus = ShakyPublisher()
    bus.down = True
    walk = Walk(publisher=bus)
    challenge, browser, state = await at_the_prompt(walk)
    page = await browser.callback(state, error="access_denied")
    assert (page.status_code, title_of(page)) == (403, "The sign-in was denied")
    await walk.challenger.outbox.drain()
    assert bus.records == []
    standing = await walk.stands(challenge)
    assert standing.outcome is not None
    bus.down = False
    walk.now += PUBLICATION_GRACE
    assert await walk.challenger.sweeper.sweep() == 1
    assert len(bus.records) == 1


async def test_clocks_may_be_a_minute_apart() -> None:
    """A browser may visit at one challenger and come back at another, whose clock is another."""
    for apart in (timedelta(minutes=-1), timedelta(minutes=1)):
        walk, challenge, browser, state = await prompted()
        other = beside(walk, apart)
        there = other.browser()
        there.http.cookies = browser.http.cookies
        back = await there.callback(state, duo_code=walk.duo.approve(state))
        assert back.status_code == 303
        assert (await walk.stands(challenge)).state is State.PROVEN


@pytest.mark.law(6)
async def test_a_fast_clock_ends_early_and_a_slow_one_changes_no_outcome() -> None:
    """Law 6: a clock that is ahead only ever denies sooner; what ended stays so whatever a clock says."""
    walk, challenge, browser, state = await prompted()
    code = walk.duo.approve(state)
    fast = beside(walk, timedelta(minutes=1))
    walk.now = challenge.deadline - timedelta(seconds=30)
    fast.now = walk.now + timedelta(minutes=1)
    early = fast.browser()
    early.http.cookies = browser.http.cookies
    for page in (await early.visit(challenge), await early.callback(state, duo_code=code)):
        assert (page.status_code, title_of(page)) == (410, "Time is up")
    assert (await walk.stands(challenge)).state is State.PENDING
    await fast.challenger.sweeper.sweep()
    page = await browser.callback(state, duo_code=code)
    assert (page.status_code, title_of(page)) == (410, "Time is up")
    assert code in walk.duo.answers
    assert (await walk.stands(challenge)).state is State.EXPIRED


@pytest.mark.law(9)
@pytest.mark.parametrize("where", ["check", "prompt_url", "exchange"])
async def test_a_fault_of_our_own_is_a_page_without_details(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law 9: what nobody expected is a page; its log has the kind and the place, not the words."""
    walk, challenge, browser, state = await prompted(Failmode.OPEN)
    code = walk.duo.approve(state)

    async def broken(*_: object, **__: object) -> None:
        message = "canary-words"
        raise RuntimeError(message)

    monkeypatch.setattr(walk.duo, where, broken)
    with structlog.testing.capture_logs() as logs:
        if where == "exchange":
            page = await browser.callback(state, duo_code=code)
        else:
            page = await browser.visit(challenge)
    assert (page.status_code, title_of(page)) == (500, "Something went wrong here")
    assert "canary" not in page.text
    (log,) = [one for one in logs if one["event"] == "unexpected"]
    assert log["error"] == "RuntimeError"
    assert any("broken" in place for place in log["where"])
    assert "canary" not in repr(logs)
    standing = await walk.stands(challenge)
    assert (standing.proof, standing.outcome) == (None, None)
    # It passes, and so may the browser: the code was not used.
    monkeypatch.undo()
    walk.now += LEASE
    assert (await browser.callback(state, duo_code=code)).status_code == 303


def beside(walk: Walk, apart: timedelta) -> Walk:
    """Return a walk with the same store and Duo, whose clock is another."""
    other = Walk(store=walk.store, now=walk.now + apart)
    other.duo, other.directory = walk.duo, walk.directory
    other.challenger = other.another()
    return other
