"""What was looked up for a decision; nothing is fetched while deciding."""

from __future__ import annotations

from datetime import datetime

import msgspec

from countersign.core.budget import Refusal
from countersign.core.remember import RememberedBrowser


class CacheEntry(msgspec.Struct, frozen=True):
    """An entry of a tenant's cache, as its Actions read it.

    Attributes:
        value: what was put there.
        expires_at: when it ends.
    """

    value: str
    expires_at: datetime


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked up for a decision.

    Attributes:
        remembered: the login's browser, if the user passed a challenge with it; not yet judged.
        prompts: when the user's recent prompts were charged.
        refusals: the prompts that the user refused lately.
    """

    remembered: RememberedBrowser | None = None
    prompts: tuple[datetime, ...] = ()
    refusals: tuple[Refusal, ...] = ()


NO_FACTS = Facts()
