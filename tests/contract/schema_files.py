"""Finds the schemas under `schemas/` and judges by them, formats included."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

SCHEMAS = Path(__file__).parents[2] / "schemas"

LOGIN_ATTEMPTED = "urn:countersign:schema:login.attempted.v1"
LOGIN_RETURNED = "urn:countersign:schema:login.returned.v1"
BROWSERS_FORGET = "urn:countersign:schema:browsers.forget.v1"
SECURITY_SIGNAL = "urn:countersign:schema:security.signal.v1"
TOKEN = f"{SECURITY_SIGNAL}#/$defs/token"
BINARY_HEADERS = "urn:countersign:schema:login-events.binary-headers.v1"
STRUCTURED = "urn:countersign:schema:login-events.structured.v1"
BARE = "urn:countersign:schema:login-events.bare.v1"
RESULT = "urn:countersign:schema:result.v1"
RESULT_HEADERS = "urn:countersign:schema:mfa-results.headers.v1"
DEAD_LETTER = "urn:countersign:schema:dead-letter.v1"
SETTINGS = "urn:countersign:schema:settings.v1"
ACTION = "urn:countersign:schema:action.v1"


def schema_files(root: Path = SCHEMAS) -> dict[str, Path]:
    """Return the schemas below a folder by their path in it; `released/` and `examples/` are none."""
    paths = sorted(root.glob("*/*.json"))
    return {str(path.relative_to(root)): path for path in paths}


@cache
def schemas() -> dict[str, dict[str, Any]]:
    """Return all schemas by `$id`."""
    loaded = [json.loads(path.read_text("utf-8")) for path in schema_files().values()]
    return {schema["$id"]: schema for schema in loaded}


@cache
def registry() -> Registry[Any]:
    """Return where a validator finds the schemas that others refer to."""
    resources = ((name, Resource.from_contents(schema)) for name, schema in schemas().items())
    return Registry().with_resources(resources)


@cache
def validator(reference: str) -> Draft202012Validator:
    """Return what judges by the schema, or the part of one, that a reference names."""
    return Draft202012Validator(
        {"$ref": reference},
        registry=registry(),
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def complaints(reference: str, value: object) -> list[str]:
    """Return what a schema has against a value; empty where it is valid."""
    found = validator(reference).iter_errors(value)
    return [f"{error.json_path}: {error.message}" for error in found]


def declared(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each field that a schema declares, by dotted path; items of an array are `[]`."""
    for name, field in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here, field
        yield from declared(field, here)
        yield from declared(field.get("items", {}), f"{here}[]")
