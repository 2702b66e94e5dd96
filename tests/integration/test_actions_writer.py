"""Deploying tenants' Actions on a real Kafka and Valkey: versions first, one writer wins, none is torn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from countersign.adapters.kafka.actions_writer import Deployed
from countersign.adapters.kafka.tenant_settings_writer import Applied
from countersign.adapters.sealing import Sealer
from countersign.core.action import KEPT_VERSIONS, ActionKind, ActionRef, secret_purpose
from countersign.core.errors import (
    BusUnavailableError,
    SettingsConflictError,
    SettingsError,
)
from countersign.core.tenant import TenantSettings
from countersign.local import Stack
from countersign.ports import Publisher
from countersign.wire.action import ActionKey, action_of, action_record
from countersign.wire.results import OutboundRecord
from tests.settings_bus import KEY, SettingsBus, a_draft, a_flow, an_action

NEXT_KEY = bytes(range(1, 33))
CANARY = "canary-of-an-action"


@pytest.fixture
async def bus(stack: Stack) -> SettingsBus:
    """A topic and a tenant of this test alone, whose settings are applied."""
    bus = SettingsBus(stack)
    await bus.create()
    async with bus.writer() as writer:
        await writer.apply([a_draft(tenant=bus.tenant)])
    return bus


def ref(version: int, name: str = "require-duo") -> ActionRef:
    """Return an Action of a flow."""
    return ActionRef(name=name, kind=ActionKind.ACTION, version=version)


async def in_force(bus: SettingsBus) -> TenantSettings:
    """Return what a reader that starts now has in force for the tenant."""
    async with bus.reader() as reader:
        settings = reader.get(bus.tenant)
    assert settings is not None
    return settings


async def versions(bus: SettingsBus, name: str = "require-duo") -> list[int]:
    """Return an Action's published versions, as a reader that starts now knows them."""
    async with bus.reader(actions=True) as reader:
        return [key.version for key in reader.published.of(bus.tenant) if key.name == name]


class PausedPublisher:
    """A way onto the bus on which a writer is held up at one publication, like a process swapped out."""

    def __init__(self, publisher: Publisher, at: int) -> None:
        self._publisher = publisher
        self._left = at
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def publish(self, records: Sequence[OutboundRecord]) -> None:
        """Publish; at the chosen publication that has records, when the test says so."""
        if records:
            self._left -= 1
            if self._left == 0:
                self.reached.set()
                await self.go_on.wait()
        await self._publisher.publish(records)


class DyingPublisher:
    """A way onto the bus that is cut off after so many records."""

    def __init__(self, publisher: Publisher, after: int) -> None:
        self._publisher = publisher
        self._left = after

    async def publish(self, records: Sequence[OutboundRecord]) -> None:
        """Publish what there is time for."""
        sent = list(records)[: self._left]
        self._left -= len(sent)
        await self._publisher.publish(sent)
        if len(sent) < len(records):
            text = "killed"
            raise BusUnavailableError(text)


async def test_flow_is_deployed_in_order_and_read_back(bus: SettingsBus) -> None:
    """Each Action is a version of its own, the flow names them in order, all else stays as it was."""
    before = await in_force(bus)
    flow = a_flow(
        bus.tenant,
        an_action(
            "old-rule", kind=ActionKind.RULE, source="function (u, c, cb) { cb(null, u, c) }"
        ),
        an_action("lookup", modules={"ipaddr.js": "module.exports = {}"}, secrets={"A": CANARY}),
        an_action("partner", kind=ActionKind.PYTHON, source=""),
    )
    async with bus.actions_writer() as writer:
        deployed = await writer.deploy(flow)
        assert deployed.changed
        assert (deployed.before, deployed.version) == ((), 2)
        again = await writer.deploy(flow)
        assert again == Deployed(
            tenant=bus.tenant,
            version=2,
            changed=False,
            before=deployed.flow,
            flow=deployed.flow,
        )
    assert [(each.name, each.kind.value, each.version) for each in deployed.flow] == [
        ("old-rule", "rule", 1),
        ("lookup", "action", 1),
        ("partner", "python", 0),
    ]
    settings = await in_force(bus)
    assert settings.flow == deployed.flow
    assert (settings.duo, settings.mfa) == (before.duo, before.mfa)
    async with bus.reader(actions=True) as reader:
        lookup = reader.action(bus.tenant, "lookup", 1)
        assert reader.action(bus.tenant, "lookup", 2) is None
        assert reader.action("globex", "lookup", 1) is None
    assert lookup is not None
    assert (lookup.source, lookup.modules) == (flow.actions[1].source, flow.actions[1].modules)


async def test_versions_stand_before_the_settings_that_name_them(bus: SettingsBus) -> None:
    """On the topic, whose one partition has one order, no settings name a version that isn't there yet."""
    async with bus.actions_writer() as writer:
        await writer.deploy(a_flow(bus.tenant, an_action("a"), an_action("b")))
        await writer.deploy(a_flow(bus.tenant, an_action("b", by=1), an_action("a")))
    kinds = [action_of(record.key) for record in await bus.records()]
    assert [key and (key.name, key.version) for key in kinds] == [
        None,
        ("a", 1),
        ("b", 1),
        None,
        ("b", 2),
        None,
    ]


async def test_applying_settings_keeps_the_flow(bus: SettingsBus) -> None:
    """A settings file says nothing of the flow, so it changes nothing of it, and the other way round."""
    async with bus.actions_writer() as actions, bus.writer() as writer:
        await actions.deploy(a_flow(bus.tenant, an_action()))
        unchanged = Applied(tenant=bus.tenant, version=2, changed=False)
        assert await writer.apply([a_draft(tenant=bus.tenant)]) == [unchanged]
        await writer.apply([a_draft(tenant=bus.tenant, prompts=9)])
        assert (await in_force(bus)).flow == (ref(1),)
        await actions.deploy(a_flow(bus.tenant, an_action(by=1)))
    settings = await in_force(bus)
    assert (settings.flow, settings.version, settings.push_budget.prompts) == ((ref(2),), 4, 9)


async def test_only_what_changed_gets_a_new_version(bus: SettingsBus) -> None:
    """Another source, module, kind or secret makes a version; another order of the flow makes none."""
    async with bus.actions_writer() as writer:
        for number, action in enumerate(
            (
                an_action(),
                an_action(by=1),
                an_action(by=1, modules={"a": "1"}),
                an_action(by=1, modules={"a": "2"}),
                an_action(by=1, secrets={"A": "1"}),
                an_action(by=1, secrets={"A": "2"}),
                an_action(by=1, secrets={"B": "2"}),
                an_action(by=1, kind=ActionKind.RULE),
            ),
            start=1,
        ):
            deployed = await writer.deploy(a_flow(bus.tenant, action))
            assert [each.version for each in deployed.flow] == [number]
            assert not (await writer.deploy(a_flow(bus.tenant, action))).changed
        one, other = an_action("one"), an_action("other")
        await writer.deploy(a_flow(bus.tenant, one, other))
        turned = await writer.deploy(a_flow(bus.tenant, other, one))
    assert turned.flow == (ref(1, "other"), ref(1, "one"))
    assert turned.changed


async def test_flow_that_is_emptied_and_filled_again_keeps_versions(bus: SettingsBus) -> None:
    """An Action that comes back as it was is the version that is there."""
    async with bus.actions_writer() as writer:
        await writer.deploy(a_flow(bus.tenant, an_action(), an_action("other")))
        emptied = await writer.deploy(a_flow(bus.tenant))
        assert (emptied.flow, (await in_force(bus)).flow) == ((), ())
        filled = await writer.deploy(a_flow(bus.tenant, an_action()))
    assert filled.flow == (ref(1),)


async def test_preview_publishes_nothing(bus: SettingsBus) -> None:
    """It says what a deployment would come to."""
    async with bus.actions_writer() as writer:
        preview = await writer.preview(a_flow(bus.tenant, an_action()))
        assert (preview.changed, preview.version, preview.flow) == (True, 2, (ref(1),))
        assert len(await bus.records()) == 1
        assert await writer.deploy(a_flow(bus.tenant, an_action())) == preview


async def test_tenant_without_settings_is_told(bus: SettingsBus) -> None:
    """Actions belong to a tenant that has settings; what to do first is said."""
    async with bus.actions_writer() as writer:
        with pytest.raises(SettingsError, match="countersign settings apply"):
            await writer.deploy(a_flow("globex", an_action()))
        with pytest.raises(SettingsError, match="countersign settings apply"):
            await writer.rollback("globex", "require-duo", 1)
    assert len(await bus.records()) == 1


async def test_wrong_draft_publishes_nothing(bus: SettingsBus) -> None:
    """What is wrong with any Action keeps the whole flow off the topic, every problem named."""
    flow = a_flow(
        bus.tenant,
        an_action("good"),
        an_action("empty", source=" "),
        an_action("keyless", secrets={"A": None, "B": None}),
        an_action("good"),
    )
    async with bus.actions_writer() as writer:
        with pytest.raises(SettingsError, match=r"flow\[1\]\.file") as raised:
            await writer.deploy(flow)
        assert {each.key for each in raised.value.problems} == {"flow[1].file", "flow[3]"}
        with pytest.raises(SettingsError, match="--secrets") as raised:
            await writer.deploy(a_flow(bus.tenant, *flow.actions[::2]))
        assert [each.key for each in raised.value.problems] == ["flow[1].secrets"] * 2
    assert len(await bus.records()) == 1


@pytest.mark.law(9)
async def test_secret_is_never_in_clear_on_the_topic(bus: SettingsBus) -> None:
    """It is sealed for its tenant, its Action and its name, and opens as nothing else."""
    async with bus.actions_writer() as writer:
        await writer.deploy(a_flow(bus.tenant, an_action(secrets={"A": CANARY})))
    for record in await bus.records():
        assert CANARY.encode() not in (record.key or b"") + (record.value or b"")
    async with bus.reader(actions=True) as reader:
        version = reader.action(bus.tenant, "require-duo", 1)
    assert version is not None
    sealed, sealer = version.secrets["A"], Sealer([KEY])
    purpose = secret_purpose("require-duo", "A")
    assert sealer.unseal(sealed, tenant=bus.tenant, purpose=purpose) == CANARY
    for tenant, other in ((bus.tenant, secret_purpose("other", "A")), ("globex", purpose)):
        with pytest.raises(SettingsError):
            sealer.unseal(sealed, tenant=tenant, purpose=other)


async def test_secret_left_out_is_kept(bus: SettingsBus) -> None:
    """A change of the code without values keeps those in force; a name left out is gone."""
    async with bus.actions_writer() as writer:
        await writer.deploy(a_flow(bus.tenant, an_action(secrets={"A": "1", "B": "2"})))
        kept = {"A": None, "B": None}
        assert not (await writer.deploy(a_flow(bus.tenant, an_action(secrets=kept)))).changed
        await writer.deploy(a_flow(bus.tenant, an_action(by=1, secrets=kept)))
        await writer.deploy(a_flow(bus.tenant, an_action(by=1, secrets={"B": None, "A": "3"})))
        await writer.deploy(a_flow(bus.tenant, an_action(by=1, secrets={"A": None})))
    async with bus.reader(actions=True) as reader:
        found = [reader.action(bus.tenant, "require-duo", number) for number in (2, 3, 4)]
    opened = [
        {
            name: Sealer([KEY]).unseal(
                sealed, tenant=bus.tenant, purpose=secret_purpose("require-duo", name)
            )
            for name, sealed in version.secrets.items()
        }
        for version in found
        if version is not None
    ]
    assert opened == [{"A": "1", "B": "2"}, {"A": "3", "B": "2"}, {"A": "3"}]


async def test_key_is_changed_by_deploying_again(bus: SettingsBus) -> None:
    """Under a new key the same flow without values is sealed anew; without the old key it is an error."""
    kept = a_flow(bus.tenant, an_action(secrets={"A": None}))
    async with bus.actions_writer() as writer:
        await writer.deploy(a_flow(bus.tenant, an_action(secrets={"A": CANARY})))
    async with bus.actions_writer(key=NEXT_KEY) as writer:
        with pytest.raises(SettingsError, match=r"flow\[0\].secrets: .*KEY_PREVIOUS"):
            await writer.deploy(kept)
    async with bus.actions_writer(key=NEXT_KEY, earlier=KEY) as writer:
        assert (await writer.deploy(kept)).flow == (ref(2),)
        assert not (await writer.deploy(kept)).changed
    async with bus.actions_writer(key=NEXT_KEY) as writer:
        assert not (await writer.deploy(kept)).changed
        with pytest.raises(SettingsError, match="KEY_PREVIOUS"):
            await writer.rollback(bus.tenant, "require-duo", 1)


async def test_rollback_goes_back_and_forth(bus: SettingsBus) -> None:
    """The flow names the other version, nothing else changes; deploying the newest again makes none."""
    async with bus.actions_writer() as writer:
        for by in range(3):
            await writer.deploy(a_flow(bus.tenant, an_action(by=by), an_action("other")))
        back = await writer.rollback(bus.tenant, "require-duo", 1)
        assert (back.changed, back.flow) == (True, (ref(1), ref(1, "other")))
        assert not (await writer.rollback(bus.tenant, "require-duo", 1)).changed
        assert (await in_force(bus)).flow == back.flow
        forth = await writer.deploy(a_flow(bus.tenant, an_action(by=2), an_action("other")))
    assert forth.flow == (ref(3), ref(1, "other"))
    assert await versions(bus) == [1, 2, 3]


async def test_rollback_to_nothing_is_refused(bus: SettingsBus) -> None:
    """What isn't there, is of another kind, or isn't in the flow is told, with what is."""
    python = an_action("partner", kind=ActionKind.PYTHON, source="")
    async with bus.actions_writer() as writer:
        await writer.deploy(a_flow(bus.tenant, an_action(kind=ActionKind.RULE)))
        await writer.deploy(a_flow(bus.tenant, an_action(), python))
        with pytest.raises(SettingsError, match=r"1 is a rule.*go back to: 2"):
            await writer.rollback(bus.tenant, "require-duo", 1)
        for number in (-1, 0, 3):
            with pytest.raises(SettingsError, match=f"{number} is not published"):
                await writer.rollback(bus.tenant, "require-duo", number)
        with pytest.raises(SettingsError, match="of the flow: require-duo, partner"):
            await writer.rollback(bus.tenant, "other", 1)
        with pytest.raises(SettingsError, match="its package's"):
            await writer.rollback(bus.tenant, "partner", 1)
    assert (await in_force(bus)).version == 3


async def test_last_twenty_versions_stay(bus: SettingsBus) -> None:
    """Older ones are taken off the topic, but for one that the flow names or has just named."""
    other = an_action("other")
    async with bus.actions_writer() as writer:
        for by in range(KEPT_VERSIONS + 2):
            await writer.deploy(a_flow(bus.tenant, an_action(by=by), other))
        newest = KEPT_VERSIONS + 2
        assert await versions(bus) == list(range(3, newest + 1))
        await writer.rollback(bus.tenant, "require-duo", 3)
        await writer.deploy(a_flow(bus.tenant, an_action(by=100), other))
        assert await versions(bus) == list(range(3, newest + 2))
        await writer.deploy(a_flow(bus.tenant, an_action(by=101), other))
        assert await versions(bus) == list(range(5, newest + 3))
    assert await versions(bus, "other") == [1]


@pytest.mark.parametrize("after", [0, 1, 2])
async def test_writer_killed_on_the_way_tears_nothing(bus: SettingsBus, after: int) -> None:
    """Whatever of it is on the topic, the flow before is in force; deploying again goes on from there."""
    before = a_flow(bus.tenant, an_action("a"), an_action("b"))
    flow = a_flow(bus.tenant, an_action("a", by=1), an_action("b", by=1))
    async with bus.actions_writer() as writer:
        stands = (await writer.deploy(before)).flow
    async with bus.publisher() as publisher:
        dying = DyingPublisher(publisher, after)
        async with bus.actions_writer(publisher=dying) as writer:
            with pytest.raises(BusUnavailableError, match="deploy them again"):
                await writer.deploy(flow)
    assert (await in_force(bus)).flow == stands
    async with bus.actions_writer() as writer:
        # What was left behind is taken up.
        assert (await writer.deploy(flow)).flow == (ref(2, "a"), ref(2, "b"))
    assert (await versions(bus, "a"), await versions(bus, "b")) == ([1, 2], [1, 2])


async def test_two_writers_at_once_one_wins(bus: SettingsBus) -> None:
    """Of two that start from the same version exactly one wins, and its flow stands whole."""
    async with bus.actions_writer() as first, bus.actions_writer() as second:
        for round_ in range(4):
            flows = [
                a_flow(bus.tenant, *(an_action(name, by=10 * round_ + by) for name in "ab"))
                for by in (1, 2)
            ]
            results = await asyncio.gather(
                first.deploy(flows[0], expected=round_ + 1),
                second.deploy(flows[1], expected=round_ + 1),
                return_exceptions=True,
            )
            lost = [isinstance(result, SettingsConflictError) for result in results]
            assert sorted(lost) == [False, True]
            settings = await in_force(bus)
            assert settings.version == round_ + 2
            assert await sources(bus) == [
                action.source for action in flows[lost.index(False)].actions
            ]


async def sources(bus: SettingsBus) -> list[str]:
    """Return the code of the flow in force, as a reader that starts now finds it."""
    async with bus.reader(actions=True) as reader:
        settings = reader.get(bus.tenant)
        assert settings is not None
        found = [reader.action(bus.tenant, each.name, each.version) for each in settings.flow]
    return [version.source for version in found if version is not None]


@pytest.mark.parametrize("at", [1, 2])
async def test_writer_whose_lease_ran_out_loses(bus: SettingsBus, at: int) -> None:
    """Held up before its versions or its settings it loses, and compaction brings nothing of it back."""
    async with bus.publisher() as publisher, bus.redis() as redis:
        paused = PausedPublisher(publisher, at)
        async with (
            bus.actions_writer(publisher=paused) as slow,
            bus.actions_writer() as quick,
        ):
            late = asyncio.create_task(slow.deploy(a_flow(bus.tenant, an_action(by=1))))
            await paused.reached.wait()
            flow = a_flow(bus.tenant, an_action(by=2))
            with pytest.raises(SettingsConflictError, match="Another writer is publishing"):
                await quick.deploy(flow)
            assert await redis.delete(f"lease:settings:{bus.tenant}") == 1
            await quick.deploy(flow)
            paused.go_on.set()
            with pytest.raises(SettingsConflictError, match=r"countersign actions list"):
                await late
    wanted = [flow.actions[0].source]
    assert await sources(bus) == wanted
    await compact(bus)
    assert await sources(bus) == wanted


async def compact(bus: SettingsBus) -> None:
    """Bring the topic to what compaction leaves: each key's last record."""
    last = {record.key: record.value for record in await bus.records()}
    copy = SettingsBus.__new__(SettingsBus)
    copy.__dict__.update(bus.__dict__, topic=f"{bus.topic}-compacted")
    await copy.create()
    for key, value in last.items():
        assert key is not None
        await copy.put(key.decode(), value)
    bus.topic = copy.topic


async def test_loser_that_crashed_is_made_good_by_the_next_writer(bus: SettingsBus) -> None:
    """Another record under a version's key changes nothing, and the next deployment makes it undone."""
    flow = a_flow(bus.tenant, an_action())
    async with bus.actions_writer() as writer:
        await writer.deploy(flow)
        async with bus.reader(actions=True) as reader:
            key = ActionKey(bus.tenant, "require-duo", 1)
            value = reader.published.value(key)
        assert value is not None
        rival = value.replace(b"=> 0", b"=> 9")
        assert rival != value
        forged = action_record(bus.topic, key, rival)
        assert forged.key is not None
        await bus.put(forged.key.decode(), rival)
        assert await sources(bus) == [flow.actions[0].source]
        assert not (await writer.deploy(flow)).changed
    await compact(bus)
    assert await sources(bus) == [flow.actions[0].source]


async def test_what_cannot_be_read_changes_nothing(bus: SettingsBus) -> None:
    """A malformed record is counted, the version stands; one without a value takes it away."""
    async with bus.actions_writer() as writer:
        await writer.deploy(a_flow(bus.tenant, an_action()))
    key = f"{bus.tenant}/action/require-duo"
    await bus.put(f"{key}/1", b"{")
    await bus.put(f"{key}/2", b'{"tenant": "globex"}')
    await bus.put(f"{key}/03", b"{}")
    await bus.put(f"{bus.tenant}/other/thing", b"of a later version")
    async with bus.reader(actions=True) as reader, bus.reader() as without:
        assert (reader.malformed, without.malformed) == (3, 0)
        assert reader.action(bus.tenant, "require-duo", 1) is not None
        assert reader.action(bus.tenant, "require-duo", 2) is None
        with pytest.raises(RuntimeError):
            without.action(bus.tenant, "require-duo", 1)
        await bus.put(f"{key}/1", None)
        await reader.catch_up()
        assert reader.action(bus.tenant, "require-duo", 1) is None
    assert await versions(bus) == []


async def test_largest_action_there_may_be_is_published(bus: SettingsBus) -> None:
    """Source and modules at their limits fit into a record, and a flow of twenty into the topic."""
    modules = {"big": "x" * 500_000}
    actions = [
        an_action(f"a{number}", source="y" * 100_000, modules=modules) for number in range(20)
    ]
    async with bus.actions_writer() as writer:
        await writer.deploy(a_flow(bus.tenant, *actions))
        with pytest.raises(SettingsError, match="Kafka takes 1000000"):
            await writer.deploy(a_flow(bus.tenant, an_action(modules={"big": '"' * 500_000})))
    assert len(await sources(bus)) == 20
