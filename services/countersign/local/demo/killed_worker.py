"""A worker killed in the middle of its work: another answers what it left, nothing lost or changed."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

from countersign.client import LoginDecision
from countersign.local.demo.stage import PATIENCE, Stage, a_login
from countersign.local.server import Server

LOGINS: Final = 1_000
_AT_ONCE: Final = 100


async def kill_a_worker(stage: Stage, doomed: Server) -> None:
    """Send logins by the hundred, kill one of the two workers on the way, and count what comes back.

    Args:
        stage: where it is played; two workers share the work.
        doomed: the one that is killed, by SIGKILL, which gives it no chance to tidy up.
    """
    room = asyncio.Semaphore(_AT_ONCE)
    answered: list[LoginDecision] = []
    killing: asyncio.Task[int] | None = None

    async def kill() -> int:
        waiting = stage.client.waiting
        await doomed.kill()
        return waiting

    async def log_in(number: int) -> None:
        nonlocal killing
        async with room:
            login = a_login(user_id=f"auth0|user-{number % 200}")
            decision = await stage.client.submit(
                login, event_id=f"burst-{number:04}", tenant="hooli", timeout=2 * PATIENCE
            )
        answered.append(decision)
        if len(answered) == LOGINS // 5:
            killing = asyncio.create_task(kill())

    started = perf_counter()
    await asyncio.gather(*(log_in(number) for number in range(LOGINS)))
    seconds = perf_counter() - started
    waiting = await killing if killing is not None else 0

    for decision in answered:  # the tap reads for itself, and may be a little behind
        await stage.tap.result(decision.result.id)
    copies = [stage.tap.results[decision.result.id] for decision in answered]
    repeated = sum(len(seen) - 1 for seen in copies)
    identical = all(one.data == seen[0].data for seen in copies for one in seen)
    right = waiting > 0 and len(copies) == LOGINS and identical and all(d.allowed for d in answered)
    stage.played += 1
    stage.right += right
    stage.show.say(
        f"{'✓' if right else '✗'}  {LOGINS:,} logins, one of two workers killed (SIGKILL) while"
        f" {waiting} were waiting: {len(copies):,} answered, once each; {repeated} repeated,"
        f" {'byte for byte' if identical else 'NOT identical'}; {seconds:.1f} s, most of it Kafka"
        " missing the dead worker",
        "green" if right else "bold red",
    )
