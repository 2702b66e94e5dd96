"""The push budget: how many prompts a user may get, and when the user is left alone altogether.

Prompts are counted in a sliding window over their instants, so no boundary lets twice as many through.
Whoever keeps saying no, or says that somebody else asked, gets no prompt for a while: that is what
somebody with a stolen password makes a user's phone do (push bombing, MITRE ATT&CK T1621).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from countersign.core.tenant import MAX_BUDGET_WINDOW, MAX_COOL_DOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from countersign.core.tenant import PushBudget

REFUSALS_LAST: Final[timedelta] = MAX_BUDGET_WINDOW + MAX_COOL_DOWN
"""How long a refusal is kept: as long as any tenant's limits could look back at it."""
MAX_REFUSALS: Final = 100
"""How many refusals of a user are kept, the latest: as many as a tenant's limits can ask about."""


class Refused(StrEnum):
    """How a user refused a prompt."""

    DENIED = "denied"
    """Duo said deny."""
    LEFT = "left"
    """The prompt was opened, and its challenge ended unapproved; with Duo, a denial is usually silence."""
    FRAUD = "fraud"
    """The user said that somebody else had asked for it."""


class Refusal(msgspec.Struct, frozen=True):
    """A prompt that a user refused."""

    at: datetime
    kind: Refused


def is_spent(prompts: Iterable[datetime], budget: PushBudget, now: datetime) -> bool:
    """Say whether one more prompt at `now` would be one too many.

    Args:
        prompts: when the user's recent prompts were charged; older ones than the window don't count.
        budget: the tenant's limits.
        now: the instant of the decision.
    """
    opened = now - budget.window
    return sum(prompt > opened for prompt in prompts) >= budget.prompts


def is_cooling_down(refusals: Sequence[Refusal], budget: PushBudget, now: datetime) -> bool:
    """Say whether the user is to be left alone at `now`.

    A report of fraud, and the refusal that fills the tenant's number within the window, each begin a
    cool-down.

    Args:
        refusals: the user's recent ones, in any order.
        budget: the tenant's limits.
        now: the instant of the decision.
    """
    return any(
        now < last.at + budget.cool_down
        and (
            last.kind is Refused.FRAUD
            or sum(last.at - budget.window < one.at <= last.at for one in refusals)
            >= budget.refusals
        )
        for last in refusals
    )
