"""What this application does at a sign-in: ask, keep the answer, and bring the browser back.

Law: a login event's id comes from this browser's own session and from nowhere else, so a link that was
sent on is worth nothing in another browser. Only an answer that allows signs anybody in.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from countersign.client import (
    BusUnavailableError,
    LoginDecision,
    LoginOutcome,
    NoAnswerError,
)
from countersign.relying_party.address import Address
from countersign.relying_party.login import Login
from countersign.relying_party.sessions import Session, Sessions

UNANSWERED = (NoAnswerError, BusUnavailableError)
"""Nobody knows; so nobody is let in."""


class Client(Protocol):
    """What is used of `CountersignClient`; tests have one without a bus."""

    async def submit(
        self, login: Mapping[str, Any], *, event_id: str, time: datetime
    ) -> LoginDecision:
        """See `CountersignClient.submit`."""
        ...

    async def complete(self, event_id: str, code: str, *, user_id: str) -> LoginOutcome:
        """See `CountersignClient.complete`."""
        ...

    async def forget(self, user_id: str) -> None:
        """See `CountersignClient.forget`."""
        ...


class Shop:
    """The application without its pages.

    Args:
        client: the connection to Countersign.
        address: where browsers reach it.
        client_id: what the tenant knows it by.
        clock: the time.
        token: makes ids of at least 128 bits that can't be guessed.
    """

    def __init__(
        self,
        client: Client,
        address: Address,
        *,
        client_id: str,
        clock: Callable[[], datetime],
        token: Callable[[], str],
    ) -> None:
        self.sessions = Sessions(clock, token)
        self._client = client
        self._address = address
        self._client_id = client_id
        self._clock = clock
        self._token = token

    def new_browser(self) -> str:
        """Return an id for a browser that has none."""
        return self._token()

    async def sign_in(
        self, name: str, browser_id: str, session_id: str | None
    ) -> tuple[str, Session]:
        """Ask what the sign-in owes, and begin the browser's session with the answer.

        Of two sign-ins of one browser, as in two tabs, the later one's session stays. The earlier one's
        challenge can't be completed any more, since a code doesn't say whose it is.

        Args:
            name: who signs in; the first factor would stand before this.
            browser_id: which browser.
            session_id: the session that the browser had so far.

        Returns:
            The new session's id, and the session; unanswered, if there was no answer.
        """
        login = self._begun(name, browser_id, self.sessions.find(session_id))
        event = login.event(client_id=self._client_id, return_url=self._address.return_url)
        answer = None
        # Without an answer it is kept with its event id: the next try asks the same question again.
        with contextlib.suppress(*UNANSWERED):
            answer = await self._client.submit(event, event_id=login.event_id, time=login.began_at)
        session = Session(login=login, answer=answer)
        # A new id at every sign-in: whoever planted the old one in this browser has nothing of it.
        return self.sessions.begin(session, instead_of=session_id), session

    async def complete(self, session: Session, code: str) -> None:
        """Settle a challenged session with the code that its browser came back with.

        Repeated, it changes nothing: a session is settled once.

        Raises:
            NoAnswerError: none came; the same call may be tried again.
            BusUnavailableError: likewise.
            InvalidEventError: the code can't be one.
        """
        async with session.completing:
            if session.challenged:
                login = session.login
                session.answer = await self._client.complete(
                    login.event_id, code, user_id=login.user_id
                )

    async def forget(self, session: Session) -> None:
        """Have the user's remembered browsers forgotten.

        Raises:
            BusUnavailableError: it was not acknowledged; try again.
        """
        await self._client.forget(session.login.user_id)
        session.forgotten = True

    def _begun(self, name: str, browser_id: str, before: Session | None) -> Login:
        now = self._clock()
        if before is not None and before.answer is None:
            login = before.login
            if (login.name, login.browser_id) == (name, browser_id) and now < login.expires_at:
                return login
        return Login(name=name, event_id=self._token(), browser_id=browser_id, began_at=now)
