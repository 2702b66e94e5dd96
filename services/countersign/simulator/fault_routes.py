"""Faults over HTTP: injected, listed and removed, for tests in any language."""

from __future__ import annotations

from typing import Any

from litestar import Response, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import Guard

from countersign.simulator.errors import WishError
from countersign.simulator.fault import Injection
from countersign.simulator.fault_wishes import read_json
from countersign.simulator.faults import Faults
from countersign.simulator.parameters import Incoming


def fault_routes(faults: Faults, *, guard: Guard) -> list[HTTPRouteHandler]:
    """Return the routes.

    Args:
        faults: what is in force; changed here.
        guard: refuses other sites' pages.
    """
    guards = [guard]

    @get("/faults")
    async def show() -> list[Injection]:
        return list(faults)

    @post("/faults", status_code=201, guards=guards)
    async def inject(request: Incoming) -> Response[Any]:
        try:
            return Response(faults.inject(**read_json(await request.body())), status_code=201)
        except WishError as error:
            said = {"error": "invalid_request", "field": error.field, "detail": error.detail}
            return Response(said, status_code=400)

    @delete("/faults/{name:str}", status_code=204, guards=guards)
    async def remove(name: FromPath[str]) -> None:
        # One that has struck for the last time is gone already, so it is no error.
        faults.remove(name)

    @delete("/faults", status_code=204, guards=guards)
    async def clear() -> None:
        faults.clear()

    return [show, inject, remove, clear]
