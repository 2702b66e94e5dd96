"""The schema of an Action's version and its reader accept and refuse the same; what is written is valid."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from countersign.core.action import ActionVersion
from countersign.core.errors import SettingsError
from countersign.wire.action import (
    ActionKey,
    action_of,
    action_record,
    key_of,
    read_action,
    write_action,
)
from tests import strategies
from tests.contract import schema_files as files
from tests.contract.schema_files import complaints, validator
from tests.contract.schema_mutations import FEW_PROBES, PROBES, changed, dotted, mutated, paths
from tests.contract.schema_records import EXAMPLES, Example, Record, examples, json_value, load

unhurried = settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def _reads(record: Record) -> bool:
    assert record.value is not None
    try:
        place = action_of(record.key)
        assert place is not None
        read_action(place, record.value)
    except SettingsError:
        return False
    return True


def _full() -> dict[str, Any]:
    """Return a version with every field that is declared."""
    example: Example = load(EXAMPLES / "action" / "valid" / "full.json")
    document: dict[str, Any] = json_value(example.record.value)
    return document


def _agree(document: dict[str, Any]) -> None:
    place = ActionKey(
        document.get("tenant", ""), document.get("name", ""), document.get("version", 0)
    )
    try:
        read_action(place, json.dumps(document).encode())
    except SettingsError:
        read = False
    else:
        read = True
    assert read is validator(files.ACTION).is_valid(document)


@pytest.mark.parametrize("example", examples("action", "valid"))
def test_a_valid_example_is_read(example: Example) -> None:
    """The schema accepts it and the reader reads it."""
    assert complaints(files.ACTION, json_value(example.record.value)) == []
    assert _reads(example.record)


@pytest.mark.parametrize("example", examples("action", "invalid"))
def test_an_invalid_example_is_refused(example: Example) -> None:
    """The reader refuses it, and so does the schema, whatever a schema can."""
    assert not _reads(example.record)
    found = complaints(files.ACTION, json_value(example.record.value))
    assert (found == []) is (example.beyond_schema is not None)


def test_the_full_example_has_every_declared_field() -> None:
    """So a change at each of its paths is a change at each declared path."""
    here = {dotted(path) for path in paths(_full())}
    assert {path for path, _ in files.declared(files.schemas()[files.ACTION])} <= here


def test_both_say_the_same_of_every_probe_at_every_path() -> None:
    """Each probe in place of each field, one at a time."""
    for path in paths(_full()):
        for probe in FEW_PROBES if path[0] in {"modules", "secrets"} else PROBES:
            _agree(changed(_full(), path, probe))


@unhurried
@given(mutated(_full(), ("runtime",)))
def test_both_say_the_same_of_a_changed_version(document: dict[str, Any]) -> None:
    """A version with up to three fields changed at random."""
    _agree(document)


@unhurried
@given(strategies.actions)
def test_all_versions_are_written_as_the_schema_says(action: ActionVersion) -> None:
    """Whatever it holds, the record's value is valid and reads back as it was, under its own key."""
    record = action_record("tenant-settings", key_of(action), write_action(action))
    assert record.value is not None
    assert complaints(files.ACTION, json_value(record.value)) == []
    assert action_of(record.key) == key_of(action)
    assert read_action(key_of(action), record.value) == action


@pytest.mark.law(10)
@given(st.binary(max_size=40) | st.from_regex(rb"[a-z0-9-]{0,3}/action[/a-z0-9_-]{0,8}"))
def test_a_key_stands_for_one_version_of_one_tenant(key: bytes) -> None:
    """Whatever bytes a key has, it is nobody's, refused, or exactly what that version is written under."""
    try:
        place = action_of(key)
    except SettingsError:
        return
    if place is not None:
        assert action_record("tenant-settings", place, None).key == key
