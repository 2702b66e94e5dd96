"""Health, readiness and metrics on a port of their own, kept away from the outside by its address."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from countersign.core.errors import Problem, SettingsError
from countersign.probe.readiness import Readiness


class Probe:
    """Serves `/health`, `/ready` and `/metrics`.

    Args:
        readiness: what `/ready` answers from.
        registry: what `/metrics` shows.
        host: the address to listen on.
        port: the port to listen on; 0 chooses a free one.
    """

    def __init__(
        self, readiness: Readiness, registry: CollectorRegistry, *, host: str, port: int
    ) -> None:
        self._readiness = readiness
        self._registry = registry
        self._host = host
        self._port = port
        app = web.Application()
        app.router.add_get("/health", self._health)
        app.router.add_get("/ready", self._ready)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        addresses = self._runner.addresses
        return int(addresses[0][1]) if addresses else self._port

    async def start(self) -> None:
        """Listen.

        Raises:
            SettingsError: the address can't be listened on.
        """
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, shutdown_timeout=1)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            problem = Problem(
                key="COUNTERSIGN_PROBE_PORT",
                problem=f"{self._host}:{self._port} can't be listened on ({error.strerror})",
                remedy="Give another port, or 0 for any that is free",
            )
            source = "process settings"
            raise SettingsError(source, [problem]) from error

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def _ready(self, _: web.Request) -> web.Response:
        lacking = self._readiness.lacking
        status = "waiting" if lacking else "ready"
        return web.json_response(
            {"status": status, "lacking": lacking}, status=503 if lacking else 200
        )

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(self._registry),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )
