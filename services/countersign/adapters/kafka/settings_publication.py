"""How all writers of `tenant-settings` publish: one at a time where they behave, one wins where not.

Law: nothing is published over a version that the writer hasn't seen. The lease keeps writers apart;
where it ran out under one of them, the first record of a version wins, and the loser makes the
winner's record the last one again, so that compaction can't bring its own back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Final, NamedTuple

import structlog

from countersign.adapters.kafka.tenant_settings import TenantSettingsReader
from countersign.adapters.redis.connection import RedisClient
from countersign.adapters.redis.lease import Lease
from countersign.core.errors import (
    BusUnavailableError,
    SettingsConflictError,
    StoreUnavailableError,
)
from countersign.core.tenant import TenantSettings
from countersign.ports import Publisher
from countersign.wire.results import OutboundRecord
from countersign.wire.tenant import settings_record, write_settings

log = structlog.get_logger(__name__)

LEASE: Final = timedelta(seconds=30)
"""How long a writer that was killed keeps others out."""
_TRIES: Final = 5


class Words(NamedTuple):
    """How a writer tells people what to do.

    Attributes:
        look: the command that shows what another writer did; `{}` stands for the tenant.
        again: what to do after that.
    """

    look: str
    again: str


class SettingsPublication:
    """Publishes tenants' settings, and what goes before and after them.

    Args:
        reader: a started reader of the same topic.
        publisher: the way onto the bus.
        redis: where leases are.
        topic: the topic of the tenants' settings.
        token: makes a random text that names a lease's holder.
        words: how to tell people what to do.
    """

    def __init__(
        self,
        *,
        reader: TenantSettingsReader,
        publisher: Publisher,
        redis: RedisClient,
        topic: str,
        token: Callable[[], str],
        words: Words,
    ) -> None:
        self._reader = reader
        self._publisher = publisher
        self._redis = redis
        self._topic = topic
        self._token = token
        self._words = words

    def version(self, tenant: str) -> int:
        """Return the version in force; 0 where there is none."""
        standing = self._reader.get(tenant)
        return standing.version if standing is not None else 0

    @asynccontextmanager
    async def alone(
        self, tenants: Collection[str], expected: Mapping[str, int]
    ) -> AsyncIterator[None]:
        """Keep other writers out meanwhile; everything that was published before was read.

        Args:
            tenants: whose settings are going to be published.
            expected: the version of each that the writer has seen (0: none); where it isn't given, the
                one in force when this is called.

        Raises:
            SettingsConflictError: another writer was first, or is at it.
            BusUnavailableError: Kafka can't be reached.
            StoreUnavailableError: Redis can't be reached.
        """
        await self._reader.catch_up()
        seen = {tenant: self.version(tenant) for tenant in tenants} | dict(expected)
        async with AsyncExitStack() as leases:
            # In one order everywhere, so that two writers of several tenants can't block each other.
            for tenant in sorted(tenants):
                await self._lease(tenant, leases)
            await self._reader.catch_up()
            if moved := [t for t, version in seen.items() if version != self.version(t)]:
                text = (
                    f"Another writer was first, and nothing was published here. {self._look(moved)}"
                )
                raise SettingsConflictError(text)
            yield

    async def put_in_force(self, planned: Sequence[TenantSettings]) -> list[TenantSettings]:
        """Publish settings, but for those that are in force already, and return which were published.

        Raises:
            SettingsConflictError: another writer's are in force.
            BusUnavailableError: Kafka can't be reached; whether they are published is not known.
        """
        changed = [new for new in planned if new != self._reader.get(new.tenant)]
        await self.publish(
            [settings_record(self._topic, new.tenant, write_settings(new)) for new in changed]
        )
        for new in planned:
            await self._settle(new.tenant)
        if lost := [new.tenant for new in planned if new != self._reader.get(new.tenant)]:
            others = "" if len(lost) == len(planned) else " The other tenants' are published."
            text = f"Another writer was first, and its settings are in force. {self._look(lost)}.{others}"
            raise SettingsConflictError(text)
        return changed

    async def publish(self, records: Sequence[OutboundRecord]) -> None:
        """Publish records, and read them back.

        Raises:
            BusUnavailableError: Kafka can't be reached; whether they are published is not known.
        """
        try:
            await self._publisher.publish(records)
            await self._reader.catch_up()
        except BusUnavailableError as error:
            text = f"{error}. Whether the settings are published is not known: {self._words.again}"
            raise BusUnavailableError(text) from error

    async def _lease(self, tenant: str, leases: AsyncExitStack) -> None:
        # A tag of its own: in a cluster, tenants need not share a slot.
        lease = Lease(self._redis, f"lease:settings:{tenant}", self._token(), LEASE)
        if not await lease.acquire():
            text = (
                f"Another writer is publishing the settings of {tenant} now, and nothing was"
                f" published here. Wait until it is done, {LEASE.seconds} s at most; look at what"
                f" it did with: {self._words.look.format(tenant)}; then {self._words.again}"
            )
            raise SettingsConflictError(text)

        async def release() -> None:
            try:
                await lease.release()
            except StoreUnavailableError as error:
                log.warning("lease_not_released", tenant=tenant, reason=str(error))

        leases.push_async_callback(release)

    async def _settle(self, tenant: str) -> None:
        """Make the record in force the tenant's last one, if it isn't."""
        for _ in range(_TRIES):
            value = self._reader.unsettled(tenant)
            if value is None:
                return
            log.warning("settings_published_again", tenant=tenant, version=self.version(tenant))
            await self.publish([settings_record(self._topic, tenant, value)])
        text = f"Several writers go on publishing. {self._look([tenant])}"
        raise SettingsConflictError(text)

    def _look(self, tenants: Sequence[str]) -> str:
        stand = ", ".join(f"{tenant} is at version {self.version(tenant)}" for tenant in tenants)
        return (
            f"{stand}. See what it changed with: {self._words.look.format(tenants[0])};"
            f" then {self._words.again}"
        )
