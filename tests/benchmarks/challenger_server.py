"""One server of the challenger's benchmark in a process of its own: Duo, or a contender.

Run as `python -m tests.benchmarks.challenger_server NAME`, its settings in the environment, until SIGTERM.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import signal
import ssl
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil
from duo_universal import Client
from jwt.warnings import InsecureKeyLengthWarning

from countersign.adapters.duo.configured import duo_universal_of
from countersign.adapters.duo.sdk import client_class
from countersign.adapters.duo.transport import Transport
from countersign.adapters.kafka.configured import kafka_connection
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.adapters.redis.configured import redis_store
from countersign.adapters.redis.connection import connect_redis
from countersign.adapters.sealing import Sealer
from countersign.challenger.app import Challenger
from countersign.challenger.metrics import Metrics
from countersign.core.tenant import DuoAccount, PushBudget, TenantSettings
from countersign.local.ports import HOST
from countersign.logs import set_up_logs
from countersign.settings import Settings, load_settings
from countersign.simulator.app import Simulator
from countersign.simulator.behaviour import Behaviour
from countersign.simulator.certificates import certificates
from countersign.web.server import WebServer
from tests.benchmarks import challenger_by_hand
from tests.benchmarks.contender import ROOT, cpu_seconds
from tests.benchmarks.figures import VoidRunError
from tests.builders import ACME, a_tenant
from tests.bus import FixedTenants

OURS, BY_HAND, UNCHECKED = "challenger", "by hand", "by hand, no check"
KEPT_OPEN: Final = "no check, kept open"
DUO: Final = "duo"
HANGING: Final = "hanging duo"
CLIENT_ID: Final = "DI" + "BENCHMARK".ljust(18, "0")
MUTE, STUCK = "mute", "stuck"
"""Tenants whose Duo hangs: at whatever it is asked, or only once a code is to be exchanged."""
STUCK_ID: Final = "DI" + "STUCK".ljust(18, "0")
USERNAME: Final = "alice"
SECRET, PLACE = "BENCH_DUO_SECRET", "BENCH_DUO_DIRECTORY"
ENOUGH: Final = PushBudget(prompts=1_000_000)
_PATIENCE: Final = 30.0


class Running:
    """A server's process, as the benchmark sees it.

    Args:
        pid: its process.
        port: where it listens.
    """

    def __init__(self, pid: int, port: int) -> None:
        self._seen = psutil.Process(pid)
        self.port = port

    def cpu_seconds(self) -> float:
        """Return how much processor time it has taken so far."""
        return cpu_seconds(self._seen)


@asynccontextmanager
async def served(name: str, port: int, given: Mapping[str, str]) -> AsyncIterator[Running]:
    """Run a server, and stop it with the context; goes on once it listens.

    Raises:
        VoidRunError: it ended, or doesn't listen in time.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.challenger_server", name),
        env={**os.environ, **given, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )
    try:
        try:
            async with asyncio.timeout(_PATIENCE):
                while not await listens(port):
                    if process.returncode is not None:
                        message = f"{name} ended with status {process.returncode}"
                        raise VoidRunError(message)
                    await asyncio.sleep(0.05)
        except TimeoutError:
            message = f"{name} doesn't listen"
            raise VoidRunError(message) from None
        yield Running(process.pid, port)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def listens(port: int) -> bool:
    """Say whether anybody listens on a port."""
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True


async def _duo(settings: Settings, stack: AsyncExitStack) -> None:
    """Play Duo, with a user who approves at once."""
    host, _ = _hosts(settings)
    port = int(host.rpartition(":")[2])
    files = certificates(Path(os.environ[PLACE]), now=datetime.now(UTC))
    simulator = Simulator(
        {CLIENT_ID: os.environ[SECRET]},
        api_host=host,
        clock=lambda: datetime.now(UTC),
        token=lambda: secrets.token_urlsafe(32),
    )
    simulator.scripts[USERNAME] = Behaviour.APPROVE
    server = WebServer(
        simulator.app,
        host=HOST,
        port=port,
        certificate=(files.certificate, files.key),
        setting="port",
    )
    await server.start()
    stack.push_async_callback(server.stop)


async def _hanging(settings: Settings, stack: AsyncExitStack) -> None:
    """Be a Duo that answers nothing, but for the health checks of one account."""
    _, host = _hosts(settings)
    files = certificates(Path(os.environ[PLACE]), now=datetime.now(UTC))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    healthy = b'{"stat": "OK", "response": {"timestamp": 1750000000}}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(healthy), healthy)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended = (OSError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with contextlib.suppress(*ended):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = re.search(rb"(?i)content-length: (\d+)", head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                if b"/health_check" in head and STUCK_ID.encode() in body:
                    writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, HOST, int(host.rpartition(":")[2]), ssl=context)
    stack.callback(server.close)


def _hosts(settings: Settings) -> tuple[str, str]:
    """Return Duo's host, and that of the Duo that hangs."""
    duo, _, hanging = settings.duo_hosts.partition(",")
    return duo, hanging


async def _ours(settings: Settings, stack: AsyncExitStack) -> None:
    """Be a challenger, put together as its own composition root does it."""
    client = connect_redis(settings)
    stack.push_async_callback(client.aclose)
    publisher = KafkaPublisher(kafka_connection(settings))
    stack.push_async_callback(publisher.close)
    await publisher.start()
    duo = duo_universal_of(settings)
    stack.push_async_callback(duo.close)
    challenger = Challenger(
        settings,
        store=redis_store(settings, client),
        publisher=publisher,
        tenants=FixedTenants(*tenants_of(settings)),
        duo=duo,
        metrics=Metrics(),
    )
    await challenger.start()
    stack.push_async_callback(challenger.stop)


def tenants_of(settings: Settings) -> list[TenantSettings]:
    """Return tenants whose push budget never ends: one with the simulator for a Duo, two whose Duo hangs."""
    sealer = Sealer(settings.settings_keys())
    duo, hanging = _hosts(settings)
    tenants = []
    for tenant, client_id, host in (
        (ACME, CLIENT_ID, duo),
        (MUTE, CLIENT_ID, hanging),
        (STUCK, STUCK_ID, hanging),
    ):
        sealed = sealer.seal(os.environ[SECRET], tenant=tenant, purpose=client_id)
        account = DuoAccount(client_id=client_id, client_secret=sealed, api_host=host)
        tenants.append(a_tenant(tenant=tenant, duo=account, push_budget=ENOUGH))
    return tenants


async def _by_hand(settings: Settings, stack: AsyncExitStack, name: str) -> None:
    """Serve the routes by hand; the last kind lends them our connections, which stay open."""
    make: Callable[..., Any] = Client
    if name == KEPT_OPEN:
        timeout = settings.duo_timeout.total_seconds()
        transport = Transport(timeout=timeout, connections=challenger_by_hand.THREADS)
        stack.callback(transport.close)
        make = client_class(transport)
    client = make(
        CLIENT_ID,
        os.environ[SECRET],
        _hosts(settings)[0],
        f"{settings.public_url}/callback",
        duo_certs=str(settings.duo_ca_file),
    )
    app = challenger_by_hand.create_app(client, USERNAME, checks=name == BY_HAND)
    server = WebServer(
        app,
        host=HOST,
        port=settings.challenger_port,
        setting="port",
    )
    await server.start()
    stack.push_async_callback(server.stop)


async def main(name: str) -> None:
    """Serve until told to stop."""
    set_up_logs("error", "console")
    # Duo's secrets have 40 bytes, which PyJWT calls short for HS512.
    warnings.simplefilter("ignore", InsecureKeyLengthWarning)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = load_settings()
    async with AsyncExitStack() as stack:
        if name == DUO:
            await _duo(settings, stack)
        elif name == HANGING:
            await _hanging(settings, stack)
        elif name == OURS:
            await _ours(settings, stack)
        else:
            await _by_hand(settings, stack, name)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
