"""The whole browser half in any order, by hypothesis: logins, links, prompts, returns, faults, time.

Laws 2, 5, 6, 7 and 8 are held after every step; what they are held against stands in `tests.machine`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final, TypeVar

import pytest
import stamina
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace
from structlog.testing import capture_logs

from countersign.core.errors import (
    DuoBusyError,
    DuoError,
    DuoRefusedError,
    DuoUnavailableError,
    UnavailableError,
)
from countersign.core.tenant import Failmode, PushBudget, Remember
from countersign.decider.judge import Decided
from tests.attempts import ACCOUNTS, FORGER, LAPTOP, PHONE, THIEF, Account, Attempt, Prompted
from tests.builders import RETURN_URL, a_duo_account, a_login
from tests.machine import World, a_second_login, is_conflict
from tests.telling_duo import ENDS

if TYPE_CHECKING:
    from collections.abc import Coroutine

_T = TypeVar("_T")

DEVICES: Final = ("the-laptop-4f2a9c", "the-phone-77b01d", "the-thiefs-3ac17e")
MOST: Final = 16
"""Logins in one run."""

accounts = st.sampled_from((ACCOUNTS[0], ACCOUNTS[2], *ACCOUNTS))
seats = st.sampled_from((LAPTOP, LAPTOP, PHONE, THIEF))
comers = st.sampled_from((None, None, None, None, LAPTOP, PHONE, THIEF, FORGER))
"""Who comes: None for whoever it is about."""
back = st.sampled_from((0, 0, 0, 1, 2, 3, 5))
"""Which one, counted from the latest."""
_ANY: Final = 3
processes = st.integers(0, 1)
mostly = st.sampled_from((True, True, False))
ends = st.sampled_from(("approve", "approve", "approve", "bypass", "bypass", *ENDS))
lapses = st.sampled_from([timedelta(minutes=1), *(timedelta(days=d) for d in (6, 8, 12))])
good_ends = st.one_of(st.sampled_from(("approve", "bypass")), ends)
illnesses = st.sampled_from(
    (
        *(DuoUnavailableError("away"), DuoUnavailableError("away")),
        *(DuoBusyError("busy"), DuoRefusedError("refused")),
    )
)
healths = st.one_of(st.none(), illnesses)
spans = st.sampled_from(
    [
        *(timedelta(seconds=s) for s in (1, 11, 31)),
        *(timedelta(seconds=s) for s in (1, 11, 20, 31, 120, 299, 300)),
        *(timedelta(minutes=m) for m in (10, 16)),
        *(timedelta(days=d) for d in (1, 6, 8, 23, 31)),
        *(-timedelta(minutes=m) for m in (1, 3, 4)),
    ]
)
rounds = st.tuples(
    st.sampled_from((0, 301, 301)), st.integers(2, 3), st.sampled_from((0, 299, 299))
)
"""Seconds before some logins, how many, and seconds after them."""


def latest(found: Sequence[_T], number: int) -> _T:
    """Return one, counted from the end."""
    return found[-1 - number % len(found)]


class Machine(RuleBasedStateMachine):
    """See `tests.machine.World`."""

    reached: ClassVar[Counter[str]] = Counter()
    """What was reached in all runs together."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.world = World()
        self.names = 0

    def do(self, work: Coroutine[object, object, _T]) -> _T:
        """Do it now."""
        return self.runner.run(work)

    def a_challenge(self, number: int) -> Attempt:
        """Return a challenge, mostly one that is open."""
        found = self.world.challenged()
        unended = [one for one in found if one.outcome is None]
        return latest(unended if unended and number < _ANY else found, number)

    def a_prompt(self, number: int) -> tuple[Attempt, Prompted]:
        """Return a prompt, mostly one of an open challenge."""
        found = self.world.prompted()
        unended = [one for one in found if one[0].outcome is None]
        return latest(unended if unended and number < _ANY else found, number)

    def name(self, kind: str) -> str:
        """Return an id that is new."""
        self.names += 1
        return f"{kind}-{self.names}"

    def teardown(self) -> None:
        """Whatever happened, each challenge ends once."""
        try:
            self.do(self.world.end())
            type(self).reached += self.world.reached
        finally:
            self.runner.close()

    @invariant()
    def the_laws_hold(self) -> None:
        """Each, after each step."""
        self.do(self.world.look())

    # -- the decider; it waits while the store is away -----------------------------------------------

    @precondition(lambda self: len(self.world.attempts) < MOST and not self.world.store.down)
    @rule(account=accounts, seat=seats, step_up=st.sampled_from((False, False, False, True)))
    def log_in(self, account: Account, seat: int, *, step_up: bool) -> None:
        """A user, or a thief in the user's name, logs in."""
        self.logged_in(account, seat, step_up=step_up)

    def logged_in(self, account: Account, seat: int, *, step_up: bool = False) -> Attempt:
        """Return a login that was decided."""
        parts = {"transaction": {"max_age": 0}} if step_up else {}
        event = a_login(
            tenant=account.tenant,
            subject=account.subject,
            event_id=self.name("login"),
            browser_id=DEVICES[seat],
            time=self.world.now,
            **parts,
        )
        one = Attempt(event, account, seat, step_up)
        self.world.attempts.append(one)
        self.do(self.world.attempt(one))
        return one

    @precondition(lambda self: self.world.attempts and not self.world.store.down)
    @rule(number=back, conflict=st.booleans())
    def deliver_again(self, number: int, *, conflict: bool) -> None:
        """A login's event comes again, traced anew; or another comes under its identity."""
        one = latest(self.world.attempts, number)
        if conflict:
            event = a_second_login(one, self.world.now)
            assert is_conflict(self.do(self.world.attempt(one, event)))
        else:
            traced = f"00-{self.names:032x}-00f067aa0ba902b7-01"
            again = replace(one.event, traceparent=traced)
            assert isinstance(self.do(self.world.attempt(one, again)), Decided)

    @precondition(lambda self: self.world.challenged() and not self.world.store.down)
    @rule(
        number=back,
        what=st.sampled_from(("right", "right", "right", "old", "wrong")),
        times=st.integers(1, 2),
    )
    def come_back(self, number: int, what: str, times: int) -> None:
        """A browser returns to the relying party, whose event id is of that browser's own session."""
        one = self.a_challenge(number)
        mine = [
            code
            for other in self.world.challenged()
            for code in other.codes.get(one.seat, ())
            if (other is one) == (what == "right")
        ]
        code = mine[-1] if mine and what != "wrong" else "made-up"
        if code == "made-up" and what == "right" and one.codes:
            return
        for _ in range(times):
            self.do(self.world.give_back(one, code, one.seat, self.name("return")))

    @precondition(lambda self: self.world.challenged() and not self.world.store.down)
    @rule(number=back, other=back)
    def make_up_a_return(self, number: int, other: int) -> None:
        """Somebody brings a code to a login that it isn't of."""
        one = self.a_challenge(number)
        source = latest(self.world.challenged(), other)
        codes = [code for mine in source.codes.values() for code in mine if source is not one]
        if codes:
            self.do(self.world.give_back(one, codes[-1], None, self.name("return")))

    @precondition(lambda self: not self.world.store.down)
    @rule(account=accounts)
    def forget(self, account: Account) -> None:
        """A user's browsers are to be forgotten."""
        self.do(self.world.forget(account, self.name("forget")))

    # -- browsers ----------------------------------------------------------------------------------

    @precondition(lambda self: self.world.challenged())
    @rule(number=back, comer=comers, process=processes)
    def visit(self, number: int, comer: int | None, process: int) -> None:
        """A browser opens a link: the one that it is for, or one that it was relayed to."""
        one = self.a_challenge(number)
        seat = one.seat if comer is None else comer
        self.do(self.world.visit(one, seat, process))

    @precondition(lambda self: self.world.prompted())
    @rule(
        number=back,
        end=ends,
        comer=comers,
        process=processes,
        which=st.sampled_from(("own", "own", "own", "own", "again", "another's", "made-up")),
        times=st.integers(1, 2),
    )
    def come_from_duo(
        self, number: int, end: str, comer: int | None, process: int, which: str, times: int
    ) -> None:
        """A browser comes back from Duo with a code, perhaps twice at once."""
        one, prompt = self.a_prompt(number)
        duo = self.world.duo
        match which:
            case "own":
                code = duo.end(prompt.state, end)
            case "again":
                code = next((c for c, p in duo.issued() if p == prompt.state), "code-0")
            case "another's":
                code = next((c for c, p in duo.issued() if p != prompt.state), "code-0")
            case _:
                code = "code-0"
        seat = prompt.seat if comer is None else comer
        self.came(one, prompt.state, seat, process, times, duo_code=code)

    @precondition(lambda self: self.world.prompted())
    @rule(
        number=back,
        comer=comers,
        process=processes,
        error=st.sampled_from(("access_denied", "server_error")),
    )
    def come_with_an_error(self, number: int, comer: int | None, process: int, error: str) -> None:
        """Duo sends an error in place of a code."""
        one, prompt = self.a_prompt(number)
        seat = prompt.seat if comer is None else comer
        one.refused_by_error |= error == "access_denied" and seat == prompt.seat
        self.came(one, prompt.state, seat, process, 1, error=error)

    @precondition(lambda self: self.world.prompted())
    @rule(number=back, comer=st.sampled_from((PHONE, THIEF, FORGER)), process=processes)
    def bring_anothers_code(self, number: int, comer: int, process: int) -> None:
        """Another browser has got hold of the address that Duo sent a browser back to."""
        one, prompt = self.a_prompt(number)
        code = self.world.duo.end(prompt.state, "approve")
        self.came(one, prompt.state, comer, process, 1, duo_code=code)

    @precondition(lambda self: self.world.prompted())
    @rule(number=back, process=processes)
    def come_with_no_state_of_ours(self, number: int, process: int) -> None:
        """A state that was never given out is nobody's."""
        one, prompt = self.a_prompt(number)
        code = self.world.duo.end(prompt.state, "approve")
        state = prompt.state[:-1] + ("A" if prompt.state[-1] != "A" else "B")
        self.came(one, state, prompt.seat, process, 1, duo_code=code)

    def came(
        self, one: Attempt, state: str, seat: int, process: int, times: int, **parameters: str
    ) -> None:
        """Let a browser come back from Duo, and look at what it is told."""
        browser = self.world.browser(seat, process)
        owner = next((prompt.seat for prompt in one.prompts if prompt.state == state), None)
        before = self.do(self.world.store.stands(one.id))

        async def come() -> None:
            comes = (browser.callback(state, **parameters) for _ in range(times))
            for found in await asyncio.gather(*comes):
                self.world.look_at(one, seat, found)

        self.do(come())
        # Whoever isn't at that prompt moves nothing, whatever code there is to bring.
        assert seat == owner or self.do(self.world.store.stands(one.id)) == before

    # -- stories: what happens in a row mostly, as far as it gets -------------------------------------

    @precondition(lambda self: len(self.world.attempts) < MOST and not self.world.store.down)
    @rule(account=accounts, seat=seats, process=processes, end=good_ends, returns=mostly)
    def go_all_the_way(
        self, account: Account, seat: int, process: int, end: str, *, returns: bool
    ) -> None:
        """A browser logs in, opens its link, and is back from Duo and at the relying party."""
        self.walked(account, seat, seat, process, end, returns=returns)

    @precondition(lambda self: len(self.world.attempts) < MOST and not self.world.store.down)
    @rule(
        account=accounts,
        seat=seats,
        process=processes,
        meanwhile=st.sampled_from(("forget", "fraud", "urls")),
    )
    def meet_something_on_the_way(
        self, account: Account, seat: int, process: int, meanwhile: str
    ) -> None:
        """A login is approved, something else happens, and only then its browser is back."""
        one = self.walked(account, seat, seat, process, "approve", returns=False)
        match meanwhile:
            case "forget":
                self.do(self.world.forget(account, self.name("forget")))
            case "fraud":
                self.walked(account, THIEF, THIEF, process, "fraud", returns=False)
            case _:
                self.change_settings(account, "urls")
        self.do(self.world.look())
        if one in self.world.challenged():
            self.do(self.world.visit(one, seat, process))
        for code in one.codes.get(seat, ()):
            self.do(self.world.give_back(one, code, seat, self.name("return")))

    @precondition(lambda self: len(self.world.attempts) < MOST and not self.world.store.down)
    @rule(account=accounts, process=processes, returns=mostly)
    def relay(self, account: Account, process: int, *, returns: bool) -> None:
        """A thief logs in and has the victim open the link, who approves."""
        self.walked(account, THIEF, LAPTOP, process, "approve", returns=returns)

    @precondition(lambda self: len(self.world.attempts) < MOST and not self.world.store.down)
    @rule(account=accounts, seat=seats, process=processes, health=illnesses, returns=mostly)
    def go_while_duo_is_not_well(
        self,
        account: Account,
        seat: int,
        process: int,
        health: DuoError | None,
        *,
        returns: bool,
    ) -> None:
        """A login while Duo is in some state; afterwards it is well."""
        self.world.duo.health[account.tenant] = health
        self.walked(account, seat, seat, process, "approve", returns=returns)
        self.world.duo.health[account.tenant] = None

    @precondition(lambda self: self.world.prompted())
    @rule(number=back, seat=seats, process=processes, health=healths)
    def open_once_more(self, number: int, seat: int, process: int, health: DuoError | None) -> None:
        """A link whose prompt is open is opened again, while Duo is in some state; then it is well."""
        one, _ = self.a_prompt(number)
        self.world.duo.health[one.account.tenant] = health
        self.do(self.world.visit(one, seat, process))
        self.world.duo.health[one.account.tenant] = None

    @precondition(lambda self: self.world.challenged())
    @rule(number=back, seats=st.lists(seats, min_size=2, max_size=4), process=processes)
    def open_in_many(self, number: int, seats: list[int], process: int) -> None:
        """A link is opened again and again."""
        one = self.a_challenge(number)
        for seat in seats:
            self.do(self.world.visit(one, seat, process))

    @precondition(lambda self: len(self.world.attempts) < MOST and not self.world.store.down)
    @rule(
        account=accounts,
        seat=seats,
        process=processes,
        end=st.sampled_from(("deny", "half an allow", "fraud")),
        times=st.integers(1, 2),
    )
    def refuse(self, account: Account, seat: int, process: int, end: str, times: int) -> None:
        """A user says no, perhaps twice, and somebody tries once more."""
        for _ in range(times):
            self.walked(account, seat, seat, process, end, returns=False)
        self.walked(account, THIEF, THIEF, process, "approve", returns=False)

    @precondition(lambda self: len(self.world.attempts) < MOST and not self.world.store.down)
    @rule(account=accounts, process=processes, rounds=st.lists(rounds, min_size=1, max_size=2))
    def save_up(self, account: Account, process: int, rounds: list[tuple[int, int, int]]) -> None:
        """A thief logs in some times, and opens all the prompts at once, later; and perhaps again."""
        for before, logins, after in rounds:
            self.world.tick(timedelta(seconds=before))
            found = [self.logged_in(account, THIEF) for _ in range(logins)]
            self.world.tick(timedelta(seconds=after))
            for one in found:
                if one in self.world.challenged():
                    self.do(self.world.visit(one, THIEF, process))

    @precondition(lambda self: self.world.passed() and not self.world.store.down)
    @rule(number=back, span=lapses, times=st.integers(1, 2))
    def come_again(self, number: int, span: timedelta, times: int) -> None:
        """A browser that has passed logs in again, some time later, and again."""
        one = latest(self.world.passed(), number)
        for _ in range(times):
            self.world.tick(span)
            self.logged_in(one.account, one.seat)

    def walked(
        self, account: Account, seat: int, opened_by: int, process: int, end: str, *, returns: bool
    ) -> Attempt:
        """Return a login that was taken as far as it gets."""
        one = self.logged_in(account, seat)
        if one not in self.world.challenged():
            return one
        self.do(self.world.visit(one, opened_by, process))
        if one.prompts:
            code = self.world.duo.end(one.prompts[-1].state, end)
            self.came(one, one.prompts[-1].state, opened_by, process, 1, duo_code=code)
        if returns and one.codes and not self.world.store.down:
            # The thief's session has the event, and the victim's browser has the code.
            code = next(iter(one.codes.get(seat, {"made-up"})))
            self.do(self.world.give_back(one, code, seat, self.name("return")))
        return one

    # -- what else happens -------------------------------------------------------------------------

    @rule(tenant=st.sampled_from(ACCOUNTS), health=healths)
    def duo_is(self, tenant: Account, health: DuoError | None) -> None:
        """Duo is well, out of reach, busy or refuses; for one tenant."""
        self.world.duo.health[tenant.tenant] = health

    @rule()
    def sweep(self) -> None:
        """Both challengers sweep at once; what is away stops them."""

        async def both() -> None:
            sweeps = (one.sweeper.sweep() for one in self.world.challengers)
            for found in await asyncio.gather(*sweeps, return_exceptions=True):
                assert isinstance(found, int | UnavailableError), repr(found)

        self.do(both())

    @rule(process=processes, crash=st.booleans())
    def publish(self, process: int, *, crash: bool) -> None:
        """What was posted is published; or the challenger is gone with it, and another comes."""
        if crash:
            self.world.challengers[process] = self.world.fresh()
        else:
            self.do(self.world.challengers[process].outbox.drain())

    @rule(
        how=st.sampled_from(("away", "unheard")),
        calls=st.lists(st.integers(1, 5), min_size=1, max_size=2, unique=True),
    )
    def the_store_will_fail(self, how: str, calls: list[int]) -> None:
        """The n-th call from here fails, or its answer is lost."""
        self.world.store.fail(how, calls)

    @rule(
        store=st.sampled_from((False, False, False, True)),
        bus=st.sampled_from(("", "", "down", "deaf")),
    )
    def come_and_go(self, *, store: bool, bus: str) -> None:
        """The store and the bus go away, or are back."""
        self.world.store.down = store
        self.world.bus.down, self.world.bus.deaf = bus == "down", bus == "deaf"

    @rule(span=spans)
    def tick(self, span: timedelta) -> None:
        """Time passes; machines' clocks differ, so it also goes back."""
        self.world.tick(span)

    @rule(
        whose=st.sampled_from(ACCOUNTS),
        what=st.sampled_from(
            (
                "failmode",
                "failmode",
                "bypass",
                "bypass",
                "budget",
                "budget",
                "remember",
                "urls",
                "duo",
            )
        ),
    )
    def change_settings(self, whose: Account, what: str) -> None:
        """A tenant's settings change, and the change is seen at once."""
        now = self.world.settings(whose.tenant)
        rules = now.challenge
        match what:
            case "failmode":
                other = Failmode.CLOSED if rules.failmode is Failmode.OPEN else Failmode.OPEN
                self.world.change(whose.tenant, challenge=replace(rules, failmode=other))
            case "bypass":
                rules = replace(rules, accept_bypass=not rules.accept_bypass)
                self.world.change(whose.tenant, challenge=rules)
            case "urls":
                urls = (RETURN_URL, "https://shop.example.com/new")
                rules = replace(rules, return_urls=urls[len(rules.return_urls) % 2 :])
                self.world.change(whose.tenant, challenge=rules)
            case "budget":
                small = PushBudget(prompts=2, window=timedelta(minutes=5), refusals=1)
                other_budget = PushBudget(prompts=4) if now.push_budget == small else small
                self.world.change(whose.tenant, push_budget=other_budget)
            case "remember":
                short = Remember(idle=timedelta(hours=20), absolute=timedelta(days=5))
                other_caps = Remember() if now.remember == short else short
                self.world.change(whose.tenant, remember=other_caps)
            case _:
                account = a_duo_account() if now.duo is None else None
                self.world.change(whose.tenant, duo=account)


REACHED: Final = frozenset(
    {
        "challenge.passed: mfa",
        "challenge.passed: duo_bypass",
        "challenge.failed_open: fail_open",
        "challenge.denied: duo_denied",
        "challenge.denied: duo_bypassed",
        "challenge.denied: fraud_reported",
        "challenge.denied: wrong_return_code",
        "challenge.expired: not_back_in_time",
        "challenge.failed: duo_failed",
        "challenge.failed: duo_unavailable",
        "login.allowed: remembered_browser",
        "login.challenged: mfa_due",
        "login.denied: push_budget_spent",
        "login.denied: push_cool_down",
        "a decider goes down",
        "a relayed link is opened",
        "a victim approves",
        "left alone",
        "page 429",
        "page 503",
        "skipped",
        "the decider waits",
    }
)
"""What the runs have to have seen, or they show less than they say."""


@pytest.mark.law(2)
@pytest.mark.law(5)
@pytest.mark.law(6)
@pytest.mark.law(7)
@pytest.mark.law(8)
def test_the_laws_hold_whatever_happens_in_whatever_order() -> None:
    """Laws 2, 5, 6, 7, 8: for every sequence tried; and the sequences reach every end there is."""
    Machine.reached.clear()
    tried = settings(
        max_examples=120,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    with stamina.set_testing(True, attempts=3, cap=True), capture_logs():
        run_state_machine_as_test(Machine, settings=tried)
    assert Machine.reached.keys() >= REACHED, REACHED - Machine.reached.keys()
