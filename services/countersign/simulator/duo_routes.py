"""Duo's three endpoints, as `duo_universal` and its sisters in other languages call them.

Law: hostile input is refused in Duo's words, and never fails; only an injected fault does otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from countersign.simulator.assertions import (
    ASSERTION_TYPE,
    Assertions,
    named_client,
    unverified,
)
from countersign.simulator.errors import InvalidRequestError, RefusedError
from countersign.simulator.fault import Endpoint, Visitor
from countersign.simulator.forgery import signed_token
from countersign.simulator.ledger import Kind, Ledger
from countersign.simulator.misbehaviour import Misbehaviour
from countersign.simulator.pages import Pages, go
from countersign.simulator.parameters import Incoming, parameters, query
from countersign.simulator.prompts import Prompts
from countersign.simulator.refusals import refusal
from countersign.simulator.tokens import TOKEN_LIFETIME, claims
from countersign.simulator.wanted import read_wanted

HEALTH_CHECK: Final = "/oauth/v1/health_check"
AUTHORIZE: Final = "/oauth/v1/authorize"
TOKEN: Final = "/oauth/v1/token"  # noqa: S105  # a path


@dataclass(frozen=True, slots=True, kw_only=True)
class Duo:
    """Answers at the endpoints.

    Attributes:
        accounts: client id → client secret.
        api_host: host and port that clients know us by.
        assertions: verify what clients sign.
        prompts: where prompts are opened, and codes are exchanged.
        misbehaviour: what injected faults make of requests.
        ledger: is told of health checks.
        pages: show what a person is to see.
        clock: tells the time.
        token: makes access tokens.
    """

    accounts: Mapping[str, str]
    api_host: str
    assertions: Assertions
    prompts: Prompts
    misbehaviour: Misbehaviour
    ledger: Ledger
    pages: Pages
    clock: Callable[[], datetime]
    token: Callable[[], str]

    def refuse(
        self, endpoint: Endpoint, error: RefusedError, skew: timedelta = timedelta(0)
    ) -> Response[Any]:
        """Return a refusal in Duo's words."""
        timestamp = int((self.clock() + skew).timestamp())
        return refusal(endpoint, error, self.pages, timestamp=timestamp)

    async def health_check(self, request: Incoming) -> Response[Any]:
        """Tell a client that all is well."""
        skew = timedelta(0)
        try:
            given = await parameters(request)
            visitor = Visitor(Endpoint.HEALTH_CHECK, named_client(given), None)
            instead = await self.misbehaviour.instead(request, visitor)
            if instead is not None:
                return instead
            skew = self.misbehaviour.skew(visitor)
            self.assertions.client(given, path=HEALTH_CHECK, skew=skew)
        except RefusedError as error:
            return self.refuse(Endpoint.HEALTH_CHECK, error, skew)
        self.ledger.note(Kind.HEALTH_CHECKED)
        timestamp = int((self.clock() + skew).timestamp())
        return Response({"stat": "OK", "response": {"timestamp": timestamp}})

    async def authorize(self, request: Incoming) -> Response[Any]:
        """Open a prompt, or do as a scripted user does."""
        try:
            given = query(request)
            username = unverified(given.get("request", "")).get("duo_uname")
            visitor = Visitor(
                Endpoint.AUTHORIZE,
                given.get("client_id"),
                username if isinstance(username, str) else None,
            )
            instead = await self.misbehaviour.instead(request, visitor)
            if instead is not None:
                return instead
            skew = self.misbehaviour.skew(visitor)
            wanted = read_wanted(self.assertions.request(given, skew=skew), given)
        except RefusedError as error:
            return self.refuse(Endpoint.AUTHORIZE, error)
        played = self.prompts.play(wanted)
        if played is None:
            return go(f"/prompt/{self.prompts.open(wanted).txid}")
        if played.way_back is None:
            return self.pages.notice(
                200,
                "This sign-in has ended",
                "This user is scripted, and gives no answer. As with Duo, nobody is told.",
            )
        return go(played.way_back)

    async def exchange(self, request: Incoming) -> Response[Any]:
        """Exchange a code for a token."""
        try:
            given = await parameters(request)
            code = given.get("code", "")
            visitor = Visitor(Endpoint.TOKEN, named_client(given), self.prompts.holder(code))
            instead = await self.misbehaviour.instead(request, visitor, code=code)
            if instead is not None:
                return instead
            skew = self.misbehaviour.skew(visitor)
            client_id = _exchanging_client(self.assertions, given, skew)
            grant = self.prompts.exchange(client_id, given)
        except RefusedError as error:
            return self.refuse(Endpoint.TOKEN, error)
        said = claims(grant, api_host=self.api_host, now=self.clock() + skew)
        fault = self.misbehaviour.signing(visitor)
        answer = {
            "id_token": signed_token(said, self.accounts[client_id], fault),
            "access_token": self.token(),
            "expires_in": int(TOKEN_LIFETIME.total_seconds()),
            "token_type": "Bearer",
        }
        return Response(answer)


def duo_routes(duo: Duo) -> list[HTTPRouteHandler]:
    """Return the endpoints.

    Args:
        duo: answers them.
    """

    @post(HEALTH_CHECK, status_code=200)
    async def health_check(request: Incoming) -> Response[Any]:
        return await duo.health_check(request)

    @get(AUTHORIZE)
    async def authorize(request: Incoming) -> Response[Any]:
        return await duo.authorize(request)

    @post(TOKEN, status_code=200)
    async def exchange(request: Incoming) -> Response[Any]:
        return await duo.exchange(request)

    return [health_check, authorize, exchange]


def _exchanging_client(assertions: Assertions, given: Mapping[str, str], skew: timedelta) -> str:
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
    return assertions.client(given, path=TOKEN, skew=skew)
