"""What every store owes the challenger: visits and their charges, what is due, and how it stops being due."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from countersign.core.challenge import (
    PUBLICATION_GRACE,
    Challenge,
    Visit,
    claim,
    deny,
    due_at,
    expire,
    visit,
)
from countersign.core.identity import challenge_bucket
from countersign.core.result import Reason
from countersign.core.tenant import PushBudget
from countersign.ports import Change, Recording, Store, Visited
from tests.builders import ALICE, NOW, PSEUDONYMS, a_challenge, a_login, a_visit, decided

if TYPE_CHECKING:
    from countersign.core.login import LoginAttempted
    from tests.contract.conftest import MakeStore

WINDOW = timedelta(minutes=10)
BUDGET = PushBudget(prompts=2, window=WINDOW)
HOUR = timedelta(hours=1)


async def opened(
    store: Store, login: LoginAttempted | None = None, *, lifetime: timedelta = HOUR
) -> Challenge:
    """Do the decider's part: record a challenge, its first prompt charged."""
    login = a_login() if login is None else login
    challenge = a_challenge(login, lifetime=lifetime)
    await store.record(
        [Recording(event=login, decision=decided(login), challenge=challenge, budget=BUDGET)]
    )
    return challenge


def visited(challenge: Challenge, name: str, at: datetime = NOW) -> Challenge:
    """Return the challenge with one more visit."""
    # Named as a visit really is, so that names have a real one's length and letters.
    mine = Visit(id=PSEUDONYMS.state(challenge.id, name), cookie=f"cookie of {name}", at=at)
    return visit(challenge, mine, at)


async def charged(store: Store) -> list[datetime]:
    """Return when Alice was charged for prompts, the earliest first."""
    (standing,) = await store.facts([a_login(event_id="looks-at-the-budget")])
    return sorted(standing.facts.prompts)


async def stands(store: Store, challenge: Challenge) -> Challenge | None:
    """Return the challenge as it stands."""
    (found,) = await store.challenges([challenge.id])
    return found


async def test_first_prompt_was_charged_by_the_decision(make_store: MakeStore) -> None:
    """The first visit is stored and costs nothing more: the decision's charge moves to it."""
    async with make_store() as store:
        pending = await opened(store)
        first = visited(pending, "first", NOW + timedelta(seconds=9))
        assert await store.visit(first, BUDGET) is Visited.STORED
        assert await stands(store, pending) == first
        assert await charged(store) == [NOW + timedelta(seconds=9)]


async def test_a_charge_never_moves_back(make_store: MakeStore) -> None:
    """A challenger whose clock is behind the decider's leaves the charge where it was."""
    async with make_store() as store:
        first = visited(await opened(store), "first", NOW - timedelta(seconds=9))
        assert await store.visit(first, BUDGET) is Visited.STORED
        assert await charged(store) == [NOW]


async def test_prompts_that_were_saved_up_leave_no_room_for_others(make_store: MakeStore) -> None:
    """Links opened long after their logins, and new logins at once, stay within the budget together."""
    async with make_store() as store:
        saved = [await opened(store, a_login(event_id=f"login-{n}")) for n in range(2)]
        late = NOW + WINDOW - timedelta(seconds=1)
        for one in saved:
            assert await store.visit(visited(one, "first", late), BUDGET) is Visited.STORED
        assert await charged(store) == [late, late]
        login, soon = a_login(event_id="login-3"), NOW + WINDOW + timedelta(seconds=1)
        recording = Recording(
            event=login,
            decision=decided(login, now=soon),
            challenge=a_challenge(login, now=soon),
            budget=BUDGET,
        )
        (stands,) = await store.record([recording])
        assert stands is not None
        assert stands.reason is Reason.PUSH_BUDGET_SPENT


async def test_a_first_prompt_whose_charge_is_too_old_needs_room_anew(
    make_store: MakeStore,
) -> None:
    """What was paid a window ago opens nothing by itself, where others have spent the budget since."""
    async with make_store() as store:
        saved = await opened(store)
        late = NOW + WINDOW
        for number in (2, 3):
            login = a_login(event_id=f"login-{number}")
            recording = Recording(
                event=login,
                decision=decided(login, now=late),
                challenge=a_challenge(login, now=late),
                budget=BUDGET,
            )
            assert await store.record([recording]) == [decided(login, now=late)]
        assert await store.visit(visited(saved, "first", late), BUDGET) is Visited.SPENT


async def test_further_prompts_are_charged_until_the_budget_is_spent(make_store: MakeStore) -> None:
    """Each further visit is charged at its own instant; one that finds no room is spent."""
    async with make_store() as store:
        first = visited(await opened(store), "first")
        second = visited(first, "second", NOW + timedelta(minutes=1))
        third = visited(second, "third", NOW + timedelta(minutes=2))
        answers = [await store.visit(one, BUDGET) for one in (first, second, third)]
        assert answers == [Visited.STORED, Visited.STORED, Visited.SPENT]
        assert await charged(store) == [NOW, NOW + timedelta(minutes=1)]


async def test_a_spent_visit_changes_nothing(make_store: MakeStore) -> None:
    """A visit that the budget has no room for leaves the challenge, and may follow a later one."""
    async with make_store() as store:
        first = visited(await opened(store), "first")
        second = visited(first, "second")
        for one in (first, second):
            await store.visit(one, BUDGET)
        assert await store.visit(visited(second, "third"), BUDGET) is Visited.SPENT
        assert await stands(store, first) == second
        claimed = claim(second, "holder", NOW, timedelta(seconds=15))
        assert await store.settle([Change(challenge=claimed)]) == [True]


async def test_a_prompt_is_paid_for_anew_once_the_window_has_passed(make_store: MakeStore) -> None:
    """What was charged a window ago counts no more, so a spent budget has room again."""
    async with make_store() as store:
        first = visited(await opened(store), "first")
        second = visited(first, "second", NOW + timedelta(minutes=1))
        for one in (first, second):
            assert await store.visit(one, BUDGET) is Visited.STORED
        just_before = NOW + WINDOW - timedelta(milliseconds=1)
        assert await store.visit(visited(second, "third", just_before), BUDGET) is Visited.SPENT
        third = visited(second, "third", NOW + WINDOW)
        assert await store.visit(third, BUDGET) is Visited.STORED
        assert await charged(store) == [NOW + timedelta(minutes=1), NOW + WINDOW]


async def test_other_challenges_of_the_user_share_the_budget(make_store: MakeStore) -> None:
    """The budget is the user's: two logins' first prompts leave none for a second one of either."""
    async with make_store() as store:
        mine = await opened(store)
        await opened(store, a_login(event_id="login-2"))
        first = visited(mine, "first")
        assert await store.visit(first, BUDGET) is Visited.STORED
        assert await store.visit(visited(first, "second"), BUDGET) is Visited.SPENT
        other = await opened(store, a_login(subject="auth0|bob", event_id="login-3"))
        assert await store.visit(visited(other, "first"), BUDGET) is Visited.STORED


@pytest.mark.law(5)
async def test_a_late_visit_changes_and_charges_nothing(make_store: MakeStore) -> None:
    """Law 5: a visit that starts from a value that no longer stands is late, even with room left."""
    async with make_store() as store:
        pending = await opened(store)
        first = visited(pending, "first")
        assert await store.visit(first, BUDGET) is Visited.STORED
        assert await store.visit(visited(pending, "late"), BUDGET) is Visited.LATE
        # Nor does one come in from ahead of what stands.
        ahead = visited(visited(first, "never-stored"), "ahead")
        assert await store.visit(ahead, BUDGET) is Visited.LATE
        assert await stands(store, pending) == first
        assert await charged(store) == [NOW]


@pytest.mark.law(5)
async def test_a_visit_never_follows_an_outcome(make_store: MakeStore) -> None:
    """Law 5: a visit that read the challenge before it ended comes too late."""
    async with make_store() as store:
        pending = await opened(store)
        denied = deny(pending, None, NOW)
        assert await store.settle([Change(challenge=denied)]) == [True]
        assert await store.visit(visited(pending, "first"), BUDGET) is Visited.LATE
        assert await stands(store, pending) == denied


@pytest.mark.law(5)
async def test_of_many_visits_at_once_one_is_stored(make_store: MakeStore) -> None:
    """Law 5: browsers that come at the same instant all but one read again; one prompt is charged."""
    async with make_store() as store:
        first = visited(await opened(store), "first")
        await store.visit(first, BUDGET)
        rivals = [visited(first, f"rival-{n}") for n in range(10)]
        answers = await asyncio.gather(*(store.visit(one, BUDGET) for one in rivals))
        assert sorted(answers) == [Visited.LATE] * 9 + [Visited.STORED]
        assert await stands(store, first) == rivals[answers.index(Visited.STORED)]
        assert len(await charged(store)) == 2


async def test_a_visit_of_an_unknown_challenge_is_late(make_store: MakeStore) -> None:
    """Nothing is opened, and nobody charged, for a challenge that the store doesn't have."""
    async with make_store() as store:
        unknown = a_challenge()
        assert await store.visit(visited(unknown, "first"), BUDGET) is Visited.LATE
        assert await stands(store, unknown) is None
        assert await charged(store) == []


async def test_a_challenge_is_due_at_its_deadline(make_store: MakeStore) -> None:
    """Nothing is due a millisecond before the deadline; at the deadline the challenge is."""
    async with make_store() as store:
        assert await store.overdue(NOW, 10) == []
        pending = await opened(store, lifetime=timedelta(minutes=5))
        assert await store.overdue(pending.deadline - timedelta(milliseconds=1), 10) == []
        assert await store.overdue(pending.deadline, 10) == [pending.id]


async def test_visits_and_claims_leave_the_deadline(make_store: MakeStore) -> None:
    """However often a browser comes, the challenge is due when it was to begin with."""
    async with make_store() as store:
        pending = await opened(store, lifetime=timedelta(minutes=5))
        first = visited(pending, "first", NOW + timedelta(minutes=4))
        await store.visit(first, BUDGET)
        claimed = claim(first, "holder", NOW + timedelta(minutes=4), timedelta(hours=1))
        assert await store.settle([Change(challenge=claimed)]) == [True]
        assert await store.overdue(pending.deadline - timedelta(milliseconds=1), 10) == []
        assert await store.overdue(pending.deadline, 10) == [pending.id]


async def test_the_earliest_of_a_bucket_are_due_first(make_store: MakeStore) -> None:
    """Of one bucket at most so many are named: those that have waited longest."""
    async with make_store() as store:
        roomy = PushBudget(prompts=100, window=WINDOW)
        pending = []
        for n in (3, 1, 4, 0, 2):
            login = a_login(event_id=f"login-{n}")
            one = a_challenge(login, lifetime=timedelta(minutes=n + 1))
            recording = Recording(event=login, decision=decided(login), challenge=one, budget=roomy)
            await store.record([recording])
            pending.append(one)
        pending.sort(key=lambda one: one.deadline)
        assert len({challenge_bucket(one.id) for one in pending}) == 1
        assert await store.overdue(NOW + HOUR, 2) == [one.id for one in pending[:2]]
        assert await store.overdue(NOW + timedelta(minutes=3), 10) == [
            one.id for one in pending[:3]
        ]


@pytest.mark.parametrize("ending", ["denied", "expired"])
async def test_an_outcome_is_due_again_after_the_grace(make_store: MakeStore, ending: str) -> None:
    """A settled outcome has its time to reach the bus, and is due only then, until it is published."""
    async with make_store() as store:
        pending = await opened(store, lifetime=timedelta(minutes=5))
        ended = deny(pending, None, NOW) if ending == "denied" else expire(pending, NOW + HOUR)
        assert await store.settle([Change(challenge=ended)]) == [True]
        assert ended.outcome is not None
        due = ended.outcome.decided_at + PUBLICATION_GRACE
        assert due == due_at(ended)
        assert await store.overdue(due - timedelta(milliseconds=1), 10) == []
        assert await store.overdue(due, 10) == [pending.id]
        await store.published([pending.id])
        assert await store.overdue(NOW + timedelta(days=400), 10) == []


async def test_what_is_published_stays_published(make_store: MakeStore) -> None:
    """Publishing twice, or a change that comes too late, makes nothing due again."""
    async with make_store() as store:
        pending = await opened(store)
        denied = deny(pending, None, NOW)
        await store.settle([Change(challenge=denied)])
        await store.published([pending.id])
        await store.published([pending.id])
        assert await store.settle([Change(challenge=expire(pending, NOW + HOUR))]) == [False]
        assert await store.overdue(NOW + timedelta(days=400), 10) == []
        assert await stands(store, pending) == denied


async def test_an_outcome_that_was_published_before_its_change_is_not_due(
    make_store: MakeStore,
) -> None:
    """A change of a challenge that is no longer due doesn't bring its deadline back."""
    async with make_store() as store:
        pending = await opened(store)
        await store.published([pending.id])
        await store.settle([Change(challenge=deny(pending, None, NOW))])
        assert await store.overdue(NOW + timedelta(days=400), 10) == []


async def test_settling_an_unknown_challenge_makes_nothing_due(make_store: MakeStore) -> None:
    """A change of a challenge that the store doesn't have is refused, and leaves no deadline behind."""
    async with make_store() as store:
        unknown = a_challenge()
        assert await store.settle([Change(challenge=deny(unknown, None, NOW))]) == [False]
        assert await store.overdue(NOW + timedelta(days=400), 10) == []
        assert await stands(store, unknown) is None
        await store.published([unknown.id])


async def test_many_users_in_many_buckets(make_store: MakeStore) -> None:
    """Forty users' challenges are due at the same instant, whatever buckets they fall into."""
    async with make_store() as store:
        logins = [a_login(event_id=f"login-{n}", subject=f"auth0|user-{n}") for n in range(40)]
        pending = [await opened(store, login) for login in logins]
        assert len({challenge_bucket(one.id) for one in pending}) > 20
        moved = [visited(one, "first") for one in pending]
        answers = await asyncio.gather(*(store.visit(one, BUDGET) for one in moved))
        assert set(answers) == {Visited.STORED}
        assert set(await store.overdue(NOW + HOUR, 20)) == {one.id for one in pending}
        expired = [Change(challenge=expire(one, NOW + HOUR)) for one in moved]
        assert all(await store.settle(expired[:30]))
        assert set(await store.overdue(NOW + HOUR, 20)) == {one.id for one in pending[30:]}
        await store.published([one.challenge.id for one in expired[:30]])
        later = NOW + HOUR + PUBLICATION_GRACE
        assert set(await store.overdue(later, 20)) == {one.id for one in pending[30:]}


async def test_a_visit_keeps_everything_of_its_challenge(make_store: MakeStore) -> None:
    """What comes back is what was stored: visits in order, hashes, and instants to the millisecond."""
    async with make_store() as store:
        login = a_login(subject=ALICE, traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
        first = visit(await opened(store, login), a_visit(at=NOW), NOW)
        second = visited(first, "ü/\u2028", NOW + timedelta(milliseconds=1))
        for one in (first, second):
            assert await store.visit(one, BUDGET) is Visited.STORED
        assert await stands(store, second) == second
