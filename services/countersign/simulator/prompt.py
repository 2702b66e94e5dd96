"""One prompt, and the table of what a person can do at it.

Law: only what the table names happens, and a prompt is approved once at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from countersign.simulator.ledger import Kind
from countersign.simulator.wanted import Wanted

MOST_TRIES: Final = 3
"""So many wrong passcodes lock a prompt."""


class Stage(StrEnum):
    """Where a prompt stands; names its page."""

    ENROLL = "enroll"
    CHOOSE = "choose"
    PUSH = "push"
    SMS = "sms"
    PHONE = "phone"
    PASSCODE = "passcode"
    KEY = "key"
    DENIED = "denied"
    REPORTED = "reported"
    LOCKED = "locked"
    CANCELLED = "cancelled"
    APPROVED = "approved"


class Answer(StrEnum):
    """What a person does: the value of a button called `answer`."""

    ADD_DEVICE = "add_device"
    SEND_PUSH = "send_push"
    SEND_SMS = "send_sms"
    CALL_PHONE = "call_phone"
    ENTER_PASSCODE = "enter_passcode"
    USE_KEY = "use_key"
    APPROVE = "approve"
    DENY = "deny"
    REPORT_FRAUD = "report_fraud"
    PRESS_KEY = "press_key"
    HANG_UP = "hang_up"
    TOUCH_KEY = "touch_key"
    VERIFY = "verify"
    OTHER_OPTIONS = "other_options"
    CANCEL = "cancel"


FACTORS: Final[Mapping[Stage, str]] = {
    Stage.PUSH: "duo_push",
    Stage.SMS: "sms_passcode",
    Stage.PHONE: "phone_call",
    Stage.PASSCODE: "duo_mobile_passcode",
    Stage.KEY: "webauthn_roaming",
}
"""Duo's names of the factors."""
WITH_PASSCODE: Final = frozenset({Stage.SMS, Stage.PASSCODE})

# What is done at a stage, and where that leads. `VERIFY` leads there with the right passcode.
_BACK: Final = {Answer.OTHER_OPTIONS: Stage.CHOOSE, Answer.CANCEL: Stage.CANCELLED}
_MOVES: Final[Mapping[Stage, Mapping[Answer, Stage]]] = {
    Stage.ENROLL: {Answer.ADD_DEVICE: Stage.CHOOSE, Answer.CANCEL: Stage.CANCELLED},
    Stage.CHOOSE: {
        Answer.SEND_PUSH: Stage.PUSH,
        Answer.SEND_SMS: Stage.SMS,
        Answer.CALL_PHONE: Stage.PHONE,
        Answer.ENTER_PASSCODE: Stage.PASSCODE,
        Answer.USE_KEY: Stage.KEY,
        Answer.CANCEL: Stage.CANCELLED,
    },
    Stage.PUSH: {
        Answer.APPROVE: Stage.APPROVED,
        Answer.DENY: Stage.DENIED,
        Answer.REPORT_FRAUD: Stage.REPORTED,
        **_BACK,
    },
    Stage.SMS: {Answer.VERIFY: Stage.APPROVED, **_BACK},
    Stage.PHONE: {Answer.PRESS_KEY: Stage.APPROVED, Answer.HANG_UP: Stage.DENIED, **_BACK},
    Stage.PASSCODE: {Answer.VERIFY: Stage.APPROVED, **_BACK},
    Stage.KEY: {Answer.TOUCH_KEY: Stage.APPROVED, **_BACK},
    Stage.DENIED: _BACK,
    Stage.REPORTED: {},
    Stage.LOCKED: {},
    Stage.CANCELLED: {},
    Stage.APPROVED: {},
}

_TOLD: Final[Mapping[Stage, Kind]] = {
    Stage.DENIED: Kind.DENIED,
    Stage.REPORTED: Kind.FRAUD_REPORTED,
    Stage.LOCKED: Kind.LOCKED,
    Stage.CANCELLED: Kind.CANCELLED,
    Stage.APPROVED: Kind.ALLOWED,
}


@dataclass(slots=True, kw_only=True)
class Prompt:
    """A prompt that a browser has open.

    Attributes:
        txid: names it in its address; nobody can guess it.
        wanted: what the client asked for.
        stage: where it stands.
        passcode: the one that the pretended phone shows.
        factor: Duo's name of the factor in use; None: none was chosen.
        complaint: what was wrong with the last answer, for the person.
        tries: wrong passcodes so far.
    """

    txid: str
    wanted: Wanted
    stage: Stage
    passcode: str = field(repr=False)
    factor: str | None = None
    complaint: str | None = None
    tries: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing can be done any more."""
        return not _MOVES[self.stage]

    def answer(self, answer: Answer, passcode: str) -> Kind | None:
        """Do what a person asks for.

        Args:
            answer: the button that was pressed.
            passcode: what was typed; it counts only for `VERIFY`.

        Returns:
            What is worth writing down, if anything. A button that isn't there (any more) does nothing.
        """
        following = _MOVES[self.stage].get(answer)
        self.complaint = None
        if following is None:
            return None
        if answer is Answer.VERIFY and "".join(passcode.split()) != self.passcode:
            self.tries += 1
            left = MOST_TRIES - self.tries
            if left > 0:
                self.complaint = f"That is not the passcode. Tries left: {left}."
                return Kind.WRONG_PASSCODE
            following = Stage.LOCKED
        enrolled = self.stage is Stage.ENROLL and following is Stage.CHOOSE
        self.stage = following
        if following is Stage.CHOOSE:
            self.factor = None
        self.factor = FACTORS.get(following, self.factor)
        return Kind.ENROLLED if enrolled else _TOLD.get(following)
