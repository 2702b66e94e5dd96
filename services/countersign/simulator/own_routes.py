"""The simulator's own addresses, which Duo doesn't have: scripts, the ledger, health."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

import msgspec
from litestar import delete, get, put
from litestar.exceptions import ClientException
from litestar.handlers import HTTPRouteHandler
from litestar.types import Guard

from countersign.simulator.behaviour import Behaviour, Script
from countersign.simulator.ledger import Entry, Ledger
from countersign.simulator.parameters import Incoming

_SCRIPTS: Final = "/scripts/"


def own_routes(
    scripts: dict[str, Behaviour], ledger: Ledger, *, guard: Guard
) -> list[HTTPRouteHandler]:
    """Return the routes.

    Args:
        scripts: how scripted users behave, by Duo user name; changed here.
        ledger: what happened.
        guard: refuses other sites' pages.
    """
    guards = [guard]

    @put(_SCRIPTS + "{username:path}", status_code=204, guards=guards)
    async def set_script(request: Incoming) -> None:
        try:
            script = msgspec.json.decode(await request.body(), type=Script)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            known = ", ".join(Behaviour)
            reason = f'Send {{"behaviour": "..."}} with one of: {known}.'
            raise ClientException(reason) from error
        scripts[_username(request)] = script.behaviour

    @delete(_SCRIPTS + "{username:path}", status_code=204, guards=guards)
    async def delete_script(request: Incoming) -> None:
        scripts.pop(_username(request), None)

    @get("/ledger")
    async def show_ledger() -> list[Entry]:
        return list(ledger)

    @get("/health")
    async def health() -> dict[str, Any]:
        return {"status": "alive"}

    return [set_script, delete_script, show_ledger, health]


def _username(request: Incoming) -> str:
    """Return the user name exactly; the router would drop slashes."""
    return unquote(request.scope["raw_path"]).removeprefix(_SCRIPTS)
