"""Workers that come and go under load: nothing is lost, and each user's order is kept."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.builders import a_login_record
from tests.bus import open_bus, order_kept
from tests.faults.processes import ended, terminated, worker

if TYPE_CHECKING:
    from countersign.local import Stack

USERS = 40
ROUNDS = 60


@pytest.mark.law(1)
@pytest.mark.law(3)
async def test_workers_leave_join_and_die_under_load(stack: Stack) -> None:
    """Laws 1 and 3: one worker stops, one starts, one is killed; all is answered, in each user's order."""
    async with open_bus(stack, partitions=4) as bus:
        sent = 0

        async def load(rounds: int) -> None:
            """Send a login of each user, over and over, reading what comes out meanwhile."""
            nonlocal sent
            for _ in range(rounds):
                now = datetime.now(UTC)
                await bus.send(
                    *(
                        a_login_record(
                            event_id=f"{sent + user}-of-{user}", subject=f"auth0|{user}", time=now
                        )
                        for user in range(USERS)
                    )
                )
                sent += USERS
                await bus.read()

        async with worker(bus) as first, worker(bus) as second:
            await load(ROUNDS // 4)
            await bus.answers(USERS)
            leaving = asyncio.create_task(terminated(first))
            await load(ROUNDS // 4)
            assert await leaving == 0
            async with worker(bus) as third:
                await load(ROUNDS // 4)
                second.send_signal(signal.SIGKILL)
                assert await ended(second) == -signal.SIGKILL
                await load(ROUNDS // 4)
                await bus.answers(sent)
                await bus.all_committed(sent)
                assert await terminated(third) == 0
        assert len(bus.distinct()) == sent
        assert bus.dead_letters == []
        for user in range(USERS):
            own = [f"{number + user}-of-{user}" for number in range(0, sent, USERS)]
            assert order_kept(bus.results, own)
