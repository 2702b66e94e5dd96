"""Which settings are in force follows from the records alone, before compaction and after."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.adapters.kafka.settings_in_force import SettingsInForce
from countersign.core.errors import SettingsError
from countersign.core.tenant import TenantSettings
from countersign.wire.tenant import write_settings
from tests.builders import ACME, GLOBEX, NOW, a_tenant

Log: TypeAlias = list[tuple[bytes, bytes | None]]


def version(number: int, *, by: int = 0, tenant: str = ACME) -> TenantSettings:
    """Return a version of a tenant's settings; `by` tells writers apart."""
    return a_tenant(tenant=tenant, version=number, updated_at=NOW + timedelta(seconds=by))


def record(settings: TenantSettings) -> tuple[bytes, bytes | None]:
    """Return the settings as key and value."""
    return settings.tenant.encode(), write_settings(settings)


def read(log: Iterable[tuple[bytes, bytes | None]]) -> SettingsInForce:
    """Return what is in force after these records; malformed ones are passed over."""
    in_force = SettingsInForce()
    for key, value in log:
        try:
            in_force.take(key, value)
        except SettingsError:
            continue
    return in_force


def compacted(log: Log) -> Log:
    """Return the log as compaction leaves it: each key's last record, tombstones gone."""
    last = {key: place for place, (key, _) in enumerate(log)}
    return [(key, value) for place, (key, value) in enumerate(log) if last[key] == place and value]


def test_highest_version_is_in_force() -> None:
    """A version that comes late changes nothing."""
    in_force = read([record(version(1)), record(version(3)), record(version(2))])
    assert in_force.get(ACME) == version(3)
    assert in_force.versions() == {ACME: 3}


def test_first_of_equal_versions_is_in_force() -> None:
    """Of two writers that made the same version, the first one on the topic wins."""
    in_force = read([record(version(1)), record(version(2, by=1)), record(version(2, by=2))])
    assert in_force.get(ACME) == version(2, by=1)


def test_tombstone_removes_the_tenant() -> None:
    """After a tombstone a tenant has no settings, and may start with version 1 again."""
    log: Log = [record(version(5)), record(version(1, tenant=GLOBEX)), (ACME.encode(), None)]
    in_force = read(log)
    assert in_force.get(ACME) is None
    assert in_force.versions() == {GLOBEX: 1}
    assert read([*log, record(version(1))]).versions() == {ACME: 1, GLOBEX: 1}


def test_malformed_record_leaves_the_last_good_one() -> None:
    """What can't be read is told, and changes nothing."""
    in_force = read([record(version(1))])
    with pytest.raises(SettingsError):
        in_force.take(b"acme", b"{}")
    assert in_force.get(ACME) == version(1)
    assert not in_force.settled(ACME)


def test_other_things_of_a_tenant_are_passed_over() -> None:
    """Records under `tenant/…` are no settings, and no mistake."""
    in_force = SettingsInForce()
    assert in_force.take(b"acme/action/block/1", b"function") is None
    assert in_force.versions() == {}


def test_take_tells_what_changed() -> None:
    """Each record says whether it changed a tenant's settings."""
    in_force = SettingsInForce()
    assert in_force.take(*record(version(2))) == ACME
    assert in_force.take(*record(version(2))) is None
    assert in_force.take(*record(version(1))) is None
    assert in_force.take(b"acme", None) == ACME
    assert in_force.take(b"acme", None) is None


def test_settled_means_last() -> None:
    """A tenant is settled when the record in force is its last one; publishing it again does that."""
    log: Log = [record(version(2, by=1))]
    assert read(log).settled(ACME)
    log.append(record(version(2, by=2)))
    assert not read(log).settled(ACME)
    value = read(log).value(ACME)
    log.append((b"acme", value))
    assert read(log).settled(ACME)


events = st.one_of(
    st.builds(
        lambda number, by, tenant: record(version(number, by=by, tenant=tenant)),
        st.integers(1, 4),
        st.integers(0, 2),
        st.sampled_from((ACME, GLOBEX)),
    ),
    st.sampled_from(((b"acme", None), (b"acme", b"{"), (b"globex", None), (b"globex", b""))),
)


@given(log=st.lists(events, max_size=12))
def test_settled_topic_survives_compaction(log: Log) -> None:
    """Once the record in force is published again where it isn't the last, compaction changes nothing."""
    before = read(log)
    for tenant in (ACME, GLOBEX):
        value = before.value(tenant)
        if value is not None and not before.settled(tenant):
            log.append((tenant.encode(), value))
    after = read(compacted(log))
    for tenant in (ACME, GLOBEX):
        assert after.get(tenant) == before.get(tenant) == read(log).get(tenant)
