"""A browser comes with a challenge's link: it is sent to a prompt of its own, or told how things stand.

Law 8: where Duo is out of reach before a prompt was opened, the tenant's failmode decides; once one was
opened, nothing opens but Duo's word. Each prompt is charged on the user's push budget before it opens.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from countersign.challenger.answers import Answer, Cookie, Cookies, Page, Send, Show
from countersign.challenger.moves import Moves
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
from countersign.core.tenant import Failmode, TenantSettings
from countersign.ports import Clock, Duo, Store, TenantDirectory, Visited

log = structlog.get_logger(__name__)

TRIES: Final = 5
"""How often a browser's step is tried while others move its challenge at the same time."""
_COOKIE_LEEWAY: Final = 60
"""Seconds that a cookie outlives its challenge, so that a late browser is told that it is late."""


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
            StoreUnavailableError: the store can't be asked now; the browser may come again.
        """
        for _ in range(TRIES):
            challenge = await self._moves.read(challenge_id)
            if challenge is None:
                return Show(Page.UNKNOWN)
            if stands := self._standing.answer(challenge, cookies, self._now()):
                return stands
            try:
                answer = await self._step(challenge)
            except IllegalTransitionError:
                # Duo is away, and there is something of an earlier visit that may still come to an end.
                return Show(Page.DUO_AWAY, challenge_id)
            if answer is not None:
                return answer
        return Show(Page.MOVING_ON)

    async def _step(self, challenge: Challenge) -> Answer | None:
        """Take the challenge a step further; None where it has moved meanwhile."""
        tenant = self._tenants.get(challenge.identity.tenant)
        if tenant is None or tenant.duo is None:
            log.warning("no_duo_account", tenant=challenge.identity.tenant)
            return await self._ended(fail(challenge, None, self._now()))
        try:
            await self._duo.check(tenant.tenant, tenant.duo)
            return await self._prompt(challenge, tenant)
        except DuoBusyError:
            return Show(Page.DUO_AWAY, challenge.id)
        except DuoRefusedError:
            return await self._ended(fail(challenge, None, self._now()))
        except DuoUnavailableError:
            if tenant.challenge.failmode is Failmode.OPEN:
                return await self._skipped(challenge)
            return await self._ended(give_up(challenge, None, self._now()))

    async def _prompt(self, challenge: Challenge, tenant: TenantSettings) -> Answer | None:
        assert tenant.duo is not None  # noqa: S101  # the caller has looked
        state = challenge.id + self._token()
        mine, cookie = self._arrival(challenge, state)
        moved = visit(challenge, mine, self._now())
        if moved.outcome is not None:
            return await self._ended(moved)
        address = await self._duo.prompt_url(
            tenant.tenant,
            tenant.duo,
            username=challenge.duo_username,
            state=state,
            nonce=self._pseudonyms.nonce(challenge.id, state),
        )
        match await self._store.visit(moved, tenant.push_budget):
            case Visited.STORED:
                return Send(address, cookie)
            case Visited.SPENT:
                log.warning(
                    "push_budget_spent",
                    tenant=tenant.tenant,
                    event_id=challenge.identity.event_id,
                )
                return Show(Page.TOO_MANY_PROMPTS, challenge.id)
            case Visited.LATE:
                return None

    async def _skipped(self, challenge: Challenge) -> Answer | None:
        """Let the browser go on without Duo; it still has to come back with a code (law 8)."""
        mine, cookie = self._arrival(challenge, challenge.id + self._token())
        code = self._pseudonyms.return_code(challenge.id, cookie.value)
        code_hash = self._pseudonyms.code(challenge.id, code)
        moved = skip(challenge, code_hash, mine, self._now())
        if not await self._moves.settle(moved):
            return None
        log.warning(
            "failed_open",
            tenant=challenge.identity.tenant,
            event_id=challenge.identity.event_id,
        )
        answer = self._standing.answer(moved, Cookies({mine.id: cookie.value}), self._now())
        return Send(answer.to, cookie) if isinstance(answer, Send) else answer

    async def _ended(self, moved: Challenge) -> Answer | None:
        if not await self._moves.settle(moved):
            return None
        return self._standing.answer(moved, Cookies({}), self._now())

    def _arrival(self, challenge: Challenge, state: str) -> tuple[Visit, Cookie]:
        """Return a new visit, and the cookie that its browser is given."""
        now, value = self._now(), self._token()
        mine = Visit(
            id=self._pseudonyms.state(challenge.id, state),
            cookie=self._pseudonyms.cookie(challenge.id, value),
            at=now,
        )
        left = math.ceil((challenge.deadline - now).total_seconds())
        return mine, Cookie(mine.id, value, max(0, left) + _COOKIE_LEEWAY)

    def _now(self) -> datetime:
        return to_milliseconds(self._clock())
