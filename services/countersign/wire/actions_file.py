"""A tenant's flow as people write it: Actions before they have versions, and with their secrets in clear.

`wire.actions_toml` reads the manifest, `adapters.action_files` the files that it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from countersign.core.action import (
    MAX_MODULES_BYTES,
    MAX_SECRET_NAME,
    MAX_SECRET_VALUE,
    MAX_SOURCE_BYTES,
    ActionKind,
    ActionName,
    ActionRef,
    ActionVersion,
    flow_problems,
)
from countersign.core.errors import Problem
from countersign.core.login import TenantId
from countersign.wire.action import MAX_ACTION_BYTES, write_action

_SECRET_NAME: Final = re.compile(r"[A-Za-z0-9_@*+:-]+")
"""What Auth0 takes for a Rule's setting; an Action's secret is a part of it."""
_MODULE_NAME: Final = re.compile(r"[A-Za-z0-9_@./-]{1,214}")
"""What npm takes for a package, with a version and a file in it."""
_SEALED_BYTES: Final = 200
"""What sealing adds to a secret, at most: the key's id, the nonce, the tag, and JSON's own."""


NAME_REMEDY: Final = (
    "Use 1 to 63 of the characters a-z, 0-9, _ and -, and begin with a letter or a digit"
)


class ActionDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An Action of a flow, as it is on disk.

    Attributes:
        name: what it is called in the flow.
        kind: how it is written.
        file: where its source is, for messages; None for `python`.
        source: the code; "" for `python`.
        modules: CommonJS code by the name that `require` knows it by.
        secrets: what it reads as `event.secrets` or `configuration`, in clear; None: the value in force.
    """

    name: str
    kind: ActionKind = ActionKind.ACTION
    file: str | None = None
    source: str = ""
    modules: Mapping[str, str] = {}
    secrets: Mapping[str, str | None] = {}

    def __repr__(self) -> str:
        """Return which Action it is, without its secrets."""
        return f"ActionDraft(name={self.name!r}, kind={self.kind.value!r})"


class FlowDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's flow before it is published.

    Attributes:
        source: the manifest that it stands in.
        tenant: whose it is.
        actions: the Actions in the order in which they run.
    """

    source: str
    tenant: TenantId
    actions: tuple[ActionDraft, ...] = ()


def flow_draft_problems(draft: FlowDraft) -> Iterator[Problem]:
    """Find everything in a draft that keeps it from being published."""
    refs = tuple(
        # A version that it may have; which one, the writer knows.
        ActionRef(name=each.name, kind=each.kind, version=int(each.kind is not ActionKind.PYTHON))
        for each in draft.actions
    )
    for key, problem, remedy in flow_problems(refs):
        yield Problem(key=key, problem=problem, remedy=remedy)
    for position, action in enumerate(draft.actions):
        for key, problem, remedy in _problems(action):
            where = f"flow[{position}].{key}"
            yield Problem(key=where, problem=problem, remedy=remedy)


_Finding = tuple[str, str, str]


def _problems(action: ActionDraft) -> Iterator[_Finding]:
    try:
        msgspec.convert(action.name, ActionName)
    except msgspec.ValidationError:
        # It becomes a part of keys, which it must not forge.
        yield "name", "is no Action's name", NAME_REMEDY
    if action.kind is ActionKind.PYTHON:
        yield from _of_python(action)
        return
    yield from _code(action)
    for name, value in action.secrets.items():
        yield from _secret(name, value)
    if (size := _record_bytes(action)) > MAX_ACTION_BYTES:
        yield (
            "file",
            f"makes a record of {size} bytes with its modules and secrets, Kafka takes"
            f" {MAX_ACTION_BYTES}",
            "Make the source, the modules or the secrets smaller",
        )


def _of_python(action: ActionDraft) -> Iterator[_Finding]:
    given = {"modules": action.modules, "secrets": action.secrets, "file": action.file}
    for key, value in given.items():
        if value:
            yield (
                key,
                "is given, and a Python Action has none",
                "Leave it out: its code is an installed package's, with that package's settings",
            )


def _code(action: ActionDraft) -> Iterator[_Finding]:
    if not action.source.strip():
        yield "file", "is empty", "Write exports.onExecutePostLogin, or a Rule's function"
    if (size := len(action.source.encode())) > MAX_SOURCE_BYTES:
        yield (
            "file",
            f"has {size} bytes, an Action's code has at most {MAX_SOURCE_BYTES}",
            "Put parts of it into modules, or leave out what it doesn't use",
        )
    for name in action.modules:
        if not _MODULE_NAME.fullmatch(name):
            yield (
                "modules",
                f"has the name {name[:80]!r}, which no require can have",
                "Use 1 to 214 of the characters A-Z, a-z, 0-9, _, @, ., / and -",
            )
    if (size := sum(len(code.encode()) for code in action.modules.values())) > MAX_MODULES_BYTES:
        yield (
            "modules",
            f"have {size} bytes, all of an Action's together have at most {MAX_MODULES_BYTES}",
            "Bundle only what the Action uses",
        )


def _secret(name: str, value: str | None) -> Iterator[_Finding]:
    if not _SECRET_NAME.fullmatch(name) or len(name) > MAX_SECRET_NAME:
        yield (
            "secrets",
            f"has the name {name[:80]!r}, which no secret can have",
            f"Use 1 to {MAX_SECRET_NAME} of the characters A-Z, a-z, 0-9 and _@*+:-",
        )
    if value is not None and len(value) > MAX_SECRET_VALUE:
        yield (
            "secrets",
            f"has {len(value)} characters for {name[:80]}, a secret has at most {MAX_SECRET_VALUE}",
            "Give a shorter one",
        )


_SOME_INSTANT: Final = datetime(2000, 1, 1, tzinfo=UTC)


def _record_bytes(action: ActionDraft) -> int:
    """Return about how large the record will be, and no less; secrets in base64."""
    bare = ActionVersion(
        tenant="x" * 63,
        name="x" * 63,
        version=10**9,
        kind=action.kind,
        created_at=_SOME_INSTANT,
        source=action.source,
        modules=action.modules,
    )
    sealed = (
        len(name) + _SEALED_BYTES + (len((value or "").encode()) + 2) // 3 * 4
        for name, value in action.secrets.items()
    )
    return len(write_action(bare)) + sum(sealed)
