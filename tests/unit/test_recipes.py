"""The recipes that people have in Auth0, as Actions and as Rules, through the sandbox and the judge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from countersign.adapters.memory.caches import MemoryCaches
from countersign.adapters.memory.store import MemoryStore
from countersign.core.action import ActionKind
from countersign.core.result import Reason
from countersign.core.tenant import Mfa
from countersign.decider.effects import Effects
from countersign.decider.judge import Decided, Judge
from countersign.decider.waves import Entry
from tests.builders import CHALLENGER, NOW, PSEUDONYMS, a_login, a_tenant
from tests.flows import an_action, flows_of, refs
from tests.recipes import applications, users
from tests.recipes.recipe import CHALLENGED, DENIED, Case, Recipe

RECIPES = (*applications.RECIPES, *users.RECIPES)


class Played(NamedTuple):
    """A recipe's case, in one of the ways in which it can be written."""

    recipe: Recipe
    kind: ActionKind
    case: Case

    @property
    def source(self) -> str:
        """The code."""
        return self.recipe.action if self.kind is ActionKind.ACTION else self.recipe.rule or ""


def played() -> Iterator[Played]:
    """Return every case of every recipe, as an Action and, where there is one, as a Rule."""
    for recipe in RECIPES:
        for case in recipe.cases:
            yield Played(recipe, ActionKind.ACTION, case)
            if recipe.rule is not None:
                yield Played(recipe, ActionKind.RULE, case)


def test_there_are_all_of_them() -> None:
    """Twenty-two recipes are played, and one more for a part of one; each goes two ways at least."""
    assert len(RECIPES) == 23
    assert all(len(recipe.cases) > 1 for recipe in RECIPES if recipe.name not in ALONE)


ALONE = {
    "Duo at every login",
    "any factor at every login, and never remembered",
    "turned away where a secret is missing",
}
"""Recipes that go one way."""


@pytest.mark.law(12)
@pytest.mark.parametrize(
    "one", list(played()), ids=lambda one: f"{one.recipe.name} ({one.kind.value}): {one.case.what}"
)
async def test_recipe(one: Played) -> None:
    """Law 12: each case comes out as it does in Auth0, and the trace names the code that said so."""
    action = an_action("recipe", one.source, kind=one.kind, secrets=one.recipe.secrets)
    login = a_login(**one.case.login)
    tenant = a_tenant(mfa=Mfa(policy=one.recipe.policy), flow=refs(action))
    store = MemoryStore(PSEUDONYMS)
    async with flows_of({tenant.tenant: [action]}) as flows:
        judge = Judge(
            store,
            Effects(flows, MemoryCaches()),
            PSEUDONYMS,
            public_url=CHALLENGER,
            clock=lambda: NOW,
        )
        ((_, answer),) = await judge.answer([Entry(0, login, tenant)])
    assert isinstance(answer, Decided)
    decision, case = answer.decision, one.case
    assert decision.type is case.comes, decision
    assert decision.trace[0].startswith(f"{one.kind.value}:recipe@1:")
    assert decision.provider == case.provider
    if case.remembers is not None:
        assert decision.may_remember is case.remembers
    said = decision.access_denied.reason if decision.access_denied is not None else None
    assert said == case.said
    if case.comes is DENIED:
        expected = Reason.ACTION_DENIED if case.said else Reason.DUO_USERNAME_MISSING
        assert decision.reason is expected
    if case.comes is CHALLENGED:
        assert decision.challenge is not None
        (challenge,) = await store.challenges([decision.challenge.id])
        assert challenge is not None
        account = challenge.duo.client_id if challenge.duo is not None else None
        assert account == case.account
        assert challenge.duo_username == (case.username or login.subject)
