"""Say why the embedded stack can't be had, in words that lead to the remedy; each error names one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LOG_LINES = 12
INSTALL = "pip install 'countersign-mfa[local]'"


class StackError(Exception):
    """The embedded stack, or one server of it, can't start or didn't do what it was told.

    The message is meant for a person: what failed, the last lines of the server's log where
    there is one, and what to do next.
    """

    def __init__(self, *, problem: str, remedy: str, log: Path | None = None) -> None:
        parts = [problem]
        if log is not None:
            lines = last_lines(log)
            parts.append(
                "\n".join([f"The last lines of {log}:", *(f"  {line}" for line in lines)])
                if lines
                else f"Its log {log} is empty."
            )
        parts.append(f"What to do: {remedy}")
        super().__init__("\n".join(parts))
        self.problem = problem
        self.remedy = remedy


def last_lines(log: Path, count: int = LOG_LINES) -> list[str]:
    """Return the last `count` lines of a log; none when it can't be read."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.splitlines()[-count:]
