"""The simulator, put together: Duo's protocol, a prompt, scripts, faults, and a ledger of what happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import structlog
from litestar import Litestar, Response
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp

from countersign.logs import where_it_failed
from countersign.simulator.assertions import Assertions
from countersign.simulator.behaviour import Behaviour
from countersign.simulator.control_page import Control, control_page
from countersign.simulator.duo_routes import Duo, duo_routes
from countersign.simulator.fault_routes import fault_routes
from countersign.simulator.faults import Faults
from countersign.simulator.ledger import Ledger
from countersign.simulator.misbehaviour import Misbehaviour
from countersign.simulator.own_routes import own_routes
from countersign.simulator.pages import Pages
from countersign.simulator.parameters import LARGEST, Incoming
from countersign.simulator.prompt_routes import prompt_routes
from countersign.simulator.prompts import Prompts
from countersign.simulator.same_site import same_site
from countersign.web.headers import safe_headers, with_headers

log = structlog.get_logger(__name__)

# Chrome holds the redirects that follow a form against `form-action` too, and the last leads away.
_FORMS: Final = "'self' https: http://localhost:* http://127.0.0.1:*"


class Simulator:
    """A stand-in for Duo.

    Args:
        accounts: client id → client secret.
        api_host: host and port that clients know it by, such as `localhost:8444`.
        clock: tells the time.
        token: makes a text that nobody can guess, another one each time.

    Attributes:
        app: the ASGI application.
        scripts: how scripted users behave, by Duo user name; change it at any time.
        faults: what goes wrong; change it at any time.
        ledger: what happened.
    """

    def __init__(
        self,
        accounts: Mapping[str, str],
        *,
        api_host: str,
        clock: Callable[[], datetime],
        token: Callable[[], str],
    ) -> None:
        self.scripts: dict[str, Behaviour] = {}
        self.ledger = Ledger(clock)
        self.faults = Faults(self.ledger, frozenset(accounts))
        prompts = Prompts(self.scripts, self.ledger, clock=clock, token=token)
        pages = Pages()
        self._misbehaviour = Misbehaviour(self.faults, pages, clock=clock, spend=prompts.spend)
        duo = Duo(
            accounts=accounts,
            api_host=api_host,
            assertions=Assertions(accounts, api_host=api_host, clock=clock),
            prompts=prompts,
            misbehaviour=self._misbehaviour,
            ledger=self.ledger,
            pages=pages,
            clock=clock,
            token=token,
        )
        control = Control(self.scripts, self.faults, self.ledger, pages)
        guard = same_site(api_host)

        def failed(_: Incoming, error: HTTPException) -> Response[str]:
            return pages.notice(error.status_code, "That didn't work", error.detail)

        def crashed(_: Incoming, error: Exception) -> Response[str]:
            # Neither its text nor the address: both may hold codes and states.
            log.error("request_failed", error=type(error).__name__, where=where_it_failed(error))
            return pages.notice(500, "The simulator failed", "Its log says where.")

        handlers: dict[int | type[Exception], Any] = {HTTPException: failed, Exception: crashed}
        routes = Litestar(
            [
                *duo_routes(duo),
                *prompt_routes(prompts, pages),
                *own_routes(self.scripts, self.ledger, guard=guard),
                *fault_routes(self.faults, guard=guard),
                *control_page(control, guard=guard),
            ],
            exception_handlers=handlers,
            request_max_body_size=LARGEST,
            openapi_config=None,
            logging_config=None,
        )
        # No Strict-Transport-Security: it would bind every port of a developer's localhost.
        headers = safe_headers(secure=False, forms=_FORMS)
        self.app: ASGIApp = with_headers(routes, headers)

    def stop(self) -> None:
        """Let go of requests that a fault holds up, so that the server can end."""
        self._misbehaviour.stop()
