"""Duo in memory: a test says how each prompt ends; law: a code is good once, for its own prompt alone.

A code that Duo is too busy for is not taken, and stays good.
"""

from __future__ import annotations

from typing import Final

import msgspec

from countersign.core.duo_answer import DuoAnswer
from countersign.core.errors import DuoBusyError, DuoError, DuoRefusedError
from countersign.core.result import Assurance
from countersign.core.tenant import DuoAccount

APPROVED: Final = DuoAnswer(allowed=True, assurance=Assurance.MFA)

# As Duo's SDK has it: a state of 16 to 1024 characters, and a nonce of 17 to 1023.
_STATE: Final = range(16, 1025)
_NONCE: Final = range(17, 1024)


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt that was asked for."""

    tenant: str
    account: DuoAccount
    username: str
    state: str
    nonce: str


class MemoryDuo:
    """`ports.Duo` without Duo.

    Attributes:
        health: how the next checks of a tenant end; None or nothing for well.
        prompts: every prompt that was asked for, in order.
        answers: what the codes that are still good stand for.
    """

    def __init__(self) -> None:
        self.health: dict[str, DuoError | None] = {}
        self.prompts: list[Prompt] = []
        self.answers: dict[str, DuoAnswer | DuoError] = {}
        self._issued: dict[str, Prompt] = {}

    def approve(self, state: str) -> str:
        """End the prompt of this state as a person does who approves; return the code."""
        return self.answer(state, APPROVED)

    def answer(self, state: str, answer: DuoAnswer | DuoError) -> str:
        """End the prompt of this state in any way; return the code that brings the answer.

        Raises:
            StopIteration: there was no such prompt.
        """
        prompt = next(prompt for prompt in self.prompts if prompt.state == state)
        code = f"code-{len(self._issued) + 1}"
        self._issued[code] = prompt
        self.answers[code] = answer
        return code

    async def check(self, tenant: str, account: DuoAccount) -> None:
        """See `ports.Duo.check`."""
        del account
        error = self.health.get(tenant)
        if error is not None:
            raise type(error)(*error.args)

    async def prompt_url(
        self, tenant: str, account: DuoAccount, *, username: str, state: str, nonce: str
    ) -> str:
        """See `ports.Duo.prompt_url`."""
        if not username or len(state) not in _STATE or len(nonce) not in _NONCE:
            msg = "A prompt needs a user name, a state and a nonce"
            raise DuoRefusedError(msg)
        self.prompts.append(
            Prompt(tenant=tenant, account=account, username=username, state=state, nonce=nonce)
        )
        return f"https://{account.api_host}/oauth/v1/authorize?state={state}"

    async def exchange(
        self, tenant: str, account: DuoAccount, *, code: str, username: str, nonce: str
    ) -> DuoAnswer:
        """See `ports.Duo.exchange`."""
        answer, prompt = self.answers.get(code), self._issued.get(code)
        if isinstance(answer, DuoBusyError):  # Duo hasn't looked at the code, and has not taken it
            raise type(answer)(*answer.args)
        self.answers.pop(code, None)
        if answer is None or prompt is None:
            msg = "The code is not good, or no longer"
            raise DuoRefusedError(msg)
        asked = (tenant, account.client_id, username, nonce)
        if asked != (prompt.tenant, prompt.account.client_id, prompt.username, prompt.nonce):
            msg = "The code is another prompt's"
            raise DuoRefusedError(msg)
        if isinstance(answer, DuoError):
            raise type(answer)(*answer.args)
        return answer
