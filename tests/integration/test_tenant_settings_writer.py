"""Publishing tenants' settings on a real Kafka and Valkey: one writer wins, and nothing half is out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from countersign.adapters.kafka.tenant_settings_writer import Applied
from countersign.adapters.sealing import Sealer
from countersign.core.errors import (
    BusUnavailableError,
    SettingsConflictError,
    SettingsError,
)
from countersign.core.tenant import TenantSettings
from countersign.local import Stack
from countersign.ports import Publisher
from countersign.wire.results import OutboundRecord
from countersign.wire.tenant import read_settings
from tests.settings_bus import KEY, SECRET, SettingsBus, a_draft

NEXT_KEY = bytes(range(1, 33))


@pytest.fixture
async def bus(stack: Stack) -> SettingsBus:
    """A topic and a tenant of this test alone."""
    bus = SettingsBus(stack)
    await bus.create()
    return bus


class PausedPublisher:
    """A way onto the bus on which a writer is held up, like a process that is swapped out."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def publish(self, records: Sequence[OutboundRecord]) -> None:
        """Publish when the test says so."""
        self.reached.set()
        await self.go_on.wait()
        await self._publisher.publish(records)


class UnsurePublisher:
    """A way onto the bus whose acknowledgements are lost."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def publish(self, records: Sequence[OutboundRecord]) -> None:
        """Publish, and never hear of it."""
        await self._publisher.publish(records)
        text = "no acknowledgement"
        raise BusUnavailableError(text)


async def after_compaction(bus: SettingsBus) -> TenantSettings:
    """Return the tenant's settings that compaction would keep: its last record's."""
    values = [record.value for record in await bus.records() if record.key == bus.tenant.encode()]
    assert values[-1] is not None
    return read_settings(bus.tenant, values[-1])


async def in_force(bus: SettingsBus) -> TenantSettings:
    """Return what a reader that starts now has in force for the tenant."""
    async with bus.reader() as reader:
        settings = reader.get(bus.tenant)
    assert settings is not None
    return settings


async def test_settings_become_the_next_version(bus: SettingsBus) -> None:
    """Each change is published as one version more; the same settings again publish nothing."""
    async with bus.writer() as writer:
        for version, prompts in enumerate((5, 6, 7), start=1):
            draft = a_draft(tenant=bus.tenant, prompts=prompts)
            applied = Applied(tenant=bus.tenant, version=version, changed=True)
            assert await writer.apply([draft]) == [applied]
            again = Applied(tenant=bus.tenant, version=version, changed=False)
            assert await writer.apply([draft]) == [again]
    assert len(await bus.records()) == 3
    assert (await in_force(bus)).push_budget.prompts == 7


@pytest.mark.law(9)
async def test_secret_is_never_in_clear_on_the_topic(bus: SettingsBus) -> None:
    """No byte of a record is the secret's; holders of the key, and they alone, can unseal it."""
    async with bus.writer() as writer:
        await writer.apply([a_draft(tenant=bus.tenant)])
    for record in await bus.records():
        assert SECRET.encode() not in (record.key or b"") + (record.value or b"")
    duo = (await in_force(bus)).duo
    assert duo is not None
    bound = {"tenant": bus.tenant, "purpose": duo.client_id}
    assert Sealer([KEY]).unseal(duo.client_secret, **bound) == SECRET
    with pytest.raises(SettingsError):
        Sealer([NEXT_KEY]).unseal(duo.client_secret, **bound)


async def test_secret_left_out_is_kept(bus: SettingsBus) -> None:
    """A change without the secret keeps the sealed one as it is."""
    async with bus.writer() as writer:
        await writer.apply([a_draft(tenant=bus.tenant)])
        before = await in_force(bus)
        await writer.apply([a_draft(tenant=bus.tenant, prompts=6, secret=None)])
    after = await in_force(bus)
    assert after.version == 2
    assert after.duo == before.duo


async def test_another_duo_account_needs_its_own_secret(bus: SettingsBus) -> None:
    """The secret in force is not carried over to another Duo account."""
    async with bus.writer() as writer:
        await writer.apply([a_draft(tenant=bus.tenant)])
        with pytest.raises(SettingsError, match=r"duo.client_secret: is missing"):
            await writer.apply([a_draft(tenant=bus.tenant, client_id="E" * 20, secret=None)])
    assert len(await bus.records()) == 1


async def test_key_is_changed_by_applying_again(bus: SettingsBus) -> None:
    """Under a new key, the same settings without the secret are sealed anew, as a new version."""
    async with bus.writer() as writer:
        await writer.apply([a_draft(tenant=bus.tenant)])
    async with bus.writer(key=NEXT_KEY, earlier=KEY) as writer:
        draft = a_draft(tenant=bus.tenant, secret=None)
        assert (await writer.apply([draft]))[0].changed
        assert not (await writer.apply([draft]))[0].changed
    duo = (await in_force(bus)).duo
    assert duo is not None
    assert duo.client_secret.key_id == Sealer([NEXT_KEY]).key_id


async def test_one_wrong_draft_of_three_publishes_nothing(bus: SettingsBus) -> None:
    """Several drafts are applied all or none, even where only the topic tells that one is wrong."""
    good, other = a_draft(tenant=bus.tenant), a_draft(tenant=f"{bus.tenant}-other")
    for wrong in (
        a_draft(tenant=f"{bus.tenant}-wrong", secret=None),
        a_draft(tenant=f"{bus.tenant}-wrong", client_id="short"),
        a_draft(tenant=f"{bus.tenant}-wrong", secret="short"),
    ):
        async with bus.writer() as writer:
            with pytest.raises(SettingsError):
                await writer.apply([good, wrong, other])
    assert await bus.records() == []


async def test_two_writers_at_once_one_wins(bus: SettingsBus) -> None:
    """Of two writers that start from the same version exactly one wins, and its settings stand."""
    async with bus.writer() as first, bus.writer() as second:
        for round_ in range(5):
            drafts = [a_draft(tenant=bus.tenant, prompts=10 * round_ + by) for by in (1, 2)]
            results = await asyncio.gather(
                first.apply([drafts[0]], expected={bus.tenant: round_}),
                second.apply([drafts[1]], expected={bus.tenant: round_}),
                return_exceptions=True,
            )
            lost = [isinstance(result, SettingsConflictError) for result in results]
            assert sorted(lost) == [False, True]
            settings = await in_force(bus)
            assert settings.version == round_ + 1
            assert settings.push_budget == drafts[lost.index(False)].push_budget
            assert await after_compaction(bus) == settings


async def test_outdated_draft_is_refused(bus: SettingsBus) -> None:
    """A draft that was made from a version that is no longer in force is refused, with the next step."""
    async with bus.writer() as writer:
        await writer.apply([a_draft(tenant=bus.tenant)])
        with pytest.raises(SettingsConflictError, match=f"settings show {bus.tenant}"):
            await writer.apply([a_draft(tenant=bus.tenant, prompts=6)], expected={bus.tenant: 0})
    assert len(await bus.records()) == 1


@pytest.mark.parametrize("meanwhile", [1, 2])
async def test_writer_whose_lease_ran_out_loses(bus: SettingsBus, meanwhile: int) -> None:
    """A writer that wakes up after others have published loses, and compaction can't bring it back."""
    async with bus.publisher() as publisher, bus.redis() as redis:
        paused = PausedPublisher(publisher)
        async with bus.writer(publisher=paused) as slow, bus.writer() as quick:
            late = asyncio.create_task(slow.apply([a_draft(tenant=bus.tenant, prompts=99)]))
            await paused.reached.wait()
            with pytest.raises(SettingsConflictError, match="Another writer is publishing"):
                await quick.apply([a_draft(tenant=bus.tenant)])
            assert await redis.delete(f"lease:settings:{bus.tenant}") == 1
            for prompts in range(1, meanwhile + 1):
                await quick.apply([a_draft(tenant=bus.tenant, prompts=prompts)])
            paused.go_on.set()
            with pytest.raises(SettingsConflictError, match="its settings are in force"):
                await late
    assert len(await bus.records()) == meanwhile + 2
    settings = await in_force(bus)
    assert (settings.version, settings.push_budget.prompts) == (meanwhile, meanwhile)
    assert await after_compaction(bus) == settings


async def test_loser_that_crashed_is_made_good_by_the_next_writer(bus: SettingsBus) -> None:
    """Where a loser could not publish the winner's record again, applying the same settings does."""
    draft = a_draft(tenant=bus.tenant)
    async with bus.writer() as writer:
        await writer.apply([draft])
        rival = msgspec.structs.replace(await in_force(bus), push_budget=a_draft().push_budget)
        rival = msgspec.structs.replace(rival, updated_at=rival.updated_at.replace(year=2000))
        await bus.put(bus.tenant, msgspec.json.encode(rival))
        assert await after_compaction(bus) == rival
        assert await writer.apply([draft]) == [Applied(tenant=bus.tenant, version=1, changed=False)]
    assert await after_compaction(bus) == await in_force(bus) != rival


async def test_lease_is_given_back(bus: SettingsBus) -> None:
    """After a success and after a failure alike, no lease is left behind."""
    async with bus.writer() as writer, bus.redis() as redis:
        await writer.apply([a_draft(tenant=bus.tenant)])
        assert await redis.exists(f"lease:settings:{bus.tenant}") == 0
        with pytest.raises(SettingsError):
            await writer.apply([a_draft(tenant=bus.tenant, secret="short")])
        assert await redis.exists(f"lease:settings:{bus.tenant}") == 0


async def test_lease_of_another_is_not_given_back(bus: SettingsBus) -> None:
    """A writer whose lease ran out leaves the lease of the one after it alone."""
    key = f"lease:settings:{bus.tenant}"
    async with bus.publisher() as publisher, bus.redis() as redis:
        paused = PausedPublisher(publisher)
        async with bus.writer(publisher=paused) as slow:
            late = asyncio.create_task(slow.apply([a_draft(tenant=bus.tenant)]))
            await paused.reached.wait()
            assert 0 < await redis.pttl(key) <= 30_000
            await redis.set(key, "another")
            paused.go_on.set()
            await late
            assert await redis.get(key) == b"another"


async def test_lost_acknowledgement_is_told(bus: SettingsBus) -> None:
    """Where nobody knows whether the settings are out, the writer says so; applying again settles it."""
    draft = a_draft(tenant=bus.tenant)
    async with (
        bus.publisher() as publisher,
        bus.writer(publisher=UnsurePublisher(publisher)) as writer,
    ):
        with pytest.raises(BusUnavailableError, match="apply them again"):
            await writer.apply([draft])
    async with bus.writer() as writer:
        assert await writer.apply([draft]) == [Applied(tenant=bus.tenant, version=1, changed=False)]
