"""Publishes tenants' Actions, and puts flows of them in force.

Law: the versions that a flow names are on the topic before the settings that name it, and what they hold
is what was deployed. A crash on the way leaves versions that no flow names, which harm nobody.
`SettingsPublication` has the law of how writers meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

import msgspec
import structlog

from countersign.adapters.kafka.settings_publication import SettingsPublication, Words
from countersign.adapters.kafka.tenant_settings import TenantSettingsReader
from countersign.adapters.redis.connection import RedisClient
from countersign.adapters.sealing import Sealer
from countersign.core.action import (
    KEPT_VERSIONS,
    ActionKind,
    ActionRef,
    ActionVersion,
    secret_purpose,
)
from countersign.core.errors import (
    BusUnavailableError,
    Problem,
    SettingsConflictError,
    SettingsError,
)
from countersign.core.tenant import TenantSettings
from countersign.ports import Clock, Publisher
from countersign.wire.action import (
    MAX_ACTION_BYTES,
    ActionKey,
    action_record,
    key_of,
    write_action,
)
from countersign.wire.actions_file import ActionDraft, FlowDraft, flow_draft_problems

log = structlog.get_logger(__name__)

_WORDS: Final = Words(look="countersign actions list {}", again="deploy them again")


class Deployed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a flow.

    Attributes:
        tenant: whose it is.
        version: the version of the settings that has it in force.
        changed: False where it was in force already, and nothing was published.
        before: the flow that was in force until now.
        flow: the flow.
    """

    tenant: str
    version: int
    changed: bool
    before: tuple[ActionRef, ...]
    flow: tuple[ActionRef, ...]


class _Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment comes to: new versions, and the settings that name them."""

    standing: TenantSettings
    versions: tuple[ActionVersion, ...]
    flow: tuple[ActionRef, ...]

    def deployed(self) -> Deployed:
        changed = self.flow != self.standing.flow
        return Deployed(
            tenant=self.standing.tenant,
            version=self.standing.version + changed,
            changed=changed,
            before=self.standing.flow,
            flow=self.flow,
        )


class ActionsWriter:
    """The one way in which Actions get onto the topic.

    Args:
        reader: a started reader of the same topic that keeps Actions.
        publisher: the way onto the bus.
        redis: where leases are.
        sealer: seals secrets.
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
        self._topic = topic
        self._clock = clock
        self._publication = SettingsPublication(
            reader=reader,
            publisher=publisher,
            redis=redis,
            topic=topic,
            token=token,
            words=_WORDS,
        )

    async def preview(self, draft: FlowDraft) -> Deployed:
        """Return what `deploy` would come to now, and publish nothing.

        Raises:
            SettingsError: something is wrong with it; every problem is named.
            BusUnavailableError: Kafka can't be reached.
        """
        await self._reader.catch_up()
        return self._planned(draft).deployed()

    async def deploy(self, draft: FlowDraft, *, expected: int | None = None) -> Deployed:
        """Publish what changed of a flow's Actions, and put the flow in force.

        An Action that is as it is in force, or as it was published last, keeps its version. Everything
        else in the tenant's settings stays.

        Args:
            draft: the flow.
            expected: the version of the tenant's settings that it was made from; where it isn't given,
                the one in force when this is called.

        Raises:
            SettingsError: something is wrong with it, or the tenant has no settings; nothing is in force.
            SettingsConflictError: another writer was first, or is at it.
            BusUnavailableError: Kafka can't be reached; deploy again to be sure.
            StoreUnavailableError: Redis can't be reached; nothing was published.
        """
        tenant = draft.tenant
        async with self._publication.alone([tenant], _expected(tenant, expected)):
            plan = self._planned(draft)
            await self._settle(tenant)
            await self._publish(plan.versions)
            return await self._in_force(plan)

    async def rollback(self, tenant: str, name: str, version: int) -> Deployed:
        """Put another published version of an Action of the flow in force.

        Raises:
            SettingsError: there is no such version to go back to.
            SettingsConflictError: another writer was first, or is at it.
            BusUnavailableError: Kafka can't be reached; call it again to be sure.
            StoreUnavailableError: Redis can't be reached; nothing was published.
        """
        async with self._publication.alone([tenant], {}):
            standing = self._standing(tenant, f"Action {name} of {tenant}")
            wanted = self._to_go_back_to(standing, name, version)
            await self._settle(tenant)
            flow = tuple(_ref(wanted) if ref.name == name else ref for ref in standing.flow)
            return await self._in_force(_Plan(standing=standing, versions=(), flow=flow))

    async def _in_force(self, plan: _Plan) -> Deployed:
        deployed = plan.deployed()
        settings = plan.standing
        if deployed.changed:
            settings = msgspec.structs.replace(
                settings, version=deployed.version, updated_at=self._clock(), flow=plan.flow
            )
        await self._publication.put_in_force([settings])
        try:
            await self._forget_old(deployed)
        except BusUnavailableError as error:
            # The flow is in force; whoever deploys next tries again.
            log.warning("old_actions_left", tenant=deployed.tenant, reason=str(error))
        return deployed

    def _standing(self, tenant: str, source: str) -> TenantSettings:
        standing = self._reader.get(tenant)
        if standing is None:
            problem = Problem(
                key="tenant",
                problem=f"is {tenant}, which has no settings",
                remedy="Apply its settings first, with: countersign settings apply FILE",
            )
            raise SettingsError(source=source, problems=[problem])
        return standing

    def _planned(self, draft: FlowDraft) -> _Plan:
        if found := list(flow_draft_problems(draft)):
            raise SettingsError(source=draft.source, problems=found)
        standing = self._standing(draft.tenant, draft.source)
        flow: list[ActionRef] = []
        versions: list[ActionVersion] = []
        for position, action in enumerate(draft.actions):
            if action.kind is ActionKind.PYTHON:
                flow.append(ActionRef(name=action.name, kind=action.kind, version=0))
                continue
            try:
                version, is_new = self._version(standing, action)
            except SettingsError as error:
                found += (
                    msgspec.structs.replace(each, key=f"flow[{position}].{each.key}")
                    for each in error.problems
                )
                continue
            flow.append(_ref(version))
            if is_new:
                versions.append(version)
        if found:
            raise SettingsError(source=draft.source, problems=found)
        return _Plan(standing=standing, versions=tuple(versions), flow=tuple(flow))

    def _version(self, standing: TenantSettings, draft: ActionDraft) -> tuple[ActionVersion, bool]:
        """Return the version that an Action becomes, and whether it has to be published."""
        published = self._reader.published
        newest = [place for place in published.of(standing.tenant) if place.name == draft.name][-1:]
        named = [
            ActionKey(standing.tenant, ref.name, ref.version)
            for ref in standing.flow
            if ref.name == draft.name
        ]
        places = [*named, *newest]
        candidates = [found for place in places if (found := published.get(place)) is not None]
        secrets = self._clear(draft, candidates[0] if candidates else None)
        for candidate in candidates:
            if self._holds(candidate, draft, secrets):
                return candidate, False
        version = ActionVersion(
            tenant=standing.tenant,
            name=draft.name,
            version=1 + max((place.version for place in places), default=0),
            kind=draft.kind,
            created_at=self._clock(),
            source=draft.source,
            modules=draft.modules,
            secrets={
                name: self._sealer.seal(
                    value, tenant=standing.tenant, purpose=secret_purpose(draft.name, name)
                )
                for name, value in secrets.items()
            },
        )
        if (size := len(write_action(version))) > MAX_ACTION_BYTES:
            problem = f"makes a record of {size} bytes, Kafka takes {MAX_ACTION_BYTES}"
            remedy = "Make the source, the modules or the secrets smaller"
            raise _one_problem(draft.name, "file", problem, remedy)
        return version, True

    def _clear(self, draft: ActionDraft, stands: ActionVersion | None) -> dict[str, str]:
        """Return an Action's secrets in clear; those that aren't given are the ones that stand."""
        found: list[Problem] = []
        clear: dict[str, str] = {}
        for name, value in draft.secrets.items():
            if value is not None:
                clear[name] = value
            elif stands is None or name not in stands.secrets:
                problem = f"names {name}, and there is no value for it, here or in force"
                remedy = f"Write {name}=VALUE into a file, and name that as --secrets"
                found.append(Problem(key="secrets", problem=problem, remedy=remedy))
            else:
                kept = self._opened(stands, name)
                if kept is None:
                    found.append(_sealed_otherwise(stands, name))
                else:
                    clear[name] = kept
        if found:
            raise SettingsError(source=draft.name, problems=found)
        return clear

    def _opened(self, version: ActionVersion, name: str) -> str | None:
        """Return a secret in clear; None where it can't be unsealed here."""
        purpose = secret_purpose(version.name, name)
        try:
            return self._sealer.unseal(
                version.secrets[name], tenant=version.tenant, purpose=purpose
            )
        except SettingsError:
            return None

    def _holds(self, version: ActionVersion, draft: ActionDraft, secrets: dict[str, str]) -> bool:
        """Say whether a version is what would be published now, sealed with the key in use."""
        return (
            (version.kind, version.source) == (draft.kind, draft.source)
            and version.modules == draft.modules
            and version.secrets.keys() == secrets.keys()
            and all(
                sealed.key_id == self._sealer.key_id
                and self._opened(version, name) == secrets[name]
                for name, sealed in version.secrets.items()
            )
        )

    def _to_go_back_to(self, standing: TenantSettings, name: str, number: int) -> ActionVersion:
        tenant, source = standing.tenant, f"Action {name} of {standing.tenant}"
        ref = next((ref for ref in standing.flow if ref.name == name), None)
        if ref is None:
            known = ", ".join(ref.name for ref in standing.flow) or "none"
            problem, remedy = "is not in the flow", f"Actions of the flow: {known}"
            raise _one_problem(source, "name", problem, remedy)
        if ref.kind is ActionKind.PYTHON:
            problem = "is a Python Action, whose versions are its package's"
            raise _one_problem(source, "name", problem, "Install the package's other version")
        version = self._reader.action(tenant, name, number)
        if version is None or version.kind is not ref.kind:
            kind = "is not published" if version is None else f"is a {version.kind.value}"
            remedy = f"Versions to go back to: {', '.join(self._kin(tenant, ref)) or 'none'}"
            problem = f"{number} {kind}, and the flow has a {ref.kind.value}"
            raise _one_problem(source, "version", problem, remedy)
        if sealed := [name for name in version.secrets if self._opened(version, name) is None]:
            raise SettingsError(
                source=source, problems=[_sealed_otherwise(version, name) for name in sealed]
            )
        return version

    def _kin(self, tenant: str, ref: ActionRef) -> Iterator[str]:
        """Yield the published versions of an Action that are written as the one in the flow is."""
        for place in self._reader.published.of(tenant):
            if place.name == ref.name:
                version = self._reader.published.get(place)
                if version is not None and version.kind is ref.kind:
                    yield str(place.version)

    async def _settle(self, tenant: str) -> None:
        """Make the records that stand their keys' last ones, where a writer that lost has left its own."""
        published = self._reader.published
        places = published.unsettled(tenant)
        await self._publication.publish(
            [action_record(self._topic, place, published.value(place)) for place in places]
        )

    async def _publish(self, versions: Sequence[ActionVersion]) -> None:
        values = {key_of(version): write_action(version) for version in versions}
        await self._publication.publish(
            [action_record(self._topic, place, value) for place, value in values.items()]
        )
        published = self._reader.published
        if lost := [place for place, value in values.items() if published.value(place) != value]:
            # Their numbers were taken while our lease had run out.
            await self._settle(lost[0].tenant)
            text = (
                "Another writer was first, and nothing of this flow is in force. See what it changed"
                f" with: {_WORDS.look.format(lost[0].tenant)}; then {_WORDS.again}"
            )
            raise SettingsConflictError(text)

    async def _forget_old(self, deployed: Deployed) -> None:
        """Take versions away that nobody goes back to, and that no flow names or has just named."""
        named = {
            ActionKey(deployed.tenant, ref.name, ref.version)
            # A decider may be at a login by the flow before.
            for ref in (*deployed.before, *deployed.flow)
        }
        places = self._reader.published.of(deployed.tenant)
        old = [
            place
            for _, versions in groupby(places, attrgetter("name"))
            for place in list(versions)[:-KEPT_VERSIONS]
            if place not in named
        ]
        await self._publication.publish([action_record(self._topic, place, None) for place in old])


def _expected(tenant: str, version: int | None) -> dict[str, int]:
    return {} if version is None else {tenant: version}


def _ref(version: ActionVersion) -> ActionRef:
    return ActionRef(name=version.name, kind=version.kind, version=version.version)


def _one_problem(source: str, key: str, problem: str, remedy: str) -> SettingsError:
    return SettingsError(source=source, problems=[Problem(key=key, problem=problem, remedy=remedy)])


def _sealed_otherwise(version: ActionVersion, name: str) -> Problem:
    return Problem(
        key="secrets",
        problem=f"has {name} from version {version.version}, which is sealed with the key"
        f" {version.secrets[name].key_id} and doesn't open here",
        remedy="Add that key to COUNTERSIGN_SETTINGS_KEY_PREVIOUS, or deploy with the value in --secrets",
    )
