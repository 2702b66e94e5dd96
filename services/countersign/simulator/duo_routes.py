"""Duo's three endpoints, as `duo_universal` and its sisters in other languages call them.

Law: hostile input is refused in Duo's words, and never fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from countersign.simulator.assertions import ASSERTION_TYPE, Assertions, sign
from countersign.simulator.errors import InvalidRequestError, RefusedError
from countersign.simulator.ledger import Kind, Ledger
from countersign.simulator.pages import Pages, go
from countersign.simulator.parameters import Incoming, parameters, query
from countersign.simulator.prompts import Prompts
from countersign.simulator.tokens import TOKEN_LIFETIME, claims
from countersign.simulator.wanted import read_wanted

HEALTH_CHECK: Final = "/oauth/v1/health_check"
AUTHORIZE: Final = "/oauth/v1/authorize"
TOKEN: Final = "/oauth/v1/token"  # noqa: S105  # a path
_FAILED: Final = 40002
"""Duo's code of a request that it doesn't take."""


def duo_routes(  # the parts of the simulator
    accounts: Mapping[str, str],
    prompts: Prompts,
    ledger: Ledger,
    pages: Pages,
    *,
    api_host: str,
    clock: Callable[[], datetime],
    token: Callable[[], str],
) -> list[HTTPRouteHandler]:
    """Return the endpoints.

    Args:
        accounts: client id → client secret.
        prompts: where prompts are opened, and codes are exchanged.
        ledger: is told of health checks.
        pages: show what a person is to see.
        api_host: host and port that clients know us by.
        clock: tells the time.
        token: makes access tokens.
    """
    assertions = Assertions(accounts, api_host=api_host, clock=clock)

    @post(HEALTH_CHECK, status_code=200)
    async def health_check(request: Incoming) -> Response[dict[str, Any]]:
        timestamp = int(clock().timestamp())
        try:
            assertions.client(await parameters(request), path=HEALTH_CHECK)
        except RefusedError as error:
            refusal = {
                "stat": "FAIL",
                "code": _FAILED,
                "message": error.error,
                "message_detail": error.description,
                "timestamp": timestamp,
            }
            return Response(refusal, status_code=400)
        ledger.note(Kind.HEALTH_CHECKED)
        return Response({"stat": "OK", "response": {"timestamp": timestamp}})

    @get(AUTHORIZE)
    async def authorize(request: Incoming) -> Response[Any]:
        try:
            given = query(request)
            wanted = read_wanted(assertions.request(given), given)
        except RefusedError as error:
            return pages.page("refused", status=400, error=error.error, text=error.description)
        played = prompts.play(wanted)
        if played is None:
            return go(f"/prompt/{prompts.open(wanted).txid}")
        if played.way_back is None:
            return pages.notice(
                200,
                "This sign-in has ended",
                "This user is scripted, and gives no answer. As with Duo, nobody is told.",
            )
        return go(played.way_back)

    @post(TOKEN, status_code=200)
    async def exchange(request: Incoming) -> Response[dict[str, Any]]:
        try:
            given = await parameters(request)
            client_id = _exchanging_client(assertions, given)
            grant = prompts.exchange(client_id, given)
        except RefusedError as error:
            refusal = {"error": error.error, "error_description": error.description}
            return Response(refusal, status_code=400)
        said = claims(grant, api_host=api_host, now=clock())
        answer = {
            "id_token": sign(said, accounts[client_id]),
            "access_token": token(),
            "expires_in": int(TOKEN_LIFETIME.total_seconds()),
            "token_type": "Bearer",
        }
        return Response(answer)

    return [health_check, authorize, exchange]


def _exchanging_client(assertions: Assertions, given: Mapping[str, str]) -> str:
    """Return the client that may exchange a code.

    Raises:
        InvalidRequestError: this is no exchange of a code.
        InvalidClientError: the client isn't who it says.
    """
    wanted = {"client_assertion_type": ASSERTION_TYPE, "grant_type": "authorization_code"}
    for name, value in wanted.items():
        if given.get(name) != value:
            reason = f"{name} is not {value}."
            raise InvalidRequestError(reason)
    return assertions.client(given, path=TOKEN)
