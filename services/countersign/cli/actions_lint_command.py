"""`countersign actions lint`: what is wrong with Actions, before they are deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter
from rich.text import Text

from countersign.actions.lint import Severity
from countersign.cli.app import FAILED, OK
from countersign.cli.linted import Linted, lint_paths
from countersign.cli.output import answers, notes
from countersign.cli.shown import one_line
from countersign.core.action import ActionKind

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow"}


def lint(
    *paths: Path,
    kind: Literal["action", "rule"] = "action",
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> int:
    """Say what is wrong with Actions and Rules, line by line; nothing of them is run.

    Ends with status 1 where logins would be denied for it. In a directory with actions.toml, that says
    which kind each is and which secrets and modules it will have.

    Args:
        paths: Files, or directories of Actions.
        kind: What a file is that no actions.toml names.
        as_json: Print JSON, for programs.
    """
    if not paths:
        notes().print("Error: there is nothing to look at. Name a file or a directory.")
        return FAILED
    linted = lint_paths(paths, ActionKind(kind))
    if as_json:
        answers().print(_json(linted), end="")
    else:
        _show(linted)
    wrong = any(finding.severity is Severity.ERROR for each in linted for finding in each.findings)
    return FAILED if wrong else OK


def _show(linted: list[Linted]) -> None:
    console = answers()
    for file, findings in linted:
        for found in findings:
            place = f"{one_line(str(file))}:{found.line}:{found.column}: "
            severity = (found.severity.value, _STYLES[found.severity])
            console.print(
                Text.assemble(place, severity, f": {one_line(found.message)} ({found.rule})")
            )
            for line in found.excerpt.split("\n"):
                console.print(Text(f"    {line}", style="dim"))
            console.print(Text.assemble(("  → ", "green"), found.remedy))
    count = sum(len(each.findings) for each in linted)
    files = f"{len(linted)} file{'s' if len(linted) != 1 else ''}"
    notes().print(f"{files}, {count or 'no'} finding{'s' if count != 1 else ''}.")


def _json(linted: list[Linted]) -> str:
    rows = [
        {"file": str(file), **msgspec.to_builtins(found)}
        for file, findings in linted
        for found in findings
    ]
    return msgspec.json.format(msgspec.json.encode(rows), indent=2).decode() + "\n"
