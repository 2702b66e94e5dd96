"""What every store owes a user who says no: refusals are noted once, and end in a time without prompts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from countersign.core.budget import MAX_REFUSALS, Refusal, Refused
from countersign.core.challenge import (
    Challenge,
    Proof,
    Signal,
    Visit,
    claim,
    come_back,
    deny,
    expire,
    fail,
    give_up,
    prove,
    visit,
)
from countersign.core.decision import denied_for_cool_down
from countersign.core.remember import ends_at, remembered, renewed
from countersign.core.result import Assurance, Reason
from countersign.core.tenant import PushBudget, Remember
from countersign.ports import Change, Recording, Store, Visited
from tests.builders import (
    ACME,
    ALICE,
    BOB,
    GLOBEX,
    NOW,
    PSEUDONYMS,
    a_challenge,
    a_forget,
    a_login,
    a_visit,
    decided,
)

if TYPE_CHECKING:
    from countersign.core.login import LoginAttempted
    from tests.contract.conftest import MakeStore

BUDGET = PushBudget(prompts=100, refusals=2, cool_down=timedelta(minutes=15))
TERM = timedelta(seconds=15)
CODE = "the-right-code"


async def opened(store: Store, login: LoginAttempted, now: datetime = NOW) -> Challenge:
    """Record a challenge as the decider does, and open its first prompt."""
    pending = a_challenge(login, now=now)
    decision = decided(login, now=now)
    recording = Recording(event=login, decision=decision, challenge=pending, budget=BUDGET)
    assert await store.record([recording]) == [decision]
    first = Visit(id=PSEUDONYMS.state(pending.id, "first"), cookie="cookie", at=now)
    prompted = visit(pending, first, now)
    assert await store.visit(prompted, BUDGET) is Visited.STORED
    return prompted


async def moved(store: Store, *challenges: Challenge) -> None:
    """Store one value after the other."""
    for challenge in challenges:
        assert await store.settle([Change(challenge=challenge)]) == [True]


async def refused(
    store: Store, event_id: str, signal: Signal = Signal.DUO_DENIED, now: datetime = NOW
) -> Challenge:
    """Take a login of Alice's to a refusal by Duo."""
    claimed = claim(await opened(store, a_login(event_id=event_id), now), "holder", now, TERM)
    denied = deny(claimed, "holder", now, signal=signal)
    await moved(store, claimed, denied)
    return denied


async def left(store: Store, event_id: str, now: datetime = NOW) -> Challenge:
    """Take a login of Alice's to its end without an answer."""
    prompted = await opened(store, a_login(event_id=event_id), now)
    expired = expire(prompted, prompted.deadline)
    await moved(store, expired)
    return expired


async def passed(store: Store, login: LoginAttempted) -> None:
    """Take a login all the way, and remember its browser."""
    claimed = claim(await opened(store, login), "holder", NOW, TERM)
    await moved(store, claimed)
    await comes_back(store, claimed)


async def comes_back(store: Store, claimed: Challenge) -> None:
    """Have Duo allow, and the browser come back with the right code; it is remembered where it may be."""
    proof = Proof(Assurance.MFA, PSEUDONYMS.code(claimed.id, CODE), a_visit())
    proven = prove(claimed, "holder", proof, NOW)
    await moved(store, proven)
    browser = remembered(claimed.id, Remember(), NOW)
    end = come_back(proven, proof.code_hash, NOW)
    change = Change(challenge=end, remember=browser, remember_until=ends_at(browser, Remember()))
    assert await store.settle([change]) == [True]


async def refusals(store: Store, **whose: str) -> list[Refusal]:
    """Return what is known of a user's refusals."""
    (standing,) = await store.facts([a_login(event_id="looks-at-the-refusals", **whose)])
    return sorted(standing.facts.refusals, key=lambda one: one.at)


async def test_a_denial_and_a_prompt_left_to_expire_are_noted(make_store: MakeStore) -> None:
    """Each with its instant and kind, for this user of this tenant alone (law 10)."""
    async with make_store() as store:
        denied = await refused(store, "login-1")
        expired = await left(store, "login-2")
        assert await refusals(store) == [
            Refusal(NOW, Refused.DENIED),
            Refusal(expired.deadline, Refused.LEFT),
        ]
        assert await refusals(store, subject=BOB) == []
        assert await refusals(store, tenant=GLOBEX) == []
        assert denied.outcome is not None


async def test_only_a_prompt_that_was_opened_and_not_approved_was_refused(
    make_store: MakeStore,
) -> None:
    """No visit, an approval without a return, an outage, a bypass that doesn't count: nobody said no."""
    async with make_store() as store:
        unseen = a_challenge(a_login(event_id="unseen"))
        recording = Recording(
            event=a_login(event_id="unseen"),
            decision=decided(a_login(event_id="unseen")),
            challenge=unseen,
            budget=BUDGET,
        )
        await store.record([recording])
        await moved(store, expire(unseen, unseen.deadline))
        claimed = claim(await opened(store, a_login(event_id="proven")), "holder", NOW, TERM)
        proof = Proof(Assurance.MFA, PSEUDONYMS.code(claimed.id, CODE), a_visit())
        proven = prove(claimed, "holder", proof, NOW)
        await moved(store, claimed, proven, expire(proven, proven.deadline))
        claimed = claim(await opened(store, a_login(event_id="away")), "holder", NOW, TERM)
        await moved(store, claimed, give_up(claimed, "holder", NOW))
        claimed = claim(await opened(store, a_login(event_id="wrong")), "holder", NOW, TERM)
        proven = prove(claimed, "holder", proof, NOW)
        await moved(store, claimed, proven, come_back(proven, "another's", NOW))
        await refused(store, "bypassed", Signal.DUO_BYPASSED)
        assert await refusals(store) == []


async def test_no_end_that_a_thief_can_choose_hides_a_refusal(make_store: MakeStore) -> None:
    """A wrong return code, and rubbish in place of Duo's code, end a challenge whose prompt was refused."""
    async with make_store() as store:
        prompted = await opened(store, a_login(event_id="wrong"))
        await moved(store, come_back(prompted, PSEUDONYMS.code(prompted.id, "rubbish"), NOW))
        claimed = claim(await opened(store, a_login(event_id="failed")), "holder", NOW, TERM)
        await moved(store, claimed, fail(claimed, "holder", NOW))
        assert await refusals(store) == [Refusal(NOW, Refused.LEFT)] * 2


async def test_a_challenge_is_heard_late_once(make_store: MakeStore) -> None:
    """One of any number gets the hearing; of a challenge that isn't there nobody does."""
    async with make_store() as store:
        prompted = await opened(store, a_login())
        assert [await store.hear(prompted) for _ in range(3)] == [True, False, False]
        assert not await store.hear(a_challenge(a_login(event_id="never")))
        assert await store.challenges([prompted.id]) == [prompted]


@pytest.mark.law(7)
async def test_a_report_of_fraud_counts_though_the_challenge_had_ended(
    make_store: MakeStore,
) -> None:
    """Law 7: it forgets and begins a cool-down, once, however often it is told."""
    async with make_store() as store:
        await passed(store, a_login(event_id="before"))
        ended = come_back(await opened(store, a_login(event_id="ended")), "rubbish", NOW)
        await moved(store, ended)
        for _ in range(2):
            await store.fraud(ended, NOW)
        assert await store.remembered(ACME, ALICE) == {}
        assert await refusals(store) == [Refusal(NOW, Refused.LEFT), Refusal(NOW, Refused.FRAUD)]


@pytest.mark.law(7)
async def test_a_forget_that_comes_again_undoes_no_report_of_fraud(make_store: MakeStore) -> None:
    """Law 7: a mark never goes back to what it was, so no challenge from before remembers."""
    async with make_store() as store:
        forget = a_forget(event_id="forget-1")
        await store.forget([forget])
        claimed = claim(await opened(store, a_login(event_id="open")), "holder", NOW, TERM)
        await moved(store, claimed)
        await refused(store, "reported", Signal.FRAUD_REPORTED)
        await store.forget([forget])
        await comes_back(store, claimed)
        assert await store.remembered(ACME, ALICE) == {}


async def test_a_forget_that_comes_again_after_another_changes_nothing(
    make_store: MakeStore,
) -> None:
    """What was remembered since stays: a redelivery is no second wish."""
    async with make_store() as store:
        first, second = a_forget(event_id="forget-1"), a_forget(event_id="forget-2")
        await store.forget([first])
        await store.forget([second])
        await passed(store, a_login(event_id="since"))
        await store.forget([first])
        await store.forget([second])
        assert len(await store.remembered(ACME, ALICE)) == 1


@pytest.mark.law(7)
async def test_a_browser_forgotten_while_its_login_is_judged_allows_nothing(
    make_store: MakeStore,
) -> None:
    """Law 7: the decision that rests on it isn't recorded; the event is to be judged anew."""
    async with make_store() as store:
        await passed(store, a_login(event_id="before"))
        login = a_login(event_id="in-flight")
        (standing,) = await store.facts([login])
        known = standing.facts.remembered
        assert known is not None
        decision = decided(login, facts=standing.facts)
        assert decision.reason is Reason.REMEMBERED_BROWSER
        await refused(store, "reported", Signal.FRAUD_REPORTED)
        renewal = renewed(known, NOW)
        recording = Recording(
            event=login,
            decision=decision,
            renewed=renewal,
            renewed_until=ends_at(renewal, Remember()),
        )
        assert await store.record([recording]) == [None]
        (standing,) = await store.facts([login])
        assert (standing.decided, standing.facts.remembered) == (None, None)


@pytest.mark.law(5)
async def test_a_refusal_counts_once_whoever_tries_again(make_store: MakeStore) -> None:
    """Law 5: of two who store the same end one is late, and the user has said no once."""
    async with make_store() as store:
        denied = await refused(store, "login-1")
        assert await store.settle([Change(challenge=denied)] * 2) == [False, False]
        assert await refusals(store) == [Refusal(NOW, Refused.DENIED)]


async def test_two_refusals_leave_no_prompt_until_the_cool_down_is_over(
    make_store: MakeStore,
) -> None:
    """The next login is recorded as a denial, an open one gets no further prompt; later both may."""
    async with make_store() as store:
        waiting = await opened(store, a_login(event_id="waiting"))
        unseen = a_login(event_id="unseen")
        paid = Recording(
            event=unseen, decision=decided(unseen), challenge=a_challenge(unseen), budget=BUDGET
        )
        await store.record([paid])
        await refused(store, "login-1")
        await refused(store, "login-2")

        def again(name: str, at: datetime) -> Challenge:
            mine = Visit(id=PSEUDONYMS.state(waiting.id, name), cookie="cookie", at=at)
            return visit(waiting, mine, at)

        assert await store.visit(again("second", NOW), BUDGET) is Visited.COOLING_DOWN
        # Its first prompt was paid for when it was opened; that opens it no more than any other.
        first = Visit(id=PSEUDONYMS.state("unseen", "first"), cookie="cookie", at=NOW)
        prompted = visit(a_challenge(unseen), first, NOW)
        assert await store.visit(prompted, BUDGET) is Visited.COOLING_DOWN
        login = a_login(event_id="login-3")
        recording = Recording(
            event=login, decision=decided(login), challenge=a_challenge(login), budget=BUDGET
        )
        for _ in range(2):
            (stands,) = await store.record([recording])
            assert stands == denied_for_cool_down(decided(login))
            assert stands.reason is Reason.PUSH_COOL_DOWN
        assert await store.challenges([a_challenge(login).id]) == [None]
        later = NOW + BUDGET.cool_down
        await opened(store, a_login(event_id="login-4"), later)


async def test_others_are_not_left_alone(make_store: MakeStore) -> None:
    """A cool-down is one user's."""
    async with make_store() as store:
        await refused(store, "login-1")
        await refused(store, "login-2")
        await opened(store, a_login(event_id="login-3", subject=BOB))


async def test_a_tenant_may_ask_for_more_patience(make_store: MakeStore) -> None:
    """The limits in force when the prompt would be opened are the ones that count."""
    async with make_store() as store:
        await refused(store, "login-1")
        await refused(store, "login-2")
        login = a_login(event_id="login-3")
        patient = PushBudget(prompts=100, refusals=3)
        recording = Recording(
            event=login, decision=decided(login), challenge=a_challenge(login), budget=patient
        )
        assert await store.record([recording]) == [decided(login)]


@pytest.mark.law(7)
async def test_a_report_of_fraud_forgets_all_browsers(make_store: MakeStore) -> None:
    """Law 7: none of the user's is remembered any more, nor will one be by a challenge that is open."""
    async with make_store() as store:
        await passed(store, a_login(event_id="before"))
        await passed(store, a_login(event_id="bobs", subject=BOB))
        claimed = claim(await opened(store, a_login(event_id="open")), "holder", NOW, TERM)
        await moved(store, claimed)
        await refused(store, "login-1", Signal.FRAUD_REPORTED)
        assert await store.remembered(ACME, ALICE) == {}
        assert len(await store.remembered(ACME, BOB)) == 1
        await comes_back(store, claimed)
        assert await store.remembered(ACME, ALICE) == {}
        assert await refusals(store) == [Refusal(NOW, Refused.FRAUD)]


async def test_very_many_refusals_are_not_all_kept(make_store: MakeStore) -> None:
    """The latest are; a record of a user has a bound."""
    async with make_store() as store:
        spaced = timedelta(hours=2)
        for number in range(MAX_REFUSALS + 3):
            await refused(store, f"login-{number}", now=NOW + number * spaced)
        found = await refusals(store)
        assert len(found) <= MAX_REFUSALS
        assert found[-1].at == NOW + (MAX_REFUSALS + 2) * spaced
