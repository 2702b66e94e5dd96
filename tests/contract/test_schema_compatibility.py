"""A change to a schema that breaks those who go by the released one is refused; a harmless one is not."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.contract.compatibility import PROMISES, RELEASED, SCHEMAS, breaks, load, main
from tests.contract.schema_mutations import LEFT_OUT, Path, changed

ATTEMPTED = "login-events/login.attempted.v1.json"
STRUCTURED = "login-events/structured.v1.json"
HEADERS = "login-events/binary-headers.v1.json"
RESULT = "mfa-results/result.v1.json"
RESULT_HEADERS = "mfa-results/headers.v1.json"
DEAD_LETTER = "login-events-dlq/dead-letter.v1.json"
SETTINGS = "tenant-settings/settings.v1.json"

USER = ("properties", "user")
NAME = (*USER, "properties", "name")
MAX_AGE = ("properties", "transaction", "properties", "max_age")
NEW = {"description": "New.", "type": "string"}


def _after(name: str, changes: dict[Path, object]) -> list[str]:
    """Return what breaks when a released schema is changed at some paths."""
    released = load(RELEASED)
    current = copy.deepcopy(released)
    for path, value in changes.items():
        assert changed(current[name], path, value) != current[name], "nothing was changed"
        current[name] = changed(current[name], path, value)
    return breaks(released, current)


def _of(name: str, *path: str | int) -> Any:  # noqa: ANN401  # any part of a schema
    part: Any = load(RELEASED)[name]
    for step in path:
        part = part[step]
    return part


def test_nothing_that_was_released_is_broken() -> None:
    """The schemas as they stand keep what the released ones promised."""
    assert breaks(load(RELEASED), load(SCHEMAS)) == []
    assert main() == 0


def test_every_released_topic_has_a_promise() -> None:
    """No topic's schemas can change unwatched."""
    assert {name.partition("/")[0] for name in load(SCHEMAS)} == set(PROMISES)
    assert load(RELEASED)


def _demands(kind: str) -> dict[str, Any]:
    """Return what asks for a tenant in each event of a type."""
    condition = {"required": ["type"], "properties": {"type": {"const": kind}}}
    return {"if": condition, "then": {"required": ["tenantid"]}}


TYPES = _of(HEADERS, "properties", "ce_type", "enum")
REASONS = _of(RESULT, "properties", "reason", "enum")


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        # What we read: nothing that was taken is refused.
        (ATTEMPTED, ("required",), ["user", "client", "login"]),
        (ATTEMPTED, (*USER, "required"), ["user_id", "email"]),
        (ATTEMPTED, (*NAME, "type"), "string"),
        (ATTEMPTED, (*NAME, "pattern"), "^[A-Z]"),
        (ATTEMPTED, (*NAME, "maxLength"), 100),
        (ATTEMPTED, (*NAME, "enum"), ["Alice", "Bob"]),
        (ATTEMPTED, (*NAME, "not"), {"const": "Mallory"}),
        (ATTEMPTED, (*USER, "properties", "shoe_size"), NEW),
        (ATTEMPTED, (*USER, "additionalProperties"), False),
        (ATTEMPTED, (*USER, "properties", "multifactor", "items"), {"enum": ["duo"]}),
        (ATTEMPTED, (*USER, "properties", "created_at", "anyOf"), [{"$ref": "#/$defs/instant"}]),
        (ATTEMPTED, (*MAX_AGE, "minimum"), 1),
        (ATTEMPTED, (*MAX_AGE, "maximum"), 10**9),
        (ATTEMPTED, ("$defs", "subject", "maxLength"), 256),
        (ATTEMPTED, ("$defs", "subject", "minLength"), 2),
        (ATTEMPTED, ("$defs", "subject", "pattern"), "^[a-z|0-9]+$"),
        (ATTEMPTED, ("$defs", "instant", "allOf", 0, "pattern"), "Z$"),
        (HEADERS, ("required",), [*_of(HEADERS, "required"), "ce_tenantid"]),
        (HEADERS, ("properties", "ce_type", "enum"), ["countersign.login.attempted.v1"]),
        (STRUCTURED, ("properties", "specversion", "const"), "1.1"),
        (STRUCTURED, ("allOf", 0, "then"), {"properties": {"data": {"required": ["login"]}}}),
        (STRUCTURED, ("anyOf",), _of(STRUCTURED, "anyOf")[:1]),
        (STRUCTURED, ("allOf",), [*_of(STRUCTURED, "allOf"), _demands(TYPES[0])]),
        (STRUCTURED, ("allOf",), [{**_demands(TYPES[0]), "if": {"required": ["type"]}}]),
        # What we write: nothing comes that was not announced.
        (RESULT, ("required",), _of(RESULT, "required")[1:]),
        (RESULT, ("properties", "reason", "enum"), [*REASONS, "bad_mood"]),
        (RESULT, ("properties", "verdict"), NEW),
        (RESULT, ("properties", "subject", "type"), ["string", "null"]),
        (RESULT, ("properties", "subject", "maxLength"), 1024),
        (RESULT, ("properties", "settings_version", "type"), "number"),
        (RESULT, ("properties", "trace", "items"), LEFT_OUT),
        (RESULT, ("properties", "trace", "minItems"), 0),
        (RESULT, ("$defs", "login.challenged", "required"), ["challenge_url"]),
        (RESULT, ("$defs", "login.allowed", "properties", "assurance", "enum", 0), "mfa"),
        (RESULT, ("$defs", "challenge.expired"), LEFT_OUT),
        (RESULT, ("$defs", "instant", "pattern"), LEFT_OUT),
        (RESULT, ("dependentRequired",), LEFT_OUT),
        (RESULT, ("then",), LEFT_OUT),
        (RESULT_HEADERS, ("required",), ["ce_id"]),
        (RESULT_HEADERS, ("properties", "ce_type", "enum", 0), "countersign.login.waved_through.v1"),
        (DEAD_LETTER, ("properties", "dlq_reason", "enum", 0), "bad_mood"),
        (DEAD_LETTER, ("required",), ["dlq_topic"]),
        # What we write and read: neither.
        (SETTINGS, ("required",), ["tenant", "version"]),
        (SETTINGS, ("required",), ["tenant", "version", "updated_at", "mfa"]),
        (SETTINGS, ("properties", "mfa", "properties", "policy", "enum"), ["never"]),
        (SETTINGS, ("properties", "mfa", "properties", "policy", "enum", 0), "sometimes"),
        (SETTINGS, ("properties", "challenge", "properties", "failmode", "default"), "open"),
        (SETTINGS, ("properties", "push_budget", "properties", "prompts", "maximum"), 50),
        (SETTINGS, ("properties", "push_budget", "properties", "prompts", "maximum"), 500),
    ],
)  # fmt: skip
def test_a_breaking_change_is_refused(name: str, path: Path, value: object) -> None:
    """It is found, and the finding names the file."""
    found = _after(name, {path: value})
    assert found != []
    assert any(each.startswith(name) for each in found)


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        (ATTEMPTED, ("description",), "Said better."),
        (ATTEMPTED, (*NAME, "description"), "Said better."),
        (ATTEMPTED, ("required",), ["user"]),
        (ATTEMPTED, (*NAME,), {"description": "Anything.", "type": ["string", "null", "object"]}),
        (ATTEMPTED, (*USER, "properties", "shoe_size"), {"description": "New, and of any kind."}),
        (ATTEMPTED, (*USER, "properties", "name"), LEFT_OUT),
        (ATTEMPTED, (*MAX_AGE, "minimum"), -1),
        (ATTEMPTED, (*MAX_AGE, "type"), ["number", "null"]),
        (ATTEMPTED, ("$defs", "subject", "maxLength"), 1024),
        (ATTEMPTED, ("$defs", "subject", "pattern"), LEFT_OUT),
        (HEADERS, ("properties", "ce_type", "enum"), [*TYPES, "countersign.login.dreamt.v1"]),
        (STRUCTURED, ("required",), _of(STRUCTURED, "required")[:-1]),
        (STRUCTURED, ("allOf",), [*_of(STRUCTURED, "allOf"), _demands("login.dreamt")]),
        (RESULT, ("properties", "score"), NEW),
        (RESULT, ("required",), [*_of(RESULT, "required"), "provider"]),
        (RESULT, ("properties", "subject", "maxLength"), 256),
        (RESULT, ("properties", "reason", "enum"), ["mfa_not_due"]),
        (RESULT, ("properties", "trace", "minItems"), 2),
        (RESULT, ("properties", "settings_version", "minimum"), 2),
        (DEAD_LETTER, ("properties", "dlq_detail", "minLength"), 1),
        (SETTINGS, ("properties", "mfa", "properties", "grace"), NEW),
        (SETTINGS, ("properties", "duo", "description"), "Said better."),
    ],
)  # fmt: skip
def test_a_harmless_change_is_accepted(name: str, path: Path, value: object) -> None:
    """Nothing is found."""
    assert _after(name, {path: value}) == []


def test_a_definition_may_be_written_where_it_is_used() -> None:
    """How a schema is put together doesn't matter, only what it takes."""
    subject = _of(ATTEMPTED, "$defs", "subject")
    assert _after(ATTEMPTED, {(*USER, "properties", "user_id"): subject}) == []


def test_a_schema_that_others_refer_to_breaks_them_too() -> None:
    """A login that is refused bare or in an envelope is found there as well."""
    found = _after(ATTEMPTED, {("required",): ["user", "client", "login"]})
    assert {each.partition(" ")[0] for each in found} == {
        ATTEMPTED,
        STRUCTURED,
        "login-events/bare.v1.json",
    }


def test_a_schema_that_is_gone_is_refused() -> None:
    """A message that was released stays; a second version comes beside the first."""
    released = load(RELEASED)
    current = {name: schema for name, schema in released.items() if name != RESULT}
    assert breaks(released, current) == [f"{RESULT} $: is gone (breaks senders and readers)"]


def test_another_version_breaks_nothing() -> None:
    """A new file beside the released ones is free."""
    released = load(RELEASED)
    second = {**released[RESULT], "$id": "urn:countersign:schema:result.v2", "required": []}
    assert breaks(released, {**released, "mfa-results/result.v2.json": second}) == []
