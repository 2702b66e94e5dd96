"""The challenger's two routes by hand: they only call Duo's SDK; law: nothing here that its README omits.

No store, no cookie, no checks of our own; a state lives in a dict of the process.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from litestar import Litestar, Request, get
from litestar.response import Redirect

from tests.builders import RETURN_URL

THREADS = 8
"""As many as ours has for calls to Duo."""


def create_app(client: Any, username: str, *, checks: bool) -> Litestar:  # noqa: ANN401  # the SDK has no types
    """Return the application.

    Args:
        client: the SDK's.
        username: who signs in.
        checks: ask for Duo's health at each visit.
    """
    threads = ThreadPoolExecutor(THREADS)
    states: dict[str, str] = {}

    @get("/c/{challenge_id:str}")
    async def visit(request: Request[Any, Any, Any]) -> Redirect:
        if checks:
            await asyncio.get_running_loop().run_in_executor(threads, client.health_check)
        state = client.generate_state()
        states[state] = str(request.path_params["challenge_id"])
        return Redirect(client.create_auth_url(username, state), status_code=303)

    @get("/callback")
    async def callback(request: Request[Any, Any, Any]) -> Redirect:
        found = states.pop(request.query_params["state"])
        await asyncio.get_running_loop().run_in_executor(
            threads,
            client.exchange_authorization_code_for_2fa_result,
            request.query_params["duo_code"],
            username,
        )
        return Redirect(f"{RETURN_URL}?mfa_code={found}", status_code=303)

    return Litestar([visit, callback], openapi_config=None, logging_config=None)
