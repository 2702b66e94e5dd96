"""Reads the manifest of a tenant's flow, `actions.toml`, before the files that it names are read.

Law, as for settings files: a manifest is taken whole or refused whole, with everything that is wrong
with it; a key that nobody knows is refused, since it is most likely another one misspelt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from countersign.core.action import ActionKind, ActionName
from countersign.core.errors import Problem, SettingsError
from countersign.wire.actions_file import NAME_REMEDY
from countersign.wire.toml import explained, read_toml, tenant_problems, unknown_keys


class EntryDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[flow]]`: an Action as the manifest names it.

    Attributes:
        name: what it is called in the flow.
        kind: how it is written.
        file: where its source is; None: the name with `.js`.
        secrets: the names of what it reads as `event.secrets`.
        modules: a module's file by the name that `require` knows it by.
    """

    name: ActionName
    kind: ActionKind = ActionKind.ACTION
    file: str | None = None
    secrets: tuple[str, ...] = ()
    modules: Mapping[str, str] = {}


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What the manifest says.

    Attributes:
        source: its file, for messages.
        tenant: whose flow it is.
        configuration: the names of what all Rules read as `configuration`.
        flow: the Actions in the order in which they run.
    """

    source: str
    tenant: str
    configuration: tuple[str, ...] = ()
    flow: tuple[EntryDraft, ...] = ()


_KNOWN: Final = ("tenant", "configuration", "flow")
_FIELDS: Final = tuple(field.name for field in msgspec.structs.fields(EntryDraft))
_REMEDIES: Final[Mapping[str, str]] = {
    "name": NAME_REMEDY,
    "kind": f"Use one of {', '.join(ActionKind)}",
    "file": 'Give a file\'s name in quotes, as in file = "require-duo.js"',
    "secrets": 'Give names in brackets, as in secrets = ["DUO_SKEY"]; values go into a file of their own',
    "modules": 'Give files by name, as in modules = { "ipaddr.js" = "vendor/ipaddr.js" }',
    "configuration": 'Give names in brackets, as in configuration = ["DUO_IKEY"]',
}


def read_manifest(text: bytes, source: str) -> Manifest:
    """Return what a manifest says.

    Args:
        text: the file.
        source: its name, for messages.

    Raises:
        SettingsError: it says nothing clear; every key that is wrong is named.
    """
    document = read_toml(text, source)
    found = list(unknown_keys("", document, _KNOWN))
    found += tenant_problems(document, "Say whose Actions these are")
    configuration: tuple[str, ...] = ()
    try:
        configuration = msgspec.convert(document.get("configuration", []), tuple[str, ...])
    except msgspec.ValidationError as error:
        found.append(explained("configuration", error, lambda _: _REMEDIES["configuration"]))
    entries: list[EntryDraft] = []
    for position, entry in enumerate(_listed(document, found)):
        key = f"flow[{position}]"
        if not isinstance(entry, dict):
            found.append(_no_list(key))
            continue
        found += unknown_keys(f"{key}.", entry, _FIELDS)
        try:
            entries.append(msgspec.convert(entry, EntryDraft))
        except msgspec.ValidationError as error:
            found.append(explained(key, error, lambda name: _REMEDIES.get(name, "Correct it")))
    if found:
        raise SettingsError(source=source, problems=found)
    return Manifest(
        source=source,
        tenant=document["tenant"],
        configuration=configuration,
        flow=tuple(entries),
    )


def _listed(document: Mapping[str, Any], found: list[Problem]) -> list[Any]:
    if "flow" not in document:
        # An unfinished manifest must not put a flow out of force.
        remedy = "Begin each Action with [[flow]]; flow = [] takes all of them out of force"
        found.append(Problem(key="flow", problem="is missing", remedy=remedy))
    flow = document.get("flow", [])
    if isinstance(flow, list):
        return flow
    found.append(_no_list("flow"))
    return []


def _no_list(key: str) -> Problem:
    return Problem(key=key, problem="is no Action", remedy="Begin each Action with [[flow]]")
