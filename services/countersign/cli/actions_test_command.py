"""`countersign actions test`: run Actions on this machine for one login, and show what they do.

They run in the sandbox that deciders run them in; nothing is read from Kafka or Redis, and nothing written.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from cyclopts import Parameter
from rich.console import Console

from countersign.actions.child import Job
from countersign.actions.flow import ActionCode, FlowCode, FlowReport
from countersign.actions.flows import flow_login
from countersign.actions.sandbox import Sandbox
from countersign.adapters.action_files import load_flow
from countersign.cli.app import FAILED, OK
from countersign.cli.login_file import instant, read_login
from countersign.cli.output import answers, notes
from countersign.cli.shown import one_line
from countersign.core.action import MAX_SOURCE_BYTES, ActionKind, ActionRules
from countersign.core.errors import CountersignError
from countersign.logs import set_up_logs
from countersign.wire.secrets_file import read_secrets

_TENANT: Final = "local"
"""Whose login it is where nothing says so."""


async def run_locally(
    path: Path,
    /,
    *,
    event: Path,
    kind: Literal["action", "rule"] = "action",
    secrets: Path | None = None,
    tenant: str | None = None,
    now: datetime | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> int:
    """Run an Action, or a directory's flow, for one login, and show what it does.

    It runs in the sandbox that deciders use, with the standard time limits. Nothing is published, no
    challenge opens, the cache is empty. Ends with status 1 where an Action fails.

    Args:
        path: A file with an Action, or a directory with actions.toml.
        event: A file with one login event in JSON: Auth0's `event` as it is, or as it stands on the topic.
        kind: What the file is; a directory's actions.toml says it itself.
        secrets: A file with a NAME=VALUE a line.
        tenant: Whose login it is, where neither the event nor actions.toml says so.
        now: The login's instant, where the event has none; now, where it isn't given.
        as_json: Print JSON, for programs.
    """
    at = instant(now)
    set_up_logs("error", "console")
    if path.is_dir():  # noqa: ASYNC240  # nothing else runs yet
        actions, owner = _flow(path, secrets)
        tenant = tenant or owner
    else:
        actions = (_single(path, ActionKind(kind), secrets),)
    login = read_login(event, tenant or _TENANT, at)
    limits = ActionRules()
    flow = FlowCode(
        actions=actions,
        time_limit=limits.time_limit.total_seconds(),
        flow_time_limit=limits.flow_time_limit.total_seconds(),
    )
    async with Sandbox() as sandbox:
        (report,) = await sandbox.run([Job(flow, flow_login(login, {}))])
    if as_json:
        answers().print(_json(flow, report), end="")
    else:
        _show(answers(), flow, report)
    return OK if report.failure is None else FAILED


def _single(path: Path, kind: ActionKind, secrets: Path | None) -> ActionCode:
    """Return the Action that a file holds, with every secret of the other file."""
    text = _read(path)
    if len(text) > MAX_SOURCE_BYTES:
        message = f"{path} has more than {MAX_SOURCE_BYTES} bytes, an Action's code can't"
        raise CountersignError(message)
    try:
        source = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{path} is not UTF-8 (byte {error.start}). Save it as UTF-8"
        raise CountersignError(message) from error
    values = read_secrets(_read(secrets), str(secrets)) if secrets is not None else None
    return ActionCode(
        name=path.stem,
        version=1,
        kind=kind,
        source=source,
        secrets=dict(values.shared) if values is not None else {},
    )


def _flow(directory: Path, secrets: Path | None) -> tuple[tuple[ActionCode, ...], str]:
    """Return the JavaScript of a directory's flow, and whose it is."""
    draft = load_flow(directory, secrets)
    left_out = [each.name for each in draft.actions if each.kind is ActionKind.PYTHON]
    if left_out:
        notes().print(f"Left out, because only deciders run Python Actions: {', '.join(left_out)}.")
    actions = tuple(
        ActionCode(
            name=each.name,
            version=1,
            kind=each.kind,
            source=each.source,
            modules=dict(each.modules),
            secrets={name: value for name, value in each.secrets.items() if value is not None},
        )
        for each in draft.actions
        if each.kind is not ActionKind.PYTHON
    )
    if not actions:
        message = f"{directory} has no JavaScript to run. Name an Action, or another directory"
        raise CountersignError(message)
    return actions, draft.tenant


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"{path} can't be read: {error.strerror}. Name a file that is there"
        raise CountersignError(message) from error


def _show(console: Console, flow: FlowCode, report: FlowReport) -> None:
    for spoken in report.spoken:
        name = one_line(flow.actions[spoken.position].name)
        console.print(f"{name}: {spoken.said}, {spoken.seconds * 1000:.1f} ms")
        for level, text in spoken.console:
            console.print(f"  {level}: {one_line(text)}")
    if report.failure is not None:
        failure = report.failure
        console.print(
            f"Denied: an Action failed ({failure.kind.value}): {one_line(failure.message)}"
        )
        return
    for name, value in _effect(report).items():
        text = msgspec.json.encode(value).decode()
        console.print(f"{name.replace('_', ' ')}: {one_line(text)}")


def _effect(report: FlowReport) -> dict[str, Any]:
    """Return what the login gets of a flow; of a Duo account all but its secret (law 9)."""
    effect: dict[str, Any] = msgspec.to_builtins(report)
    for name in ("spoken", "failure"):
        effect.pop(name, None)
    if "credentials" in effect:
        effect["credentials"].pop("skey")
    return effect


def _json(flow: FlowCode, report: FlowReport) -> str:
    document = {
        "actions": [
            {
                "name": flow.actions[spoken.position].name,
                "said": spoken.said,
                "seconds": spoken.seconds,
                "console": [{"level": level, "text": text} for level, text in spoken.console],
            }
            for spoken in report.spoken
        ],
        "failure": report.failure,
        "effect": _effect(report) if report.failure is None else None,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
