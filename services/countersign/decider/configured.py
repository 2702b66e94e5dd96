"""Makes what runs tenants' flows from the process's settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from countersign.actions.flows import TenantFlows
from countersign.actions.python_actions import installed_actions
from countersign.actions.sandbox import Sandbox
from countersign.adapters.sealing import sealer_of
from countersign.decider.metrics import ActionCounts, Metrics
from countersign.ports import PublishedActions
from countersign.settings import Settings


@asynccontextmanager
async def running_flows(
    settings: Settings, published: PublishedActions, metrics: Metrics | None = None
) -> AsyncIterator[TenantFlows]:
    """Run a sandbox for tenants' flows while the context lasts.

    Args:
        settings: the process's settings.
        published: the versions of tenants' Actions.
        metrics: what is counted.

    Raises:
        SettingsError: there is no settings key, which unseals the Actions' secrets, or a package that brings
            Python Actions is broken.
    """
    sealer, python = sealer_of(settings), installed_actions()
    counts = None if metrics is None else ActionCounts(metrics)
    on_restart = counts.count_restart if counts is not None else lambda: None
    async with Sandbox(on_restart=on_restart) as sandbox:
        yield TenantFlows(sandbox, published, sealer, python, metrics=counts)
