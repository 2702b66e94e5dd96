"""Logins as they are seen from outside: whose they are, from which browser, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from countersign.core.login import LoginAttempted
from countersign.core.result import Decision, Outcome
from tests.builders import ALICE, BOB, NOW

OPEN, CLOSED, STRICT = "acme", "globex", "initech"
"""A tenant whose failmode is open, one whose is closed, and an open one that accepts no bypass."""


class Account(NamedTuple):
    """A user of a tenant."""

    tenant: str
    subject: str


ACCOUNTS: Final = (
    Account(OPEN, ALICE),
    Account(CLOSED, ALICE),
    Account(STRICT, ALICE),
    Account(OPEN, BOB),
)
LAPTOP, PHONE, THIEF, FORGER = range(4)
"""Browsers; the last has every cookie's name, and no cookie's value."""


class Prompted(NamedTuple):
    """A browser that was sent to a prompt."""

    state: str
    seat: int
    at: datetime


class Return(NamedTuple):
    """A `login.returned` that was judged; from no browser's session where somebody made it up."""

    code: str
    seat: int | None
    at: datetime


@dataclass
class Attempt:
    """A login, and all that is known of it from outside."""

    event: LoginAttempted
    account: Account
    seat: int
    step_up: bool
    decision: Decision | None = None
    made: int = -1
    """The step in which it was decided."""
    prompts: list[Prompted] = field(default_factory=list)
    codes: dict[int, set[str]] = field(default_factory=dict)
    skipped_by: int | None = None
    """The browser that went on without Duo."""
    refused_by_error: bool = False
    returns: list[Return] = field(default_factory=list)
    outcome: Outcome | None = None
    absolute_end: datetime = NOW

    @property
    def id(self) -> str:
        """The challenge."""
        assert self.decision is not None
        assert self.decision.challenge is not None
        return self.decision.challenge.id

    @property
    def browser_id(self) -> str:
        """The relying party's name of the browser."""
        return self.event.event.login.browser_id or ""
