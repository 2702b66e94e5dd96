"""Duo in memory that notes what it said, told by tests how each prompt ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from countersign.adapters.memory.duo import MemoryDuo
from countersign.core.duo_answer import DuoAnswer, read_duo_answer
from countersign.core.errors import (
    DuoBusyError,
    DuoError,
    DuoRefusedError,
    DuoUnavailableError,
)
from countersign.core.tenant import DuoAccount
from countersign.ports import Clock
from tests.bus import FixedTenants
from tests.shaky import yielding

_ID: Final = 24
"""Characters of a challenge's id, which a state begins with."""
_TERM: Final = timedelta(seconds=10)
"""Less than any lease lasts."""
_YES: Final = {"result": "allow", "status": "allow"}
_BY_PUSH: Final = {"result": "success", "factor": "duo_push", "reason": "user_approved"}
TOKENS: Final[dict[str, dict[str, Any]]] = {
    "approve": {"auth_result": _YES, "auth_context": _BY_PUSH},
    "bypass": {"auth_result": _YES, "auth_context": {**_BY_PUSH, "factor": "bypass_code"}},
    "deny": {"auth_result": {"result": "deny", "status": "deny"}},
    "fraud": {"auth_result": _YES, "auth_context": {**_BY_PUSH, "reason": "user_marked_fraud"}},
    "half an allow": {"auth_result": {"result": "allow", "status": "deny"}},
    "contradicted": {"auth_result": _YES, "auth_context": {**_BY_PUSH, "result": "denied"}},
    "nothing": {},
}
"""What Duo's token says, by what happened at the prompt."""
_ERRORS: Final[dict[str, type[DuoError]]] = {
    "busy": DuoBusyError,
    "refuse": DuoRefusedError,
    "unavailable": DuoUnavailableError,
}
ENDS: Final = (*TOKENS, *_ERRORS)
SAID_NO: Final = frozenset({"deny", "half an allow", "contradicted", "nothing"})


class Exchange(NamedTuple):
    """A code that Duo took: of which prompt, what it stood for, and whether a bypass counted then."""

    state: str
    end: str
    accept_bypass: bool

    @property
    def counts(self) -> bool:
        """Say whether it is an approval that counts."""
        return self.end == "approve" or (self.end == "bypass" and self.accept_bypass)


class TellingDuo(MemoryDuo):
    """Duo that notes what it said, and who asked at the same time as another.

    Attributes:
        said: the codes that it took.
        ends: what each code stands for.
        turns: how often others have their turn in the next calls.
    """

    def __init__(self, tenants: FixedTenants, clock: Clock) -> None:
        super().__init__()
        self.said: list[Exchange] = []
        self.ends: dict[str, str] = {}
        self.turns: Iterator[int] = iter(())
        self._asking: dict[str, datetime] = {}
        self._tenants = tenants
        self._clock = clock

    def end(self, state: str, end: str) -> str:
        """End the prompt of this state; return the code."""
        if end in _ERRORS:
            answer: DuoAnswer | DuoError = _ERRORS[end]("told to")
        else:
            answer = read_duo_answer(TOKENS[end])
        code = self.answer(state, answer)
        self.ends[code] = end
        return code

    def issued(self) -> list[tuple[str, str]]:
        """Return every code, the latest first, with its prompt's state."""
        return [(code, prompt.state) for code, prompt in reversed(self._issued.items())]

    async def exchange(
        self, tenant: str, account: DuoAccount, *, code: str, username: str, nonce: str
    ) -> DuoAnswer:
        """See `ports.Duo.exchange`; while one is asked, others have their turn."""
        challenge = next(one.state for one in self.prompts if one.nonce == nonce)[:_ID]
        since = self._asking.get(challenge)
        assert since is None or self._clock() >= since + _TERM, "two exchange at once"
        self._asking[challenge] = self._clock()
        try:
            await yielding(next(self.turns, 1))
            answer = await super().exchange(
                tenant, account, code=code, username=username, nonce=nonce
            )
        except DuoBusyError:
            # The code was not taken; who comes again has luck.
            self.answers[code], self.ends[code] = read_duo_answer(TOKENS["approve"]), "approve"
            raise
        finally:
            self._asking.pop(challenge, None)
        settings = self._tenants.get(tenant)
        assert settings is not None
        self.said.append(
            Exchange(self._issued[code].state, self.ends[code], settings.challenge.accept_bypass)
        )
        return answer
