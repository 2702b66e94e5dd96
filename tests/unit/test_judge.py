"""One wave, while somebody else is at work on the same store: what stands there is what is answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import msgspec
import pytest

from countersign.adapters.memory.store import MemoryStore
from countersign.core.challenge import come_back, expire
from countersign.core.errors import Defect, InvalidEventError
from countersign.core.identity import bucket_of, murmur2, user_key
from countersign.core.login import Inbound
from countersign.core.remember import ends_at, remembered
from countersign.core.result import Decision, Reason, ResultType
from countersign.core.tenant import Remember
from countersign.decider.judge import Answer, Decided, Judge, Settled
from countersign.decider.waves import Entry
from countersign.ports import Change, Recording
from tests.builders import (
    ACME,
    ALICE,
    CHALLENGER,
    NOW,
    PSEUDONYMS,
    a_challenge,
    a_forget,
    a_login,
    a_proven_challenge,
    a_return,
    a_tenant,
    decided,
)
from tests.no_flows import no_effects

Meanwhile = Callable[[MemoryStore], Awaitable[object]]


class SharedStore(MemoryStore):
    """A store that another worker gets hold of just before our change, once.

    Args:
        meanwhile: what the other worker does.
    """

    def __init__(self, meanwhile: Meanwhile) -> None:
        super().__init__(PSEUDONYMS)
        self._meanwhile: Meanwhile | None = meanwhile

    async def record(self, recordings: Sequence[Recording]) -> list[Decision | None]:
        """Let the other worker go first."""
        if recordings:
            await self._let_go_first()
        return await super().record(recordings)

    async def settle(self, changes: Sequence[Change]) -> list[bool]:
        """Let the other worker go first."""
        if changes:
            await self._let_go_first()
        return await super().settle(changes)

    async def _let_go_first(self) -> None:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            await meanwhile(self)


async def answer(store: MemoryStore, event: Inbound, now: datetime = NOW) -> Answer:
    """Return the answer to a wave of one event."""
    judge = Judge(store, no_effects(), PSEUDONYMS, public_url=CHALLENGER, clock=lambda: now)
    ((_, answered),) = await judge.answer([Entry(0, event, a_tenant())])
    return answered


@pytest.mark.law(2)
async def test_who_records_second_answers_with_what_stands() -> None:
    """Law 2: a decision recorded by another worker in between is the one that is published."""
    login = a_login()
    theirs = decided(login, tenant=a_tenant(version=7), now=NOW - timedelta(seconds=1))

    async def other_worker(store: MemoryStore) -> None:
        await store.record([Recording(event=login, decision=theirs)])

    answered = await answer(SharedStore(other_worker), login)
    assert answered == Decided(login, theirs)


@pytest.mark.law(7)
async def test_a_browser_forgotten_while_its_login_is_judged_is_no_allow() -> None:
    """Law 7: a "forget" between the facts and the recording has the login judged anew, and challenged."""
    passed = a_login(event_id="passed")

    async def forget(store: MemoryStore) -> None:
        await store.forget([a_forget(event_id="forget")])

    store = SharedStore(forget)
    proven = a_proven_challenge(passed)
    known = remembered(proven.id, Remember(), NOW)
    pending = a_challenge(passed)
    opening = Recording(
        event=passed, decision=decided(passed), challenge=pending, budget=a_tenant().push_budget
    )
    await MemoryStore.record(store, [opening])
    end = come_back(proven, PSEUDONYMS.code(proven.id, "the-right-code"), NOW)
    for change in (
        Change(challenge=msgspec.structs.replace(proven, revision=1)),
        Change(
            challenge=msgspec.structs.replace(end, revision=2),
            remember=known,
            remember_until=ends_at(known, Remember()),
        ),
    ):
        assert await MemoryStore.settle(store, [change]) == [True]
    answered = await answer(store, a_login(event_id="next"))
    assert isinstance(answered, Decided)
    assert answered.decision.reason is Reason.MFA_DUE


@pytest.mark.law(5)
async def test_return_that_lost_its_race_is_answered_by_the_outcome_that_stands() -> None:
    """Law 5: where the challenge expired between reading and settling, that outcome is the answer."""
    pending = a_challenge()

    async def sweeper(store: MemoryStore) -> None:
        assert await store.settle([Change(challenge=expire(pending, pending.deadline))]) == [True]

    store = SharedStore(sweeper)
    await MemoryStore.record(
        store,
        [
            Recording(
                event=a_login(),
                decision=decided(),
                challenge=pending,
                budget=a_tenant().push_budget,
            )
        ],
    )
    answered = await answer(store, a_return())
    assert isinstance(answered, Settled)
    assert answered.outcome.type is ResultType.CHALLENGE_EXPIRED
    assert await store.challenges([pending.id]) == [answered.challenge]


@pytest.mark.law(10)
async def test_another_users_return_settles_nothing() -> None:
    """Law 10: a return names its user; another's, even one of the same bucket, finds no challenge."""
    store = MemoryStore(PSEUDONYMS)
    decision = await answer(store, a_login())
    assert isinstance(decision, Decided)
    assert decision.decision.reason is Reason.MFA_DUE
    bucket = bucket_of(murmur2(user_key(ACME, ALICE)))
    neighbour = next(
        subject
        for subject in (f"auth0|{n}" for n in range(10_000))
        if bucket_of(murmur2(user_key(ACME, subject))) == bucket
    )
    answered = await answer(store, a_return(subject=neighbour))
    assert isinstance(answered, InvalidEventError)
    assert answered.defect is Defect.UNKNOWN_CHALLENGE
    (standing,) = await store.challenges([a_challenge().id])
    assert standing is not None
    assert standing.outcome is None


@pytest.mark.parametrize(
    ("transaction", "kept"),
    [
        (None, ()),
        ({}, ()),
        ({"ui_locales": []}, ()),
        ({"ui_locales": ["de-CH", "fr"]}, ("de-CH", "fr")),
        ({"ui_locales": ["<script>", "", "de_CH", "x" * 100_000, "fr"]}, ("fr",)),
        ({"ui_locales": ["de"] * 10_000}, ("de",) * 8),
    ],
    ids=["no transaction", "nothing asked", "empty", "asked", "hostile", "very many"],
)
async def test_a_challenge_keeps_the_languages_that_its_login_asked_for(
    transaction: dict[str, list[str]] | None, kept: tuple[str, ...]
) -> None:
    """The pages are to be in them; what is no language, or is too much, is not kept."""
    store = MemoryStore(PSEUDONYMS)
    answered = await answer(store, a_login(transaction=transaction))
    assert isinstance(answered, Decided)
    assert answered.decision.challenge is not None
    (challenge,) = await store.challenges([answered.decision.challenge.id])
    assert challenge is not None
    assert challenge.ui_locales == kept
