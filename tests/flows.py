"""Tenants' flows for tests: Actions from their sources, run in a real sandbox.

`async with flows_of({ACME: [an_action("ask", "exports.onExecutePostLogin = …")]}) as flows`, and
`a_tenant(flow=refs(…))` for the settings that name them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NamedTuple

from countersign.actions.flows import TenantFlows
from countersign.actions.python_actions import PythonAction, PythonActions
from countersign.actions.sandbox import Sandbox
from countersign.actions.telling import ActionMetrics
from countersign.adapters.sealing import Sealer
from countersign.core.action import ActionKind, ActionRef, ActionVersion, secret_purpose
from countersign.core.effect import Effect
from countersign.core.facts import CacheEntry
from countersign.core.login import LoginAttempted
from countersign.core.tenant import TenantSettings
from countersign.ports import FlowCall
from tests.builders import ACME, NOW

SEALER = Sealer([bytes(range(32))])


class Written(NamedTuple):
    """An Action as a tenant writes it, its secrets in clear."""

    name: str
    source: str
    version: int
    kind: ActionKind
    modules: Mapping[str, str]
    secrets: Mapping[str, str]


def an_action(  # an Action's own fields
    name: str,
    source: str,
    *,
    version: int = 1,
    kind: ActionKind = ActionKind.ACTION,
    modules: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> Written:
    """Return an Action, or a Rule."""
    return Written(name, source, version, kind, modules or {}, secrets or {})


def an_inline_action(body: str, *, name: str = "ask") -> Written:
    """Return an Action by what it does with `event` and `api`."""
    return an_action(name, f"exports.onExecutePostLogin = async (event, api) => {{ {body} }};")


def refs(*actions: Written) -> tuple[ActionRef, ...]:
    """Return the flow that names these Actions, for `a_tenant(flow=…)`."""
    return tuple(ActionRef(name=a.name, kind=a.kind, version=a.version) for a in actions)


def a_python_ref(name: str) -> ActionRef:
    """Return a Python Action in a flow."""
    return ActionRef(name=name, kind=ActionKind.PYTHON, version=0)


class Shelf:
    """`ports.PublishedActions` that holds what a test puts there.

    Attributes:
        caught_up: how often it was asked to read on.
        arriving: what is published, and read with the next `catch_up`.
    """

    def __init__(self, actions: Mapping[str, Sequence[Written]]) -> None:
        self._versions: dict[tuple[str, str, int], ActionVersion] = {}
        self.caught_up = 0
        self.arriving: list[tuple[str, Written]] = []
        for tenant, written in actions.items():
            for action in written:
                self.put(tenant, action)

    def put(self, tenant: str, action: Written) -> None:
        """Publish a version."""
        secrets = {
            name: SEALER.seal(text, tenant=tenant, purpose=secret_purpose(action.name, name))
            for name, text in action.secrets.items()
        }
        self._versions[tenant, action.name, action.version] = ActionVersion(
            tenant=tenant,
            name=action.name,
            version=action.version,
            kind=action.kind,
            created_at=NOW - timedelta(days=1),
            source=action.source,
            modules=action.modules,
            secrets=secrets,
        )

    def action(self, tenant: str, name: str, version: int) -> ActionVersion | None:
        """See `ports.PublishedActions.action`."""
        return self._versions.get((tenant, name, version))

    async def catch_up(self) -> None:
        """See `ports.PublishedActions.catch_up`."""
        self.caught_up += 1
        for tenant, action in self.arriving:
            self.put(tenant, action)
        self.arriving.clear()


@asynccontextmanager
async def flows_of(
    actions: Mapping[str, Sequence[Written]],
    *,
    python: Mapping[str, PythonAction] | None = None,
    metrics: ActionMetrics | None = None,
    shelf: Callable[[Shelf], object] = lambda _: None,
) -> AsyncIterator[TenantFlows]:
    """Run the tenants' Actions in a real sandbox while the context lasts.

    Args:
        actions: what each tenant has published.
        python: the operator's Python Actions, by name.
        metrics: what is counted.
        shelf: gets where the Actions are published.
    """
    published = Shelf(actions)
    shelf(published)
    async with Sandbox() as sandbox:
        yield TenantFlows(sandbox, published, SEALER, PythonActions(python or {}), metrics=metrics)


def a_call(
    event: LoginAttempted,
    tenant: TenantSettings,
    cache: Mapping[str, CacheEntry] | None = None,
) -> FlowCall:
    """Return a login for which a tenant's flow is to be run."""
    return FlowCall(event=event, tenant=tenant, cache=cache or {})


async def effect_of(action: Written, event: LoginAttempted, tenant: TenantSettings) -> Effect:
    """Return what a flow of one Action asks for."""
    async with flows_of({ACME: [action]}) as flows:
        (effect,) = await flows.effects([a_call(event, tenant)])
    return effect
