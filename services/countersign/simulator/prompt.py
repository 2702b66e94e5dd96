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
    VERIFIED_PUSH = "verified_push"
    BYPASS_CODE = "bypass_code"
    KEY = "key"
    DEVICE = "device"
    DENIED = "denied"
    REPORTED = "reported"
    LOCKED = "locked"
    CANCELLED = "cancelled"
    APPROVED = "approved"


class Answer(StrEnum):
    """What a person does: the value of a button called `answer`."""

    ADD_DEVICE = "add_device"
    SEND_PUSH = "send_push"
    SEND_VERIFIED_PUSH = "send_verified_push"
    SEND_SMS = "send_sms"
    CALL_PHONE = "call_phone"
    ENTER_PASSCODE = "enter_passcode"
    ENTER_BYPASS_CODE = "enter_bypass_code"
    USE_KEY = "use_key"
    APPROVE = "approve"
    DENY = "deny"
    REPORT_FRAUD = "report_fraud"
    PRESS_KEY = "press_key"
    HANG_UP = "hang_up"
    TOUCH_KEY = "touch_key"
    VERIFY = "verify"
    MY_DEVICE = "my_device"
    SHARED_DEVICE = "shared_device"
    OTHER_OPTIONS = "other_options"
    CANCEL = "cancel"


FACTORS: Final[Mapping[Stage, str]] = {
    Stage.PUSH: "duo_push",
    Stage.VERIFIED_PUSH: "verified_duo_push",
    Stage.SMS: "sms_passcode",
    Stage.PHONE: "phone_call",
    Stage.PASSCODE: "duo_mobile_passcode",
    Stage.BYPASS_CODE: "bypass_code",
    Stage.KEY: "webauthn_roaming",
}
"""Duo's names of the factors."""
_BY_PASSCODE: Final = frozenset(
    FACTORS[each] for each in (Stage.SMS, Stage.PASSCODE, Stage.BYPASS_CODE)
)

# What is done at a stage, and where that leads. `VERIFY` leads there with the right code.
_BACK: Final = {Answer.OTHER_OPTIONS: Stage.CHOOSE, Answer.CANCEL: Stage.CANCELLED}
_MOVES: Final[Mapping[Stage, Mapping[Answer, Stage]]] = {
    Stage.ENROLL: {Answer.ADD_DEVICE: Stage.CHOOSE, Answer.CANCEL: Stage.CANCELLED},
    Stage.CHOOSE: {
        Answer.SEND_PUSH: Stage.PUSH,
        Answer.SEND_VERIFIED_PUSH: Stage.VERIFIED_PUSH,
        Answer.SEND_SMS: Stage.SMS,
        Answer.CALL_PHONE: Stage.PHONE,
        Answer.ENTER_PASSCODE: Stage.PASSCODE,
        Answer.ENTER_BYPASS_CODE: Stage.BYPASS_CODE,
        Answer.USE_KEY: Stage.KEY,
        Answer.CANCEL: Stage.CANCELLED,
    },
    Stage.PUSH: {
        Answer.APPROVE: Stage.DEVICE,
        Answer.DENY: Stage.DENIED,
        Answer.REPORT_FRAUD: Stage.REPORTED,
        **_BACK,
    },
    Stage.VERIFIED_PUSH: {
        Answer.VERIFY: Stage.DEVICE,
        Answer.DENY: Stage.DENIED,
        Answer.REPORT_FRAUD: Stage.REPORTED,
        **_BACK,
    },
    Stage.SMS: {Answer.VERIFY: Stage.DEVICE, **_BACK},
    Stage.PHONE: {Answer.PRESS_KEY: Stage.DEVICE, Answer.HANG_UP: Stage.DENIED, **_BACK},
    Stage.PASSCODE: {Answer.VERIFY: Stage.DEVICE, **_BACK},
    Stage.BYPASS_CODE: {Answer.VERIFY: Stage.DEVICE, **_BACK},
    Stage.KEY: {Answer.TOUCH_KEY: Stage.DEVICE, **_BACK},
    # Duo's prompt asks this at the end; either answer leads back.
    Stage.DEVICE: {Answer.MY_DEVICE: Stage.APPROVED, Answer.SHARED_DEVICE: Stage.APPROVED},
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
        codes: what has to be typed, by the stage where it is asked for.
        factor: Duo's name of the factor in use; None: none was chosen.
        complaint: what was wrong with the last answer, for the person.
        tries: wrong codes so far.
    """

    txid: str
    wanted: Wanted
    stage: Stage
    codes: Mapping[Stage, str] = field(repr=False)
    factor: str | None = None
    complaint: str | None = None
    tries: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing can be done any more."""
        return not _MOVES[self.stage]

    @property
    def code(self) -> str:
        """What has to be typed here."""
        return self.codes[self.stage]

    @property
    def reason(self) -> str:
        """Duo's word for why the factor in use was good."""
        return "valid_passcode" if self.factor in _BY_PASSCODE else "user_approved"

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
        if answer is Answer.VERIFY and "".join(passcode.split()) != self.code:
            self.tries += 1
            left = MOST_TRIES - self.tries
            if left > 0:
                self.complaint = f"That is not the code. Tries left: {left}."
                return Kind.WRONG_PASSCODE
            following = Stage.LOCKED
        enrolled = self.stage is Stage.ENROLL and following is Stage.CHOOSE
        self.stage = following
        if following is Stage.CHOOSE:
            self.factor = None
        self.factor = FACTORS.get(following, self.factor)
        return Kind.ENROLLED if enrolled else _TOLD.get(following)
