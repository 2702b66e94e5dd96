"""The schema of `tenant-settings` and its reader accept and refuse the same; what is written is valid."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from countersign.core.errors import SettingsError
from countersign.core.tenant import Remember, TenantSettings
from countersign.wire.tenant import read_settings, settings_record, write_settings
from tests import strategies
from tests.contract import schema_files as files
from tests.contract.schema_files import complaints, validator
from tests.contract.schema_mutations import FEW_PROBES, PROBES, changed, dotted, mutated, paths
from tests.contract.schema_records import EXAMPLES, Example, Record, examples, json_value, load

unhurried = settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def _reads(record: Record) -> bool:
    assert record.key is not None
    assert record.value is not None
    try:
        read_settings(record.key.decode(), record.value)
    except SettingsError:
        return False
    return True


def _full() -> dict[str, Any]:
    """Return settings with every field that is declared."""
    example: Example = load(EXAMPLES / "settings" / "valid" / "full.json")
    document: dict[str, Any] = json_value(example.record.value)
    return document


def _agree(document: dict[str, Any]) -> None:
    tenant = document.get("tenant")
    key = tenant.encode() if isinstance(tenant, str) else b"acme"
    record = Record(key, json.dumps(document).encode(), [])
    assert _reads(record) is validator(files.SETTINGS).is_valid(document)


@pytest.mark.parametrize("example", examples("settings", "valid"))
def test_a_valid_example_is_read(example: Example) -> None:
    """The schema accepts it and the reader reads it."""
    assert complaints(files.SETTINGS, json_value(example.record.value)) == []
    assert _reads(example.record)


@pytest.mark.parametrize("example", examples("settings", "invalid"))
def test_an_invalid_example_is_refused(example: Example) -> None:
    """The reader refuses it, and so does the schema, whatever a schema can."""
    assert not _reads(example.record)
    found = complaints(files.SETTINGS, json_value(example.record.value))
    assert (found == []) is (example.beyond_schema is not None)


def test_the_full_example_has_every_declared_field() -> None:
    """So a change at each of its paths is a change at each declared path."""
    here = {dotted(path) for path in paths(_full())}
    assert {path for path, _ in files.declared(files.schemas()[files.SETTINGS])} <= here


def test_both_say_the_same_of_every_probe_at_every_path() -> None:
    """Each probe in place of each field, one at a time."""
    for path in paths(_full()):
        few = path[0] in {"duo", "factors"}
        for probe in FEW_PROBES if few else PROBES:
            _agree(changed(_full(), path, probe))


@unhurried
@given(mutated(_full(), ("appearance",)))
def test_both_say_the_same_of_changed_settings(document: dict[str, Any]) -> None:
    """Settings with up to three fields changed at random."""
    _agree(document)


@unhurried
@given(st.text("PpTtDdHhMmSs0123.+-", max_size=8), st.sampled_from(("", "P", "PT", "P1D", "P1DT")))
def test_both_say_the_same_of_what_looks_like_a_duration(text: str, start: str) -> None:
    """Characters that durations are made of, in any order."""
    _agree(changed(_full(), ("remember", "idle"), start + text))


@unhurried
@given(st.text("0123456789TtZz:+-. ", max_size=3), st.integers(0, 25), st.integers(0, 3))
def test_both_say_the_same_of_what_looks_like_an_instant(text: str, place: int, gone: int) -> None:
    """An instant into which something else was typed."""
    instant = "2024-02-29T23:59:59.5+01:00"
    typed = instant[:place] + text + instant[place + gone :]
    _agree(changed(_full(), ("updated_at",), typed))


@unhurried
@given(strategies.tenants(), st.timedeltas(timedelta(0), timedelta(days=999)))
def test_all_settings_are_written_as_the_schema_says(
    tenant: TenantSettings, idle: timedelta
) -> None:
    """Whatever is set, the record's value is valid and reads back as it was."""
    remember = Remember(enabled=tenant.remember.enabled, idle=idle)
    given_settings = msgspec.structs.replace(tenant, remember=remember)
    record = settings_record("tenant-settings", "acme", write_settings(given_settings))
    assert record.value is not None
    assert record.key == b"acme"
    assert complaints(files.SETTINGS, json_value(record.value)) == []
    assert read_settings("acme", record.value) == given_settings
