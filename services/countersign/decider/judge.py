"""One wave: facts, decide, record; returns settled; browsers forgotten.

The law of this file: what is published is what the store says stands, never what was merely decided
(law 2), and a return is settled by a compare-and-set that is tried until it holds (law 5).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from countersign.core import remember
from countersign.core.challenge import Challenge, come_back, earns_remembering
from countersign.core.decision import decide
from countersign.core.duo_username import duo_username
from countersign.core.effect import Effect
from countersign.core.errors import Defect, InvalidEventError
from countersign.core.identity import Pseudonyms, bucket_of
from countersign.core.language import language_tags
from countersign.core.login import (
    BrowsersForget,
    Inbound,
    LoginAttempted,
    LoginReturned,
    SecuritySignal,
    refuse_from_the_future,
)
from countersign.core.remember import RememberedBrowser
from countersign.core.result import Decision, Outcome, Reason, to_milliseconds
from countersign.core.tenant import TenantSettings
from countersign.decider.effects import Cached, Effects
from countersign.decider.link import challenge_link
from countersign.decider.waves import Entry
from countersign.ports import CacheWrites, Change, Clock, Recording, Standing, Store


class Decided(NamedTuple):
    """A login event's decision, as it stands."""

    event: LoginAttempted
    decision: Decision


class Settled(NamedTuple):
    """A challenge's outcome, as it stands."""

    challenge: Challenge
    outcome: Outcome


class Forgotten(NamedTuple):
    """A user's browsers are forgotten, or a signal was no reason to; nothing is published for it."""

    event: BrowsersForget


Answer = Decided | Settled | Forgotten | InvalidEventError


class _Attempt(NamedTuple):
    place: int
    event: LoginAttempted
    tenant: TenantSettings | None


class _Undecided(NamedTuple):
    attempt: _Attempt
    tenant: TenantSettings
    standing: Standing


class _Return(NamedTuple):
    place: int
    event: LoginReturned
    tenant: TenantSettings


class Judge:
    """Answers waves of events.

    Args:
        store: what is remembered.
        effects: what tenants' Actions ask for.
        pseudonyms: the keyed hashes of the deployment.
        public_url: what the challenges' URLs start with.
        clock: the time.
    """

    def __init__(
        self,
        store: Store,
        effects: Effects,
        pseudonyms: Pseudonyms,
        *,
        public_url: str,
        clock: Clock,
    ) -> None:
        self._store = store
        self._effects = effects
        self._pseudonyms = pseudonyms
        self._public_url = public_url
        self._clock = clock

    async def answer(self, wave: Sequence[Entry]) -> Iterable[tuple[int, Answer]]:
        """Answer each event of a wave.

        Args:
            wave: at most one event of a user.

        Returns:
            An answer for each place.

        Raises:
            StoreUnavailableError: some events have no answer; answer them all again.
        """
        attempts: list[_Attempt] = []
        returns: list[_Return] = []
        forgets: list[tuple[int, BrowsersForget]] = []
        at_once: list[tuple[int, Answer]] = []
        now = to_milliseconds(self._clock())
        for place, event, tenant in wave:
            match event:
                case LoginAttempted():
                    attempts.append(_Attempt(place, event, tenant))
                case _ if refusal := _refusal(event, tenant, now):
                    at_once.append((place, refusal))
                case LoginReturned() if tenant is not None:
                    returns.append(_Return(place, event, tenant))
                case SecuritySignal() if not event.revokes:
                    at_once.append((place, Forgotten(event)))
                case BrowsersForget():
                    forgets.append((place, event))
                case _:
                    raise AssertionError(event)
        done = await asyncio.gather(
            self._decide(attempts, now),
            self._settle(returns, now),
            self._forget(forgets),
            return_exceptions=True,  # so that none is still at work when the wave is tried again
        )
        for part in done:
            if isinstance(part, BaseException):
                raise part
        return [*at_once, *(one for part in done if isinstance(part, list) for one in part)]

    async def _decide(
        self, attempts: Sequence[_Attempt], now: datetime
    ) -> list[tuple[int, Answer]]:
        answers: list[tuple[int, Answer]] = []
        asked: dict[int, Effect] = {}
        while attempts:
            undecided: list[_Undecided] = []
            known, cached = await asyncio.gather(
                self._store.facts([attempt.event for attempt in attempts]),
                self._effects.cached(attempt.tenant for attempt in attempts),
            )
            for attempt, standing in zip(attempts, known, strict=True):
                if standing.conflict:
                    answers.append((attempt.place, _conflict()))
                elif standing.decided is not None:
                    answers.append((attempt.place, Decided(attempt.event, standing.decided)))
                elif refusal := _refusal(attempt.event, attempt.tenant, now):
                    # Only now: what was decided once stands, whatever the clock and the settings say by now.
                    answers.append((attempt.place, refusal))
                elif attempt.tenant is not None:
                    undecided.append(_Undecided(attempt, attempt.tenant, standing))
            await self._ask(undecided, asked, cached, now)
            recordings = [
                self._recording(attempt.event, tenant, asked[attempt.place], standing, now)
                for attempt, tenant, standing in undecided
            ]
            recorded = await self._store.record(recordings)
            await self._effects.keep(
                [
                    CacheWrites(tenant=tenant.tenant, at=now, writes=asked[attempt.place].cache)
                    for (attempt, tenant, _), recording, decision in zip(
                        undecided, recordings, recorded, strict=True
                    )
                    # The same object: recorded here and now.
                    if decision is recording.decision and asked[attempt.place].cache
                ]
            )
            attempts = []
            for (attempt, _, _), decision in zip(undecided, recorded, strict=True):
                if decision is None:
                    # Its browser was forgotten since the facts were read, by a report of fraud for example.
                    attempts.append(attempt)
                else:
                    answers.append((attempt.place, Decided(attempt.event, decision)))
        return answers

    async def _ask(
        self,
        undecided: Sequence[_Undecided],
        asked: dict[int, Effect],
        cached: Cached,
        now: datetime,
    ) -> None:
        """Run the flows of those that have no effect yet; judging anew doesn't run them again."""
        new = [one for one in undecided if one.attempt.place not in asked]
        logins = [(one.attempt.event, one.tenant) for one in new]
        for one, effect in zip(new, await self._effects.of(logins, cached, now), strict=True):
            asked[one.attempt.place] = effect

    def _recording(
        self,
        event: LoginAttempted,
        tenant: TenantSettings,
        effect: Effect,
        standing: Standing,
        now: datetime,
    ) -> Recording:
        link = challenge_link(self._pseudonyms, event, self._public_url)
        decision = decide(event, tenant, effect, standing.facts, now, link)
        if event.traceparent is not None:
            # In the record, since a sender that tries again may well trace it anew (law 2).
            decision = msgspec.structs.replace(decision, traceparent=event.traceparent)
        if decision.challenge is not None:
            return Recording(
                event=event,
                decision=decision,
                challenge=self._challenge(event, tenant, effect, decision),
                budget=tenant.push_budget,
            )
        browser = standing.facts.remembered
        if decision.reason is Reason.REMEMBERED_BROWSER and browser is not None:
            renewed = remember.renewed(browser, now)
            until = remember.ends_at(renewed, tenant.remember)
            return Recording(event=event, decision=decision, renewed=renewed, renewed_until=until)
        return Recording(event=event, decision=decision)

    def _challenge(
        self, event: LoginAttempted, settings: TenantSettings, effect: Effect, decision: Decision
    ) -> Challenge:
        assert decision.challenge is not None  # noqa: S101  # the caller has looked
        assert decision.challenge_expires_at is not None  # noqa: S101  # it comes with the challenge
        browser = event.event.login.browser_id if decision.may_remember else None
        tenant = event.identity.tenant
        transaction = event.event.transaction
        name = effect.duo_username or duo_username(event.event.user, settings.mfa.duo_username)
        assert name is not None  # noqa: S101  # without one there is no challenge
        assert event.event.login.return_url is not None  # noqa: S101  # likewise
        return Challenge(
            id=decision.challenge.id,
            identity=event.identity,
            subject=event.subject,
            client_id=event.event.client.client_id,
            created_at=decision.decided_at,
            deadline=decision.challenge_expires_at,
            settings_version=decision.settings_version,
            duo_username=name,
            return_url=event.event.login.return_url,
            duo=effect.duo,
            browser=self._pseudonyms.browser(tenant, event.subject, browser) if browser else None,
            ui_locales=language_tags(transaction.ui_locales) if transaction is not None else (),
            traceparent=event.traceparent,
        )

    async def _forget(
        self, forgets: Sequence[tuple[int, BrowsersForget]]
    ) -> list[tuple[int, Answer]]:
        await self._store.forget([event for _, event in forgets])
        return [(place, Forgotten(event)) for place, event in forgets]

    async def _settle(self, returns: Sequence[_Return], now: datetime) -> list[tuple[int, Answer]]:
        answers: list[tuple[int, Answer]] = []
        open_returns = list(returns)
        while open_returns:
            ids = [self._challenge_id(back.event) for back in open_returns]
            challenges = await self._store.challenges(ids)
            contested: list[_Return] = []
            changes: list[Change] = []
            for back, challenge in zip(open_returns, challenges, strict=True):
                if challenge is None or challenge.subject != back.event.subject:
                    answers.append((back.place, _unknown_challenge()))
                elif challenge.outcome is not None:
                    answers.append((back.place, Settled(challenge, challenge.outcome)))
                else:
                    contested.append(back)
                    changes.append(self._change(back, challenge, now))
            stored = await self._store.settle(changes)
            open_returns = []
            for back, change, held in zip(contested, changes, stored, strict=True):
                moved = change.challenge
                assert moved.outcome is not None  # noqa: S101  # a return always ends a challenge
                if held:
                    answers.append((back.place, Settled(moved, moved.outcome)))
                else:
                    open_returns.append(back)
        return answers

    def _challenge_id(self, event: LoginReturned) -> str:
        return self._pseudonyms.challenge(event.login, bucket_of(event.key_hash))

    def _change(self, back: _Return, challenge: Challenge, now: datetime) -> Change:
        code_hash = self._pseudonyms.code(challenge.id, back.event.code)
        moved = come_back(challenge, code_hash, now)
        if not earns_remembering(moved):
            return Change(challenge=moved)
        limits = back.tenant.remember
        browser: RememberedBrowser = remember.remembered(challenge.id, limits, now)
        return Change(
            challenge=moved, remember=browser, remember_until=remember.ends_at(browser, limits)
        )


def _refusal(
    event: Inbound, tenant: TenantSettings | None, now: datetime
) -> InvalidEventError | None:
    """Return why an event can't be taken now, if it can't; with time it may become one that can."""
    if tenant is None:
        return InvalidEventError(
            Defect.UNKNOWN_TENANT,
            "there are no settings for this tenant; publish them with `countersign settings apply`,"
            " then replay the dead letter",
        )
    try:
        refuse_from_the_future(event.time, now)
    except InvalidEventError as error:
        return error
    return None


def _conflict() -> InvalidEventError:
    return InvalidEventError(
        Defect.CONFLICT,
        "another event came first under the same source and id, and its decision stands;"
        " give each login an id of its own",
    )


def _unknown_challenge() -> InvalidEventError:
    return InvalidEventError(
        Defect.UNKNOWN_CHALLENGE,
        "event_id names no challenge of this user from this source; send the login event's id, with"
        " the same source and user, before the challenge is gone",
    )
