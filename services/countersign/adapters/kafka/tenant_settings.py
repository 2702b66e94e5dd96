"""The tenants' settings in force in this process: read from the topic, and kept up with it.

Law: what is known stays in force, whatever happens to Kafka; what is new is in force well within a
second. `TenantSettingsWriter` publishes new versions.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

import stamina
import structlog

from countersign.adapters.kafka.connection import KafkaConnection
from countersign.adapters.kafka.published_versions import PublishedVersions
from countersign.adapters.kafka.settings_in_force import SettingsInForce
from countersign.adapters.kafka.whole_topic import Offsets, TopicRecord, WholeTopic
from countersign.core.action import ActionVersion
from countersign.core.errors import BusUnavailableError, SettingsError
from countersign.core.tenant import TenantSettings
from countersign.logs import where_it_failed
from countersign.wire.action import ActionKey

log = structlog.get_logger(__name__)

CATCH_UP_WITHIN: Final = 5.0
"""Seconds that reading to the end may take without getting on."""
_PAUSE: Final = 1.0
"""Seconds until another try after Kafka has refused."""


class TenantSettingsReader:
    """`ports.TenantDirectory` and `ports.PublishedActions` on the topic of the tenants' settings.

    Args:
        connection: how to reach Kafka.
        topic: the topic of the tenants' settings.
        actions: keep the tenants' Actions, too; who doesn't run them has no use for them.
    """

    def __init__(self, connection: KafkaConnection, topic: str, *, actions: bool = False) -> None:
        self._topic = WholeTopic(connection, topic)
        self._in_force = SettingsInForce()
        self._published = PublishedVersions() if actions else None
        self._positions: Offsets = {}
        self._progress = asyncio.Condition()
        self._following: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None
        self._queued: asyncio.Task[None] | None = None
        self.malformed = 0
        """How many records could not be read so far."""

    async def start(self, *, patient: bool = True) -> None:
        """Return when the topic was read to its end; from then on it is followed.

        Args:
            patient: wait, as long as it takes, for Kafka and for the topic.

        Raises:
            BusUnavailableError: not patient, and Kafka or the topic isn't there.
        """
        try:
            async for attempt in _retry(patient=patient):
                with attempt:
                    await self._open(attempt.num)
            self._following = asyncio.create_task(self._follow(), name="tenant-settings")
            self._following.add_done_callback(_looked_at)
            async for attempt in _retry(patient=patient):
                with attempt:
                    await self.catch_up()
        except BaseException:
            await self.stop()
            raise
        log.info("tenant_settings_read", versions=self.versions())

    async def stop(self) -> None:
        """Stop following the topic; what was read stays."""
        tasks = [task for task in (self._following, self._running, self._queued) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._topic.close()

    def get(self, tenant: str) -> TenantSettings | None:
        """See `ports.TenantDirectory.get`."""
        return self._in_force.get(tenant)

    def versions(self) -> dict[str, int]:
        """Return the version in force of every tenant, by name."""
        return self._in_force.versions()

    def unsettled(self, tenant: str) -> bytes | None:
        """Return the value of the record in force where it is not the tenant's last one.

        Then compaction would leave another one in force for readers yet to come; publish this again.
        """
        return None if self._in_force.settled(tenant) else self._in_force.value(tenant)

    def action(self, tenant: str, name: str, version: int) -> ActionVersion | None:
        """See `ports.PublishedActions.action`."""
        return self.published.get(ActionKey(tenant, name, version))

    @property
    def published(self) -> PublishedVersions:
        """The published versions of Actions, as they were read."""
        if self._published is None:
            text = "this reader was not asked to keep Actions"
            raise RuntimeError(text)
        return self._published

    async def catch_up(self) -> None:
        """See `ports.TenantDirectory.catch_up`; who calls while another waits may share its answer."""
        if self._queued is None:
            self._queued = asyncio.create_task(self._catch_up_after(self._running))
            self._queued.add_done_callback(_looked_at)
        # A caller that gives up must not take the answer from the others.
        await asyncio.shield(self._queued)

    async def _open(self, attempt: int) -> None:
        try:
            await self._topic.open()
        except BusUnavailableError as error:
            log.warning("waiting_for_tenant_settings", attempt=attempt, reason=str(error))
            raise

    async def _catch_up_after(self, previous: asyncio.Task[None] | None) -> None:
        if previous is not None:
            await asyncio.wait({previous})
        # Who calls from here on may know of a record after the end that is asked for now.
        self._running, self._queued = self._queued, None
        ends = await self._topic.ends()
        try:
            async with asyncio.timeout(CATCH_UP_WITHIN) as limit, self._progress:
                while not self._has_read_to(ends):
                    before = self._positions
                    await self._progress.wait()
                    if self._positions != before:
                        # The code of many tenants is a lot to read.
                        limit.reschedule(asyncio.get_running_loop().time() + CATCH_UP_WITHIN)
        except TimeoutError as error:
            text = "Kafka doesn't hand out the tenants' settings in time"
            raise BusUnavailableError(text) from error

    def _has_read_to(self, ends: Offsets) -> bool:
        return all(self._positions.get(partition, 0) >= end for partition, end in ends.items())

    async def _follow(self) -> None:
        while True:
            try:
                self._take(await self._topic.read())
                self._positions = await self._topic.positions()
            except BusUnavailableError as error:
                log.warning("tenant_settings_unreadable", reason=str(error))
                await asyncio.sleep(_PAUSE)
                continue
            async with self._progress:
                self._progress.notify_all()

    def _take(self, records: Sequence[TopicRecord]) -> None:
        for record in records:
            try:
                tenant = self._in_force.take(record.key, record.value)
                if self._published is not None:
                    self._published.take(record.key, record.value)
            except SettingsError as error:
                self.malformed += 1
                log.error(  # noqa: TRY400  # the place on the topic tells more than a traceback
                    "tenant_settings_malformed",
                    partition=record.partition,
                    offset=record.offset,
                    reason=str(error),
                )
                continue
            if tenant is not None:
                settings = self.get(tenant)
                version = settings.version if settings is not None else None
                log.info("tenant_settings_changed", tenant=tenant, version=version)


def _retry(*, patient: bool) -> AsyncIterator[stamina.Attempt]:
    attempts = None if patient else 1
    return stamina.retry_context(
        on=BusUnavailableError, attempts=attempts, timeout=None, wait_initial=0.2, wait_max=5.0
    )


def _looked_at(task: asyncio.Task[None]) -> None:
    """Log a failure that is a mistake in here; who waits for the task may have given up."""
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, BusUnavailableError):
        log.critical(
            "tenant_settings_failed", error_class=type(error).__name__, where=where_it_failed(error)
        )
