"""Remembered browsers: a stored exemption with two ends.

Law 7: never past 7 days idle or 30 days in all; a tenant's caps may be shorter, and the caps in force
now are the ones that count.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from countersign.core.tenant import MAX_ABSOLUTE, MAX_IDLE

if TYPE_CHECKING:
    from countersign.core.tenant import Remember

MAX_BROWSERS = 20
"""How many browsers of a user are remembered; the one that ends first goes."""


class RememberedBrowser(msgspec.Struct, frozen=True, array_like=True):
    """A browser that has passed a challenge.

    Attributes:
        since: when it passed.
        renewed: when it last stood in for a challenge that was due.
        absolute_end: when it ends whatever happens.
        challenge: the challenge that it passed.
    """

    since: datetime
    renewed: datetime
    absolute_end: datetime
    challenge: str


def remembered(challenge: str, limits: Remember, now: datetime) -> RememberedBrowser:
    """Return the browser that has just passed `challenge`."""
    absolute = min(limits.absolute, MAX_ABSOLUTE)
    return RememberedBrowser(
        since=now, renewed=now, absolute_end=now + absolute, challenge=challenge
    )


def ends_at(browser: RememberedBrowser, limits: Remember) -> datetime:
    """Return when the browser is no longer remembered, under the caps in force."""
    idle = min(limits.idle, MAX_IDLE)
    absolute = min(limits.absolute, MAX_ABSOLUTE)
    return min(browser.renewed + idle, browser.since + absolute, browser.absolute_end)


def is_live(browser: RememberedBrowser, limits: Remember, now: datetime) -> bool:
    """Say whether the browser exempts its user now.

    A browser from the future is not live: the clock that wrote it was wrong, or this one is.
    """
    newest = max(browser.since, browser.renewed)
    return newest <= now + _CLOCK_LEEWAY and now < ends_at(browser, limits)


def renewed(browser: RememberedBrowser, now: datetime) -> RememberedBrowser:
    """Return the browser after it stood in for a challenge; its absolute end doesn't move."""
    return msgspec.structs.replace(browser, renewed=max(browser.renewed, now))


_CLOCK_LEEWAY = timedelta(seconds=60)
