"""Who sent an event, where its tenant wants that proven.

Law: it is asked before anything of the event is looked up or written, so that a forgery claims no
identity, and asks nothing of the store. Of tenants that don't ask nothing is computed.
"""

from __future__ import annotations

from countersign.core.login import Inbound
from countersign.core.tenant import TenantSettings
from countersign.decider.channel import BusRecord
from countersign.wire.signatures import verify_event
from countersign.wire.signed_part import signed_part


def needs_proof(tenant: TenantSettings | None) -> bool:
    """Say whether events of a tenant have to prove who sent them."""
    return tenant is not None and tenant.events.signed


def verify(record: BusRecord, event: Inbound, tenant: TenantSettings) -> None:
    """Verify who sent an event that needs proof.

    Raises:
        InvalidEventError: nobody whom the tenant names.
    """
    part = signed_part(record.value or b"", record.headers, event.identity.tenant)
    verify_event(part, tenant.events.keys)
