"""What commands print: answers on standard output, everything else on standard error."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from countersign.core.errors import CountersignError, SettingsError


def answers() -> Console:
    """Return where answers go. Text is never read as markup, and lines are never folded."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def notes() -> Console:
    """Return where everything goes that is not an answer."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def complain(error: CountersignError) -> None:
    """Say what went wrong, and what to do."""
    console = notes()
    if not isinstance(error, SettingsError):
        console.print(Text.assemble(("Error: ", "bold red"), str(error)))
        return
    count = len(error.problems)
    console.print(
        Text.assemble(
            ("Error: ", "bold red"),
            f"{count} problem{'s' if count != 1 else ''} in {error.source}",
        )
    )
    for problem in error.problems:
        console.print(Text.assemble("  ", (problem.key, "bold"), f": {problem.problem}"))
        console.print(Text.assemble(("    → ", "green"), problem.remedy))
