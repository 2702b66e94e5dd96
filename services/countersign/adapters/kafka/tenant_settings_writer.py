"""Publishes tenants' settings: all of the files or none, and one writer wins where two meet.

Law: nothing is published over a version that the writer hasn't seen. The lease keeps writers apart;
where it ran out under one of them, the first record of a version wins, and the loser makes the
winner's record the last one again, so that compaction can't bring its own back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final

import msgspec
import structlog

from countersign.adapters.kafka.tenant_settings import TenantSettingsReader
from countersign.adapters.redis.connection import RedisClient
from countersign.adapters.redis.lease import Lease
from countersign.adapters.sealing import Sealer
from countersign.adapters.tenant_files import together
from countersign.core.errors import (
    BusUnavailableError,
    Problem,
    SettingsConflictError,
    SettingsError,
    StoreUnavailableError,
)
from countersign.core.sealed import SealedSecret
from countersign.core.tenant import TenantSettings
from countersign.ports import Clock, Publisher
from countersign.wire.tenant import settings_record, write_settings
from countersign.wire.tenant_file import TenantDraft, draft_problems

log = structlog.get_logger(__name__)

LEASE: Final = timedelta(seconds=30)
"""How long a writer that was killed keeps others out."""
_TRIES: Final = 5


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one draft.

    Attributes:
        tenant: whose settings they are.
        version: the version in force.
        changed: False where the same settings were in force already, and nothing was published.
    """

    tenant: str
    version: int
    changed: bool


class TenantSettingsWriter:
    """The one way in which settings get onto the topic.

    Args:
        reader: a started reader of the same topic.
        publisher: the way onto the bus.
        redis: where leases are.
        sealer: seals Duo secrets.
        topic: the topic of the tenants' settings.
        clock: the time.
        token: makes a random text that names a lease's holder.
    """

    def __init__(
        self,
        *,
        reader: TenantSettingsReader,
        publisher: Publisher,
        redis: RedisClient,
        sealer: Sealer,
        topic: str,
        clock: Clock,
        token: Callable[[], str],
    ) -> None:
        self._reader = reader
        self._publisher = publisher
        self._redis = redis
        self._sealer = sealer
        self._topic = topic
        self._clock = clock
        self._token = token

    async def apply(
        self, drafts: Sequence[TenantDraft], *, expected: Mapping[str, int] | None = None
    ) -> list[Applied]:
        """Put the drafts in force, each as its tenant's next version.

        Args:
            drafts: at most one a tenant.
            expected: the version that each tenant's draft was made from (0: none); where it isn't
                given, the one in force when this is called.

        Raises:
            SettingsError: one of them is wrong; nothing was published.
            SettingsConflictError: another writer was first, or is at it.
            BusUnavailableError: Kafka can't be reached; apply again to be sure.
            StoreUnavailableError: Redis can't be reached; nothing was published.
        """
        await self._reader.catch_up()
        seen = {draft.tenant: self._version(draft.tenant) for draft in drafts}
        seen.update(expected or {})
        async with AsyncExitStack() as leases:
            # In one order everywhere, so that two writers of several tenants can't block each other.
            for tenant in sorted(draft.tenant for draft in drafts):
                await self._lease(tenant, leases)
            await self._reader.catch_up()
            if moved := [t for t, version in seen.items() if version != self._version(t)]:
                text = (
                    f"Another writer was first, and nothing was published here. {self._look(moved)}"
                )
                raise SettingsConflictError(text)
            planned = self._planned(drafts)
            changed = [new for new in planned if new != self._reader.get(new.tenant)]
            await self._publish({new.tenant: write_settings(new) for new in changed})
            for new in planned:
                await self._settle(new.tenant)
            if lost := [new.tenant for new in planned if new != self._reader.get(new.tenant)]:
                others = "" if len(lost) == len(planned) else " The other tenants' are published."
                text = (
                    f"Another writer was first, and its settings are in force. {self._look(lost)}."
                    f"{others}"
                )
                raise SettingsConflictError(text)
            return [
                Applied(tenant=new.tenant, version=new.version, changed=new in changed)
                for new in planned
            ]

    def _version(self, tenant: str) -> int:
        standing = self._reader.get(tenant)
        return standing.version if standing is not None else 0

    async def _lease(self, tenant: str, leases: AsyncExitStack) -> None:
        # A tag of its own: in a cluster, tenants need not share a slot.
        lease = Lease(self._redis, f"lease:settings:{tenant}", self._token(), LEASE)
        if not await lease.acquire():
            text = (
                f"Another writer is publishing the settings of {tenant} now, and nothing was"
                f" published here. Wait until it is done, {LEASE.seconds} s at most; look at what"
                f" it did with: countersign settings show {tenant}; then apply again"
            )
            raise SettingsConflictError(text)

        async def release() -> None:
            try:
                await lease.release()
            except StoreUnavailableError as error:
                log.warning("lease_not_released", tenant=tenant, reason=str(error))

        leases.push_async_callback(release)

    def _planned(self, drafts: Sequence[TenantDraft]) -> list[TenantSettings]:
        """Return the settings that the drafts become; those in force where nothing changes."""
        planned, errors = [], []
        for draft in drafts:
            try:
                planned.append(self._next(draft))
            except SettingsError as error:
                errors.append(error)
        if errors:
            raise together(errors)
        return planned

    def _next(self, draft: TenantDraft) -> TenantSettings:
        standing = self._reader.get(draft.tenant)
        if found := list(draft_problems(draft)):
            raise SettingsError(source=draft.source, problems=found)
        secret = self._secret(draft, standing)
        settings = draft.settings(
            version=self._version(draft.tenant) + 1, updated_at=self._clock(), secret=secret
        )
        if standing is not None and standing == msgspec.structs.replace(
            settings, version=standing.version, updated_at=standing.updated_at
        ):
            return standing
        return settings

    def _secret(self, draft: TenantDraft, standing: TenantSettings | None) -> SealedSecret | None:
        if draft.duo is None:
            return None
        stands = standing.duo if standing is not None else None
        # Another client id is another Duo application, with a secret of its own.
        same = stands is not None and stands.client_id == draft.duo.client_id
        secret = self._sealer.renewed(
            stands.client_secret if stands is not None and same else None,
            draft.duo.client_secret,
            tenant=draft.tenant,
            purpose=draft.duo.client_id,
        )
        if secret is None:
            problem = Problem(
                key="duo.client_secret",
                problem="is missing, and there is none in force for this client_id",
                remedy="Give it here, or name a file that holds it as client_secret_file",
            )
            raise SettingsError(source=draft.source, problems=[problem])
        return secret

    async def _publish(self, values: Mapping[str, bytes]) -> None:
        """Publish records of settings, and read them back."""
        records = [settings_record(self._topic, tenant, value) for tenant, value in values.items()]
        try:
            await self._publisher.publish(records)
            await self._reader.catch_up()
        except BusUnavailableError as error:
            text = f"{error}. Whether the settings are published is not known: apply them again"
            raise BusUnavailableError(text) from error

    async def _settle(self, tenant: str) -> None:
        """Make the record in force the tenant's last one, if it isn't."""
        for _ in range(_TRIES):
            value = self._reader.unsettled(tenant)
            if value is None:
                return
            log.warning("settings_published_again", tenant=tenant, version=self._version(tenant))
            await self._publish({tenant: value})
        text = f"Several writers go on publishing. {self._look([tenant])}"
        raise SettingsConflictError(text)

    def _look(self, tenants: Sequence[str]) -> str:
        stand = ", ".join(f"{tenant} is at version {self._version(tenant)}" for tenant in tenants)
        return (
            f"{stand}. See what it changed with: countersign settings show {tenants[0]};"
            " then apply yours again"
        )
