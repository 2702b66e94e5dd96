"""Attacks on the running system: a row of the table each, then everything that was seen meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.attacks.canaries import forms
from tests.attacks.checker import violations
from tests.attacks.evidence import (
    DEAD_LETTERS,
    LOGIN_EVENTS,
    RESULTS,
    Evidence,
    Record,
    gathered,
)
from tests.attacks.rows import ROWS
from tests.attacks.scene import Scene
from tests.attacks.surface import SAFE
from tests.attacks.table import Row
from tests.attacks.world import World, open_world

if TYPE_CHECKING:
    from countersign.local import Stack

KINDS = {
    *("identifier key", "settings key", "client secret", "password", "netrc", "access token"),
    *("state", "random part of a state", "nonce", "signed request", "cookie"),
    *("code of Duo", "return code", "browser id"),
}
"""What the search has to know of, or it proves nothing."""
AT_LEAST = (
    *("binding-20", "callback-21", "callback-60", "failmode-02"),
    *("bus-10", "bus-23", "policy-01", "privacy-10"),
)
"""Rows that leave something of everything behind, where only a part of the table was played."""

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # The rogue Duo signs as Duo does, with a secret of 40 characters.
    pytest.mark.filterwarnings("ignore:The HMAC key is 40:jwt.warnings.InsecureKeyLengthWarning"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """The running system, started once for all rows."""
    async with open_world(stack, tmp_path_factory.mktemp("attacks"), ROWS) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def evidence(world: World) -> Evidence:
    """What the attacks left behind; of some attacks, where none or few were chosen."""
    for row in ROWS:
        if row.tenant in AT_LEAST and row.tenant not in world.played:
            await play(world, row)
    return await gathered(world)


async def play(world: World, row: Row) -> None:
    """Play a row, and hold what came of it against what it expects."""
    world.played.add(row.tenant)
    scene = Scene(world, row)
    try:
        await row.attack(scene)
        assert await scene.found(row.expected) == row.expected
    finally:
        await scene.close()


@pytest.mark.law(5)
@pytest.mark.law(6)
@pytest.mark.law(7)
@pytest.mark.law(8)
@pytest.mark.law(10)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_attack(world: World, row: Row) -> None:
    """Laws 5 to 8, 10: what is sent moves what it may, and page, bus, log and Redis are as the row says."""
    await play(world, row)


@pytest.mark.law(9)
async def test_no_secret_was_seen_anywhere(world: World, evidence: Evidence) -> None:
    """Law 9: no secret of any row is in a log, topic, metric, page or key, in any form."""
    assert world.canaries.kinds() == KINDS
    assert world.canaries.search(evidence.documents) == []


@pytest.mark.law(9)
@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_a_secret_would_have_been_seen(world: World, evidence: Evidence, kind: str) -> None:
    """The search finds each kind of secret where it is planted: in each place, in each form."""
    secret = world.canaries.any_of(kind)
    places = {one.place: one for one in evidence.documents}
    assert len(places) == 8
    for place, document in places.items():
        if world.canaries.is_at_home(kind, place):
            continue
        for name, form in forms(secret):
            planted = document._replace(data=document.data + b" " + form + b" ")
            assert world.canaries.search([planted]), (place, name)


async def test_every_line_of_a_log_is_json(world: World, evidence: Evidence) -> None:
    """A line of a service's log is one JSON object with an event, a level and a time, whatever came."""
    assert evidence.documents
    for lines in world.logs.lines().values():
        assert lines
        for line in lines:
            assert {"event", "level", "timestamp", "logger"} <= line.keys()


async def test_every_answer_had_safe_headers(world: World, evidence: Evidence) -> None:
    """Whatever a browser was answered in any row, it was told not to keep, frame, guess or pass on."""
    assert evidence.documents
    assert world.album
    for seen in world.album:
        for name, value in SAFE.items():
            assert value in seen.headers.get(name, ""), (seen.status, seen.page, name)


@pytest.mark.law(1)
@pytest.mark.law(2)
@pytest.mark.law(5)
@pytest.mark.law(6)
@pytest.mark.law(7)
async def test_what_must_always_hold_has_held(world: World, evidence: Evidence) -> None:
    """Laws 1, 2, 5 to 7: one decision an event, one outcome a challenge, nobody let in who wasn't proven."""
    assert evidence.topics[RESULTS]
    assert violations(evidence, world.bus.pseudonyms) == []


def without(topic: str, choose: Callable[[Record], bool]) -> Callable[[Evidence], Evidence]:
    """Return a change of the evidence: the records that are chosen are gone."""

    def change(evidence: Evidence) -> Evidence:
        left = [one for one in evidence.topics[topic] if not choose(one)]
        assert len(left) < len(evidence.topics[topic])
        return evidence._replace(topics={**evidence.topics, topic: left})

    return change


def of_type(kind: str) -> Callable[[Record], bool]:
    """Return what chooses records of this type."""
    return lambda record: dict(record.headers).get("ce_type") == f"countersign.{kind}.v1".encode()


def of_reason(reason: str) -> Callable[[Record], bool]:
    """Return what chooses dead letters of this reason."""
    return lambda record: ("dlq_reason", reason.encode()) in record.headers


def with_copy(evidence: Evidence) -> Evidence:
    """Return the evidence with a second copy of a result that differs in its key."""
    results = evidence.topics[RESULTS]
    other = results[0]._replace(key=b"globex:mallory")
    return evidence._replace(topics={**evidence.topics, RESULTS: [*results, other]})


DAMAGE: dict[str, tuple[Callable[[Evidence], Evidence], str]] = {
    "a decision is missing": (without(RESULTS, of_type("login.challenged")), "neither a decision"),
    "a dead letter is missing": (
        without(DEAD_LETTERS, of_reason("time_in_future")),
        "neither a decision",
    ),
    "a conflict is missing": (without(DEAD_LETTERS, of_reason("conflict")), "were taken"),
    "an event is missing": (without(LOGIN_EVENTS, of_type("login.attempted")), "nobody published"),
    "an outcome is missing": (without(RESULTS, of_type("challenge.passed")), "has no outcome"),
    "a return is missing": (without(LOGIN_EVENTS, of_type("login.returned")), "never came back"),
    "copies differ": (with_copy, "copies of a result"),
    "Duo allowed nobody": (
        lambda evidence: evidence._replace(ledger=[], rogue_allowed=frozenset()),
        "Duo has allowed nobody",
    ),
    "the challenges are gone": (
        lambda evidence: evidence._replace(
            redis={key: one for key, one in evidence.redis.items() if b":challenge:" not in key}
        ),
        "remembers a browser of no challenge",
    ),
    "another user's browsers": (
        lambda evidence: evidence._replace(
            redis={
                key.replace(b"remembered:", b"remembered:x"): one
                for key, one in evidence.redis.items()
            }
        ),
        "the browser of another user",
    ),
    "an end is logged twice": (
        lambda evidence: evidence._replace(ended=evidence.ended * 2),
        "is logged 2 times",
    ),
}


@pytest.mark.parametrize(("damage", "found"), DAMAGE.values(), ids=DAMAGE)
async def test_what_would_not_hold_is_found(
    world: World, evidence: Evidence, damage: Callable[[Evidence], Evidence], found: str
) -> None:
    """Evidence that was damaged doesn't pass: each check notices what it is there for."""
    said = violations(damage(evidence), world.bus.pseudonyms)
    assert any(found in one for one in said), said[:5]
