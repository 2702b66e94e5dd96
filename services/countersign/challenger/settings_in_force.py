"""The tenant's settings for a challenge: never older than the ones that decided it (law 8: no guessing)."""

from __future__ import annotations

from countersign.core.challenge import Challenge
from countersign.core.tenant import TenantSettings
from countersign.ports import TenantDirectory


async def settings_for(tenants: TenantDirectory, challenge: Challenge) -> TenantSettings | None:
    """Return the tenant's settings in force; None where it has none any more.

    A decider may have read newer settings than this process has, of a failmode or a secret that
    changed; then what was published since is read first.

    Raises:
        BusUnavailableError: newer settings can't be read now.
    """
    name = challenge.identity.tenant
    tenant = tenants.get(name)
    if tenant is None or tenant.version < challenge.settings_version:
        await tenants.catch_up()
        tenant = tenants.get(name)
    return tenant
