"""A browser comes back from Duo: its code is exchanged once, and what Duo says of it is recorded.

Law 5: whoever holds the lease exchanges, everybody else waits and sees the same page. Law 6: only a
verified token that says allow proves anything, and whatever goes wrong on the way denies.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from countersign.challenger.answers import Answer, Cookies, Page, Show, in_languages
from countersign.challenger.moves import Moves
from countersign.challenger.parameters import Callback
from countersign.challenger.settings_in_force import account_for, settings_for
from countersign.challenger.standing import Standing
from countersign.challenger.visits import TRIES
from countersign.core.challenge import (
    Challenge,
    Proof,
    Signal,
    Visit,
    claim,
    deny,
    fail,
    give_up,
    may_be_heard_late,
    prove,
)
from countersign.core.duo_answer import DuoAnswer, disclosed
from countersign.core.errors import (
    DuoBusyError,
    DuoError,
    DuoRefusedError,
    DuoUnavailableError,
    IllegalTransitionError,
)
from countersign.core.identity import Pseudonyms
from countersign.core.result import Assurance, Reason, to_milliseconds
from countersign.core.tenant import DuoAccount, TenantSettings
from countersign.ports import Clock, Duo, TenantDirectory

log = structlog.get_logger(__name__)


class Callbacks:
    """Answers browsers that come back from Duo.

    Args:
        moves: the way of challenges' next values into the store.
        duo: Duo.
        tenants: the tenants' settings.
        pseudonyms: the keyed hashes of the deployment.
        clock: the time.
        token: makes unguessable texts of at least 128 bits.
        term: how long a lease lasts; longer than an exchange and its recording can take.
    """

    def __init__(
        self,
        moves: Moves,
        duo: Duo,
        tenants: TenantDirectory,
        *,
        pseudonyms: Pseudonyms,
        clock: Clock,
        token: Callable[[], str],
        term: timedelta,
    ) -> None:
        self._moves = moves
        self._duo = duo
        self._tenants = tenants
        self._pseudonyms = pseudonyms
        self._standing = Standing(pseudonyms)
        self._clock = clock
        self._token = token
        self._term = term

    async def answer(self, back: Callback, cookies: Cookies) -> Answer:
        """Answer a browser.

        Args:
            back: what Duo gave the browser to bring.
            cookies: what the browser brought of its own.

        Raises:
            UnavailableError: the store, or newer settings, can't be read now; the browser may come again.
        """
        for _ in range(TRIES):
            challenge = await self._moves.read(back.challenge)
            mine = self._visit(challenge, back) if challenge is not None else None
            if challenge is None or mine is None:
                log.warning("unknown_state")
                return Show(Page.BAD_REQUEST)
            cookie = cookies.of(mine)
            if cookie is None or not self._standing.knows(challenge, mine, cookie):
                log.warning(
                    "wrong_browser",
                    tenant=challenge.identity.tenant,
                    event_id=challenge.identity.event_id,
                )
                return Show(Page.WRONG_BROWSER)
            # Before the claim: once the code is spent there is no waiting for settings.
            tenant = await settings_for(self._tenants, challenge)
            if stands := self._standing.answer(challenge, cookies, self._now(), tenant):
                await self._heard_late(challenge, tenant, back)
                return in_languages(stands, challenge.ui_locales)
            if back.code is None:
                answer = await self._refused(challenge, tenant, back, cookies)
            else:
                answer = await self._claimed(challenge, tenant, mine, cookie, back)
            if answer is not None:
                return in_languages(answer, challenge.ui_locales)
        return Show(Page.MOVING_ON)

    def _visit(self, challenge: Challenge, back: Callback) -> Visit | None:
        """Return the visit that the state belongs to."""
        name = self._pseudonyms.state(challenge.id, back.state)
        return next((one for one in challenge.visits if one.id == name), None)

    async def _refused(
        self,
        challenge: Challenge,
        tenant: TenantSettings | None,
        back: Callback,
        cookies: Cookies,
    ) -> Answer | None:
        """Record that Duo sent an error in place of a code (RFC 6749, section 4.1.2.1)."""
        end = deny if back.error == "access_denied" else fail
        try:
            moved = end(challenge, None, self._now())
        except IllegalTransitionError:
            # An exchange crashed; it may still be taken up, by the callback that has the code.
            return Show(Page.AGAIN, challenge.id)
        if not await self._moves.settle(moved):
            return None
        return self._standing.answer(moved, cookies, self._now(), tenant)

    async def _claimed(
        self,
        challenge: Challenge,
        tenant: TenantSettings | None,
        mine: Visit,
        cookie: str,
        back: Callback,
    ) -> Answer | None:
        """Take the lease, exchange the code, and record what Duo said."""
        holder, cookies = self._token(), Cookies({mine.id: cookie})
        claimed = claim(challenge, holder, self._now(), self._term)
        if not await self._moves.settle(claimed):
            return None
        if claimed.outcome is not None:
            return self._standing.answer(claimed, cookies, self._now(), tenant)
        try:
            moved = await self._exchanged(claimed, tenant, holder, mine, cookie, back)
        except DuoBusyError:
            # The code was not used. The lease runs out, and the same address may be opened again.
            return Show(Page.DUO_AWAY)
        if not await self._moves.settle(moved, patiently=True):
            # Somebody ended it, or took it over; the code is spent, so there is nothing to try again.
            await self._report_fraud(moved)
            standing = await self._moves.read(challenge.id)
            if standing is None:
                return Show(Page.UNKNOWN)
            answer = self._standing.answer(standing, cookies, self._now(), tenant)
            return answer or Show(Page.AGAIN, challenge.id)
        return self._standing.answer(moved, cookies, self._now(), tenant)

    async def _heard_late(
        self, challenge: Challenge, tenant: TenantSettings | None, back: Callback
    ) -> None:
        """Ask what Duo says of a prompt whose challenge was ended by somebody else; only a fraud counts."""
        if back.code is None or not may_be_heard_late(challenge):
            return
        account = account_for(challenge, tenant)
        if account is None or not await self._moves.hear(challenge):
            return
        try:
            answer = await self._asked(challenge, account, back)
        except DuoError:
            return
        if answer.fraud:
            await self._moves.report_fraud(challenge, self._now())

    async def _report_fraud(self, moved: Challenge) -> None:
        """Note a report of fraud whose challenge was ended otherwise while Duo was asked."""
        outcome = moved.outcome
        if outcome is not None and outcome.reason is Reason.FRAUD_REPORTED:
            await self._moves.report_fraud(moved, outcome.decided_at)

    async def _asked(self, challenge: Challenge, account: DuoAccount, back: Callback) -> DuoAnswer:
        return await self._duo.exchange(
            challenge.identity.tenant,
            account,
            code=back.code or "",
            username=challenge.duo_username,
            nonce=self._pseudonyms.nonce(challenge.id, back.state),
        )

    async def _exchanged(
        self,
        claimed: Challenge,
        tenant: TenantSettings | None,
        holder: str,
        mine: Visit,
        cookie: str,
        back: Callback,
    ) -> Challenge:
        """Return the challenge with Duo's word.

        Raises:
            DuoBusyError: Duo has not taken the code.
        """
        account = account_for(claimed, tenant)
        if tenant is None or account is None:
            return fail(claimed, holder, self._now())
        try:
            answer = await self._asked(claimed, account, back)
        except DuoUnavailableError:
            return give_up(claimed, holder, self._now())
        except DuoRefusedError:
            return fail(claimed, holder, self._now())
        said = disclosed(answer.details, tenant.challenge.details)
        if signal := _no(answer, tenant):
            return deny(claimed, holder, self._now(), signal=signal, duo=said)
        returned = self._pseudonyms.return_code(claimed.id, cookie)
        proof = Proof(
            assurance=answer.assurance,
            code_hash=self._pseudonyms.code(claimed.id, returned),
            visit=mine,
            duo=said,
        )
        return prove(claimed, holder, proof, self._now())

    def _now(self) -> datetime:
        return to_milliseconds(self._clock())


def _no(answer: DuoAnswer, tenant: TenantSettings) -> Signal | None:
    """Return why Duo's answer counts as no; None where it counts as yes."""
    if answer.fraud:
        return Signal.FRAUD_REPORTED
    if not answer.allowed:
        return Signal.DUO_DENIED
    if answer.assurance is not Assurance.MFA and not tenant.challenge.accept_bypass:
        return Signal.DUO_BYPASSED
    return None
