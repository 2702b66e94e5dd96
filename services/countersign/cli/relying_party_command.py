"""`countersign relying-party`: the sample relying party."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from countersign.adapters.kafka.configured import kafka_connection, topic_names
from countersign.cli.output import notes
from countersign.client import CountersignClient
from countersign.core.errors import Problem, SettingsError
from countersign.logs import set_up_logs
from countersign.probe.stop import told_to_stop
from countersign.relying_party.address import read_address
from countersign.relying_party.app import create_app
from countersign.settings import load_settings
from countersign.web.server import WebServer

_HIGHEST_PORT: Final = 65535


async def relying_party(
    *,
    tenant: str,
    port: Annotated[int, Parameter(validator=Number(gte=1, lte=_HIGHEST_PORT))] = 8080,
    host: str = "127.0.0.1",
    base_url: str | None = None,
    source: str | None = None,
    client_id: str = "sample-shop",
) -> int:
    """Run the Sample Shop, a web application to try logins with and to copy from; until Ctrl-C.

    It asks for a user name and no password, since it shows what comes after the first factor: it
    publishes the login, awaits the decision, sends the browser to its challenge and takes it back. Its
    code, `countersign.relying_party`, needs nothing of Countersign but the client.

    A decider has to run, and for challenges a challenger. The tenant's settings have to list the shop's
    return address:

    ```
    [challenge]
    return_urls = ["http://localhost:8080/return"]
    ```

    It needs COUNTERSIGN_KAFKA_… alone; `countersign config` lists them. It answers `/health` while it
    lives. Sessions are in memory and end with the process.

    Args:
        tenant: Whose rules decide.
        port: The port to listen on.
        host: The address to listen on.
        base_url: Where browsers reach it, if not at http://localhost:PORT; https beyond this machine,
            behind a proxy that speaks TLS.
        source: What names the shop on the bus, a URI, the same for all of its processes; its base URL
            by default.
        client_id: What the tenant's rules know the shop by.
    """
    settings = load_settings()
    set_up_logs(settings.log_level, settings.log_format)
    base_url = base_url or f"http://localhost:{port}"
    try:
        address = read_address(base_url)
    except ValueError as error:
        problem, _, remedy = str(error).partition("; ")
        found = Problem(
            key="--base-url", problem=problem, remedy=f"{remedy[:1].upper()}{remedy[1:]}"
        )
        source_of_it = "the command line"
        raise SettingsError(source_of_it, [found]) from error

    stop = told_to_stop()
    async with CountersignClient(
        kafka_connection(settings),
        source=source or address.origin,
        tenant=tenant,
        topics=topic_names(settings),
    ) as client:
        app = create_app(
            client,
            base_url=base_url,
            client_id=client_id,
            clock=lambda: datetime.now(UTC),
            token=lambda: secrets.token_urlsafe(24),
        )
        server = WebServer(app, host=host, port=port, setting="--port")
        await server.start()
        try:
            notes().print(f"The Sample Shop is at {address.origin}")
            notes().print(f"Tenant {tenant}'s return_urls must list {address.return_url}")
            await stop.wait()
        finally:
            await server.stop()
    return 0
