"""`countersign config`: what is in force in a process that starts here and now."""

from __future__ import annotations

from rich.table import Table

from countersign.cli.output import answers, notes
from countersign.settings import load_settings, masked, unknown_variables


def config() -> None:
    """Show this process's settings, without secrets.

    Each can be set by its environment variable, or by a file of that name (in any case) in the
    directory that COUNTERSIGN_SECRETS_DIR names; the environment wins. What is wrong is said, with
    what to do.
    """
    settings = load_settings()
    table = Table(box=None, pad_edge=False)
    for heading in ("Variable", "Value", "From"):
        table.add_column(heading, overflow="fold")
    for shown in masked(settings):
        table.add_row(*shown)
    answers().print(table)
    for name, meant in unknown_variables().items():
        hint = f"did you mean {meant}?" if meant else "it has no effect."
        notes().print(f"Note: {name} is no setting; {hint}")
