"""Publishes tenants' settings: all of the files or none, each as its tenant's next version.

`SettingsPublication` has the law of how writers meet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from countersign.adapters.kafka.settings_publication import SettingsPublication, Words
from countersign.adapters.kafka.tenant_settings import TenantSettingsReader
from countersign.adapters.redis.connection import RedisClient
from countersign.adapters.sealing import Sealer
from countersign.adapters.tenant_files import together
from countersign.core.errors import (
    Problem,
    SettingsError,
)
from countersign.core.sealed import SealedSecret
from countersign.core.tenant import TenantSettings
from countersign.ports import Clock, Publisher
from countersign.wire.tenant_file import TenantDraft, draft_problems

_WORDS: Final = Words(look="countersign settings show {}", again="apply them again")


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
    """The one way in which settings files get onto the topic; the flow in force stays.

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
        self._sealer = sealer
        self._clock = clock
        self._publication = SettingsPublication(
            reader=reader,
            publisher=publisher,
            redis=redis,
            topic=topic,
            token=token,
            words=_WORDS,
        )

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
        async with self._publication.alone([draft.tenant for draft in drafts], expected or {}):
            planned = self._planned(drafts)
            changed = await self._publication.put_in_force(planned)
            return [
                Applied(tenant=new.tenant, version=new.version, changed=new in changed)
                for new in planned
            ]

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
            version=self._publication.version(draft.tenant) + 1,
            updated_at=self._clock(),
            secret=secret,
            flow=standing.flow if standing is not None else (),
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
