"""Who sent an event, where its tenant wants that proven.

Law: it is asked before anything of the event is looked up or written, so that a forgery claims no
identity, and asks nothing of the store. Of tenants that don't ask nothing is computed.
"""

from __future__ import annotations

from countersign.core.errors import Defect, InvalidEventError
from countersign.core.login import Inbound, SecuritySignal
from countersign.core.tenant import SignalRules, TenantSettings, Trust
from countersign.decider.channel import BusRecord
from countersign.wire.signatures import verify_event, verify_token
from countersign.wire.signed_part import signed_part


def needs_proof(event: Inbound, tenant: TenantSettings) -> bool:
    """Say whether an event has to prove who sent it."""
    return tenant.events.signed or isinstance(event, SecuritySignal)


def verify(record: BusRecord, event: Inbound, tenant: TenantSettings) -> None:
    """Verify who sent an event that needs proof.

    Raises:
        InvalidEventError: nobody whom the tenant names.
    """
    if isinstance(event, SecuritySignal):
        _verify_signal(event, tenant.signals)
        if event.token is not None:
            return  # it is signed, by itself
    if tenant.events.signed:
        part = signed_part(record.value or b"", record.headers, event.identity.tenant)
        verify_event(part, tenant.events.keys)


def _verify_signal(event: SecuritySignal, rules: SignalRules) -> None:
    if event.token is not None or rules.trust is Trust.SIGNED:
        if not rules.keys or rules.issuer is None or rules.audience is None:
            raise InvalidEventError(
                Defect.INVALID_SIGNATURE,
                "the tenant takes no signals: issuer, audience or keys are missing in [signals]; apply"
                " the settings with them, then replay the dead letter",
            )
        if event.token is None:
            raise InvalidEventError(
                Defect.INVALID_SIGNATURE,
                "the tenant takes signed signals alone; send a SET, as application/secevent+jwt, or"
                ' let it set trust = "topic" in [signals]',
            )
        verify_token(event.token, rules.keys)
    if rules.issuer is not None and event.identity.source != rules.issuer:
        raise InvalidEventError(
            Defect.INVALID_EVENT, "iss is not the issuer of [signals]; send its signals alone"
        )
    if rules.audience is not None and rules.audience not in event.audience:
        raise InvalidEventError(
            Defect.INVALID_EVENT, "aud is not the audience of [signals]; send what is meant for it"
        )
