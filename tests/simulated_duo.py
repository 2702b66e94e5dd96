"""The simulator as a server on this machine, over TLS, and Duo's own SDK as a client of it."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import traceback
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from duo_universal import Client, DuoException

from countersign.local.ports import HOST, free_port
from countersign.simulator.app import Simulator
from countersign.simulator.behaviour import Behaviour
from countersign.simulator.certificates import certificates
from countersign.simulator.connections import CuttableProtocol
from countersign.web.server import WebServer

CLIENT_ID = "DI" + "ALICESHOP".ljust(18, "0")
SECRET = secrets.token_hex(20)
CALLBACK = "https://mfa.example.com/callback?from=duo"
NONCE = "n" * 36


class Duo:
    """A simulator that listens, and clients of it."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.host = f"localhost:{self.port}"
        self.skew = timedelta(0)
        self.files = certificates(directory, now=datetime.now(UTC))
        self.simulator = Simulator(
            {CLIENT_ID: SECRET},
            api_host=self.host,
            clock=lambda: datetime.now(UTC) + self.skew,
            token=lambda: secrets.token_urlsafe(32),
        )
        self.server = WebServer(
            self.simulator.app,
            host=HOST,
            port=self.port,
            certificate=(self.files.certificate, self.files.key),
            setting="port",
            protocol=CuttableProtocol,
        )

    def client(self, *, secret: str = SECRET, callback: str = CALLBACK, **given: bool) -> Client:
        """Return Duo's own client, as an integration makes it."""
        return Client(
            CLIENT_ID, secret, self.host, callback, duo_certs=str(self.files.authority), **given
        )

    def browser(self) -> httpx.AsyncClient:
        """Return a browser that trusts the simulator's authority."""
        trust = ssl.create_default_context(cafile=str(self.files.authority))
        return httpx.AsyncClient(verify=trust, trust_env=False)

    async def visit(self, address: str) -> httpx.Response:
        """Go where a browser is sent, and no further."""
        async with self.browser() as browser:
            return await browser.get(address)

    async def come_back(self, client: Client, user: str, *, nonce: str | None = None) -> str:
        """Return the code that a scripted user comes back with."""
        state = client.generate_state()
        answer = await self.visit(client.create_auth_url(user, state, nonce))
        assert answer.status_code == 303
        back = parse_qs(urlsplit(answer.headers["location"]).query)
        assert back["state"] == [state]
        return back["duo_code"][0]


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[Duo]:
    """A simulator that listens, with Alice who approves."""
    found = Duo(directory)
    found.simulator.scripts["alice"] = Behaviour.APPROVE
    await found.server.start()
    try:
        yield found
    finally:
        found.simulator.stop()
        await found.server.stop()


async def exchange(client: Client, code: str, user: str, nonce: str | None = None) -> Any:  # noqa: ANN401  # as the SDK has it
    """Exchange a code, off the loop that the simulator runs in."""
    return await asyncio.to_thread(
        client.exchange_authorization_code_for_2fa_result, code, user, nonce
    )


async def refusal(calling: Awaitable[object]) -> str:
    """Return why Duo refuses a call of the SDK."""
    with pytest.raises(DuoException) as raised:
        await calling
    # The SDK's frames keep its connection open, and the server would wait for that at its end.
    traceback.clear_frames(raised.tb)
    return str(raised.value)
