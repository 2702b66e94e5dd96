"""The errors, split by what the caller does next.

CountersignError
├── InvalidEventError        bad input: dead-letter the record, go on with the next
├── UnavailableError         wait and try again; nothing is guessed, nothing is lost
│   ├── StoreUnavailableError
│   └── BusUnavailableError
├── SettingsError            a tenant's or the process's settings: show every problem, do nothing
├── SettingsConflictError    another writer came first: read again, then decide anew
├── DuoError                 a call to Duo gave no answer that counts; it is never an allow
│   ├── DuoUnavailableError  Duo is out of reach: the tenant's failmode, if no prompt was opened
│   ├── DuoBusyError         Duo limits our calls: try again later, whatever the failmode
│   └── DuoRefusedError      Duo, or what came in its name, is not to be used: the challenge fails
├── IllegalTransitionError   a challenge can't move that way: the standing state holds
└── NoAnswerError            the client's deadline passed: the login is not allowed
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence


class CountersignError(Exception):
    """Base of every error that Countersign raises on purpose."""


class Defect(StrEnum):
    """Why a record became a dead letter; a closed list."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    INVALID_EVENT = "invalid_event"
    INVALID_HEADERS = "invalid_headers"
    UNKNOWN_TYPE = "unknown_type"
    TIME_IN_FUTURE = "time_in_future"
    KEY_MISMATCH = "key_mismatch"
    UNKNOWN_TENANT = "unknown_tenant"
    INVALID_SIGNATURE = "invalid_signature"
    CONFLICT = "conflict"
    UNKNOWN_CHALLENGE = "unknown_challenge"
    UNEXPECTED = "unexpected"


class InvalidEventError(CountersignError):
    """An inbound record has a defect that no second try mends.

    Args:
        defect: what kind of defect, for counting.
        detail: the field and the remedy, in a sentence; holds no value of the event.
    """

    def __init__(self, defect: Defect, detail: str) -> None:
        super().__init__(f"{defect.value}: {detail}")
        self.defect = defect
        self.detail = detail


class UnavailableError(CountersignError):
    """Something that this process needs is out of reach; the same call may succeed later."""


class StoreUnavailableError(UnavailableError):
    """Redis can't be reached, or refuses writes (full, loading, read-only)."""


class BusUnavailableError(UnavailableError):
    """Kafka can't be reached, or has not acknowledged in time."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong in a settings file.

    Attributes:
        key: dotted path of the setting, as it stands in the file.
        problem: what is wrong with it.
        remedy: what to write instead.
    """

    key: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        """Return the problem as one line."""
        return f"{self.key}: {self.problem}. {self.remedy}"


class SettingsError(CountersignError):
    """Settings were refused whole; nothing of them is in force.

    Args:
        source: the file or place that they came from.
        problems: every problem found, not only the first.
    """

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))
        self.source = source
        self.problems = tuple(problems)


class SettingsConflictError(CountersignError):
    """Another writer changed the tenant's settings, or is about to; nothing was published."""


class DuoError(CountersignError):
    """A call to Duo gave no answer that counts.

    Its text holds no word of Duo's SDK, whose errors quote codes, assertions and tokens.
    """


class DuoUnavailableError(DuoError):
    """Duo can't be reached: no connection, no answer in time, or an answer of the 5xx kind."""


class DuoBusyError(DuoError):
    """Duo answers that it was asked too often (429). Anybody can bring that about."""


class DuoRefusedError(DuoError):
    """Duo refused us, or the answer can't be trusted.

    A wrong client id or secret, a host outside the allowed ones, a TLS fault, a code that was used, a
    token with a wrong signature, user or nonce. No second try mends it.
    """


class IllegalTransitionError(CountersignError):
    """A challenge in this state doesn't take this signal; its state stands."""


class NoAnswerError(CountersignError):
    """No result came before the deadline. It says nothing of the login, so don't allow it."""
