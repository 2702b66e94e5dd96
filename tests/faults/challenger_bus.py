"""A bus with challengers and browsers on it, over real HTTP; law: a store is swept by its own test alone.

Deadlines are shared by all who share a database of the store, so each bus here has one of its own.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx

from countersign.adapters.kafka.configured import kafka_connection
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.challenger.app import Challenger
from countersign.challenger.metrics import Metrics
from countersign.core.challenge import Challenge
from countersign.core.identity import bucket_of
from countersign.core.result import to_milliseconds
from countersign.local.ports import free_port
from countersign.ports import Recording
from tests.browsers import state_of
from tests.builders import a_challenge, a_login, a_tenant, decided
from tests.bus import PATIENCE, Bus, FixedTenants, open_bus
from tests.faults.challenger_worker import ScriptedDuo
from tests.faults.processes import ROOT, environment

if TYPE_CHECKING:
    from countersign.local import Stack

HOST = "127.0.0.1"
NEVER = "PT1M"
"""An interval of sweeps that no test lasts for; there is one at the start."""
SOON = "PT0.1S"


@asynccontextmanager
async def swept_bus(stack: Stack, *, database: int, **overrides: Any) -> AsyncIterator[Bus]:  # noqa: ANN401  # any setting
    """Make a bus of a test's own, with an empty database of the store to itself."""
    url = f"{stack.redis_url.rpartition('/')[0]}/{database}"
    given = {"redis_url": url, "public_url": f"http://{HOST}:8443", "duo_timeout": "PT1S"}
    async with open_bus(stack, **(given | {"sweep_interval": SOON} | overrides)) as bus:
        yield bus


async def open_challenges(
    bus: Bus, *names: str, lifetime: timedelta = timedelta(minutes=5)
) -> list[Challenge]:
    """Do the decider's part: a login of a user of each name is challenged."""
    now = to_milliseconds(datetime.now(UTC))
    tenant = a_tenant()
    recordings, challenges = [], []
    for name in names:
        login = a_login(event_id=name, subject=f"auth0|{name}", time=now)
        challenge_id = bus.pseudonyms.challenge(login.identity, bucket_of(login.key_hash))
        challenge = a_challenge(login, now=now, lifetime=lifetime, id=challenge_id, remembers=False)
        decision = decided(login, tenant=tenant, now=now)
        challenges.append(challenge)
        recordings.append(
            Recording(
                event=login, decision=decision, challenge=challenge, budget=tenant.push_budget
            )
        )
    await bus.store.record(recordings)
    return challenges


async def nothing_is_due(bus: Bus) -> None:
    """Return when no sweeper has anything to look after, now or later; read results meanwhile.

    Raises:
        AssertionError: something is left.
    """
    end_of_time = datetime.now(UTC) + timedelta(days=365)
    try:
        async with asyncio.timeout(PATIENCE):
            while await bus.store.overdue(end_of_time, 1_000):
                await bus.read()
    except TimeoutError:
        left = await bus.store.overdue(end_of_time, 1_000)
        message = f"{len(left)} challenges are left"
        raise AssertionError(message) from None


@asynccontextmanager
async def challenger_process(
    bus: Bus, spent: Path, *, point: str = "nowhere", sweeps: str = NEVER
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """Run a challenger that dies at the point, and end it with the context; yields its port, too."""
    port = free_port()
    given = {
        "COUNTERSIGN_CHALLENGER_PORT": str(port),
        "COUNTERSIGN_PUBLIC_URL": bus.settings.public_url,
        "COUNTERSIGN_SWEEP_INTERVAL": sweeps,
        "COUNTERSIGN_DUO_TIMEOUT": "PT1S",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.challenger_worker", point, str(spent)),
        env=environment(bus) | given,
        cwd=ROOT,
    )
    try:
        yield process, port
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def challenger_here(
    bus: Bus, spent: Path, *, during: Callable[[], Any] | None = None
) -> AsyncIterator[int]:
    """Run a challenger in this process, sweeping; yields its port."""
    settings = bus.settings.model_copy(update={"challenger_port": free_port()})
    publisher = KafkaPublisher(kafka_connection(settings), timeout=5.0)
    challenger = Challenger(
        settings,
        store=bus.store,
        publisher=publisher,
        tenants=FixedTenants(a_tenant()),
        duo=ScriptedDuo(spent, during=during),
        metrics=Metrics(),
    )
    await challenger.start()
    try:
        yield settings.challenger_port
    finally:
        await challenger.stop()
        await publisher.close()


class HttpBrowser:
    """A browser with cookies, which a balancer sends to one challenger or another.

    Attributes:
        port: where the balancer sends it now.
        state: of its latest prompt.
        challenge: the id of the challenge that it is on.
    """

    def __init__(self, port: int) -> None:
        # Plain HTTP: reading the system's authorities is a tenth of a second that each browser saves.
        trusts_nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._http = httpx.AsyncClient(trust_env=False, timeout=30, verify=trusts_nobody)
        self.port = port
        self.state = ""
        self.challenge = ""

    async def __aenter__(self) -> Self:
        """Open it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self._http.aclose()

    async def there(self) -> None:
        """Return when the challenger listens."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    _, writer = await asyncio.open_connection(HOST, self.port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    await writer.wait_closed()
                    return

    def share(self, other: HttpBrowser) -> None:
        """Be another tab of the other: the same cookies, at the same prompt."""
        self._http.cookies.update(other._http.cookies)
        self.state = other.state

    async def visit(self, challenge: Challenge) -> httpx.Response:
        """Open a challenge's link."""
        self.challenge = challenge.id
        response = await self._http.get(f"http://{HOST}:{self.port}/c/{challenge.id}")
        if response.status_code == httpx.codes.SEE_OTHER:
            self.state = state_of(response)
        return response

    async def callback(self, code: str) -> httpx.Response:
        """Come back from Duo with a code."""
        return await self._http.get(
            f"http://{HOST}:{self.port}/callback", params={"state": self.state, "duo_code": code}
        )

    async def callback_settled(self, code: str) -> httpx.Response:
        """Come back from Duo, and reload for as long as the page says that it goes on by itself."""
        async with asyncio.timeout(PATIENCE):
            while True:
                response = await self.callback(code)
                if response.status_code != httpx.codes.ACCEPTED:
                    return response
                await asyncio.sleep(0.2)
