"""The simulator's composition root: everything is built here, started, and stopped by a signal."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import structlog

from countersign.probe.stop import told_to_stop
from countersign.simulator.account import api_host
from countersign.simulator.app import Simulator
from countersign.simulator.certificates import certificates
from countersign.simulator.connections import CuttableProtocol
from countersign.web.server import WebServer

log = structlog.get_logger(__name__)


async def serve(
    accounts: Mapping[str, str],
    *,
    host: str,
    port: int,
    http_port: int,
    directory: Path,
    announce: Callable[[], None],
) -> int:
    """Run the simulator until SIGTERM or SIGINT; return the process's exit status.

    Args:
        accounts: client id → client secret.
        host: the address to listen on; who reaches it gets through every MFA that trusts it.
        port: for TLS; clients know the simulator as `localhost:<port>`, by 443 as `localhost`.
        http_port: the same without TLS, for tests and health checks.
        directory: where certificates are kept.
        announce: called once it answers.

    Raises:
        SettingsError: a port is taken, or the directory can't be used.
    """
    stop = told_to_stop()
    files = certificates(directory, now=utc_now())
    simulator = Simulator(
        accounts,
        api_host=api_host(port),
        clock=utc_now,
        token=lambda: secrets.token_urlsafe(32),
    )
    encrypted = WebServer(
        simulator.app,
        host=host,
        port=port,
        certificate=(files.certificate, files.key),
        setting="--port",
        protocol=CuttableProtocol,
    )
    plain = WebServer(
        simulator.app,
        host=host,
        port=http_port,
        setting="--http-port",
        protocol=CuttableProtocol,
    )
    async with AsyncExitStack() as stack:
        for server in (encrypted, plain):
            await server.start()
            stack.push_async_callback(server.stop)
        stack.callback(simulator.stop)
        log.info("started", port=port, http_port=http_port)
        announce()
        await stop.wait()
        log.info("stopping")
    return 0


def utc_now() -> datetime:
    """Return the time: the one place where this process reads it."""
    return datetime.now(UTC)
