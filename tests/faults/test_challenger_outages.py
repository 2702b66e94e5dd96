"""Redis or Kafka away from a challenger: browsers are told at once, and the same address works again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from countersign.core.challenge import State
from countersign.core.result import ResultType
from countersign.local.ports import free_port
from countersign.local.valkey import valkey_server
from tests.browsers import code_of, title_of
from tests.bus import Bus
from tests.faults.challenger_bus import (
    HttpBrowser,
    challenger_here,
    nothing_is_due,
    open_challenges,
    swept_bus,
)

if TYPE_CHECKING:
    from countersign.local import Stack
    from countersign.local.server import Server

SEE_OTHER, UNAVAILABLE, FORBIDDEN = 303, 503, 403


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[Server]:
    """A Valkey of the test's own, which has its data again after a crash."""
    server = valkey_server(tmp_path, free_port(), appendonly=True)
    await server.start()
    yield server
    await server.kill()


@pytest.fixture
async def bus(stack: Stack, valkey: Server) -> AsyncIterator[Bus]:
    """A bus with that store."""
    async with swept_bus(stack, database=0, redis_url=f"redis://{valkey.address}/0") as opened:
        yield opened


@pytest.fixture
def spent(tmp_path: Path) -> Path:
    """The codes that Duo has exchanged."""
    directory = tmp_path / "spent"
    directory.mkdir()
    return directory


def codes(spent: Path) -> list[str]:
    """Return the codes that were exchanged."""
    return [one.name for one in spent.iterdir()]


@pytest.mark.law(8)
async def test_the_store_killed_before_a_visit_and_before_a_callback(
    bus: Bus, valkey: Server, spent: Path
) -> None:
    """Law 8: without the store a browser gets a 503 that says so; afterwards the same address works."""
    async with challenger_here(bus, spent) as port, HttpBrowser(port) as browser:
        (challenge,) = await open_challenges(bus, "alice")
        await valkey.kill()
        page = await browser.visit(challenge)
        assert (page.status_code, title_of(page)) == (UNAVAILABLE, "Not possible at the moment")
        assert "retry-after" in page.headers
        await valkey.start()
        assert (await browser.visit(challenge)).status_code == SEE_OTHER

        await valkey.kill()
        page = await browser.callback("allow-alice")
        assert (page.status_code, title_of(page)) == (UNAVAILABLE, "Not possible at the moment")
        assert codes(spent) == []  # nothing is exchanged that could not be recorded
        await valkey.start()
        back = await browser.callback("allow-alice")
        assert back.status_code == SEE_OTHER
        assert code_of(back)


@pytest.mark.law(8)
async def test_the_store_hanging_at_a_visit(bus: Bus, valkey: Server, spent: Path) -> None:
    """Law 8: a store that doesn't answer is one that is away; whatever the visit left, the next one works."""
    async with challenger_here(bus, spent) as port, HttpBrowser(port) as browser:
        (challenge,) = await open_challenges(bus, "alice")
        await valkey.pause()
        try:
            assert (await browser.visit(challenge)).status_code == UNAVAILABLE
        finally:
            await valkey.resume()
        assert (await browser.visit(challenge)).status_code == SEE_OTHER
        assert (await browser.callback("allow-alice")).status_code == SEE_OTHER


@pytest.mark.law(6)
async def test_the_store_away_for_a_moment_while_duo_is_asked(
    bus: Bus, valkey: Server, spent: Path
) -> None:
    """Law 6: Duo's answer is held on to until the store is back, since the code is good only once."""
    restarts: list[asyncio.Task[None]] = []

    async def outage() -> None:
        await valkey.kill()
        restarts.append(asyncio.create_task(valkey.start()))

    async with (
        challenger_here(bus, spent, during=outage) as port,
        HttpBrowser(port) as browser,
    ):
        (challenge,) = await open_challenges(bus, "alice")
        await browser.visit(challenge)
        back = await browser.callback("allow-alice")
        await restarts[0]
        assert back.status_code == SEE_OTHER
        (proven,) = await bus.store.challenges([challenge.id])
        assert proven is not None
        assert proven.state is State.PROVEN


@pytest.mark.law(4)
async def test_the_broker_away_when_a_denial_is_recorded(
    bus: Bus, stack: Stack, spent: Path
) -> None:
    """Law 4: nobody waits for the broker to be told of a denial; it is published once when that is back."""
    async with challenger_here(bus, spent) as port, HttpBrowser(port) as browser:
        (challenge,) = await open_challenges(bus, "alice")
        await browser.visit(challenge)
        await stack.kafka_server.kill()
        try:
            started = monotonic()
            page = await browser.callback("deny-alice")
            assert page.status_code == FORBIDDEN
            assert monotonic() - started < 1
        finally:
            await stack.kafka_server.start()
        (result,) = await bus.answers(1)
        assert result.type is ResultType.CHALLENGE_DENIED
        await nothing_is_due(bus)
        assert len(bus.distinct()) == 1
