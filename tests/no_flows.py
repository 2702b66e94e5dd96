"""For tests that are about something else: no tenant has a flow of Actions."""

from __future__ import annotations

from collections.abc import Sequence

from countersign.adapters.memory.caches import MemoryCaches
from countersign.core.effect import Effect
from countersign.core.tenant import TenantSettings
from countersign.decider.effects import Effects
from countersign.ports import FlowCall


class NoFlows:
    """`ports.Flows` for tenants that have none; it must never be asked."""

    def uses_cache(self, tenant: TenantSettings) -> bool:
        """See `ports.Flows.uses_cache`."""
        raise AssertionError(tenant.tenant)

    async def effects(self, calls: Sequence[FlowCall]) -> list[Effect]:
        """See `ports.Flows.effects`."""
        raise AssertionError([call.event.identity for call in calls])


def no_effects() -> Effects:
    """Return what a decider needs where no tenant has a flow."""
    return Effects(NoFlows(), MemoryCaches())
