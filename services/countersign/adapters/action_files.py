"""Reads a tenant's flow from a directory: the manifest, the code that it names, and secret values.

Law: only what lies in the directory is read, links followed; what is wrong in any file is told at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from countersign.core.action import MAX_MODULES_BYTES, MAX_SECRET_VALUE, ActionKind
from countersign.core.errors import Problem, SettingsError
from countersign.wire.actions_file import ActionDraft, FlowDraft, flow_draft_problems
from countersign.wire.actions_toml import EntryDraft, Manifest, read_manifest
from countersign.wire.secrets_file import SecretValues, read_secrets

Checker: TypeAlias = Callable[[ActionDraft], Sequence[Problem]]
"""Says what is wrong with the code of an Action, so that it is never published."""

MANIFEST: Final = "actions.toml"
_MAX_MANIFEST_BYTES: Final = 1_000_000
_MAX_CODE_BYTES: Final = MAX_MODULES_BYTES
"""Of one file; how much an Action may have of code is judged by what was read."""
_MAX_SECRETS_BYTES: Final = 1000 * MAX_SECRET_VALUE


def load_flow(
    directory: Path, secrets: Path | None = None, *, check: Checker = lambda _: ()
) -> FlowDraft:
    """Return the flow that a directory holds, checked.

    Args:
        directory: where `actions.toml` and the code are.
        secrets: the file of secret values; None: the values in force are kept.
        check: judges the code.

    Raises:
        SettingsError: it can't be read, or is wrong; everything wrong in it is named.
    """
    manifest = load_manifest(directory)
    values = SecretValues()
    if secrets is not None:
        text = _read(secrets, str(secrets), "file", _MAX_SECRETS_BYTES)
        values = read_secrets(text, str(secrets))
    found: list[Problem] = []
    actions = tuple(
        _action(directory, position, manifest, values, found)
        for position in range(len(manifest.flow))
    )
    flow = FlowDraft(source=manifest.source, tenant=manifest.tenant, actions=actions)
    # A file that can't be read is empty besides, which need not be told.
    told = {problem.key for problem in found}
    found += [problem for problem in flow_draft_problems(flow) if problem.key not in told]
    told = {problem.key for problem in found}
    for position, action in enumerate(actions):
        if f"flow[{position}].file" not in told:
            found += check(action)
    found += _unread(manifest, values)
    if found:
        raise SettingsError(source=manifest.source, problems=found)
    return flow


def load_manifest(directory: Path) -> Manifest:
    """Return what a directory's manifest says.

    Raises:
        SettingsError: it can't be read, or is wrong; everything wrong in it is named.
    """
    path = directory / MANIFEST
    if not directory.is_dir():
        problem = Problem(
            key="directory",
            problem="is no directory",
            remedy=f"Name the directory that {MANIFEST} is in",
        )
        raise SettingsError(source=str(directory), problems=[problem])
    return read_manifest(_read(path, str(path), "file", _MAX_MANIFEST_BYTES), str(path))


def _action(
    directory: Path,
    position: int,
    manifest: Manifest,
    values: SecretValues,
    found: list[Problem],
) -> ActionDraft:
    """Return an Action with what its files say; what is wrong with them goes to `found`."""
    entry = manifest.flow[position]
    key = f"flow[{position}]"
    names = entry.secrets
    if entry.kind is ActionKind.RULE:
        names = (*manifest.configuration, *names)
    file = source = None
    if entry.kind is not ActionKind.PYTHON:
        file = entry.file or f"{entry.name}.js"
        source = _code(directory, file, f"{key}.file", found)
    modules = {
        name: _code(directory, module, f"{key}.modules", found) or ""
        for name, module in entry.modules.items()
    }
    return ActionDraft(
        name=entry.name,
        kind=entry.kind,
        file=str(directory / file) if file is not None else entry.file,
        source=source or "",
        modules=modules,
        secrets={name: values.value(entry.name, name) for name in names},
    )


def _code(directory: Path, name: str, key: str, found: list[Problem]) -> str | None:
    """Return the code that a file in the directory holds; None, and why in `found`, where it doesn't."""
    try:
        path = directory / name
        inside = path.resolve().is_relative_to(directory.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links; a name that none can have
        inside = False
    if not inside:
        problem = f"{name[:200]!r} is not in {directory}"
        remedy = "Name a file in the directory; what is beyond it is never read"
        found.append(Problem(key=key, problem=problem, remedy=remedy))
        return None
    try:
        text = _read(path, "", key, _MAX_CODE_BYTES)
    except SettingsError as error:
        found += error.problems
        return None
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"{path} is not UTF-8 (byte {error.start})"
        found.append(Problem(key=key, problem=problem, remedy="Save it as UTF-8"))
        return None


def _unread(manifest: Manifest, values: SecretValues) -> Iterator[Problem]:
    """Name each value that no Action reads: its name is most likely another one misspelt."""
    names: Mapping[str, set[str]] = {
        entry.name: {*entry.secrets, *_configuration(manifest, entry)} for entry in manifest.flow
    }
    # Under no Action's name stand those that all share.
    names = {**names, "": set(manifest.configuration).union(*names.values())}
    for (action, name), line in values.lines.items():
        if name not in names.get(action, ()):
            # Without the name: somebody may have put a value there.
            yield Problem(
                key=f"--secrets, line {line}",
                problem="gives a value that no Action names",
                remedy="Name it in secrets or configuration, or leave it out; named: "
                f"{', '.join(sorted(names[''])) or 'none'}",
            )


def _configuration(manifest: Manifest, entry: EntryDraft) -> tuple[str, ...]:
    return manifest.configuration if entry.kind is ActionKind.RULE else ()


def _read(path: Path, source: str, key: str, limit: int) -> bytes:
    """Return what a file holds, if it is one and no larger than it may be."""
    try:
        if path.exists() and not path.is_file():
            problem = Problem(key=key, problem=f"{path} is no file", remedy="Name a file")
            raise SettingsError(source=source, problems=[problem])
        with path.open("rb") as file:
            text = file.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it can be no file's name"
        problem = Problem(
            key=key,
            problem=f"{path} can't be read ({reason})",
            remedy="Name a file that is there and may be read",
        )
        raise SettingsError(source=source, problems=[problem]) from error
    if len(text) > limit:
        problem = Problem(
            key=key, problem=f"{path} has more than {limit} bytes", remedy="Make it smaller"
        )
        raise SettingsError(source=source, problems=[problem])
    return text
