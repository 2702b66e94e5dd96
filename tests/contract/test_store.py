"""What every store owes: the memory twin, a Redis server and a Redis Cluster pass the same suite."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from countersign.core import remember
from countersign.core.challenge import Challenge, Proof, claim, come_back, prove
from countersign.core.decision import denied_for_budget
from countersign.core.result import Assurance, Decision, Reason
from countersign.core.tenant import PushBudget
from countersign.ports import Change, Recording, Store
from tests.builders import (
    ALICE,
    BOB,
    GLOBEX,
    LAPTOP,
    NOW,
    PHONE,
    PSEUDONYMS,
    a_challenge,
    a_forget,
    a_login,
    a_tenant,
    a_visit,
    decided,
)
from tests.signals import a_signal

if TYPE_CHECKING:
    from countersign.core.login import LoginAttempted
    from tests.contract.conftest import MakeStore

BUDGET = PushBudget(prompts=2, window=timedelta(minutes=10))


def challenged(login: LoginAttempted, *, budget: PushBudget = BUDGET) -> Recording:
    """Return the recording of a challenge for a login."""
    return Recording(
        event=login, decision=decided(login), challenge=a_challenge(login), budget=budget
    )


async def passed(store: Store, login: LoginAttempted, *, minutes: int = 0) -> bool:
    """Open a challenge for the login and pass it; say whether its last step was stored."""
    await store.record([challenged(login)])
    return await settle_passed(store, a_challenge(login), minutes=minutes)


async def settle_passed(store: Store, challenge: Challenge, *, minutes: int = 0) -> bool:
    """Take a pending challenge through Duo and back; say whether its last step was stored."""
    code_hash = PSEUDONYMS.code(challenge.id, "code")
    proof = Proof(assurance=Assurance.MFA, code_hash=code_hash, visit=a_visit())
    claimed = claim(challenge, "holder", NOW, timedelta(seconds=15))
    proven = prove(claimed, "holder", proof, NOW)
    back = come_back(proven, proof.code_hash, NOW + timedelta(minutes=1))
    limits = a_tenant().remember
    at = NOW + timedelta(minutes=minutes)
    browser = remember.remembered(challenge.id, limits, at)
    last = Change(
        challenge=back, remember=browser, remember_until=remember.ends_at(browser, limits)
    )
    for change in (Change(challenge=claimed), Change(challenge=proven), last):
        if not all(await store.settle([change])):
            return False
    return True


async def remembered(store: Store, login: LoginAttempted) -> remember.RememberedBrowser | None:
    """Return what the store's facts say of the login's browser."""
    (standing,) = await store.facts([login])
    return standing.facts.remembered


async def test_new_event_has_no_history(make_store: MakeStore) -> None:
    """An event that the store has never seen: no conflict, no decision, no browser, no prompts."""
    async with make_store() as store:
        (standing,) = await store.facts([a_login()])
        assert (standing.conflict, standing.decided) == (False, None)
        assert (standing.facts.remembered, standing.facts.prompts) == (None, ())


@pytest.mark.law(2)
async def test_first_decision_stands(make_store: MakeStore) -> None:
    """Law 2: who records second gets the decision that was recorded first, and changes nothing."""
    async with make_store() as store:
        login = a_login()
        first = decided(login, tenant=a_tenant(version=1))
        second = decided(login, tenant=a_tenant(version=2), now=NOW + timedelta(minutes=1))
        assert await store.record([Recording(event=login, decision=first)]) == [first]
        assert await store.record([Recording(event=login, decision=second)]) == [first]
        (standing,) = await store.facts([login])
        assert standing.decided == first


@pytest.mark.law(2)
async def test_redelivery_opens_no_second_challenge(make_store: MakeStore) -> None:
    """Law 2: recording a challenge again leaves the first one as it stands, and charges nothing."""
    async with make_store() as store:
        login = a_login()
        await store.record([challenged(login)])
        pending = a_challenge(login)
        claimed = claim(pending, "holder", NOW, timedelta(seconds=15))
        assert await store.settle([Change(challenge=claimed)]) == [True]
        await store.record([challenged(login)])
        assert await store.challenges([pending.id]) == [claimed]
        (standing,) = await store.facts([login])
        assert standing.facts.prompts == (NOW,)


async def test_same_identity_other_payload_is_a_conflict(make_store: MakeStore) -> None:
    """An identity belongs to the payload that came first, whatever the other's subject."""
    async with make_store() as store:
        first, again = a_login(), a_login()
        other_payload = a_login(return_url="https://shop.example.com/other")
        other_subject = a_login(subject=BOB)
        standings = await store.facts([first])
        standings += await store.facts([again, other_payload, other_subject])
        assert [s.conflict for s in standings] == [False, False, True, True]


async def test_same_id_from_another_source_or_tenant_is_another_event(
    make_store: MakeStore,
) -> None:
    """An id is unique within a source of a tenant, not beyond."""
    async with make_store() as store:
        events = [a_login(), a_login(source="https://blog.example.com"), a_login(tenant=GLOBEX)]
        standings = await store.facts(events)
        assert not any(s.conflict for s in standings)


async def test_spent_budget_records_the_denial(make_store: MakeStore) -> None:
    """A challenge that the budget has no room for is recorded as its denial, and opens nothing."""
    async with make_store() as store:
        logins = [a_login(event_id=f"login-{n}") for n in range(3)]
        stands: list[Decision | None] = []
        for login in logins:
            stands += await store.record([challenged(login)])
        assert [one.reason for one in stands if one is not None] == [
            Reason.MFA_DUE,
            Reason.MFA_DUE,
            Reason.PUSH_BUDGET_SPENT,
        ]
        assert stands[2] == denied_for_budget(decided(logins[2]))
        assert await store.challenges([a_challenge(logins[2]).id]) == [None]
        assert await store.record([challenged(logins[2])]) == [stands[2]]


async def test_budget_window_slides(make_store: MakeStore) -> None:
    """Prompts older than the window make room again."""
    async with make_store() as store:
        for n in range(2):
            await store.record([challenged(a_login(event_id=f"login-{n}"))])
        late = a_login(event_id="late")
        at = NOW + BUDGET.window
        recording = msgspec.structs.replace(
            challenged(late), decision=decided(late, now=at), challenge=a_challenge(late, now=at)
        )
        (stands,) = await store.record([recording])
        assert stands is not None
        assert stands.reason is Reason.MFA_DUE


@pytest.mark.law(5)
async def test_only_one_of_two_changes_is_stored(make_store: MakeStore) -> None:
    """Law 5: of two changes that follow the same value, the first is stored and the second is not."""
    async with make_store() as store:
        login = a_login()
        await store.record([challenged(login)])
        pending = a_challenge(login)
        mine = claim(pending, "mine", NOW, timedelta(seconds=15))
        theirs = claim(pending, "theirs", NOW, timedelta(seconds=15))
        assert await store.settle([Change(challenge=mine), Change(challenge=theirs)]) == [
            True,
            False,
        ]
        assert await store.challenges([pending.id]) == [mine]


async def test_change_of_unknown_challenge_is_not_stored(make_store: MakeStore) -> None:
    """A challenge that was never recorded can't be changed into being."""
    async with make_store() as store:
        claimed = claim(a_challenge(), "holder", NOW, timedelta(seconds=15))
        assert await store.settle([Change(challenge=claimed)]) == [False]
        assert await store.challenges([claimed.id]) == [None]


@pytest.mark.law(7)
async def test_passed_challenge_remembers_the_browser(make_store: MakeStore) -> None:
    """Law 7: with `passed` the browser is remembered, for this user and browser alone (law 10)."""
    async with make_store() as store:
        login = a_login()
        assert await passed(store, login)
        browser = await remembered(store, a_login(event_id="next"))
        assert browser is not None
        assert browser.challenge == a_challenge(login).id
        for other in (
            a_login(event_id="other-user", subject=BOB),
            a_login(event_id="other-tenant", tenant=GLOBEX),
            a_login(event_id="other-browser", browser_id="another-browser-1"),
            a_login(event_id="no-browser", browser_id=None),
        ):
            assert await remembered(store, other) is None


@pytest.mark.law(7)
async def test_late_change_remembers_nothing(make_store: MakeStore) -> None:
    """Law 7: a change that came too late doesn't remember its browser either."""
    async with make_store() as store:
        login = a_login()
        await store.record([challenged(login)])
        pending = a_challenge(login)
        taken = claim(pending, "other", NOW, timedelta(seconds=15))
        assert await store.settle([Change(challenge=taken)]) == [True]
        limits = a_tenant().remember
        browser = remember.remembered(pending.id, limits, NOW)
        late = Change(
            challenge=claim(pending, "holder", NOW, timedelta(seconds=15)),
            remember=browser,
            remember_until=remember.ends_at(browser, limits),
        )
        assert await store.settle([late]) == [False]
        assert await remembered(store, a_login(event_id="next")) is None


@pytest.mark.law(7)
async def test_forget_beats_a_challenge_opened_before_it(make_store: MakeStore) -> None:
    """Law 7: a challenge older than the user's last "forget" passes, but remembers nothing."""
    async with make_store() as store:
        login = a_login()
        await store.record([challenged(login)])
        await store.forget([a_forget()])
        assert await settle_passed(store, a_challenge(login))
        assert await remembered(store, a_login(event_id="next")) is None


async def test_forget_forgets_all_browsers_of_that_user_alone(make_store: MakeStore) -> None:
    """A "forget" ends every browser of its user, and nobody else's."""
    async with make_store() as store:
        await passed(store, a_login(event_id="a1"))
        await passed(store, a_login(event_id="a2", browser_id="alices-phone-77b01d"))
        await passed(store, a_login(event_id="b1", subject=BOB))
        await store.forget([a_forget()])
        assert await store.remembered("acme", ALICE) == {}
        assert len(await store.remembered("acme", BOB)) == 1


async def test_forget_again_changes_nothing(make_store: MakeStore) -> None:
    """A redelivered "forget" doesn't end a browser that was remembered after it."""
    async with make_store() as store:
        await store.forget([a_forget()])
        await passed(store, a_login())
        await store.forget([a_forget()])
        assert await remembered(store, a_login(event_id="next")) is not None
        await store.forget([a_forget(event_id="forget-2")])
        assert await remembered(store, a_login(event_id="next")) is None


@pytest.mark.law(7)
async def test_a_security_signal_forgets_like_a_forget(make_store: MakeStore) -> None:
    """Law 7: all browsers of its user; no challenge or renewal in flight brings one back; once a signal."""
    async with make_store() as store:
        await passed(store, a_login(event_id="first"))
        login, renewing = a_login(event_id="open", browser_id=PHONE), a_login(event_id="renewing")
        await store.record([challenged(login)])
        browser = await remembered(store, renewing)
        assert browser is not None
        await store.forget([a_signal()])
        assert await settle_passed(store, a_challenge(login))
        until = remember.ends_at(browser, a_tenant().remember)
        renewal = Recording(
            event=renewing, decision=decided(renewing), renewed=browser, renewed_until=until
        )
        await store.record([renewal])
        assert await store.remembered("acme", ALICE) == {}
        roomy = PushBudget(prompts=9, window=timedelta(minutes=10))
        again = a_login(event_id="again")
        await store.record([challenged(again, budget=roomy)])
        assert await settle_passed(store, a_challenge(again))
        await store.forget([a_signal()])
        assert len(await store.remembered("acme", ALICE)) == 1


async def test_one_browser_can_be_forgotten_alone(make_store: MakeStore) -> None:
    """A "forget" that names a browser ends that one; it is known by its keyed hash, and to its user alone."""
    async with make_store() as store:
        await passed(store, a_login(event_id="a1"))
        await passed(store, a_login(event_id="a2", browser_id=PHONE))
        await passed(store, a_login(event_id="b1", subject=BOB))
        laptop, phone = (PSEUDONYMS.browser("acme", ALICE, name) for name in (LAPTOP, PHONE))
        await store.forget([a_forget(subject=BOB, browser=laptop)])
        assert set(await store.remembered("acme", ALICE)) == {laptop, phone}
        assert len(await store.remembered("acme", BOB)) == 1
        await store.forget([a_forget(browser=laptop)])
        assert set(await store.remembered("acme", ALICE)) == {phone}
        assert await remembered(store, a_login(event_id="next")) is None
        assert await remembered(store, a_login(event_id="then", browser_id=PHONE)) is not None


async def test_forgetting_one_browser_again_changes_nothing(make_store: MakeStore) -> None:
    """Redelivered it doesn't end the browser that has passed anew; nor does it end what was never there."""
    async with make_store() as store:
        laptop = PSEUDONYMS.browser("acme", ALICE, LAPTOP)
        await store.forget([a_forget(browser=laptop)])
        assert await store.remembered("acme", ALICE) == {}
        await passed(store, a_login())
        await store.forget([a_forget(browser=laptop)])
        assert set(await store.remembered("acme", ALICE)) == {laptop}
        await store.forget([a_forget(event_id="forget-2", browser=laptop)])
        assert await store.remembered("acme", ALICE) == {}


@pytest.mark.law(7)
async def test_forgetting_one_browser_beats_a_challenge_opened_before_it(
    make_store: MakeStore,
) -> None:
    """Law 7: a challenge in flight can't bring back the browser that was forgotten, nor any other."""
    async with make_store() as store:
        await passed(store, a_login(event_id="earlier", browser_id=PHONE))
        login = a_login()
        await store.record([challenged(login)])
        await store.forget([a_forget(browser=PSEUDONYMS.browser("acme", ALICE, LAPTOP))])
        assert await settle_passed(store, a_challenge(login))
        assert await remembered(store, a_login(event_id="next")) is None
        assert await remembered(store, a_login(event_id="then", browser_id=PHONE)) is not None


@pytest.mark.law(7)
async def test_renewal_brings_no_single_browser_back(make_store: MakeStore) -> None:
    """Law 7: a browser that was forgotten alone between facts and record is not renewed into being."""
    async with make_store() as store:
        await passed(store, a_login(event_id="first"))
        await passed(store, a_login(event_id="other", browser_id=PHONE))
        login = a_login(event_id="next")
        browser = await remembered(store, login)
        assert browser is not None
        laptop, phone = (PSEUDONYMS.browser("acme", ALICE, name) for name in (LAPTOP, PHONE))
        await store.forget([a_forget(browser=laptop)])
        until = remember.ends_at(browser, a_tenant().remember)
        await store.record(
            [Recording(event=login, decision=decided(login), renewed=browser, renewed_until=until)]
        )
        assert set(await store.remembered("acme", ALICE)) == {phone}


async def test_renewal_moves_the_idle_end(make_store: MakeStore) -> None:
    """A remembered browser that stood in for a challenge is renewed with the decision."""
    async with make_store() as store:
        await passed(store, a_login())
        login = a_login(event_id="next")
        browser = await remembered(store, login)
        assert browser is not None
        later = NOW + timedelta(days=3)
        renewed = remember.renewed(browser, later)
        until = remember.ends_at(renewed, a_tenant().remember)
        decision = decided(login)
        await store.record(
            [Recording(event=login, decision=decision, renewed=renewed, renewed_until=until)]
        )
        assert await remembered(store, a_login(event_id="then")) == renewed


async def test_renewal_brings_nothing_back(make_store: MakeStore) -> None:
    """A browser that was forgotten between facts and record is not renewed into being."""
    async with make_store() as store:
        await passed(store, a_login())
        login = a_login(event_id="next")
        browser = await remembered(store, login)
        assert browser is not None
        await store.forget([a_forget()])
        until = remember.ends_at(browser, a_tenant().remember)
        await store.record(
            [Recording(event=login, decision=decided(login), renewed=browser, renewed_until=until)]
        )
        assert await remembered(store, a_login(event_id="then")) is None


async def test_at_most_twenty_browsers(make_store: MakeStore) -> None:
    """Of more than 20 browsers of a user, the one that ends first goes."""
    async with make_store() as store:
        roomy = PushBudget(prompts=100, window=timedelta(minutes=10))
        for n in range(remember.MAX_BROWSERS + 1):
            login = a_login(event_id=f"login-{n}", browser_id=f"browser-number-{n:03}")
            await store.record([challenged(login, budget=roomy)])
            assert await settle_passed(store, a_challenge(login), minutes=n)
        kept = await store.remembered("acme", ALICE)
        assert len(kept) == remember.MAX_BROWSERS
        names = {
            PSEUDONYMS.browser("acme", ALICE, f"browser-number-{n:03}")
            for n in range(1, remember.MAX_BROWSERS + 1)
        }
        assert set(kept) == names


async def test_many_users_in_one_call(make_store: MakeStore) -> None:
    """A wave of many users' events is answered in its order, whatever buckets they fall into."""
    async with make_store() as store:
        logins = [a_login(event_id=f"login-{n}", subject=f"auth0|user-{n}") for n in range(300)]
        decisions = [
            decided(login, tenant=a_tenant(version=n + 1)) for n, login in enumerate(logins)
        ]
        recordings = [
            challenged(login) if n % 3 == 0 else Recording(event=login, decision=decisions[n])
            for n, login in enumerate(logins)
        ]
        stands = await store.record(recordings)
        assert stands == [recording.decision for recording in recordings]
        known = await store.facts(logins)
        assert [standing.decided for standing in known] == stands
        pending = [a_challenge(login) for login in logins[::3]]
        assert await store.challenges([c.id for c in pending]) == pending
        await store.published([c.id for c in pending])
        await store.forget(
            [a_forget(event_id=f"f{n}", subject=f"auth0|user-{n}") for n in range(9)]
        )


async def test_empty_calls_answer_emptily(make_store: MakeStore) -> None:
    """Nothing asked is nothing answered."""
    async with make_store() as store:
        assert await store.facts([]) == []
        assert await store.record([]) == []
        assert await store.challenges([]) == []
        assert await store.settle([]) == []
        await store.published([])
        await store.forget([])
        assert await store.remembered("acme", LAPTOP) == {}
