"""The store in memory: the Redis store's twin, held to the same suite."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import msgspec

from countersign.core.budget import MAX_REFUSALS, Refusal, Refused, is_cooling_down
from countersign.core.challenge import Challenge, due_at, prompt_name, refusal
from countersign.core.decision import denied_for_budget, denied_for_cool_down
from countersign.core.facts import Facts
from countersign.core.identity import EventIdentity, Pseudonyms, challenge_bucket
from countersign.core.login import BrowsersForget, LoginAttempted
from countersign.core.remember import MAX_BROWSERS, RememberedBrowser
from countersign.core.result import Decision
from countersign.core.tenant import PushBudget
from countersign.ports import Change, Recording, Standing, Visited

_User = tuple[str, str]


class _Kept(msgspec.Struct):
    """A challenge, and which "forget" of its user was the last when it was recorded."""

    challenge: Challenge
    mark: int


class MemoryStore:
    """`ports.Store` in this process's memory; nothing in it ends by itself.

    Args:
        pseudonyms: the keyed hashes of the deployment.
    """

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms
        self._claims: dict[EventIdentity, bytes] = {}
        self._decided: dict[tuple[_User, EventIdentity], Decision] = {}
        self._browsers: dict[_User, dict[str, tuple[datetime, RememberedBrowser]]] = {}
        self._marks: defaultdict[_User, int] = defaultdict(int)
        self._applied: set[tuple[_User, EventIdentity | str]] = set()
        self._prompts: dict[_User, dict[str, datetime]] = {}
        self._refusals: dict[_User, list[Refusal]] = {}
        self._challenges: dict[str, _Kept] = {}
        self.unpublished: set[str] = set()
        self._heard: set[str] = set()

    async def facts(self, events: Sequence[LoginAttempted]) -> list[Standing]:
        """See `ports.Store.facts`."""
        return [self._standing(event) for event in events]

    async def look(self, event: LoginAttempted) -> Standing:
        """See `ports.Store.look`."""
        return self._standing(event, claim=False)

    def _standing(self, event: LoginAttempted, *, claim: bool = True) -> Standing:
        user = _user(event)
        browser = event.event.login.browser_id
        name = self._pseudonyms.browser(*user, browser) if browser else ""
        _, remembered = self._browsers.get(user, {}).get(name, (None, None))
        if claim:
            self._claims.setdefault(event.identity, event.digest)
        return Standing(
            conflict=self._claims.get(event.identity, event.digest) != event.digest,
            decided=self._decided.get((user, event.identity)),
            facts=Facts(
                remembered=remembered,
                prompts=tuple(self._prompts.get(user, {}).values()),
                refusals=tuple(self._refusals.get(user, [])),
            ),
        )

    async def record(self, recordings: Sequence[Recording]) -> list[Decision | None]:
        """See `ports.Store.record`."""
        return [self._recorded(recording) for recording in recordings]

    def _recorded(self, recording: Recording) -> Decision | None:
        event, decision = recording.event, recording.decision
        user = _user(event)
        if standing := self._decided.get((user, event.identity)):
            return standing
        if recording.challenge is not None and recording.budget is not None:
            challenge = recording.challenge
            match self._charged(user, challenge.id, decision.decided_at, recording.budget):
                case Visited.SPENT:
                    decision = denied_for_budget(decision)
                case Visited.COOLING_DOWN:
                    decision = denied_for_cool_down(decision)
                case _:
                    kept = _Kept(challenge, self._marks[user])
                    self._challenges.setdefault(challenge.id, kept)
                    self.unpublished.add(challenge.id)
        elif recording.renewed is not None and recording.renewed_until is not None:
            browser = event.event.login.browser_id or ""
            name = self._pseudonyms.browser(*user, browser)
            if name not in self._browsers.get(user, {}):
                return None
            self._browsers[user][name] = (recording.renewed_until, recording.renewed)
        self._decided[user, event.identity] = decision
        return decision

    async def challenges(self, ids: Sequence[str]) -> list[Challenge | None]:
        """See `ports.Store.challenges`."""
        kept = (self._challenges.get(i) for i in ids)
        return [one.challenge if one else None for one in kept]

    async def visit(self, challenge: Challenge, budget: PushBudget) -> Visited:
        """See `ports.Store.visit`."""
        kept = self._challenges.get(challenge.id)
        if kept is None or kept.challenge.revision != challenge.revision - 1:
            return Visited.LATE
        user = (challenge.identity.tenant, challenge.subject)
        now = challenge.visits[-1].at
        charged = self._charged(user, prompt_name(challenge), now, budget)
        if charged is Visited.STORED:
            kept.challenge = challenge
        return charged

    def _charged(self, user: _User, name: str, now: datetime, budget: PushBudget) -> Visited:
        prompts = self._prompts.setdefault(user, {})
        if is_cooling_down(self._refusals.get(user, []), budget, now):
            return Visited.COOLING_DOWN
        for old in [old for old, at in prompts.items() if at <= now - budget.window]:
            del prompts[old]
        if len(prompts.keys() - {name}) >= budget.prompts:
            return Visited.SPENT
        prompts[name] = max(now, prompts.get(name, now))
        return Visited.STORED

    async def overdue(self, now: datetime, most: int) -> list[str]:
        """See `ports.Store.overdue`."""
        due = defaultdict[int, list[tuple[datetime, str]]](list)
        for challenge_id in self.unpublished:
            at = due_at(self._challenges[challenge_id].challenge)
            if at <= now:
                due[challenge_bucket(challenge_id)].append((at, challenge_id))
        return [name for bucket in due.values() for _, name in sorted(bucket)[:most]]

    async def settle(self, changes: Sequence[Change]) -> list[bool]:
        """See `ports.Store.settle`."""
        return [self._settled(change) for change in changes]

    def _settled(self, change: Change) -> bool:
        challenge = change.challenge
        kept = self._challenges.get(challenge.id)
        if kept is None or kept.challenge.revision != challenge.revision - 1:
            return False
        kept.challenge = challenge
        user = (challenge.identity.tenant, challenge.subject)
        if (
            change.remember is not None
            and change.remember_until is not None
            and challenge.browser is not None
            and kept.mark == self._marks[user]
        ):
            browsers = self._browsers.setdefault(user, {})
            browsers.pop(challenge.browser, None)
            now = change.remember.since
            ended = [name for name, (until, _) in browsers.items() if until <= now]
            by_end = sorted(browsers, key=lambda name: browsers[name][0])
            surplus = len(browsers) - MAX_BROWSERS + 1
            for name in {*ended, *by_end[: max(0, surplus)]}:
                del browsers[name]
            browsers[challenge.browser] = (change.remember_until, change.remember)
        if refused := refusal(challenge):
            self._refuse(user, refused)
            if refused.kind is Refused.FRAUD:
                self._forgotten(user, challenge.id)
        return True

    def _refuse(self, user: _User, refused: Refusal) -> None:
        self._refusals[user] = [*self._refusals.get(user, []), refused][-MAX_REFUSALS:]

    def _forgotten(
        self, user: _User, name: EventIdentity | str, browser: str | None = None
    ) -> bool:
        """Forget, and count the user's mark up; say whether it was done, or had been before."""
        if (user, name) in self._applied:
            return False
        self._applied.add((user, name))
        self._marks[user] += 1
        if browser is None:
            self._browsers.pop(user, None)
        else:
            self._browsers.get(user, {}).pop(browser, None)
        return True

    async def published(self, ids: Sequence[str]) -> None:
        """See `ports.Store.published`."""
        self.unpublished.difference_update(ids)

    async def forget(self, events: Sequence[BrowsersForget]) -> None:
        """See `ports.Store.forget`."""
        for event in events:
            self._forgotten(_user(event), event.identity, event.browser)

    async def hear(self, challenge: Challenge) -> bool:
        """See `ports.Store.hear`."""
        first = challenge.id in self._challenges and challenge.id not in self._heard
        self._heard.add(challenge.id)
        return first

    async def fraud(self, challenge: Challenge, at: datetime) -> None:
        """See `ports.Store.fraud`."""
        user = (challenge.identity.tenant, challenge.subject)
        if self._forgotten(user, challenge.id):
            self._refuse(user, Refusal(at, Refused.FRAUD))

    async def remembered(self, tenant: str, subject: str) -> dict[str, RememberedBrowser]:
        """See `ports.Store.remembered`."""
        browsers = self._browsers.get((tenant, subject), {})
        return {name: browser for name, (_, browser) in browsers.items()}


def _user(event: LoginAttempted | BrowsersForget) -> _User:
    return event.identity.tenant, event.subject
