"""The schemas themselves: sound, described, alike where they say the same, and the code's lists."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from countersign.core.action import ActionKind, ActionVersion
from countersign.core.errors import Defect
from countersign.core.login import PostLoginEvent
from countersign.core.result import Assurance, Reason, ResultType, Verdict
from countersign.core.tenant import DuoUsername, Failmode, Policy, TenantSettings, Trust
from countersign.wire.inbound import (
    BROWSERS_FORGET,
    LOGIN_ATTEMPTED,
    LOGIN_RETURNED,
    SECURITY_SIGNAL,
)
from countersign.wire.results import ResultBody
from tests.contract import schema_files as files
from tests.contract.schema_files import declared, schema_files, schemas
from tests.contract.schema_records import EXAMPLES, load

_EVENT_TYPES = {LOGIN_ATTEMPTED, LOGIN_RETURNED, BROWSERS_FORGET, SECURITY_SIGNAL}


def _loaded() -> list[Any]:
    return [
        pytest.param(name, json.loads(path.read_text("utf-8")), id=name)
        for name, path in schema_files().items()
    ]


@pytest.mark.parametrize(("name", "schema"), _loaded())
class TestEachSchema:
    """Every file under `schemas/`, but for the examples and the released copies."""

    def test_is_a_schema_of_2020_12_named_as_its_file(
        self, name: str, schema: dict[str, Any]
    ) -> None:
        """It is valid 2020-12, and its `$id` is a URN that ends as the file's name does."""
        Draft202012Validator.check_schema(schema)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        topic, _, file = name.partition("/")
        stem = file.removesuffix(".json")
        assert schema["$id"].removeprefix("urn:countersign:schema:") in {stem, f"{topic}.{stem}"}

    def test_describes_every_field(self, name: str, schema: dict[str, Any]) -> None:
        """Whoever reads it learns what each field means."""
        assert schema["title"], name
        parts = {"": schema, **schema.get("$defs", {})}
        assert [part for part, content in parts.items() if not content.get("description")] == []
        silent = [path for path, field in declared(schema) if not field.get("description")]
        assert silent == []

    def test_refuses_no_unknown_field(self, name: str, schema: dict[str, Any]) -> None:
        """What a later version adds passes: no object is closed."""
        text = json.dumps(schema)
        for keyword in ("additionalProperties", "unevaluatedProperties", "propertyNames"):
            assert keyword not in text, name


def test_the_same_definition_is_the_same_everywhere() -> None:
    """A file can be copied alone, so definitions are repeated; the copies don't drift apart."""
    found = defaultdict(set)
    for schema in schemas().values():
        if (
            schema["$id"] == files.RESULT
        ):  # what is written is spelled more strictly than what is read
            continue
        for name, definition in schema.get("$defs", {}).items():
            found[name].add(json.dumps(definition, sort_keys=True))
    assert {name: len(texts) for name, texts in found.items() if len(texts) > 1} == {}


@pytest.mark.parametrize(
    ("reference", "field", "values"),
    [
        (files.RESULT, "verdict", Verdict),
        (files.RESULT, "reason", Reason),
        (files.RESULT, "assurance", Assurance),
        (files.DEAD_LETTER, "dlq_reason", Defect),
        (files.SETTINGS, "mfa.policy", Policy),
        (files.SETTINGS, "mfa.duo_username", DuoUsername),
        (files.SETTINGS, "challenge.failmode", Failmode),
        (files.SETTINGS, "signals.trust", Trust),
        (files.SETTINGS, "flow[].kind", ActionKind),
        (files.ACTION, "kind", ActionKind),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_closed_lists_are_the_codes(reference: str, field: str, values: type[StrEnum]) -> None:
    """A closed list in a schema holds exactly the code's values, in the code's order."""
    assert dict(declared(schemas()[reference]))[field]["enum"] == [value.value for value in values]


def test_the_types_of_events_and_results_are_the_codes() -> None:
    """The types are listed where they are chosen from, and each type of result has its definition."""
    headers = dict(declared(schemas()[files.BINARY_HEADERS]))["ce_type"]["enum"]
    structured = dict(declared(schemas()[files.STRUCTURED]))["type"]["enum"]
    assert set(headers) == set(structured) == _EVENT_TYPES
    results = dict(declared(schemas()[files.RESULT_HEADERS]))["ce_type"]["enum"]
    assert results == [f"countersign.{kind.value}.v1" for kind in ResultType]
    kinds = [name for name in schemas()[files.RESULT]["$defs"] if "." in name]
    assert kinds == list(ResultType)


@pytest.mark.parametrize(
    ("reference", "kind"),
    [
        (files.LOGIN_ATTEMPTED, PostLoginEvent),
        (files.RESULT, ResultBody),
        (files.SETTINGS, TenantSettings),
        (files.ACTION, ActionVersion),
    ],
)
def test_every_field_of_the_code_is_declared_and_no_other(reference: str, kind: type) -> None:
    """A field that is read or written without being described, or the other way round, is a mistake."""
    # Of what tells a sealed secret's kind, msgspec makes no field.
    fields = {path for path, _ in declared(schemas()[reference])} - {"duo.client_secret.sealed"}
    assert fields == set(_fields(msgspec.inspect.type_info(kind)))


def _fields(kind: msgspec.inspect.Type, path: str = "") -> Iterator[str]:
    match kind:
        case msgspec.inspect.StructType():
            for field in kind.fields:
                here = f"{path}.{field.encode_name}" if path else field.encode_name
                yield here
                yield from _fields(field.type, here)
        case msgspec.inspect.UnionType():
            for member in kind.types:
                yield from _fields(member, path)
        case msgspec.inspect.VarTupleType():
            yield from _fields(kind.item_type, f"{path}[]")
        case msgspec.inspect.Metadata():
            yield from _fields(kind.type, path)
        case _:
            pass


def test_the_defaults_of_settings_are_the_codes() -> None:
    """Settings that say nothing mean what the schema says that they mean."""
    least = {"tenant": "acme", "version": 1, "updated_at": "2026-03-01T12:00:00Z"}
    spelled: dict[str, Any] = dict(least)
    for path, field in declared(schemas()[files.SETTINGS]):
        section, _, name = path.rpartition(".")
        if "default" in field:
            spelled.setdefault(section, {})[name] = field["default"]
    assert msgspec.convert(spelled, TenantSettings) == msgspec.convert(least, TenantSettings)


def _example_files() -> list[Any]:
    paths = sorted(EXAMPLES.rglob("*.json"))
    return [pytest.param(path, id=str(path.relative_to(EXAMPLES))) for path in paths]


@pytest.mark.parametrize("path", _example_files())
def test_each_example_says_what_it_shows(path: Path) -> None:
    """It explains itself, in the fields that the README of the examples lists."""
    known = {
        *("about", "key", "headers", "value", "value_text", "value_base64", "stands_for"),
        *("defect", "lenient", "beyond_schema"),
    }
    content = json.loads(path.read_text("utf-8"))
    assert set(content) <= known
    assert content["about"].endswith((".", "?"))
    example = load(path)
    if path.parent.name == "valid":
        assert example.defect is None
        assert example.beyond_schema is None


def test_every_message_has_examples() -> None:
    """At least three good and three bad ones each; of logins, which others write, eight."""
    for folder in EXAMPLES.iterdir():
        if folder.is_dir():
            least = 8 if folder.name == "login.attempted" else 3
            assert len(list(folder.glob("valid/*.json"))) >= least, folder.name
            assert len(list(folder.glob("invalid/*.json"))) >= least, folder.name
