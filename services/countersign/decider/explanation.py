"""Explains a login: the same flow, the same table and the same facts as the live path, and nothing written.

Law 12: it calls what the live path calls; what it shows is read off the decision's own trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from countersign.core.decision import TABLE, decide
from countersign.core.facts import CacheEntry
from countersign.core.identity import Pseudonyms
from countersign.core.login import LoginAttempted
from countersign.core.result import Decision, to_milliseconds
from countersign.core.tenant import TenantSettings
from countersign.decider.effects import Effects
from countersign.decider.link import challenge_link
from countersign.ports import Standing, Store


class Part(StrEnum):
    """What a row of the table did."""

    ENDED = "ended"
    """It gave the decision."""
    SPOKE = "spoke"
    """Its condition held, and the walk went on."""
    SILENT = "silent"
    """Its condition did not hold."""
    NOT_REACHED = "not reached"
    """The walk had ended before it."""


class Step(NamedTuple):
    """A row of the decision table, and what it did.

    Attributes:
        rule: what it is called.
        means: its condition in words.
        part: what it did.
    """

    rule: str
    means: str
    part: Part


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """How a login would be decided.

    Attributes:
        standing: what the store knows: facts, and the decision that stands already, if any.
        cache: what the flow's cache holds.
        actions: what each Action of the flow said, in order.
        steps: the rows of the table, in order.
        decision: what would be recorded and published, or was.
    """

    standing: Standing
    cache: Mapping[str, CacheEntry]
    actions: tuple[str, ...]
    steps: tuple[Step, ...]
    decision: Decision


class Explainer:
    """Explains logins.

    Args:
        store: what is remembered; None: as if nothing were.
        effects: what tenants' Actions ask for.
        pseudonyms: the keyed hashes of the deployment.
        public_url: what the challenges' URLs start with.
    """

    def __init__(
        self, store: Store | None, effects: Effects, pseudonyms: Pseudonyms, *, public_url: str
    ) -> None:
        self._store = store
        self._effects = effects
        self._pseudonyms = pseudonyms
        self._public_url = public_url

    async def explain(
        self, event: LoginAttempted, tenant: TenantSettings, now: datetime
    ) -> Explanation:
        """Return how a login would be decided at an instant, or was.

        Raises:
            UnavailableError: the store can't be asked, or the flow can't be run.
        """
        now = to_milliseconds(now)
        standing = await self._store.look(event) if self._store is not None else Standing()
        cached = await self._effects.cached([tenant])
        decision = standing.decided
        if decision is None:
            (effect,) = await self._effects.of([(event, tenant)], cached, now)
            link = challenge_link(self._pseudonyms, event, self._public_url)
            decision = decide(event, tenant, effect, standing.facts, now, link)
        return Explanation(
            standing=standing,
            cache=cached.get(tenant.tenant, {}),
            actions=tuple(said for said in decision.trace if said not in _RULES),
            steps=tuple(steps(decision)),
            decision=decision,
        )


_RULES = frozenset(row.rule for row in TABLE)


def steps(decision: Decision) -> list[Step]:
    """Return the rows of the table with what each did, as the decision's trace tells it."""
    walked, ended = [], False
    for row in TABLE:
        if ended:
            part = Part.NOT_REACHED
        elif row.rule == decision.trace[-1]:
            part, ended = Part.ENDED, True
        else:
            part = Part.SPOKE if row.rule in decision.trace else Part.SILENT
        walked.append(Step(row.rule, row.means, part))
    return walked
