"""The Actions that a command line names, each with what its manifest says of it: kind, secrets, modules.

A file that no manifest names has the kind that is said, and nobody knows its secrets.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from countersign.actions.lint import Finding, Severity, lint
from countersign.adapters.action_files import MANIFEST, load_manifest
from countersign.cli.output import notes
from countersign.core.action import MAX_SOURCE_BYTES, ActionKind
from countersign.core.errors import CountersignError, Problem
from countersign.wire.actions_file import ActionDraft


class Linted(NamedTuple):
    """A file with what lint found in it."""

    file: Path
    findings: list[Finding]


class _Source(NamedTuple):
    """A file to lint; `secrets` is None where nobody knows them."""

    file: Path
    kind: ActionKind
    secrets: Collection[str] | None = None
    modules: Collection[str] = ()


def lint_paths(paths: Collection[Path], kind: ActionKind) -> list[Linted]:
    """Lint files, and the Actions of directories.

    Args:
        paths: files; directories with a manifest, or with files that end in `.js`.
        kind: of a file that no manifest names.

    Raises:
        CountersignError: something can't be read.
    """
    sources = [source for path in paths for source in _sources(path, kind)]
    return [
        Linted(
            source.file,
            lint(
                _read(source.file), kind=source.kind, secrets=source.secrets, modules=source.modules
            ),
        )
        for source in sources
    ]


def lint_problems(action: ActionDraft) -> list[Problem]:
    """Return what keeps an Action from being deployed: each of lint's errors, at its place.

    What else lint has against it is told.
    """
    if action.kind is ActionKind.PYTHON:
        return []
    problems = []
    for found in lint(
        action.source, kind=action.kind, secrets=action.secrets, modules=action.modules
    ):
        place = f"{action.file}:{found.line}:{found.column}"
        if found.severity is Severity.ERROR:
            said = f"{found.message}\n{textwrap.indent(found.excerpt, '    ')}"
            problems.append(Problem(key=place, problem=said, remedy=found.remedy))
        else:
            notes().print(f"Warning: {place}: {found.message}. {found.remedy}.")
    return problems


def _sources(path: Path, kind: ActionKind) -> Iterator[_Source]:
    if not path.is_dir():
        named = _named(path.parent) if (path.parent / MANIFEST).is_file() else []
        same = [source for source in named if source.file.resolve() == path.resolve()]
        yield from same or [_Source(path, kind)]
        return
    if (path / MANIFEST).is_file():
        yield from _named(path)
        return
    files = sorted(path.glob("*.js"))
    if not files:
        message = f"{path} has neither {MANIFEST} nor a file that ends in .js. Name the Actions"
        raise CountersignError(message)
    yield from (_Source(file, kind) for file in files)


def _named(directory: Path) -> list[_Source]:
    manifest = load_manifest(directory)
    return [
        _Source(
            directory / (entry.file or f"{entry.name}.js"),
            entry.kind,
            {*entry.secrets, *(manifest.configuration if entry.kind is ActionKind.RULE else ())},
            entry.modules,
        )
        for entry in manifest.flow
        if entry.kind is not ActionKind.PYTHON
    ]


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_SOURCE_BYTES + 4)  # a mark of the byte order, and one too many
    except OSError as error:
        message = f"{file} can't be read: {error.strerror}. Name a file with an Action's code"
        raise CountersignError(message) from error
