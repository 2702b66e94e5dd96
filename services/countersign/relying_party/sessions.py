"""What the server knows of each browser that began a sign-in.

Law: a session begins with a sign-in, under a new id that nobody else has seen; the one before it ends.

In memory, for a sample. A real application keeps these few fields in its own session store, so that
they outlive a restart and every process sees them.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from countersign.client import LoginDecision, LoginOutcome
from countersign.relying_party.login import Login

Answer = LoginDecision | LoginOutcome

_LIFETIME: Final = timedelta(hours=8)
_MOST: Final = 10_000


@dataclass(slots=True, kw_only=True, eq=False)
class Session:
    """One browser's sign-in.

    Attributes:
        login: who signs in, and the login event's id.
        answer: what Countersign said last; None: it could not be asked.
        forgotten: the user had the browsers forgotten since.
        completing: held while a challenge is completed, so that a reload waits for the first.
    """

    login: Login
    answer: Answer | None
    forgotten: bool = False
    completing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def signed_in(self) -> bool:
        """An answer allowed it; nothing else does."""
        return self.answer is not None and self.answer.allowed

    @property
    def challenged(self) -> bool:
        """It waits for its browser to come back with a code."""
        return isinstance(self.answer, LoginDecision) and self.answer.challenged


class Sessions:
    """All sessions; the oldest go when there are too many.

    Args:
        clock: the time.
        token: makes ids that can't be guessed.
        lifetime: how long a session lasts.
        most: how many are kept.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        token: Callable[[], str],
        *,
        lifetime: timedelta = _LIFETIME,
        most: int = _MOST,
    ) -> None:
        self._clock = clock
        self._token = token
        self._lifetime = lifetime
        self._most = most
        # By age, since all last equally long.
        self._held: OrderedDict[str, tuple[datetime, Session]] = OrderedDict()

    def find(self, session_id: str | None) -> Session | None:
        """Return a session that lasts; None where there is none."""
        self._drop_ended()
        held = self._held.get(session_id) if session_id is not None else None
        return held[1] if held else None

    def begin(self, session: Session, *, instead_of: str | None) -> str:
        """Keep a session, end the browser's one before it, and return the new one's id."""
        self.end(instead_of)
        self._drop_ended()
        if len(self._held) >= self._most:
            self._held.popitem(last=False)
        session_id = self._token()
        self._held[session_id] = (self._clock() + self._lifetime, session)
        return session_id

    def end(self, session_id: str | None) -> None:
        """End a session, if there is one."""
        if session_id is not None:
            self._held.pop(session_id, None)

    def _drop_ended(self) -> None:
        now = self._clock()
        while self._held and next(iter(self._held.values()))[0] <= now:
            self._held.popitem(last=False)
