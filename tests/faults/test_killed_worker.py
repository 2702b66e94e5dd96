"""A worker that dies in the middle of a batch, at each of its steps."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from countersign.core.result import Assurance, ResultType
from tests.builders import ALICE, a_forget_record, a_login_record, a_return_record
from tests.bus import by_event, open_bus
from tests.faults.processes import ended, worker
from tests.faults.worker import POINTS

if TYPE_CHECKING:
    from countersign.local import Stack

CODE = "a-made-up-return-code"
LOGINS = 24


@pytest.mark.law(1)
@pytest.mark.law(2)
@pytest.mark.law(4)
@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_each_step(stack: Stack, point: str) -> None:
    """Laws 1, 2 and 4: whatever step a worker dies at, each event has one answer, identical in each copy.

    The batch holds logins of many users, a browser's return and a "forget", and one dead letter.
    """
    async with open_bus(stack) as bus:
        async with bus.decider():
            await bus.send(a_login_record(event_id="seed", time=datetime.now(UTC)))
            (seed,) = await bus.answers(1)
            challenge_id = (seed.body.challenge_url or "")[-24:]
            await bus.prove(challenge_id, CODE, Assurance.MFA)
        now = datetime.now(UTC)
        await bus.send(
            a_return_record(event_id="back", login_id="seed", code=CODE, time=now),
            a_login_record(event_id="remembered", time=now),
            a_forget_record(time=now),
            a_login_record(event_id="forgotten", time=now),
            a_login_record(event_id="bad", time=now)._replace(value=b"{"),
            *(
                a_login_record(event_id=f"login-{n}", subject=f"auth0|user-{n % 8}", time=now)
                for n in range(LOGINS)
            ),
        )
        async with worker(bus, point) as doomed:
            assert await ended(doomed) == -signal.SIGKILL
        async with bus.decider():
            found = by_event(await bus.answers(1 + 1 + 2 + LOGINS))
            await bus.until(lambda: bool(bus.dead_letters))
            # The group has what it was given: nothing is skipped, and nothing waits.
            await bus.all_committed(1 + 5 + LOGINS)
        assert len({(dead.partition, dead.offset) for dead in bus.dead_letters}) == 1
        assert found["seed"][1].type is ResultType.CHALLENGE_PASSED
        # A repeated "forget" or return leaves what came after it as it was decided.
        assert found["remembered"][0].type is ResultType.LOGIN_ALLOWED
        assert found["forgotten"][0].type is ResultType.LOGIN_CHALLENGED
        assert await bus.store.remembered("acme", ALICE) == {}
        # Three logins of a user, three prompts: a redelivery charges nothing.
        for n in range(8):
            login = a_login_record(event_id="probe", subject=f"auth0|user-{n}")
            assert await bus.prompts(login) == LOGINS // 8
