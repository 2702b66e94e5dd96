"""Security signals on a real Kafka and a real Valkey: in their user's order, against what is in flight."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from countersign.core.errors import Defect
from countersign.core.result import Assurance, Reason, ResultType
from tests.builders import ACME, ALICE, BOB, InboundRecord, a_login_record, a_return_record
from tests.bus import Bus, by_event, open_bus
from tests.signals import (
    ASSURANCE_LEVEL_CHANGE,
    a_heeding_tenant,
    a_set,
    a_signal_record,
    claims,
)

if TYPE_CHECKING:
    from countersign.local import Stack

CODE = "a-made-up-return-code"


@pytest.fixture
async def bus(stack: Stack) -> AsyncIterator[Bus]:
    """A bus of the test's own."""
    async with open_bus(stack) as opened:
        yield opened


def login(event_id: str, **data: Any) -> InboundRecord:  # noqa: ANN401  # a_login_record's own arguments
    """Return the record of a login now."""
    return a_login_record(event_id=event_id, time=datetime.now(UTC), **data)


def back(login_id: str) -> InboundRecord:
    """Return the record of the return from a login's challenge, now."""
    return a_return_record(
        event_id=f"return-of-{login_id}", login_id=login_id, code=CODE, time=datetime.now(UTC)
    )


def signal(jti: str, **changes: Any) -> InboundRecord:  # noqa: ANN401  # claims' own arguments
    """Return the record of the issuer's SET about Alice, now."""
    now = datetime.now(UTC)
    token = a_set(claims(jti=jti, iat=now.timestamp(), **changes))
    return a_signal_record(token, time=now)


async def prove(bus: Bus, event_id: str, answers: int) -> None:
    """Have the login's challenge proven at Duo, once so many results are there."""
    (decided,) = by_event(await bus.answers(answers))[event_id]
    await bus.prove((decided.body.challenge_url or "")[-24:], CODE, Assurance.MFA)


async def remember_alice(bus: Bus) -> None:
    """Take Alice's laptop through a challenge."""
    await bus.send(login("seed"))
    await prove(bus, "seed", 1)
    await bus.send(back("seed"))
    await bus.answers(2)


@pytest.mark.law(3)
async def test_a_signal_between_two_logins_of_one_batch(bus: Bus) -> None:
    """Law 3: remembered before it, asked after it; an increase, a forgery and another's change nothing."""
    async with bus.decider(a_heeding_tenant()):
        await remember_alice(bus)
    await bus.send(
        signal("up", events={ASSURANCE_LEVEL_CHANGE: {"change_direction": "increase"}}),
        a_signal_record(a_set(name="mallory", header={"kid": "k1"})),
        a_signal_record(a_set(claims(subject=BOB)), subject=BOB),
        login("before"),
        signal("stolen"),
        login("after"),
    )
    async with bus.decider(a_heeding_tenant()):
        found = by_event(await bus.answers(4))
        await bus.until(lambda: len(bus.dead_letters) == 1)
    assert found["before"][0].body.reason is Reason.REMEMBERED_BROWSER
    assert found["after"][0].type is ResultType.LOGIN_CHALLENGED
    assert [letter.reason for letter in bus.dead_letters] == [Defect.INVALID_SIGNATURE]
    assert await bus.store.remembered(ACME, ALICE) == {}


@pytest.mark.law(7)
async def test_a_signal_between_a_challenge_and_its_return(bus: Bus) -> None:
    """Law 7: the challenge that was open passes, and its browser isn't remembered by it."""
    async with bus.decider(a_heeding_tenant()):
        await bus.send(login("open"))
        await prove(bus, "open", 1)
        await bus.send(signal("stolen"), back("open"), login("next"))
        found = by_event(await bus.answers(3))
    assert found["open"][1].type is ResultType.CHALLENGE_PASSED
    assert found["next"][0].type is ResultType.LOGIN_CHALLENGED
    assert await bus.store.remembered(ACME, ALICE) == {}


@pytest.mark.law(7)
async def test_a_signal_after_a_renewal(bus: Bus) -> None:
    """Law 7: a browser that was just renewed is forgotten, and no redelivery of its login brings it back."""
    async with bus.decider(a_heeding_tenant()):
        await remember_alice(bus)
        renewing = login("renewing")
        await bus.send(renewing, signal("stolen"), renewing, login("next"))
        found = by_event(await bus.answers(4))
        await bus.all_committed(6)
    assert found["renewing"][0].body.reason is Reason.REMEMBERED_BROWSER
    assert found["next"][0].type is ResultType.LOGIN_CHALLENGED
    assert await bus.store.remembered(ACME, ALICE) == {}
