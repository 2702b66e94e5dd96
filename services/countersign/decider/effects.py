"""What the tenants' Actions ask for: the flows of a wave run together, and what they leave in caches.

Law 12: a flow reads nothing but the event, the settings and the cache as it was fetched before. What it
writes to the cache is applied once, by whoever recorded the decision; a crash in between loses it, and
a cache may lose what it holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from countersign.core.effect import NO_EFFECT, Effect
from countersign.core.facts import CacheEntry
from countersign.core.login import LoginAttempted
from countersign.core.tenant import TenantSettings
from countersign.ports import Caches, CacheWrites, FlowCall, Flows

Cached = Mapping[str, Mapping[str, CacheEntry]]
"""The tenants' caches, by tenant."""


class Effects:
    """Finds out what Actions ask for.

    Args:
        flows: runs them.
        caches: what they have cached.
    """

    def __init__(self, flows: Flows, caches: Caches) -> None:
        self._flows = flows
        self._caches = caches

    async def cached(self, tenants: Iterable[TenantSettings | None]) -> Cached:
        """Return the caches of those tenants whose flow may ask for it.

        Raises:
            StoreUnavailableError: they can't be read now.
        """
        wanted = {
            tenant.tenant
            for tenant in tenants
            if tenant is not None and tenant.flow and self._flows.uses_cache(tenant)
        }
        return await self._caches.cached(sorted(wanted)) if wanted else {}

    async def of(
        self, logins: Sequence[tuple[LoginAttempted, TenantSettings]], cached: Cached, now: datetime
    ) -> list[Effect]:
        """Return the effect of each login's flow; a login that has expired needs none.

        Raises:
            UnavailableError: flows can't be run now.
        """
        effects = [NO_EFFECT] * len(logins)
        places, calls = [], []
        for place, (event, tenant) in enumerate(logins):
            if tenant.flow and not event.event.login.has_expired(now):
                places.append(place)
                cache = cached.get(tenant.tenant, {})
                calls.append(FlowCall(event=event, tenant=tenant, cache=cache))
        if calls:
            for place, effect in zip(places, await self._flows.effects(calls), strict=True):
                effects[place] = effect
        return effects

    async def keep(self, writes: Sequence[CacheWrites]) -> None:
        """Apply what recorded logins wrote to their caches.

        Raises:
            StoreUnavailableError: it isn't known whether it was applied.
        """
        if writes:
            await self._caches.cache(writes)
