"""The challenger's composition root: everything is built here, started in order, and stopped in order."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Final

from countersign.adapters.duo.configured import duo_universal_of
from countersign.adapters.reach import reach
from countersign.adapters.redis.connection import TIMEOUT
from countersign.challenger.callbacks import Callbacks
from countersign.challenger.measured_duo import MeasuredDuo
from countersign.challenger.metrics import Metrics
from countersign.challenger.moves import PATIENCE, Moves
from countersign.challenger.outbox import Outbox
from countersign.challenger.routes import create_app
from countersign.challenger.sweeper import Sweeper
from countersign.challenger.visits import Visits
from countersign.core.identity import Pseudonyms
from countersign.ports import Clock, Duo, Publisher, Store, TenantDirectory
from countersign.probe.collector import spare_the_collector
from countersign.probe.readiness import Readiness
from countersign.probe.service import run_service
from countersign.settings import Settings
from countersign.web.server import WebServer

Shown = Callable[[Duo], Duo]

_RECORDING: Final = timedelta(seconds=PATIENCE + 2 * TIMEOUT)
"""How long recording an exchange may take: it is tried for so long, and the last try has its own time-outs.

So a lease outlives whatever its holder does, and a stop waits for it.
"""


def utc_now() -> datetime:
    """Return the time: the one place where this process reads it."""
    return datetime.now(UTC)


def new_token() -> str:
    """Return an unguessable text of 256 bits."""
    return secrets.token_urlsafe(32)


class Challenger:
    """A challenger, put together and not yet started.

    Args:
        settings: the process's settings.
        store: where challenges are.
        publisher: the way onto the bus.
        tenants: the tenants' settings.
        duo: Duo.
        metrics: what is counted.
        clock: the time.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        store: Store,
        publisher: Publisher,
        tenants: TenantDirectory,
        duo: Duo,
        metrics: Metrics,
        clock: Clock = utc_now,
    ) -> None:
        pseudonyms = Pseudonyms(settings.identifier_key_bytes())
        self._term = settings.duo_timeout + _RECORDING
        measured = MeasuredDuo(duo, metrics)
        self.metrics = metrics
        self.outbox = Outbox(store, publisher, settings.mfa_results_topic, metrics)
        moves = Moves(store, self.outbox)
        visits = Visits(
            store, moves, measured, tenants, pseudonyms=pseudonyms, clock=clock, token=new_token
        )
        callbacks = Callbacks(
            moves,
            measured,
            tenants,
            pseudonyms=pseudonyms,
            clock=clock,
            token=new_token,
            term=self._term,
        )
        self.sweeper = Sweeper(
            store,
            self.outbox,
            metrics,
            clock=clock,
            interval=settings.sweep_interval,
            shuffle=random.SystemRandom().shuffle,
        )
        self.app = create_app(visits, callbacks, metrics, public_url=settings.public_url)
        cert, key = settings.challenger_cert_file, settings.challenger_key_file
        self.web = WebServer(
            self.app,
            host=settings.challenger_host,
            port=settings.challenger_port,
            certificate=(cert, key) if cert is not None and key is not None else None,
            setting="COUNTERSIGN_CHALLENGER_PORT",
            grace=self._term,
            proxies=settings.trusted_proxies or "",
        )
        self._running: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start publishing and sweeping, then let browsers in.

        Raises:
            SettingsError: the address can't be listened on.
        """
        await self.web.start()
        spare_the_collector()
        self._running = [
            asyncio.create_task(self.outbox.run()),
            asyncio.create_task(self.sweeper.run()),
        ]

    async def stop(self) -> None:
        """Answer the browsers that are here, publish what waits, and stop."""
        await self.web.stop()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self.outbox.drain()


async def serve(settings: Settings, *, shown: Shown | None = None) -> int:
    """Run a challenger until SIGTERM or SIGINT; return the process's exit status.

    Args:
        settings: the process's settings.
        shown: changes what browsers are shown of Duo; for a demo on one machine.

    Raises:
        SettingsError: the settings can't work.
    """
    readiness = Readiness("store", "tenant-settings", "browsers")
    metrics = Metrics()

    async def start(stack: AsyncExitStack) -> None:
        reached = await reach(settings, readiness, stack)
        duo = duo_universal_of(settings)
        stack.push_async_callback(duo.close)
        challenger = Challenger(
            settings,
            store=reached.store,
            publisher=reached.publisher,
            tenants=reached.tenants,
            duo=shown(duo) if shown is not None else duo,
            metrics=metrics,
        )
        await challenger.start()
        stack.push_async_callback(challenger.stop)
        readiness.has("browsers")

    return await run_service(settings, readiness, metrics.registry, start)
