"""The sweeper: whatever nobody comes back for ends once, and whatever got lost reaches the bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import msgspec
import pytest

from countersign.challenger.app import Challenger
from countersign.core.challenge import (
    PUBLICATION_GRACE,
    Challenge,
    State,
    claim,
    come_back,
    deny,
)
from countersign.core.duo_answer import DuoAnswer
from countersign.core.errors import BusUnavailableError, StoreUnavailableError
from countersign.core.identity import Stage, result_id
from countersign.core.result import Assurance, Reason, ResultType, Verdict
from countersign.settings import load_settings
from countersign.wire.results import OutboundRecord
from tests.browsers import Walk, at_the_prompt
from tests.builders import CHALLENGER, IDENTIFIER_KEY, a_login
from tests.shaky import ShakyPublisher, ShakyStore
from tests.waiting import eventually

LIFETIME = timedelta(minutes=5)
DENIED = DuoAnswer(allowed=False)


class Sweeping(Walk):
    """A walk whose store and bus may be away."""

    def __init__(self) -> None:
        self.shaky = ShakyStore()
        self.bus = ShakyPublisher()
        settings = load_settings(
            public_url=CHALLENGER, identifier_key=IDENTIFIER_KEY, sweep_interval="PT0.1S"
        )
        super().__init__(store=self.shaky, publisher=self.bus, settings=settings)
        self.published = self.bus

    async def many(self, number: int) -> list[Challenge]:
        """Open challenges of so many users."""
        logins = (a_login(event_id=f"e-{n}", subject=f"auth0|user-{n}") for n in range(number))
        return [await self.open(login) for login in logins]

    def wait_out(self, span: timedelta) -> None:
        """Let a span of time go by."""
        self.now += span

    async def sweep(self) -> int:
        """Sweep once."""
        return await self.challenger.sweeper.sweep()


async def test_an_overdue_challenge_expires_once() -> None:
    """At its deadline a challenge gets the outcome that says so, and a second sweep finds nothing."""
    walk = Sweeping()
    challenge = await walk.open()
    walk.wait_out(LIFETIME)
    assert await walk.sweep() == 1
    (result,) = await walk.results()
    assert result.type is ResultType.CHALLENGE_EXPIRED
    assert result.id == result_id(challenge.identity, Stage.OUTCOME)
    body = result.body
    assert (body.verdict, body.reason, body.assurance) == (
        Verdict.DENY,
        Reason.NOT_BACK_IN_TIME,
        Assurance.NONE,
    )
    assert body.decided_at == challenge.deadline
    assert (await walk.stands(challenge)).state is State.EXPIRED
    for span in (timedelta(0), PUBLICATION_GRACE, timedelta(days=9)):
        walk.wait_out(span)
        assert await walk.sweep() == 0
    assert len(walk.bus.records) == 1


async def test_nothing_expires_before_its_deadline() -> None:
    """A millisecond before the deadline there is nothing to do."""
    walk = Sweeping()
    challenge = await walk.open()
    walk.wait_out(LIFETIME - timedelta(milliseconds=1))
    assert await walk.sweep() == 0
    assert await walk.results() == []
    assert await walk.stands(challenge) == challenge


@pytest.mark.parametrize("moved", ["visited", "exchanging", "proven"])
async def test_wherever_it_stands_it_expires(moved: str) -> None:
    """A browser at the prompt, a crashed exchange and a proof that nobody brought back end alike."""
    walk = Sweeping()
    challenge, browser, state = await at_the_prompt(walk)
    if moved == "exchanging":
        standing = await walk.stands(challenge)
        await walk.shaky.move(claim(standing, "crashed", walk.now, timedelta(hours=1)))
    elif moved == "proven":
        await browser.callback(state, duo_code=walk.duo.approve(state))
    walk.wait_out(LIFETIME)
    assert await walk.sweep() == 1
    (result,) = await walk.results()
    assert result.type is ResultType.CHALLENGE_EXPIRED


@pytest.mark.law(5)
async def test_sweepers_at_once_give_each_challenge_one_outcome() -> None:
    """Law 5: of several sweepers one stores each outcome, and whatever is published twice is the same."""
    walk = Sweeping()
    challenges = await walk.many(250)
    walk.wait_out(LIFETIME)
    others = [walk.another(walk.bus) for _ in range(3)]
    await asyncio.gather(*(one.sweeper.sweep() for one in (walk.challenger, *others)))
    # A bucket gives so many at a time; what is left is found by the next sweep.
    while await walk.sweep():
        pass
    assert {(await walk.stands(one)).state for one in challenges} == {State.EXPIRED}
    by_event = copies(walk.bus.records)
    assert len(by_event) == len(challenges)
    assert all(len(values) == 1 for values in by_event.values())


@pytest.mark.law(5)
async def test_an_outcome_is_counted_by_the_sweeper_that_stored_it() -> None:
    """Law 5: the sweepers' own counts of what expired add up to the challenges that there were."""
    walk = Sweeping()
    await walk.many(30)
    walk.wait_out(LIFETIME)
    sweepers = [walk.challenger, walk.another(walk.bus)]
    await asyncio.gather(*(one.sweeper.sweep() for one in sweepers))
    assert sum(swept(one, "expired") for one in sweepers) == 30


@pytest.mark.law(2)
async def test_a_lost_outcome_is_published_as_it_would_have_been() -> None:
    """Law 2: what a challenger took down with it comes after the grace, byte for byte the same."""
    lost, kept = Sweeping(), Sweeping()
    for walk in (lost, kept):
        _, browser, state = await at_the_prompt(walk)
        await browser.callback(state, duo_code=walk.duo.answer(state, DENIED))
    # One challenger publishes what it posted; the other is gone before it could.
    (result,) = await kept.results()
    lost.challenger = lost.another(lost.bus)
    lost.wait_out(PUBLICATION_GRACE - timedelta(milliseconds=1))
    assert await lost.sweep() == 0
    lost.wait_out(timedelta(milliseconds=1))
    assert await lost.sweep() == 1
    assert result.body.reason is Reason.DUO_DENIED
    assert lost.bus.records == kept.bus.records
    assert swept(lost.challenger, "published_again") == 1
    assert await lost.sweep() == 0


@pytest.mark.law(4)
@pytest.mark.parametrize("fault", ["down", "deaf"])
async def test_a_bus_that_is_away_loses_nothing(fault: str) -> None:
    """Law 4: an expiry that was not acknowledged is published by the next sweep after the grace."""
    walk = Sweeping()
    challenge = await walk.open()
    walk.wait_out(LIFETIME)
    setattr(walk.bus, fault, True)
    with pytest.raises(BusUnavailableError):
        await walk.sweep()
    assert (await walk.stands(challenge)).state is State.EXPIRED
    before = list(walk.bus.records)
    setattr(walk.bus, fault, False)
    walk.wait_out(PUBLICATION_GRACE)
    assert await walk.sweep() == 1
    assert await walk.sweep() == 0
    assert copies([*before, *walk.bus.records]).keys() == {challenge.identity.event_id}
    assert len(set(values_of(walk.bus.records))) == 1


@pytest.mark.law(2)
async def test_a_store_that_fails_after_publishing_makes_a_second_copy() -> None:
    """Law 2: where it could not be noted that an outcome is out, it is published again, the same."""
    walk = Sweeping()
    await walk.open()
    walk.wait_out(LIFETIME)
    # overdue, challenges, published (nothing gone), settle; then what was published is noted.
    walk.shaky.away = {5}
    with pytest.raises(StoreUnavailableError):
        await walk.sweep()
    assert walk.shaky.calls[-1] == "published"
    walk.wait_out(PUBLICATION_GRACE)
    assert await walk.sweep() == 1
    first, second = walk.bus.records
    assert first == second
    assert await walk.sweep() == 0


@pytest.mark.parametrize("lost", ["away", "unheard"])
@pytest.mark.parametrize("call", range(1, 6))
async def test_a_store_that_fails_anywhere_loses_nothing(call: int, lost: str) -> None:
    """Whichever call fails, done or not, the challenges have one outcome each on the bus in the end."""
    walk = Sweeping()
    challenges = await walk.many(3)
    walk.wait_out(LIFETIME)
    setattr(walk.shaky, lost, {call})
    with pytest.raises(StoreUnavailableError):
        await walk.sweep()
    walk.wait_out(PUBLICATION_GRACE)
    await walk.sweep()
    by_event = copies(walk.bus.records)
    assert len(by_event) == len(challenges)
    assert all(len(values) == 1 for values in by_event.values())
    assert await walk.sweep() == 0


@pytest.mark.law(5)
@pytest.mark.parametrize("ending", ["denied", "passed", "claimed"])
async def test_what_moved_in_between_is_not_overwritten(ending: str) -> None:
    """Law 5: a challenge that somebody moves between the sweeper's look and its step stays as it is."""
    walk = Sweeping()
    challenge, browser, state = await at_the_prompt(walk)
    if ending == "passed":
        await browser.callback(state, duo_code=walk.duo.approve(state))
    standing = await walk.stands(challenge)
    # Another machine's clock is a second behind.
    early = walk.now + LIFETIME - timedelta(seconds=1)
    if ending == "passed":
        assert standing.proof is not None
        moved = come_back(standing, standing.proof.code_hash, early)
    elif ending == "denied":
        moved = deny(standing, None, early)
    else:
        moved = claim(standing, "another", early, timedelta(seconds=15))
    walk.wait_out(LIFETIME)
    walk.shaky.before["settle"] = lambda: walk.shaky.move(moved)
    assert await walk.sweep() == 1
    assert await walk.stands(challenge) == moved
    # Whoever moved it publishes it.
    assert await walk.results() == []
    walk.wait_out(PUBLICATION_GRACE)
    await walk.sweep()
    (result,) = await walk.results()
    expected = {
        "denied": ResultType.CHALLENGE_DENIED,
        "passed": ResultType.CHALLENGE_PASSED,
        "claimed": ResultType.CHALLENGE_EXPIRED,
    }
    assert result.type is expected[ending]


async def test_a_deadline_without_a_challenge_is_dropped() -> None:
    """What a restored backup may hold is noted as done, and holds nothing else up."""

    class Haunted(ShakyStore):
        ghosts: frozenset[str] = frozenset({"00" + "g" * 22})

        async def overdue(self, now: datetime, most: int) -> list[str]:
            return [*self.ghosts, *await super().overdue(now, most)]

        async def published(self, ids: Sequence[str]) -> None:
            self.ghosts -= frozenset(ids)
            await super().published(ids)

    walk = Sweeping()
    store = Haunted()
    walk.store, walk.challenger = store, walk.another(walk.bus, store)
    await walk.open()
    walk.wait_out(LIFETIME)
    assert await walk.sweep() == 2
    assert len(walk.bus.records) == 1
    assert await walk.sweep() == 0


async def test_many_are_swept_in_steps_until_none_is_left() -> None:
    """However many are due, a sweep takes them all, some at a time."""
    walk = Sweeping()
    challenges = await walk.many(230)
    walk.wait_out(LIFETIME)
    walk.shaky.calls.clear()
    found = await walk.sweep()
    assert found == 230
    assert walk.shaky.calls.count("challenges") > 1
    assert len(walk.bus.records) == len(challenges)


async def test_running_survives_whatever_is_away() -> None:
    """A sweeper that runs waits while the store or the bus is away, and says so; then it goes on."""
    walk = Sweeping()
    challenge = await walk.open()
    walk.wait_out(LIFETIME)
    walk.shaky.down, walk.bus.down = True, True
    async with running(walk.challenger):
        await eventually(lambda: walk.shaky.calls.count("overdue") >= 2)
        walk.shaky.down = False
        await eventually(lambda: walk.bus.refused >= 1)
        walk.bus.down = False
        walk.wait_out(PUBLICATION_GRACE)
        await eventually(lambda: bool(walk.bus.records))
        assert (await walk.stands(challenge)).state is State.EXPIRED


async def test_one_that_makes_the_sweeper_fail_stops_no_other() -> None:
    """A record that nobody can read keeps neither its neighbours nor later ones from their end."""
    walk = Sweeping()
    bad, good = await walk.open(), await walk.open(a_login(event_id="good"))
    walk.wait_out(LIFETIME)
    read = walk.shaky.challenges

    async def unreadable(ids: Sequence[str]) -> list[Challenge | None]:
        if bad.id in ids:
            message = "Invalid enum value"
            raise msgspec.ValidationError(message)
        return await read(ids)

    walk.shaky.challenges = unreadable  # type: ignore[method-assign]  # the record, as the store would find it
    async with running(walk.challenger):
        await eventually(lambda: bool(walk.bus.records))
        later = await walk.open(a_login(event_id="later"))
        walk.wait_out(LIFETIME)
        await eventually(lambda: len(walk.bus.records) == 2)
    for challenge in (good, later):
        assert (await walk.shaky.stands(challenge.id)).state is State.EXPIRED
    assert (await walk.shaky.stands(bad.id)).state is State.PENDING


async def test_running_goes_on_to_what_becomes_due_later() -> None:
    """A sweeper that found nothing looks again."""
    walk = Sweeping()
    await walk.open()
    async with running(walk.challenger):
        await eventually(lambda: walk.shaky.calls.count("overdue") >= 2)
        assert walk.bus.records == []
        walk.wait_out(LIFETIME)
        await eventually(lambda: len(walk.bus.records) == 1)


async def test_a_sweep_that_is_stopped_loses_nothing() -> None:
    """What a stopping sweeper had in hand is published by the process's last drain."""
    walk = Sweeping()
    await walk.open()
    walk.wait_out(LIFETIME)
    sending = asyncio.Event()

    class Stuck(ShakyPublisher):
        async def publish(self, records: Sequence[OutboundRecord]) -> None:
            if not sending.is_set():
                sending.set()
                await asyncio.Event().wait()
            await super().publish(records)

    bus = Stuck()
    challenger = walk.another(bus)
    async with running(challenger):
        await sending.wait()
    await challenger.outbox.drain()
    assert len(bus.records) == 1


def swept(challenger: Challenger, what: str) -> float:
    """Return what a challenger counted."""
    value = challenger.metrics.registry.get_sample_value("countersign_swept_total", {"what": what})
    return value or 0


def values_of(records: Sequence[OutboundRecord]) -> list[bytes]:
    """Return a record as one text each: key, value and headers."""
    return [repr(record).encode() for record in records]


def copies(records: Sequence[OutboundRecord]) -> dict[str, set[bytes]]:
    """Return the distinct records of each event."""
    found: dict[str, set[bytes]] = {}
    for record, text in zip(records, values_of(records), strict=True):
        event = dict(record.headers)["ce_causationid"].decode()
        found.setdefault(event, set()).add(text)
    return found


@asynccontextmanager
async def running(challenger: Challenger) -> AsyncIterator[None]:
    """Run a challenger's sweeper."""
    task = asyncio.create_task(challenger.sweeper.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
