"""Which versions of Actions stand follows from the records alone, before compaction and after."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.adapters.kafka.published_versions import PublishedVersions
from countersign.core.action import ActionKind, ActionVersion
from countersign.core.errors import SettingsError
from countersign.wire.action import ActionKey, write_action
from tests.builders import ACME, GLOBEX, NOW

Log: TypeAlias = list[tuple[bytes, bytes | None]]


def version(number: int, *, by: int = 0, tenant: str = ACME) -> ActionVersion:
    """Return a version of an Action; `by` tells writers apart."""
    return ActionVersion(
        tenant=tenant,
        name="duo",
        version=number,
        kind=ActionKind.ACTION,
        created_at=NOW,
        source=f"// {by}",
    )


def key(number: int, tenant: str = ACME) -> bytes:
    """Return a record's key."""
    return f"{tenant}/action/duo/{number}".encode()


def record(action: ActionVersion) -> tuple[bytes, bytes | None]:
    """Return a version as key and value."""
    return key(action.version, action.tenant), write_action(action)


def read(log: Iterable[tuple[bytes, bytes | None]]) -> PublishedVersions:
    """Return what stands after these records; malformed ones are passed over."""
    published = PublishedVersions()
    for place, value in log:
        try:
            published.take(place, value)
        except SettingsError:
            continue
    return published


def test_first_record_of_a_version_stands() -> None:
    """A version never changes, whatever comes under its key later."""
    published = read([record(version(1)), record(version(1, by=1))])
    assert published.get(ActionKey(ACME, "duo", 1)) == version(1)
    assert published.unsettled(ACME) == [ActionKey(ACME, "duo", 1)]
    assert published.unsettled(GLOBEX) == []


def test_record_without_a_value_takes_a_version_away() -> None:
    """It is gone, though it was asked for before, and so is what came after it."""
    published = read([record(version(1)), record(version(2))])
    assert published.get(ActionKey(ACME, "duo", 1)) is not None
    published.take(key(1), None)
    published.take(key(1), None)
    assert published.get(ActionKey(ACME, "duo", 1)) is None
    assert published.of(ACME) == [ActionKey(ACME, "duo", 2)]


def test_versions_are_told_in_their_order() -> None:
    """By number, not by how it is spelled; each tenant's alone."""
    log = [record(version(number)) for number in (10, 9, 1)]
    published = read([*log, record(version(3, tenant=GLOBEX))])
    assert [place.version for place in published.of(ACME)] == [1, 9, 10]
    assert [place.version for place in published.of(GLOBEX)] == [3]


@pytest.mark.parametrize(
    "place", [b"acme", b"acme/settings", b"acme/other/duo/1", b"", None, b"acme/actions/duo/1"]
)
def test_other_records_are_passed_over(place: bytes | None) -> None:
    """What is no Action's is somebody else's to judge."""
    published = PublishedVersions()
    published.take(place, b"{}")
    assert published.of(ACME) == []


@pytest.mark.parametrize(
    "place",
    [
        *(b"acme/action", b"acme/action/", b"acme/action/duo", b"acme/action/duo/"),
        *(
            b"acme/action/duo/0",
            b"acme/action/duo/01",
            b"acme/action/duo/-1",
            b"acme/action/duo/1\n",
        ),
        *(b"acme/action/Duo/1", b"acme/action//1", b"acme/action/duo/1/2", b"/action/duo/1"),
        *(
            b"Acme/action/duo/1",
            b"acme/action/duo/1e9",
            b"acme/action/duo/\xff",
            b"\xff/action/a/1",
        ),
        *(b"acme/action/duo/\xd9\xa1", b"acme/action/duo/" + b"9" * 5000),
    ],
)
def test_key_that_stands_for_no_version_is_refused(place: bytes) -> None:
    """Law 10: a version has one key, and no key has two readings."""
    published = PublishedVersions()
    with pytest.raises(SettingsError, match="is no version of an Action"):
        published.take(place, write_action(version(1)))
    assert published.of(ACME) == []


@pytest.mark.parametrize("number", [1, 2])
def test_malformed_record_changes_nothing(number: int) -> None:
    """It is told without being quoted, whether a version stands under its key or not."""
    published = read([record(version(1))])
    for value in (b"", b"{", b"[" * 100_000, b'{"tenant": "canary"}', write_action(version(3))):
        with pytest.raises(SettingsError, match=f"Action duo, version {number}") as raised:
            published.take(key(number), value)
        assert "canary" not in str(raised.value)
    assert published.of(ACME) == [ActionKey(ACME, "duo", 1)]


def test_many_versions_can_be_asked_for() -> None:
    """However many are asked for, each is what it was."""
    published = read([record(version(number)) for number in range(1, 600)])
    for _ in range(2):
        for number in range(1, 600):
            assert published.get(ActionKey(ACME, "duo", number)) == version(number)


events = st.one_of(
    st.builds(
        lambda number, by: record(version(number, by=by)), st.integers(1, 2), st.integers(0, 2)
    ),
    st.sampled_from(((key(1), None), (key(1), b"{"), (key(2), b""))),
)


@given(log=st.lists(events, max_size=12))
def test_settled_topic_survives_compaction(log: Log) -> None:
    """Once what stands is published again where it isn't the last, compaction changes nothing."""
    before = read(log)
    for place in before.unsettled(ACME):
        log.append((key(place.version), before.value(place)))
    last = {place: at for at, (place, _) in enumerate(log)}
    after = read(
        [(place, value) for at, (place, value) in enumerate(log) if last[place] == at and value]
    )
    assert after.of(ACME) == before.of(ACME)
    for place in before.of(ACME):
        assert after.get(place) == before.get(place)
