"""The sample relying party on a real Kafka and a real decider, in a browser that keeps cookies."""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import aiohttp
import httpx

from countersign.adapters.kafka.configured import kafka_connection, topic_names
from countersign.client import CountersignClient
from countersign.core.result import Assurance
from countersign.core.tenant import ChallengeRules
from countersign.local.ports import free_port
from countersign.relying_party.app import create_app
from tests.builders import ACME, a_tenant
from tests.bus import PATIENCE, open_bus
from tests.faults.processes import environment

if TYPE_CHECKING:
    from countersign.local import Stack

SITE = "http://localhost:8080"
CODE = "the-right-code"


async def test_a_user_signs_in_is_remembered_and_forgotten(stack: Stack) -> None:
    """Challenged and back with mfa; remembered at the next sign-in; challenged after a "forget"."""
    tenant = a_tenant(challenge=ChallengeRules(return_urls=(f"{SITE}/return",)))
    async with (
        open_bus(stack) as bus,
        bus.decider(tenant),
        CountersignClient(
            kafka_connection(bus.settings),
            source=SITE,
            tenant=ACME,
            topics=topic_names(bus.settings),
        ) as client,
    ):
        app = create_app(
            client,
            base_url=SITE,
            client_id="sample-shop",
            clock=lambda: datetime.now(UTC),
            token=lambda: secrets.token_urlsafe(24),
        )
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),  # type: ignore[arg-type]  # each has own types for ASGI
            base_url=SITE,
            headers={"origin": SITE},
        ) as browser:

            async def sign_in() -> str:
                # The decider may still be joining its group; the shop then says so, and asks again.
                async with asyncio.timeout(PATIENCE):
                    while True:
                        page = await browser.post("/sign-in", data={"name": "alice"})
                        if page.status_code != 503:
                            return str(page.headers["location"])

            sent_to = await sign_in()
            assert "/c/" in sent_to
            await bus.prove(sent_to.rpartition("/")[2], CODE, Assurance.MFA)
            returned = await browser.get("/return", params={"mfa_code": CODE})
            assert returned.headers["location"] == "/"
            assert "You passed a Duo challenge." in (await browser.get("/")).text

            assert await sign_in() == "/"
            assert "This browser is remembered" in (await browser.get("/")).text

            await browser.post("/forget")
            assert "forgotten" in (await browser.get("/")).text
            assert "/c/" in await sign_in()


async def test_the_command_serves_until_it_is_told_to_stop(stack: Stack) -> None:
    """`countersign relying-party` answers, says where it is, and ends with status 0 on SIGTERM."""
    port = free_port()
    async with open_bus(stack) as bus:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "countersign", "relying-party"),
            *("--tenant", ACME, "--port", str(port)),
            env=environment(bus),
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
                while True:
                    try:
                        async with session.get(f"http://127.0.0.1:{port}/health") as page:
                            assert page.status == 200
                            break
                    except aiohttp.ClientConnectionError:
                        assert process.returncode is None
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(PATIENCE):
                _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 0
    assert f"http://localhost:{port}\n" in said.decode()
    assert f"http://localhost:{port}/return" in said.decode()
