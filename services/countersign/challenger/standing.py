"""What a browser is answered with when a challenge needs nothing done: its state says it all.

Law 6: the one-time return code goes to the browser whose visit was approved, and to no other.
"""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

import structlog

from countersign.challenger.answers import Answer, Cookies, Page, Send, Show
from countersign.core.challenge import Challenge, State, Visit
from countersign.core.identity import Pseudonyms
from countersign.core.result import Reason
from countersign.core.return_url import is_allowed
from countersign.core.tenant import TenantSettings

log = structlog.get_logger(__name__)

RETURN_CODE: Final = "mfa_code"
"""The query parameter that brings the one-time return code to the relying party."""

_ENDS: Final = {
    State.PASSED: Page.FINISHED,
    State.FAILED_OPEN: Page.FINISHED,
    State.DENIED: Page.DENIED,
    State.EXPIRED: Page.EXPIRED,
    State.FAILED: Page.FAILED,
}


class Standing:
    """Answers from a challenge's state.

    Args:
        pseudonyms: the keyed hashes of the deployment.
    """

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms

    def answer(
        self,
        challenge: Challenge,
        cookies: Cookies,
        now: datetime,
        tenant: TenantSettings | None,
    ) -> Answer | None:
        """Return what the browser is answered with; None where the challenge waits for a browser.

        Args:
            challenge: as it stands.
            cookies: what the browser brought.
            now: the instant.
            tenant: the settings in force; they say once more where browsers may be sent.
        """
        listed = tenant.challenge.return_urls if tenant is not None else ()
        back = challenge.return_url if is_allowed(challenge.return_url, listed) else None
        if page := _ENDS.get(challenge.state):
            outcome = challenge.outcome
            if outcome is not None and outcome.reason is Reason.DUO_UNAVAILABLE:
                page = Page.DUO_UNAVAILABLE if page is Page.FAILED else page
            return Show(page, back=back)
        if now >= challenge.deadline:
            # The sweeper gives it its outcome; there is nothing to wait for any more.
            return Show(Page.EXPIRED, back=back)
        if challenge.proof is not None:
            cookie = cookies.of(challenge.proof.visit)
            if cookie is None or not self.knows(challenge, challenge.proof.visit, cookie):
                return Show(Page.ELSEWHERE)
            if back is None:
                log.warning(
                    "return_url_not_allowed",
                    tenant=challenge.identity.tenant,
                    event_id=challenge.identity.event_id,
                )
                return Show(Page.NO_WAY_BACK)
            return Send(with_code(back, self._pseudonyms.return_code(challenge.id, cookie)))
        if challenge.lease is not None and now < challenge.lease.until:
            return Show(Page.MOVING_ON)
        return None

    def knows(self, challenge: Challenge, visit: Visit, cookie: str) -> bool:
        """Say whether a cookie's value is the one that the visit's browser was given."""
        found = self._pseudonyms.cookie(challenge.id, cookie)
        return hmac.compare_digest(found, visit.cookie)


def with_code(return_url: str, code: str) -> str:
    """Return the address that the browser goes back to with its code."""
    mark = "&" if "?" in return_url else "?"
    return f"{return_url}{mark}{urlencode({RETURN_CODE: code})}"
