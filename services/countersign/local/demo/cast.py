"""The demo's services, as processes: deciders, and what browsers meet."""

from __future__ import annotations

import asyncio
import contextlib

from countersign.local.demo.world import World
from countersign.local.server import Server
from countersign.local.services import Program, probed_service, service


def decider(world: World, name: str) -> Server:
    """Lay out a decider."""
    arguments = ("-m", "countersign", "decider")
    return probed_service(world.stack.directory, name, arguments, world.environment)


def web_services(world: World) -> list[Server]:
    """Lay out what browsers meet: the challenger, the Duo simulator and the sample relying party."""
    directory, addresses = world.stack.directory, world.addresses
    client_id, secret_file = world.duo_account
    shown = (f"https://{addresses.api_host}", addresses.simulator)
    return [
        service(
            directory,
            Program(
                name="simulator",
                arguments=(
                    *("-m", "countersign", "simulator"),
                    *("--port", str(addresses.duo), "--http-port", str(addresses.duo_plain)),
                    *("--client-id", client_id, "--client-secret-file", str(secret_file)),
                    *("--directory", str(directory / "duo")),
                ),
                port=addresses.duo_plain,
            ),
            world.environment,
        ),
        probed_service(
            directory,
            "challenger",
            ("-m", "countersign.local.demo.challenger", *shown),
            world.environment,
        ),
        service(
            directory,
            Program(
                name="relying-party",
                arguments=(
                    *("-m", "countersign", "relying-party"),
                    *("--tenant", "acme", "--port", str(addresses.shop)),
                ),
                port=addresses.shop,
            ),
            world.environment,
        ),
    ]


async def started(cleanup: contextlib.AsyncExitStack, *servers: Server) -> None:
    """Start servers, all at once."""
    for server in servers:
        cleanup.push_async_callback(server.stop)
    await asyncio.gather(*(server.start() for server in servers))
