"""Which tenants' settings are in force, from the records of the topic in their order.

Law: the highest version is in force, among equal versions the one that stands first; what can't be
read changes nothing. Compaction keeps a key's *last* record, so a topic is settled for a tenant only
where the last record is the one in force: then a reader that starts tomorrow finds what we find now.
"""

from __future__ import annotations

from countersign.core.tenant import TenantSettings
from countersign.wire.tenant import read_settings, tenant_of


class SettingsInForce:
    """The settings in force; takes the topic's records one by one."""

    def __init__(self) -> None:
        self._settings: dict[str, TenantSettings] = {}
        self._values: dict[str, bytes] = {}
        self._unsettled: set[str] = set()

    def take(self, key: bytes | None, value: bytes | None) -> str | None:
        """Take the next record of the topic.

        Returns:
            The tenant whose settings changed by it; None where none did.

        Raises:
            SettingsError: the record is malformed; nothing changed by it.
        """
        tenant = tenant_of(key)
        if tenant is None:
            return None
        if value is None:
            self._unsettled.discard(tenant)
            self._values.pop(tenant, None)
            return tenant if self._settings.pop(tenant, None) is not None else None
        standing = self._settings.get(tenant)
        if standing is not None:
            # Until it proves to be the one in force; so what can't be read counts, too.
            self._unsettled.add(tenant)
        settings = read_settings(tenant, value)
        if standing is None or settings.version > standing.version:
            self._settings[tenant] = settings
            self._values[tenant] = value
            self._unsettled.discard(tenant)
            return tenant
        if value == self._values[tenant]:
            self._unsettled.discard(tenant)
        return None

    def get(self, tenant: str) -> TenantSettings | None:
        """Return a tenant's settings; None where there are none."""
        return self._settings.get(tenant)

    def value(self, tenant: str) -> bytes | None:
        """Return the value of the record in force, with fields that only other versions know."""
        return self._values.get(tenant)

    def settled(self, tenant: str) -> bool:
        """Return whether the tenant's last record is the one in force."""
        return tenant not in self._unsettled

    def versions(self) -> dict[str, int]:
        """Return the version in force of every tenant, by name."""
        return {tenant: self._settings[tenant].version for tenant in sorted(self._settings)}
