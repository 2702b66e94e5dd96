"""`countersign settings`: tenants' settings, from files onto the bus and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.table import Table

from countersign.adapters.publishing import reading, writing
from countersign.adapters.tenant_files import load_drafts
from countersign.cli.app import FAILED, OK
from countersign.cli.output import answers, notes
from countersign.cli.session import begin
from countersign.core.tenant import TenantSettings
from countersign.wire.tenant_file import KEEP, write_toml

Files = Annotated[Path, Parameter(required=True)]

app = App(
    name="settings",
    help="""\
Apply, validate and show tenants' settings.

A tenant's settings are a TOML file: its name, its Duo account, which factors are on, when MFA is due,
how long browsers are remembered. `apply` publishes them as the tenant's next version, and every
decider has them in force within a second.""",
)


@app.command
def validate(*files: Files) -> None:
    """Say everything that is wrong with settings files; needs neither Kafka nor Redis.

    Args:
        files: One file a tenant.
    """
    for draft in load_drafts(files):
        answers().print(f"{draft.source}: the settings of {draft.tenant} can be applied.")


@app.command
async def apply(*files: Files) -> None:
    """Put settings files in force: all of them, or none.

    A Duo secret that is left out, or given as ********, stays the one in force, and so does the flow of
    Actions. A file that says what is in force already publishes nothing.

    Args:
        files: One file a tenant.
    """
    settings = begin()
    drafts = load_drafts(files)
    async with writing(settings) as writer:
        for applied in await writer.apply(drafts):
            done = (
                f"version {applied.version} is in force."
                if applied.changed
                else f"unchanged, version {applied.version} stays in force."
            )
            answers().print(f"{applied.tenant}: {done}")


@app.command
async def show(
    tenant: str, /, *, as_json: Annotated[bool, Parameter(name="--json", negative=())] = False
) -> int:
    """Show the settings that are in force for a tenant; the secret is masked.

    The output is a settings file: edit it and apply it again.

    Args:
        tenant: The tenant's name.
        as_json: Print JSON, with the version.
    """
    async with reading(begin()) as reader:
        settings = reader.get(tenant)
        known = ", ".join(reader.versions())
    if settings is None:
        notes().print(f"Error: {tenant} has no settings. Tenants with settings: {known or 'none'}.")
        return FAILED
    answers().print(_json(settings) if as_json else write_toml(settings), end="")
    return OK


@app.command(name="list")
async def list_() -> None:
    """List all tenants that have settings."""
    async with reading(begin()) as reader:
        settings = [reader.get(tenant) for tenant in reader.versions()]
    table = Table(box=None, pad_edge=False)
    for heading in ("Tenant", "Version", "Published at", "MFA", "Factors"):
        table.add_column(heading, overflow="fold")
    for each in settings:
        if each is not None:
            table.add_row(
                each.tenant,
                str(each.version),
                each.updated_at.isoformat(timespec="seconds"),
                each.mfa.policy.value,
                ", ".join(each.factors.enabled()) or "none",
            )
    answers().print(table)


def _json(settings: TenantSettings) -> str:
    shown = msgspec.to_builtins(settings)
    if settings.duo is not None:
        shown["duo"]["client_secret"] = KEEP
    return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode() + "\n"
