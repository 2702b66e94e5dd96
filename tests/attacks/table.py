"""What a row of the attack table is: an attack, and what must have come of it; nothing runs here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from countersign.challenger.answers import Page
from countersign.core.challenge import State
from countersign.core.errors import Defect
from countersign.core.result import Assurance, Reason, ResultType

if TYPE_CHECKING:
    from tests.attacks.scene import Scene

Said = tuple[ResultType, Reason]
"""A result's type and its reason."""
Attack = Callable[["Scene"], Awaitable[None]]

CHALLENGED: Final[Said] = (ResultType.LOGIN_CHALLENGED, Reason.MFA_DUE)
PASSED: Final[Said] = (ResultType.CHALLENGE_PASSED, Reason.DUO_ALLOWED)
DENIED: Final[Said] = (ResultType.CHALLENGE_DENIED, Reason.DUO_DENIED)
FRAUD: Final[Said] = (ResultType.CHALLENGE_DENIED, Reason.FRAUD_REPORTED)
WRONG_CODE: Final[Said] = (ResultType.CHALLENGE_DENIED, Reason.WRONG_RETURN_CODE)
EXPIRED: Final[Said] = (ResultType.CHALLENGE_EXPIRED, Reason.NOT_BACK_IN_TIME)
FAILED: Final[Said] = (ResultType.CHALLENGE_FAILED, Reason.DUO_FAILED)
AWAY: Final[Said] = (ResultType.CHALLENGE_FAILED, Reason.DUO_UNAVAILABLE)
LET_IN: Final[Said] = (ResultType.CHALLENGE_FAILED_OPEN, Reason.DUO_UNAVAILABLE)
NOTHING: Final = None
"""No outcome: the challenge stands, or there is none."""


class At(StrEnum):
    """Which Duo a row's tenant has its account at."""

    SIMULATOR = "simulator"
    ROGUE = "rogue"
    """One that a row makes misbehave, and say whatever it likes."""
    IMPOSTOR = "impostor"
    """One whose certificate is of an authority that nobody trusts."""
    NOWHERE = "nowhere"
    """A port that nobody listens at."""
    ELSEWHERE = "elsewhere"
    """A host that the processes' settings don't list."""
    WRONG_SECRET = "wrong_secret"  # a word
    """The simulator, with another client secret than it knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What must have come of an attack; every field is checked.

    Attributes:
        status: of the last answer that a browser got; None: no browser came.
        page: what that was; None: another address, or no browser came.
        ends: how each login's challenge has ended so far, in the order of the logins.
        decisions: what was decided of each login.
        state: of the first login's challenge in Redis; None: there is none.
        assurance: of the first challenge's outcome.
        logged: names of the log events that speak of the row's tenants, at `warning` or as an outcome;
            each once.
        remembered: how many browsers of the first login's user are remembered.
        exchanges: how many codes were exchanged at Duo for the row's users.
        dead_letters: what became of events that could not be taken.
    """

    status: int | None = None
    page: Page | None = None
    ends: tuple[Said | None, ...] = (NOTHING,)
    decisions: tuple[Said, ...] = (CHALLENGED,)
    state: State | None = None
    assurance: Assurance = Assurance.NONE
    logged: tuple[str, ...] = ()
    remembered: int = 0
    exchanges: int = 0
    dead_letters: tuple[Defect, ...] = ()


def page(code: int, shown: Page | None, /, **fields: Any) -> Expected:  # noqa: ANN401  # Expected's own
    """Return what is expected where a page was the last answer and the challenge stands as it did."""
    return Expected(**{"status": code, "page": shown, "state": State.PENDING, **fields})


def denied(**fields: Any) -> Expected:  # noqa: ANN401  # likewise
    """Return what is expected where Duo's word was a denial, told at once."""
    told = {"ends": (DENIED,), "state": State.DENIED, "logged": ("challenge_ended",)}
    return page(403, Page.DENIED, **{**told, "exchanges": 1, **fields})


def failed(**fields: Any) -> Expected:  # noqa: ANN401  # likewise
    """Return what is expected where Duo's word can't be trusted."""
    told = {"ends": (FAILED,), "state": State.FAILED}
    logged = ("challenge_ended", "duo_error")
    return page(502, Page.FAILED, **{**told, "logged": logged, "exchanges": 1, **fields})


def passed(**fields: Any) -> Expected:  # noqa: ANN401  # likewise
    """Return what is expected where the rightful user gets through, and the browser is remembered."""
    told = {"ends": (PASSED,), "state": State.PASSED, "assurance": Assurance.MFA, "remembered": 1}
    return page(303, None, **{**told, "exchanges": 1, **fields})


def nobody(**fields: Any) -> Expected:  # noqa: ANN401  # likewise
    """Return what is expected where no browser comes, and there may be no challenge."""
    return Expected(**fields)


@dataclass(frozen=True, slots=True)
class Row:
    """An attack.

    Attributes:
        name: its theme and number, and what is tried.
        rules: the rules that it shows, as `tests.attacks.index` numbers them.
        attack: what is sent; its docstring says what must hold.
        expected: what must have come of it.
        at: where its tenant's Duo account is.
        settings: parts of its tenant's settings that differ.
        flow: its tenant's Actions: their sources by their names, in order.
    """

    name: str
    rules: tuple[str, ...]
    attack: Attack
    expected: Expected
    at: At = At.SIMULATOR
    settings: Mapping[str, object] = field(default_factory=dict)
    flow: Mapping[str, str] = field(default_factory=dict)

    @property
    def tenant(self) -> str:
        """The tenant that it alone has."""
        return self.name.split()[0]
