"""A browser comes with a challenge's link: it is sent to a prompt of its own, or told how things stand.

Law 8: where Duo is out of reach before a prompt was opened, the tenant's failmode decides; once one was
opened, nothing opens but Duo's word. Each prompt is charged on the user's push budget before it opens.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple

import structlog

from countersign.challenger.answers import (
    Answer,
    Cookie,
    Cookies,
    Page,
    Send,
    Show,
    in_languages,
)
from countersign.challenger.moves import Moves
from countersign.challenger.settings_in_force import account_for, settings_for
from countersign.challenger.standing import Standing
from countersign.core.challenge import Challenge, Visit, fail, give_up, skip, visit
from countersign.core.errors import (
    DuoBusyError,
    DuoRefusedError,
    DuoUnavailableError,
    IllegalTransitionError,
)
from countersign.core.identity import Pseudonyms
from countersign.core.result import to_milliseconds
from countersign.core.tenant import DuoAccount, Failmode, TenantSettings
from countersign.ports import Clock, Duo, Store, TenantDirectory, Visited

log = structlog.get_logger(__name__)

TRIES: Final = 5
"""How often a browser's step is tried while others move its challenge at the same time."""
_COOKIE_LEEWAY: Final = 60
"""Seconds that a cookie outlives its challenge, so that a late browser is told that it is late."""


class _Arrival(NamedTuple):
    """A browser that has just come: what it will be known by, the same however often we try.

    Attributes:
        visit: what is kept of it.
        state: what Duo is to give back.
        value: its cookie's value.
    """

    visit: Visit
    state: str
    value: str

    def sent(self, answer: Answer, challenge: Challenge, now: datetime) -> Answer:
        """Return the answer, with the cookie where the browser is sent somewhere."""
        if isinstance(answer, Show):
            return answer
        left = math.ceil((challenge.deadline - now).total_seconds())
        return Send(answer.to, Cookie(self.visit.id, self.value, max(0, left) + _COOKIE_LEEWAY))


class Visits:
    """Answers browsers that come with a challenge's link.

    Args:
        store: where challenges are.
        moves: the way of their next values into it.
        duo: Duo.
        tenants: the tenants' settings.
        pseudonyms: the keyed hashes of the deployment.
        clock: the time.
        token: makes unguessable texts of at least 128 bits.
    """

    def __init__(
        self,
        store: Store,
        moves: Moves,
        duo: Duo,
        tenants: TenantDirectory,
        *,
        pseudonyms: Pseudonyms,
        clock: Clock,
        token: Callable[[], str],
    ) -> None:
        self._store = store
        self._moves = moves
        self._duo = duo
        self._tenants = tenants
        self._pseudonyms = pseudonyms
        self._standing = Standing(pseudonyms)
        self._clock = clock
        self._token = token

    async def answer(self, challenge_id: str, cookies: Cookies) -> Answer:
        """Answer a browser.

        Args:
            challenge_id: what stood in the link, in the form of a challenge id.
            cookies: what the browser brought.

        Raises:
            UnavailableError: the store, or newer settings, can't be read now; the browser may come again.
        """
        me = self._arrival(challenge_id)
        mine = Cookies({**cookies.values, me.visit.id: me.value})
        for _ in range(TRIES):
            challenge = await self._moves.read(challenge_id)
            if challenge is None:
                return Show(Page.UNKNOWN)
            tenant = await settings_for(self._tenants, challenge)
            if stands := self._standing.answer(challenge, mine, self._now(), tenant):
                # By a try of ours whose storing we had not heard of, it may be this very visit's.
                proven = challenge.proof is not None and challenge.proof.visit.id == me.visit.id
                answer = me.sent(stands, challenge, self._now()) if proven else stands
                return in_languages(answer, challenge.ui_locales)
            try:
                step = await self._step(challenge, tenant, me)
            except IllegalTransitionError:
                # Duo is away, and there is something of an earlier visit that may still come to an end.
                step = Show(Page.DUO_AWAY, challenge_id)
            if step is not None:
                return in_languages(step, challenge.ui_locales)
        return Show(Page.MOVING_ON)

    async def _step(
        self, challenge: Challenge, tenant: TenantSettings | None, me: _Arrival
    ) -> Answer | None:
        """Take the challenge a step further; None where it has moved meanwhile."""
        account = account_for(challenge, tenant)
        if tenant is None or account is None:
            log.warning("no_duo_account", tenant=challenge.identity.tenant)
            return await self._failed(challenge, tenant)
        try:
            await self._duo.check(tenant.tenant, account)
            return await self._prompt(challenge, tenant, account, me)
        except DuoBusyError:
            return Show(Page.DUO_AWAY, challenge.id)
        except DuoRefusedError:
            return await self._failed(challenge, tenant)
        except DuoUnavailableError:
            if tenant.challenge.failmode is Failmode.OPEN:
                return await self._skipped(challenge, tenant, me)
            return await self._ended(give_up(challenge, None, self._now()), tenant)

    async def _failed(self, challenge: Challenge, tenant: TenantSettings | None) -> Answer | None:
        if challenge.visits:
            # A prompt is open that may still be answered, here or at another challenger.
            return Show(Page.DUO_AWAY, challenge.id)
        return await self._ended(fail(challenge, None, self._now()), tenant)

    async def _prompt(
        self, challenge: Challenge, tenant: TenantSettings, account: DuoAccount, me: _Arrival
    ) -> Answer | None:
        moved = visit(challenge, me.visit, self._now())
        if moved.outcome is not None:
            return await self._ended(moved, tenant)
        address = await self._duo.prompt_url(
            tenant.tenant,
            account,
            username=challenge.duo_username,
            state=me.state,
            nonce=self._pseudonyms.nonce(challenge.id, me.state),
        )
        match await self._store.visit(moved, tenant.push_budget):
            case Visited.STORED:
                return me.sent(Send(address), challenge, self._now())
            case Visited.SPENT | Visited.COOLING_DOWN as why:
                log.warning(
                    "push_budget_spent" if why is Visited.SPENT else "push_cool_down",
                    tenant=tenant.tenant,
                    event_id=challenge.identity.event_id,
                )
                return Show(Page.TOO_MANY_PROMPTS, challenge.id)
            case Visited.LATE:
                return None

    async def _skipped(
        self, challenge: Challenge, tenant: TenantSettings, me: _Arrival
    ) -> Answer | None:
        """Let the browser go on without Duo; it still has to come back with a code (law 8)."""
        code = self._pseudonyms.return_code(challenge.id, me.value)
        code_hash = self._pseudonyms.code(challenge.id, code)
        moved = skip(challenge, code_hash, me.visit, self._now())
        if not await self._moves.settle(moved, patiently=True):
            return None
        log.warning(
            "failed_open",
            tenant=challenge.identity.tenant,
            event_id=challenge.identity.event_id,
        )
        mine = Cookies({me.visit.id: me.value})
        answer = self._standing.answer(moved, mine, self._now(), tenant)
        return me.sent(answer, moved, self._now()) if answer is not None else None

    async def _ended(self, moved: Challenge, tenant: TenantSettings | None) -> Answer | None:
        if not await self._moves.settle(moved):
            return None
        return self._standing.answer(moved, Cookies({}), self._now(), tenant)

    def _arrival(self, challenge_id: str) -> _Arrival:
        state, value = challenge_id + self._token(), self._token()
        mine = Visit(
            id=self._pseudonyms.state(challenge_id, state),
            cookie=self._pseudonyms.cookie(challenge_id, value),
            at=self._now(),
        )
        return _Arrival(mine, state, value)

    def _now(self) -> datetime:
        return to_milliseconds(self._clock())
