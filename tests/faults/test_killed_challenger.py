"""A challenger that dies at each of its steps, and several that do the same work at once."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest

from countersign.core.challenge import State
from countersign.core.result import ResultType
from tests.browsers import code_of
from tests.builders import a_return_record
from tests.bus import PATIENCE, Bus, by_event
from tests.faults.challenger_bus import (
    SOON,
    HttpBrowser,
    challenger_here,
    challenger_process,
    nothing_is_due,
    open_challenges,
    swept_bus,
)
from tests.faults.challenger_worker import HELD
from tests.faults.processes import ended, terminated

if TYPE_CHECKING:
    from countersign.local import Stack

PASSED = ResultType.CHALLENGE_PASSED
DENIED = ResultType.CHALLENGE_DENIED
EXPIRED = ResultType.CHALLENGE_EXPIRED
FAILED = ResultType.CHALLENGE_FAILED
SEE_OTHER = 303


class Case(NamedTuple):
    """Where a challenger dies, what the user does at Duo, and how the challenge has to end."""

    point: str
    answer: str
    end: ResultType
    comes_back: bool = True

    @property
    def name(self) -> str:
        """A text that names it in ids and codes."""
        stays = "" if self.comes_back else "-away"
        return f"{self.answer}-{self.point.replace(' ', '-')}{stays}"


CASES = (
    Case("before visit", "allow", PASSED),
    Case("after visit", "allow", PASSED),
    Case("before claim", "allow", PASSED),
    # From here on another callback waits for the lease to run out.
    Case("after claim", "allow", PASSED),
    Case("before exchange", "allow", PASSED),
    # The code is spent, so whether Duo said allow can't be known any more: that denies (law 6).
    Case("after exchange", "allow", FAILED),
    Case("before proof", "allow", FAILED),
    Case("before denial", "deny", FAILED),
    Case("after proof", "allow", PASSED),
    Case("after proof", "allow", EXPIRED, comes_back=False),
    # Stored, so it stands, and a sweeper publishes what the dead one didn't, or didn't note.
    Case("after denial", "deny", DENIED),
    Case("before publish", "deny", DENIED),
    Case("after publish", "deny", DENIED),
    Case("before noting", "deny", DENIED),
    Case("after noting", "deny", DENIED),
)

SWEEPS = tuple(
    f"{when} {step}" for step in ("expiry", "publish", "noting") for when in ("before", "after")
)
OVERDUE = 30
CALLBACKS = 50


@pytest.fixture
def spent(tmp_path: Path) -> Path:
    """The codes that Duo has exchanged."""
    directory = tmp_path / "spent"
    directory.mkdir()
    return directory


@pytest.mark.law(5)
@pytest.mark.law(6)
async def test_killed_at_each_step_of_a_browsers_way(stack: Stack, spent: Path) -> None:
    """Laws 5 and 6: wherever a challenger dies, reloading leads to one outcome, and no unproven pass."""
    async with (
        swept_bus(stack, database=1) as bus,
        bus.decider(),
        challenger_here(bus, spent) as survivor,
    ):
        at_once = asyncio.Semaphore(4)

        async def play(case: Case) -> None:
            async with HttpBrowser(survivor) as browser:
                async with at_once:
                    await die_on(bus, spent, case, browser)
                await go_on(bus, case, browser)

        await asyncio.gather(*map(play, CASES))
        found = by_event(await bus.answers(len(CASES)))
        await nothing_is_due(bus)
        assert len(bus.distinct()) == len(CASES)
    assert {name: [one.type for one in results] for name, results in found.items()} == {
        case.name: [case.end] for case in CASES
    }


async def die_on(bus: Bus, spent: Path, case: Case, browser: HttpBrowser) -> None:
    """Bring a browser to a challenger that dies at the case's point, then send it to the one it was for."""
    survivor = browser.port
    async with challenger_process(bus, spent, point=case.point) as (doomed, browser.port):
        await browser.there()
        lifetime = timedelta(minutes=5) if case.comes_back else timedelta(seconds=8)
        (challenge,) = await open_challenges(bus, case.name, lifetime=lifetime)
        with suppress(httpx.TransportError):
            await browser.visit(challenge)
            await browser.callback(case.name)
        assert await ended(doomed) == -signal.SIGKILL
    browser.port = survivor
    if not browser.state:
        assert (await browser.visit(challenge)).status_code == SEE_OTHER


async def go_on(bus: Bus, case: Case, browser: HttpBrowser) -> None:
    """Reload, and do what the case's user does then."""
    page = await browser.callback_settled(case.name)
    if page.status_code != SEE_OTHER or not case.comes_back:
        return
    (standing,) = await bus.store.challenges([browser.challenge])
    assert standing is not None
    assert standing.state is State.PROVEN
    await bus.send(
        a_return_record(
            event_id=f"return-{case.name}",
            login_id=case.name,
            code=code_of(page),
            subject=f"auth0|{case.name}",
            time=datetime.now(UTC),
        )
    )


@pytest.mark.law(5)
async def test_killed_at_each_step_of_a_sweep(stack: Stack, spent: Path) -> None:
    """Law 5: whatever step a sweeper dies at, the next one brings each overdue challenge its one outcome."""

    async def play(database: int, point: str) -> None:
        async with swept_bus(stack, database=database) as bus:
            names = [f"overdue-{n}" for n in range(OVERDUE)]
            challenges = await open_challenges(bus, *names, lifetime=timedelta(seconds=-1))
            async with challenger_process(bus, spent, point=point, sweeps=SOON) as (doomed, _):
                assert await ended(doomed) == -signal.SIGKILL
            async with challenger_here(bus, spent):
                results = await bus.answers(OVERDUE)
                await nothing_is_due(bus)
            assert len(bus.distinct()) == OVERDUE
            assert {result.type for result in results} == {EXPIRED}
            deadline = challenges[0].deadline
            assert all(result.body.decided_at >= deadline for result in results)

    await asyncio.gather(*(play(2 + number, point) for number, point in enumerate(SWEEPS)))


@pytest.mark.law(5)
async def test_two_challengers_at_once(stack: Stack, spent: Path) -> None:
    """Law 5: two challengers sweep the same, and get the same callbacks, at once: one outcome each."""
    async with (
        swept_bus(stack, database=8) as bus,
        challenger_process(bus, spent, sweeps=SOON) as (first, one),
        challenger_process(bus, spent, sweeps=SOON) as (second, other),
        AsyncExitStack() as cleanup,
    ):
        names = [f"deny-{n}" for n in range(CALLBACKS)]
        browsers = [await cleanup.enter_async_context(HttpBrowser(one)) for _ in names]
        twins = [await cleanup.enter_async_context(HttpBrowser(other)) for _ in names]
        await asyncio.gather(browsers[0].there(), twins[0].there())
        for challenge, browser, twin in zip(
            await open_challenges(bus, *names), browsers, twins, strict=True
        ):
            await browser.visit(challenge)
            twin.share(browser)
        await asyncio.gather(
            open_challenges(
                bus, *(f"late-{n}" for n in range(300)), lifetime=timedelta(seconds=-1)
            ),
            *(
                browser.callback(name)
                for pair in zip(browsers, twins, names, strict=True)
                for browser, name in ((pair[0], pair[2]), (pair[1], pair[2]))
            ),
        )
        found = by_event(await bus.answers(CALLBACKS + 300))
        await nothing_is_due(bus)
        assert [await terminated(first), await terminated(second)] == [0, 0]
        await bus.read()
        assert len(bus.distinct()) == CALLBACKS + 300
    for name, results in found.items():
        assert [one.type for one in results] == [DENIED if name.startswith("deny") else EXPIRED]


async def test_told_to_stop_while_outcomes_wait(stack: Stack, spent: Path) -> None:
    """What is on its way to the bus, or waits for its turn, is published before the process ends well."""
    async with (
        swept_bus(stack, database=9) as bus,
        challenger_process(bus, spent, point=HELD) as (process, port),
    ):
        names = ["deny-alice", "deny-bob"]
        for name, challenge in zip(names, await open_challenges(bus, *names), strict=True):
            async with HttpBrowser(port) as browser:
                await browser.there()
                await browser.visit(challenge)
                assert (await browser.callback(name)).status_code == httpx.codes.FORBIDDEN
        assert await terminated(process) == 0
        results = await bus.answers(2, patience=10)
        assert {result.type for result in results} == {DENIED}
        await nothing_is_due(bus)


async def test_told_to_stop_in_the_middle_of_a_sweep(stack: Stack, spent: Path) -> None:
    """What a sweeper has let expire is published before the process ends well; nobody has to sweep again."""
    async with swept_bus(stack, database=10) as bus:
        challenges = await open_challenges(bus, "alice", "bob", lifetime=timedelta(seconds=-1))
        async with challenger_process(bus, spent, point=HELD, sweeps=SOON) as (process, _):
            await until_expired(bus, [one.id for one in challenges])
            assert await terminated(process) == 0
        results = await bus.answers(2, patience=10)
        assert {result.type for result in results} == {EXPIRED}
        await nothing_is_due(bus)


async def until_expired(bus: Bus, ids: list[str]) -> None:
    """Return when the store says that all of them have expired; read results meanwhile."""
    async with asyncio.timeout(PATIENCE):
        while not all(
            one is not None and one.state is State.EXPIRED
            for one in await bus.store.challenges(ids)
        ):
            await bus.read()
