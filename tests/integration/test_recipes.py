"""Every recipe through a real decider: deployed, read from Kafka, sandboxed, recorded in Redis, published."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from countersign.adapters.publishing import writing, writing_actions
from countersign.core.action import ActionKind
from countersign.core.tenant import ChallengeRules, Factors, Mfa
from countersign.local import Stack
from countersign.wire.actions_file import ActionDraft, FlowDraft
from countersign.wire.results import read_result
from countersign.wire.tenant_file import DuoDraft, TenantDraft
from tests.builders import RETURN_URL, InboundRecord, a_login_record
from tests.bus import PATIENCE, open_bus
from tests.faults.processes import environment
from tests.recipes import applications, users
from tests.recipes.recipe import Case, Recipe

RECIPES = (*applications.RECIPES, *users.RECIPES)


def tenant_of(recipe: Recipe, kind: ActionKind) -> str:
    """Return the tenant that has this recipe alone."""
    return f"recipe-{RECIPES.index(recipe)}-{kind.value}"


def written() -> list[tuple[Recipe, ActionKind, str]]:
    """Return each recipe in each way in which it can be written."""
    return [
        (recipe, kind, source)
        for recipe in RECIPES
        for kind, source in ((ActionKind.ACTION, recipe.action), (ActionKind.RULE, recipe.rule))
        if source is not None
    ]


def a_case_record(tenant: str, position: int, case: Case) -> InboundRecord:
    """Return a case as the record that a relying party publishes."""
    return a_login_record(tenant=tenant, event_id=f"{tenant}-{position}", **case.login)


@pytest.mark.law(1)
@pytest.mark.law(12)
async def test_every_recipe_is_decided_as_in_auth0(stack: Stack) -> None:
    """Laws 1, 12: each case of each recipe, of 40 tenants mixed on one topic, has the result that it must."""
    async with open_bus(stack) as bus:
        async with writing(bus.settings) as settings:
            await settings.apply(
                [
                    TenantDraft(
                        source="recipes",
                        tenant=tenant_of(recipe, kind),
                        duo=DuoDraft(
                            client_id="DI" + "R" * 18,
                            client_secret="r" * 40,
                            api_host="api-recipes.example.com",
                        ),
                        factors=Factors(duo=True),
                        mfa=Mfa(policy=recipe.policy),
                        challenge=ChallengeRules(return_urls=(RETURN_URL,)),
                    )
                    for recipe, kind, _ in written()
                ]
            )
        async with writing_actions(bus.settings) as actions:
            for recipe, kind, source in written():
                action = ActionDraft(
                    name="recipe", kind=kind, source=source, secrets=dict(recipe.secrets)
                )
                tenant = tenant_of(recipe, kind)
                await actions.deploy(FlowDraft(source="recipes", tenant=tenant, actions=(action,)))
        cases = {
            f"{tenant}-{position}": (case, a_case_record(tenant, position, case))
            for recipe, kind, _ in written()
            for tenant in [tenant_of(recipe, kind)]
            for position, case in enumerate(recipe.cases)
        }
        for _, record in cases.values():
            await bus.send(record)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "countersign", "decider"),
            env=environment(bus),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(PATIENCE):
                await bus.until(lambda: len(bus.results) >= len(cases))
        finally:
            process.terminate()
            await process.wait()
        assert len(bus.results) == len(cases)
        for copy in bus.results:
            result = read_result(copy.value or b"", copy.headers)
            case, _ = cases[result.identity.event_id]
            said = result.body.access_denied
            found = (result.type, result.body.provider, said.reason if said else None)
            assert found == (case.comes, case.provider, case.said), json.loads(copy.value or b"")
