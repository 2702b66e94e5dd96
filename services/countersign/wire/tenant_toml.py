"""Reads a tenant's settings file.

Law: a file is taken whole or refused whole, with everything that is wrong with it; a key that nobody
knows is refused, since it is most likely another one misspelt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import EnumMeta
from functools import partial
from typing import Any, Final, get_type_hints

import msgspec

from countersign.core.action import ActionRules
from countersign.core.errors import Problem, SettingsError
from countersign.core.tenant import ChallengeRules, Detail, Factors, Mfa, PushBudget, Remember
from countersign.wire.tenant_file import (
    KEEP,
    DuoDraft,
    EventsDraft,
    KeysDraft,
    SignalsDraft,
    TenantDraft,
)
from countersign.wire.toml import explained, read_toml, tenant_problems, unknown_keys

_SECTIONS: Final[Mapping[str, type[msgspec.Struct]]] = {
    "duo": DuoDraft,
    "factors": Factors,
    "mfa": Mfa,
    "remember": Remember,
    "challenge": ChallengeRules,
    "push_budget": PushBudget,
    "events": EventsDraft,
    "signals": SignalsDraft,
    "actions": ActionRules,
}


def read_jwks(text: bytes) -> tuple[Mapping[str, Any], ...] | None:
    """Return the keys of a file that holds a JWK Set (RFC 7517, section 5); None where it holds none."""
    try:
        return _jwk_set.decode(text).keys
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class _JwkSet(msgspec.Struct, frozen=True):
    keys: tuple[dict[str, Any], ...]


_jwk_set: Final = msgspec.json.Decoder(_JwkSet)


def read_draft(text: bytes, source: str) -> TenantDraft:
    """Return what a settings file says, before its meaning is judged.

    Args:
        text: the file.
        source: its name, for messages.

    Raises:
        SettingsError: it says nothing clear; every key that is wrong is named.
    """
    document = read_toml(text, source)
    found = list(unknown_keys("", document, ["tenant", *_SECTIONS]))
    sections: dict[str, msgspec.Struct] = {}
    for name, kind in _SECTIONS.items():
        if name not in document:
            continue
        section = document[name]
        if not isinstance(section, dict):
            found.append(Problem(key=name, problem="is no section", remedy=f"Write it as [{name}]"))
            continue
        known = [field.encode_name for field in msgspec.structs.fields(kind)]
        found += unknown_keys(f"{name}.", section, known)
        try:
            sections[name] = msgspec.convert(section, kind)
        except msgspec.ValidationError as error:
            found.append(explained(name, error, partial(_remedy, kind)))
    found += tenant_problems(document, "Say whose settings these are")
    found += _secret(sections.get("duo"))
    for name, section in sections.items():
        found += _keys(name, section)
    if found:
        raise SettingsError(source=source, problems=found)
    return TenantDraft(source=source, tenant=document["tenant"], **_kept(sections))  # type: ignore[arg-type]  # each section has its own type


def _secret(duo: msgspec.Struct | None) -> Iterator[Problem]:
    if isinstance(duo, DuoDraft) and duo.client_secret and duo.client_secret_file:
        yield Problem(
            key="duo.client_secret",
            problem="is given, and duo.client_secret_file too",
            remedy="Give one of them",
        )


def _keys(name: str, section: msgspec.Struct) -> Iterator[Problem]:
    if isinstance(section, KeysDraft) and section.keys and section.jwks_file is not None:
        yield Problem(
            key=f"{name}.keys",
            problem=f"is given, and {name}.jwks_file too",
            remedy="Give one of them",
        )


def _kept(sections: Mapping[str, msgspec.Struct]) -> dict[str, msgspec.Struct]:
    """Return the sections, with a masked secret as none."""
    duo = sections.get("duo")
    if isinstance(duo, DuoDraft) and duo.client_secret in {KEEP, ""}:
        return {**sections, "duo": msgspec.structs.replace(duo, client_secret=None)}
    return dict(sections)


def _remedy(kind: type[msgspec.Struct], name: str) -> str:
    fields = {field.encode_name: field.name for field in msgspec.structs.fields(kind)}
    wanted: Any = get_type_hints(kind).get(fields.get(name, ""))
    if isinstance(wanted, EnumMeta):
        values: list[Any] = list(wanted)
        return f"Use one of {', '.join(values)}"
    examples = {
        bool: "true or false",
        timedelta: 'an ISO 8601 duration, as in "PT5M" or "P7D"',
        int: "a whole number",
        tuple[Mapping[str, Any], ...]: "a list of JSON Web Keys, or name a file as jwks_file",
        tuple[str, ...]: 'texts in brackets, as in ["https://app.example.com/return"]',
        tuple[Detail, ...]: f"any of these in brackets: {', '.join(map(repr, map(str, Detail)))}",
    }
    return f"Give {examples.get(wanted, 'a text in quotes')}"
