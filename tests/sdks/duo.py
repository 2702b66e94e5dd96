"""A simulator that listens, and an SDK that calls it."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

import httpx

from countersign.local.ports import HOST, free_port
from countersign.simulator.app import Simulator
from countersign.simulator.behaviour import Behaviour
from countersign.simulator.certificates import Certificates
from countersign.simulator.connections import CuttableProtocol
from countersign.simulator.fault import Fault
from countersign.web.server import WebServer
from tests.sdks.sdk import Answer, Sdk
from tests.sdks.tunnel import tunnel_to

CLIENT_ID: Final = "DI" + "ALICESHOP".ljust(18, "0")
STRANGER: Final = "DI" + "STRANGER".ljust(18, "0")
"""A client that Duo doesn't know."""
SECRET: Final = secrets.token_hex(20)
CALLBACK: Final = "https://mfa.example.com/callback?from=duo"
ALICE: Final = "auth0|Ålice/<b>&'\"\N{SNOWMAN}"
STATE: Final = "s" * 36
NONCE: Final = "n" * 36


class Duo:
    """A simulator, and the SDK of a client that it knows.

    Args:
        sdk: calls it.
        api_host: what the SDK knows it by.
        browser: a browser on the way through the prompt, which starts at the simulator's own address.
        options: of every client of the SDK's.

    Attributes:
        simulator: what is called.
    """

    def __init__(
        self,
        sdk: Sdk,
        simulator: Simulator,
        browser: httpx.AsyncClient,
        options: dict[str, object],
    ) -> None:
        self.simulator = simulator
        self.browser = browser
        self._sdk = sdk
        self._options = options

    async def ask(
        self, call: str, options: Mapping[str, object] | None = None, **given: object
    ) -> Answer:
        """Call a method of the SDK's; the options replace those that are right."""
        return await self._sdk.ask(call, {**self._options, **(options or {})}, **given)

    async def health_check(self, **options: object) -> Answer:
        """Ask whether Duo is well."""
        return await self.ask("health_check", options)

    async def exchange(
        self, code: str, username: str = ALICE, *, nonce: str | None = None, **options: object
    ) -> Answer:
        """Exchange a code."""
        given = {} if nonce is None else {"nonce": nonce}
        return await self.ask("exchange", options, code=code, username=username, **given)

    async def script(self, behaviour: Behaviour, username: str = ALICE) -> None:
        """Script a user, over HTTP as anybody's tests would."""
        path = f"/scripts/{quote(username, safe='')}"
        answer = await self.browser.put(path, json={"behaviour": behaviour})
        assert answer.status_code == 204

    async def inject(self, fault: Fault, **how: object) -> None:
        """Have something go wrong until `heal`."""
        wish = {"fault": fault, "times": None, **how}
        assert (await self.browser.post("/faults", json=wish)).status_code == 201

    async def heal(self) -> None:
        """Have nothing go wrong any more."""
        assert (await self.browser.delete("/faults")).status_code == 204

    async def visit(self, *, nonce: str | None = None, **options: object) -> httpx.Response:
        """Follow the SDK's address to the prompt, and no further."""
        made = await self.ask("create_auth_url", options, username=ALICE, state=STATE)
        assert made.error is None, made.said
        address = urlsplit(made.result)
        assert address.netloc == self._options["api_host"]
        # Neither SDK has the nonce in its address; Duo takes it beside the signed request.
        more = "" if nonce is None else f"&nonce={nonce}"
        return await self.browser.get(f"{address.path}?{address.query}{more}")

    async def come_back(self, *, nonce: str | None = None) -> str:
        """Return the code that the scripted user comes back with."""
        answer = await self.visit(nonce=nonce)
        assert answer.status_code == 303, answer.text
        back = answer.headers["location"]
        assert back.startswith(f"{CALLBACK}&duo_code=")
        found = parse_qs(urlsplit(back).query)
        assert found["state"] == [STATE]
        return found["duo_code"][0]


@asynccontextmanager
async def duo_for(sdk: Sdk, files: Certificates) -> AsyncIterator[Duo]:
    """Run a simulator that an SDK may call, with Alice who approves."""
    port = free_port()
    api_host = f"localhost:{port}" if sdk.says_port else "localhost"
    simulator = Simulator(
        {CLIENT_ID: SECRET},
        api_host=api_host,
        clock=lambda: datetime.now(UTC),
        token=lambda: secrets.token_urlsafe(32),
    )
    server = WebServer(
        simulator.app,
        host=HOST,
        port=port,
        certificate=(files.certificate, files.key),
        setting="port",
        protocol=CuttableProtocol,
    )
    options: dict[str, Any] = {
        "client_id": CLIENT_ID,
        "client_secret": SECRET,
        "api_host": api_host,
        "redirect_uri": CALLBACK,
        "use_duo_code_attribute": True,
        **sdk.trust,
    }
    async with AsyncExitStack() as stack:
        await server.start()
        stack.push_async_callback(server.stop)
        stack.callback(simulator.stop)
        if not sdk.says_port:
            tunnel = await stack.enter_async_context(tunnel_to(port))
            options |= {"proxy_host": HOST, "proxy_port": tunnel}
        browser = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=f"https://localhost:{port}",
                verify=ssl.create_default_context(cafile=str(files.authority)),
                trust_env=False,
            )
        )
        duo = Duo(sdk, simulator, browser, options)
        await duo.script(Behaviour.APPROVE)
        yield duo
