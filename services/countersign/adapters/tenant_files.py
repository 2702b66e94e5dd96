"""Reads settings files, and the secrets and keys that they name, from disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from countersign.core.errors import Problem, SettingsError
from countersign.wire.tenant_file import KeysDraft, TenantDraft, draft_problems
from countersign.wire.tenant_toml import read_draft, read_jwks

_Keys = TypeVar("_Keys", bound=KeysDraft)


def load_drafts(paths: Sequence[Path]) -> list[TenantDraft]:
    """Return what the files say, each checked.

    Raises:
        SettingsError: one of them is wrong; everything wrong in any of them is named.
    """
    drafts, errors = [], []
    for path in paths:
        try:
            drafts.append(load_draft(path))
        except SettingsError as error:
            errors.append(error)
    if not errors:
        errors += _repeated(drafts)
    if errors:
        raise together(errors)
    return drafts


def load_draft(path: Path) -> TenantDraft:
    """Return what one file says, checked, with the secret and the keys read where it names files for them.

    Raises:
        SettingsError: it can't be read, or is wrong; everything wrong in it is named.
    """
    draft = read_draft(_read(path, str(path), "file"), str(path))
    duo = draft.duo
    if duo is not None and duo.client_secret_file is not None:
        named = path.parent / duo.client_secret_file
        secret = _read(named, str(path), "duo.client_secret_file")
        duo = msgspec.structs.replace(
            duo,
            # A secret file ends as editors end it; wrong bytes are wrong characters, and told so.
            client_secret=secret.decode(errors="replace").strip(),
            client_secret_file=None,
        )
        draft = msgspec.structs.replace(draft, duo=duo)
    draft = msgspec.structs.replace(
        draft,
        events=_with_keys(path, "events", draft.events),
        signals=_with_keys(path, "signals", draft.signals),
    )
    if found := list(draft_problems(draft)):
        raise SettingsError(source=str(path), problems=found)
    return draft


def _with_keys(path: Path, name: str, section: _Keys) -> _Keys:
    if section.jwks_file is None:
        return section
    key = f"{name}.jwks_file"
    named = path.parent / section.jwks_file
    keys = read_jwks(_read(named, str(path), key))
    if keys is None:
        problem = Problem(
            key=key,
            problem=f"{named} holds no JWK Set",
            remedy='Write {"keys": [...]} with a JSON Web Key for each public key',
        )
        raise SettingsError(source=str(path), problems=[problem])
    return msgspec.structs.replace(section, keys=keys, jwks_file=None)


def together(errors: Sequence[SettingsError]) -> SettingsError:
    """Return one error that holds every problem of several."""
    if len(errors) == 1:
        return errors[0]
    return SettingsError(
        source="settings files",
        problems=[
            Problem(
                key=f"{error.source}: {problem.key}", problem=problem.problem, remedy=problem.remedy
            )
            for error in errors
            for problem in error.problems
        ],
    )


def _repeated(drafts: Sequence[TenantDraft]) -> list[SettingsError]:
    counts = Counter(draft.tenant for draft in drafts)
    return [
        SettingsError(
            source=draft.source,
            problems=[
                Problem(
                    key="tenant",
                    problem=f"is {draft.tenant}, as in another file",
                    remedy="Apply one file a tenant",
                )
            ],
        )
        for draft in drafts
        if counts[draft.tenant] > 1
    ]


def _read(path: Path, source: str, key: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        problem = Problem(
            key=key,
            problem=f"{path} can't be read ({error.strerror})",
            remedy="Give a file that is there and may be read",
        )
        raise SettingsError(source=source, problems=[problem]) from error
