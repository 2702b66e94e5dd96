"""`countersign actions`: tenants' Actions, from a directory onto the bus and back."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.table import Table

from countersign.adapters.action_files import load_flow
from countersign.adapters.kafka.actions_writer import Deployed
from countersign.adapters.kafka.tenant_settings import TenantSettingsReader
from countersign.adapters.publishing import reading, writing_actions
from countersign.cli.actions_lint_command import lint
from countersign.cli.actions_test_command import run_locally
from countersign.cli.app import FAILED, OK
from countersign.cli.linted import lint_problems
from countersign.cli.output import answers, notes
from countersign.cli.session import begin
from countersign.core.action import ActionRef, ActionVersion
from countersign.core.tenant import TenantSettings
from countersign.wire.tenant_file import KEEP

AsJson = Annotated[bool, Parameter(name="--json", negative=())]

app = App(
    name="actions",
    help="""\
Check, try, deploy and roll back tenants' Actions: their own code, that runs after each login's first factor.

A tenant's flow is a directory: one file an Action, and `actions.toml`, which says in which order they
run:

```
tenant = "acme"

[[flow]]
name = "require-duo"          # the code is in require-duo.js
secrets = ["ADMIN_ROLE"]      # what it reads as event.secrets
```

`deploy` publishes each Action that changed as its next version and puts the flow in force; every
decider has it within a second. `rollback` goes back to a version that is still published.""",
)

app.command(lint)
app.command(run_locally, name="test")


@app.command
async def deploy(
    directory: Path,
    /,
    *,
    secrets: Path | None = None,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Put a directory's flow of Actions in force: all of it, or nothing.

    Code that `lint` finds an error in is refused, since it would deny logins. An Action that is as it was
    keeps its version. The tenant's settings have to be applied before; all of them but the flow stay as
    they are. A secret that isn't given keeps its value.

    Args:
        directory: Where actions.toml and the code are.
        secrets: A file with a NAME=VALUE a line, or ACTION.NAME=VALUE for one Action alone. Values are
            sealed before they leave this machine.
        dry_run: Say what would change, and publish nothing.
    """
    settings = begin()
    draft = load_flow(directory, secrets, check=lint_problems)
    async with writing_actions(settings) as writer:
        deployed = await (writer.preview(draft) if dry_run else writer.deploy(draft))
    _tell(deployed, published=not dry_run)


@app.command
async def rollback(tenant: str, name: str, /, *, to: int) -> None:
    """Put another version of an Action in force; the rest of the flow stays.

    Args:
        tenant: The tenant's name.
        name: The Action's name.
        to: The version to go back to, or forward; `show` lists those that there are.
    """
    async with writing_actions(begin()) as writer:
        deployed = await writer.rollback(tenant, name, to)
    _tell(deployed, published=True)


@app.command(name="list")
async def list_(tenant: str, /) -> int:
    """List a tenant's flow in its order, and below it the other Actions that are published.

    Args:
        tenant: The tenant's name.
    """
    async with reading(begin(), actions=True) as reader:
        settings = _settings(reader, tenant)
        if settings is None:
            return FAILED
        published = reader.published.of(tenant)
        newest = {place.name: place for place in published}
        table = _table("", "Action", "Kind", "Version", "Published at", "Bytes", "Secrets")
        for position, ref in enumerate(settings.flow, start=1):
            newest.pop(ref.name, None)
            version = reader.action(tenant, ref.name, ref.version)
            table.add_row(str(position), *_row(ref, version))
        for place in newest.values():
            version = reader.published.get(place)
            if version is not None:
                ref = ActionRef(name=place.name, kind=version.kind, version=place.version)
                table.add_row("·", *_row(ref, version))
    if table.rows:
        answers().print(table)
    if newest:
        notes().print("· published, and not in the flow; the newest version.")
    if not settings.flow:
        notes().print(f"{tenant} has no Actions in force.")
    return OK


@app.command
async def show(
    tenant: str, name: str, /, *, version: int | None = None, as_json: AsJson = False
) -> int:
    """Show an Action's source as it is published; of secrets, the names alone.

    Standard output has the source and nothing else, so it can go into a file.

    Args:
        tenant: The tenant's name.
        name: The Action's name.
        version: Which version; else the one in force, else the newest.
        as_json: Print JSON: the source, its modules, and the versions that there are.
    """
    async with reading(begin(), actions=True) as reader:
        settings = _settings(reader, tenant)
        if settings is None:
            return FAILED
        numbers = [place.version for place in reader.published.of(tenant) if place.name == name]
        in_force = next((ref.version for ref in settings.flow if ref.name == name), None)
        wanted = (in_force or max(numbers, default=0)) if version is None else version
        found = reader.action(tenant, name, wanted)
    if found is None:
        _missing(settings, name, version, numbers)
        return FAILED
    if as_json:
        answers().print(_json(found, numbers, in_force), end="")
        return OK
    stands = "in force" if wanted == in_force else "not in force"
    notes().print(
        f"{name}, version {wanted} ({found.kind.value}), published at"
        f" {found.created_at.isoformat(timespec='seconds')}, {stands}."
        f" Secrets: {_names(found.secrets)}. Modules: {_names(found.modules)}."
        f" Versions: {', '.join(map(str, numbers))}."
    )
    # Not by way of a console, which makes tabs spaces and takes control characters away.
    sys.stdout.buffer.write(found.source.encode())
    sys.stdout.flush()
    return OK


def _settings(reader: TenantSettingsReader, tenant: str) -> TenantSettings | None:
    settings = reader.get(tenant)
    if settings is None:
        known = ", ".join(reader.versions()) or "none"
        notes().print(f"Error: {tenant} has no settings. Tenants with settings: {known}.")
    return settings


def _missing(settings: TenantSettings, name: str, version: int | None, numbers: list[int]) -> None:
    if any(ref.name == name and not ref.version for ref in settings.flow):
        notes().print(f"Error: {name} is a Python Action; its code is an installed package's.")
    elif version is not None and numbers:
        there = ", ".join(map(str, numbers))
        notes().print(f"Error: {name} has no version {version}. Versions: {there}.")
    else:
        command = f"countersign actions list {settings.tenant}"
        notes().print(f"Error: {settings.tenant} has no Action {name}. See: {command}")


def _tell(deployed: Deployed, *, published: bool) -> None:
    """Print what changed of each Action, and what is in force."""
    before = {ref.name: ref for ref in deployed.before}
    for ref in deployed.flow:
        answers().print(f"{ref.name}: {_change(before.pop(ref.name, None), ref)}")
    for name in before:
        answers().print(f"{name}: taken out of the flow")
    if not published:
        would = "would become" if deployed.changed else "is in force already:"
        answers().print(
            f"{deployed.tenant}: this {would} version {deployed.version}; nothing was published."
        )
    elif deployed.changed:
        answers().print(f"{deployed.tenant}: version {deployed.version} is in force.")
    else:
        answers().print(f"{deployed.tenant}: unchanged, version {deployed.version} stays in force.")


def _change(before: ActionRef | None, ref: ActionRef) -> str:
    if not ref.version:
        return "a Python Action" if before == ref else "a Python Action, new in the flow"
    if before is None or not before.version:
        return f"new in the flow, version {ref.version}"
    if before == ref:
        return f"unchanged, version {ref.version}"
    return f"version {before.version} → {ref.version}"


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _row(ref: ActionRef, version: ActionVersion | None) -> tuple[str, ...]:
    if not ref.version:
        return (ref.name, ref.kind.value, "", "", "", "")
    if version is None:
        return (ref.name, ref.kind.value, str(ref.version), "missing: deploy again", "", "")
    return (
        ref.name,
        ref.kind.value,
        str(ref.version),
        version.created_at.isoformat(timespec="seconds"),
        str(len(version.source.encode())),
        _names(version.secrets),
    )


def _names(named: Mapping[str, object]) -> str:
    return ", ".join(sorted(named)) or "none"


def _json(version: ActionVersion, numbers: list[int], in_force: int | None) -> str:
    shown = msgspec.to_builtins(version)
    shown["secrets"] = dict.fromkeys(version.secrets, KEEP)
    shown |= {"versions": numbers, "in_force": in_force}
    return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode() + "\n"
