"""Refuses a change to a schema that breaks those who go by its last released copy.

Law: within a version, what is read (login events) takes all that the released schema takes, and what is
written (results, dead letters) is all within the released schema; tenants' settings are both. A change
that can't be judged is refused like one that breaks. In a field that no schema declared, a sender may
have sent anything; we ourselves send nothing that is not declared. Who needs a breaking change makes a
new version, or leaves the field free and judges it in the code.

    python tests/contract/compatibility.py      # prints what breaks, and fails if anything does

At a release, the schemas are copied to `schemas/released/`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).parents[2] / "schemas"
RELEASED = SCHEMAS / "released"


class Promise(StrEnum):
    """What holds between a released schema and the next one."""

    BACKWARD = "backward"
    """The next one takes all that the released one takes."""
    FORWARD = "forward"
    """The released one takes all that the next one takes."""
    FULL = "full"
    """Both."""


PROMISES = {
    "login-events": Promise.BACKWARD,
    "mfa-results": Promise.FORWARD,
    "login-events-dlq": Promise.FORWARD,
    "tenant-settings": Promise.FULL,
}
"""By the topic, whose folder the schema is in."""

Schema = Any
Files = Mapping[str, Schema]
_Together = list[dict[str, Any]]
"""Keywords that hold together."""

_ANNOTATIONS = {"$schema", "$id", "$comment", "$defs", "title", "description", "examples"}
_AT_LEAST = ("minLength", "minItems", "minProperties", "minimum", "exclusiveMinimum")
_AT_MOST = ("maxLength", "maxItems", "maxProperties", "maximum", "exclusiveMaximum")
_NAMES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


def load(root: Path) -> dict[str, Schema]:
    """Return the schemas below a folder, by topic and file."""
    paths = sorted(root.glob("*/*.json"))
    return {str(path.relative_to(root)): json.loads(path.read_text("utf-8")) for path in paths}


def breaks(released: Files, current: Files) -> list[str]:
    """Return each way in which the current schemas break the released ones; empty where none does."""
    old, new = _References(released), _References(current)
    found = []
    for name in released:
        if name not in current:
            found.append(f"{name} $: is gone (breaks senders and readers)")
            continue
        promise = PROMISES[name.partition("/")[0]]
        for part in ("", *released[name].get("$defs", {})):
            before, after = old.part(name, part), new.part(name, part)
            where = f"{name}#/$defs/{part} $" if part else f"{name} $"
            if after is None:
                found.append(f"{where}: is gone (breaks senders and readers)")
                continue
            if promise is not Promise.FORWARD:
                strangers = promise is Promise.BACKWARD
                misfits = _Comparison(old, new, strangers=strangers).misfits(before, after)
                found += [f"{where}{misfit} (breaks senders)" for misfit in misfits]
            if promise is not Promise.BACKWARD:
                misfits = _Comparison(new, old, strangers=False).misfits(after, before)
                found += [f"{where}{misfit} (breaks readers)" for misfit in misfits]
    return found


class _References:
    """Schemas by `$id`, to look references up in; the references in them are made absolute."""

    def __init__(self, files: Files) -> None:
        self._ids = {name: schema["$id"] for name, schema in files.items()}
        self._schemas = {
            schema["$id"]: _absolute(schema, schema["$id"]) for schema in files.values()
        }

    def part(self, name: str, part: str) -> Schema:
        schema = self._schemas[self._ids[name]]
        return schema["$defs"].get(part) if part else schema

    def __getitem__(self, reference: str) -> Schema:
        name, _, pointer = reference.partition("#")
        found = self._schemas[name]
        for step in pointer.split("/")[1:]:
            found = found[step]
        return found

    def together(self, schema: Schema) -> _Together:
        """Return what holds together: the schema's own keywords, what it refers to, and all of allOf."""
        if isinstance(schema, bool):
            return [] if schema else [{"not": {}}]
        own = {key: value for key, value in schema.items() if key not in {"$ref", "allOf"}}
        others = [self[schema["$ref"]]] if "$ref" in schema else []
        return [
            own,
            *(
                each
                for other in [*others, *schema.get("allOf", [])]
                for each in self.together(other)
            ),
        ]

    def spelled_out(self, node: Schema) -> Schema:
        """Return the node without references and annotations, to be compared as it stands."""
        if isinstance(node, list):
            return [self.spelled_out(each) for each in node]
        if not isinstance(node, dict):
            return node
        kept = {key: self.spelled_out(each) for key, each in node.items()}
        if "$ref" in kept:
            kept["$ref"] = self.spelled_out(self[node["$ref"]])
        return {key: value for key, value in kept.items() if key not in _ANNOTATIONS}


def _absolute(node: Schema, base: str) -> Schema:
    if isinstance(node, list):
        return [_absolute(each, base) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        key: base + value if key == "$ref" and value.startswith("#") else _absolute(value, base)
        for key, value in node.items()
    }


class _Comparison:
    """Finds what one side may write and the other does not read.

    Args:
        writer: the schemas of who writes.
        reader: the schemas of who reads.
        strangers: others write, too, and may write what isn't declared.
    """

    def __init__(self, writer: _References, reader: _References, *, strangers: bool) -> None:
        self._writer = writer
        self._reader = reader
        self._strangers = strangers

    def misfits(self, written: Schema, read: Schema, path: str = "") -> list[str]:
        """Return each way in which a value of `written` may be none of `read`."""
        has = self._writer.together(written)
        return [
            f"{path}{misfit}" if misfit.startswith((".", "[", ":")) else f"{path}: {misfit}"
            for wants in self._reader.together(read)
            for keyword in sorted(wants.keys() - _ANNOTATIONS - {"then", "else"})
            for misfit in self._of(keyword, has, wants)
        ]

    def _of(self, keyword: str, has: _Together, wants: dict[str, Any]) -> Iterator[str]:
        limit = _limit if keyword in _AT_LEAST + _AT_MOST else self._spelled
        judge = {
            "type": _type,
            "enum": _listed,
            "const": _listed,
            "required": _required,
            "properties": self._fields,
            "patternProperties": self._fields,
            "items": self._items,
            "anyOf": self._alternatives,
            "if": self._consequences,
        }.get(keyword, limit)
        return judge(keyword, has, wants)

    def _fields(self, keyword: str, has: _Together, wants: dict[str, Any]) -> Iterator[str]:
        given = [each[keyword] for each in has if keyword in each]
        for name, field in wants[keyword].items():
            ours = [fields[name] for fields in given if name in fields]
            if ours or self._strangers:
                yield from self.misfits({"allOf": ours}, field, f".{name}")

    def _items(self, keyword: str, has: _Together, wants: dict[str, Any]) -> Iterator[str]:
        given = [each[keyword] for each in has if keyword in each]
        yield from self.misfits({"allOf": given}, wants[keyword], "[]")

    def _alternatives(self, keyword: str, has: _Together, wants: dict[str, Any]) -> Iterator[str]:
        # Of the writer's alternatives one list is enough to go through; the rest holds for each.
        choices = next((each[keyword] for each in has if keyword in each), [True])
        rest = [{key: value for key, value in each.items() if key != keyword} for each in has]
        for choice in choices:
            ours = {"allOf": [choice, *rest]}
            if all(self.misfits(ours, alternative) for alternative in wants[keyword]):
                yield f"may be what no alternative of {keyword} takes"

    def _consequences(self, keyword: str, has: _Together, wants: dict[str, Any]) -> Iterator[str]:
        condition = self._reader.spelled_out(wants[keyword])
        alike = [
            each
            for each in has
            if keyword in each and self._writer.spelled_out(each[keyword]) == condition
        ]
        if not alike:
            if not self._ruled_out(condition, has):
                yield f"has another {keyword}"
            return
        for branch in ("then", "else"):
            ours = {"allOf": [each.get(branch, True) for each in alike]}
            yield from self.misfits(ours, wants.get(branch, True))

    def _ruled_out(self, condition: dict[str, Any], has: _Together) -> bool:
        """Say whether nothing that is written meets a condition, as one on a type that is new."""
        for name in condition.get("required", []):
            ours = [each["properties"][name] for each in has if name in each.get("properties", {})]
            values = _values(self._writer.together({"allOf": ours}))
            wanted = _values([condition.get("properties", {}).get(name, {})])
            if values is not None and wanted is not None:
                return not any(value in wanted for value in values)
        return False

    def _spelled(self, keyword: str, has: _Together, wants: dict[str, Any]) -> Iterator[str]:
        # Of two patterns, formats, defaults, …: who can say which one takes more?
        spelled = [self._writer.spelled_out(each[keyword]) for each in has if keyword in each]
        if self._reader.spelled_out(wants[keyword]) not in spelled:
            yield f"has another {keyword} or none"


def _limit(keyword: str, has: _Together, wants: dict[str, Any]) -> Iterator[str]:
    sign = 1 if keyword in _AT_LEAST else -1
    given = [sign * each[keyword] for each in has if keyword in each]
    if not any(limit >= sign * wants[keyword] for limit in given):
        yield f"may go beyond {keyword} {wants[keyword]}"


def _required(keyword: str, has: _Together, wants: dict[str, Any]) -> Iterator[str]:
    given = [each[keyword] for each in has if keyword in each]
    if missing := set(wants[keyword]).difference(*given):
        yield f"may lack {', '.join(sorted(missing))}"


def _type(keyword: str, has: _Together, wants: dict[str, Any]) -> Iterator[str]:
    types = {"null", "boolean", "object", "array", "string", "number", "integer"}
    values = _values(has)
    if values is not None:
        types = {_NAMES[type(value)] for value in values}
    for each in has:
        types &= _widened(each.get(keyword, list(types)))
    if others := types - _widened(wants[keyword]):
        yield f"may be {', '.join(sorted(others))}"


def _widened(types: str | list[str]) -> set[str]:
    named = {types} if isinstance(types, str) else set(types)
    return named | {"integer"} if "number" in named else named


def _listed(_keyword: str, has: _Together, wants: dict[str, Any]) -> Iterator[str]:
    values, wanted = _values(has), _values([wants])
    if values is None:
        yield "may be something that is not listed"
    elif others := [value for value in values if value not in (wanted or [])]:
        yield f"may be {', '.join(map(str, others))}"


def _values(has: _Together) -> list[Any] | None:
    """Return what may stand there at most, where that is a list."""
    lists = [
        each.get("enum", [each.get("const")]) for each in has if {"enum", "const"} & each.keys()
    ]
    if not lists:
        return None
    return [value for value in lists[0] if all(value in other for other in lists)]


def main() -> int:
    """Print what breaks, and return how the process ends."""
    found = breaks(load(RELEASED), load(SCHEMAS))
    for each in found:
        print(each)  # noqa: T201  # this is a command
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
