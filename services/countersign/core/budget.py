"""The push budget: how many prompts a user may get in a span of time.

It is a sliding window over the instants of the prompts, so no boundary lets twice as many through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from countersign.core.tenant import PushBudget


def is_spent(prompts: Iterable[datetime], budget: PushBudget, now: datetime) -> bool:
    """Say whether one more prompt at `now` would be one too many.

    Args:
        prompts: when the user's recent prompts were charged; older ones than the window don't count.
        budget: the tenant's limits.
        now: the instant of the decision.
    """
    opened = now - budget.window
    return sum(prompt > opened for prompt in prompts) >= budget.prompts
