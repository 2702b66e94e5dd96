"""The prompts that are open, the codes that are out, and what is written down of both.

Law: a code is good once, for a minute, for the client and the return address that it was made for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from countersign.simulator.behaviour import Behaviour
from countersign.simulator.errors import InvalidGrantError
from countersign.simulator.ledger import Kind, Ledger
from countersign.simulator.prompt import Answer, Prompt, Stage
from countersign.simulator.shelf import Shelf
from countersign.simulator.tokens import CODE_LIFETIME, SCRIPTED, Grant, Verdict
from countersign.simulator.wanted import Wanted

PROMPT_LIFETIME: Final = timedelta(minutes=5)
_KEPT_ENDED: Final = timedelta(hours=1)
"""How long a prompt that is over is known for one, and not for unknown."""
_MOST: Final = 20_000
_DEVICE_LIFETIME: Final = timedelta(days=365)


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a scripted user.

    Attributes:
        way_back: where the browser goes; None: nobody is told anything, as Duo tells nobody.
    """

    way_back: str | None


class Prompts:
    """Prompts and codes.

    Args:
        scripts: how scripted users behave, by Duo user name.
        ledger: is told what happens.
        clock: tells the time.
        token: makes a text that nobody can guess, another one each time.
    """

    def __init__(
        self,
        scripts: Mapping[str, Behaviour],
        ledger: Ledger,
        *,
        clock: Callable[[], datetime],
        token: Callable[[], str],
    ) -> None:
        self._scripts = scripts
        self._ledger = ledger
        self._clock = clock
        self._token = token
        self._prompts: Shelf[Prompt] = Shelf(lifetime=PROMPT_LIFETIME, most=_MOST, clock=clock)
        self._known: Shelf[bool] = Shelf(lifetime=_KEPT_ENDED, most=_MOST, clock=clock)
        self._codes: Shelf[Grant] = Shelf(lifetime=CODE_LIFETIME, most=_MOST, clock=clock)
        self._enrolled: Shelf[bool] = Shelf(lifetime=_DEVICE_LIFETIME, most=_MOST, clock=clock)

    def open(self, wanted: Wanted) -> Prompt:
        """Open a prompt; a user who is seen for the first time has to add a device."""
        enrolled = self._enrolled.get(_user(wanted)) is not None
        txid = self._token()
        prompt = Prompt(
            txid=txid,
            wanted=wanted,
            stage=Stage.CHOOSE if enrolled else Stage.ENROLL,
            codes=self._codes_of_a_prompt(),
        )
        self._prompts.put(txid, prompt)
        self._known.put(txid, value=True)
        self._ledger.note(Kind.PROMPT_OPENED, wanted.username)
        return prompt

    def play(self, wanted: Wanted) -> Played | None:
        """Do as a scripted user does; None: nobody scripted this one."""
        behaviour = self._scripts.get(wanted.username)
        if behaviour is None:
            return None
        self._ledger.note(Kind.PROMPT_OPENED, wanted.username)
        if behaviour is Behaviour.SILENCE:
            return Played(way_back=None)
        if behaviour is Behaviour.DENY_SILENTLY:
            self._ledger.note(Kind.DENIED, wanted.username, "duo_push")
            return Played(way_back=None)
        if behaviour is Behaviour.ERROR_REDIRECT:
            self._ledger.note(Kind.ERROR_RETURNED, wanted.username)
            description = "The user was denied."
            way_back = wanted.address(error="access_denied", error_description=description)
            return Played(way_back=way_back)
        verdict = SCRIPTED[behaviour]
        self._ledger.note(_KINDS[verdict.result], wanted.username, verdict.factor)
        return Played(way_back=self._way_back(wanted, self._token(), verdict))

    def get(self, txid: str) -> Prompt | None:
        """Return a prompt; None where there is none, or its time is over."""
        return self._prompts.get(txid)

    def was_there(self, txid: str) -> bool:
        """Return whether there was such a prompt, as far as is remembered."""
        return self._known.get(txid) is not None

    def answer(self, prompt: Prompt, answer: Answer, passcode: str) -> str | None:
        """Do what a person asks for.

        Returns:
            The browser's way back, where the person has passed; None: the prompt shows how it stands.
        """
        kind = prompt.answer(answer, passcode)
        wanted = prompt.wanted
        if kind is not None:
            self._ledger.note(kind, wanted.username, prompt.factor)
        if kind is Kind.ENROLLED:
            self._enrolled.put(_user(wanted), value=True)
        if kind is Kind.ALLOWED and prompt.factor is not None:
            verdict = Verdict(factor=prompt.factor, reason=prompt.reason)
            return self._way_back(wanted, prompt.txid, verdict)
        return None

    def holder(self, code: str) -> str | None:
        """Return whose code this is; None: nobody's, or its time is over."""
        grant = self._codes.get(code)
        return None if grant is None else grant.wanted.username

    def spend(self, code: str) -> None:
        """Make a code worthless, as if it had been exchanged."""
        self._codes.take(code)

    def exchange(self, client_id: str, given: Mapping[str, Any]) -> Grant:
        """Return what a code stands for, which is then spent, whatever comes of it.

        Raises:
            InvalidGrantError: it stands for nothing, or for something else.
        """
        grant = self._codes.take(given.get("code", ""))
        if grant is None:
            reason = "The code is unknown, used or expired."
            raise InvalidGrantError(reason)
        wanted = grant.wanted
        if (wanted.client_id, wanted.redirect_uri) != (client_id, given.get("redirect_uri")):
            reason = "The code was made for another client or another redirect_uri."
            raise InvalidGrantError(reason)
        self._ledger.note(Kind.EXCHANGED, wanted.username, grant.verdict.factor)
        return grant

    def _way_back(self, wanted: Wanted, txid: str, verdict: Verdict) -> str:
        code = self._token()
        self._codes.put(code, Grant(wanted=wanted, txid=txid, verdict=verdict, at=self._clock()))
        return wanted.address(**{wanted.code_name: code})

    def _codes_of_a_prompt(self) -> Mapping[Stage, str]:
        passcode = self._digits(6)
        return {
            Stage.SMS: passcode,
            Stage.PASSCODE: passcode,
            # Duo's policy sets three to six digits; here each prompt has a length of its own.
            Stage.VERIFIED_PUSH: self._digits(3 + int(self._digits(1)) % 4),
            Stage.BYPASS_CODE: self._digits(9),
        }

    def _digits(self, count: int) -> str:
        """Return digits made of a text that nobody can guess."""
        # The prime spreads the text over all values; the power of ten alone would see its end only.
        number = int.from_bytes(self._token().encode()) % 1_000_000_007
        return f"{number % 10**count:0{count}}"


_KINDS: Final = {"success": Kind.ALLOWED, "denied": Kind.DENIED, "fraud": Kind.FRAUD_REPORTED}


def _user(wanted: Wanted) -> str:
    return f"{wanted.client_id} {wanted.username}"
