"""The tenant's settings for a challenge: never older than the ones that decided it (law 8: no guessing).

An account that an Action named is part of its challenge, and stands; the tenant's own is read anew.
"""

from __future__ import annotations

from countersign.core.challenge import Challenge
from countersign.core.tenant import DuoAccount, TenantSettings
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


def account_for(challenge: Challenge, tenant: TenantSettings | None) -> DuoAccount | None:
    """Return the Duo account that a challenge is run with; None where there is none (any more).

    Args:
        challenge: the challenge.
        tenant: the settings in force; without any nothing is run.
    """
    return None if tenant is None else challenge.duo or tenant.duo
