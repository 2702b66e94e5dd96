"""A tenant's settings on the topic: JSON, under the tenant's name as the key.

Fields that this version doesn't know are accepted and left alone, so that a newer version can add
some while older processes read on.
"""

from __future__ import annotations

import msgspec

from countersign.core.errors import Problem, SettingsError
from countersign.core.identity import murmur2
from countersign.core.login import TenantId
from countersign.core.tenant import TenantSettings
from countersign.wire.results import OutboundRecord

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(TenantSettings)
_HEADERS = [("content-type", b"application/json")]


def write_settings(settings: TenantSettings) -> bytes:
    """Return the settings as a record's value."""
    return _encoder.encode(settings)


def settings_record(topic: str, tenant: str, value: bytes) -> OutboundRecord:
    """Return the record that puts a tenant's settings in force."""
    key = tenant.encode()
    return OutboundRecord(topic, key, value, _HEADERS, murmur2(key))


def tenant_of(key: bytes | None) -> str | None:
    """Return whose settings a record's key stands for; None where it stands for something else.

    The topic also holds other things of a tenant, under `tenant/…`.

    Raises:
        SettingsError: it can stand for nothing.
    """
    try:
        name = (key or b"").decode()
        tenant, slash, _ = name.partition("/")
        msgspec.convert(tenant, TenantId)
    except (UnicodeDecodeError, msgspec.ValidationError):
        problem = Problem(
            key="key", problem="is no tenant's name", remedy="Use countersign settings apply"
        )
        raise SettingsError(source="record of settings", problems=[problem]) from None
    return None if slash else tenant


def read_settings(tenant: str, value: bytes) -> TenantSettings:
    """Return the settings that a record holds.

    Args:
        tenant: what its key says.
        value: its value.

    Raises:
        SettingsError: it holds none, or another tenant's.
    """
    try:
        settings = _decoder.decode(value)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        # Without a text that might quote from the value.
        reason = "is not valid" if isinstance(error, msgspec.ValidationError) else "is not JSON"
        raise _refused(tenant, "value", reason) from None
    if settings.tenant != tenant:
        raise _refused(tenant, "tenant", "is not the one of the key")
    return settings


def _refused(tenant: str, key: str, problem: str) -> SettingsError:
    return SettingsError(
        source=f"record of {tenant}'s settings",
        problems=[Problem(key=key, problem=problem, remedy="Apply the tenant's settings again")],
    )
