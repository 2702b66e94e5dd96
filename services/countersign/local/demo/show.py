"""How the demo looks: a line a login, as it passes."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.text import Text

from countersign.core.result import Verdict
from countersign.local.demo.tap import Seen
from countersign.wire.dead_letter import DeadLetter
from countersign.wire.results import Result

_COLOURS: Final = {Verdict.ALLOW: "green", Verdict.DENY: "red", Verdict.PENDING: "yellow"}
_WIDTHS: Final = (49, 17, 8, 23, 20, 9)
_HEAD: Final = ("login", "result", "verdict", "reason", "topic[partition]@offset", "took")


class Show:
    """Prints the play.

    Args:
        console: where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str, style: str = "") -> None:
        """Print a line of plain words."""
        self._console.print(Text(text, style=style))

    def head(self) -> None:
        """Print the columns' names."""
        line = "  ".join(f"{name:<{w}}" for name, w in zip(_HEAD, _WIDTHS, strict=True))
        self._console.print(Text(f"   {line.rstrip()}", style="bold"))

    def page(self, status: int, title: str, *, right: bool) -> None:
        """Print the page that a browser ended at."""
        mark, style = ("✓", "bold green") if right else ("✗", "bold red")
        self._console.print(
            Text.assemble((mark, style), f"    the browser shows: {title} ", (f"({status})", "dim"))
        )

    def line(self, title: str, seen: Seen, seconds: float | None, *, right: bool | None) -> None:
        """Print what came of a login.

        Args:
            title: what happens.
            seen: the record that came back.
            seconds: how long it took, where that was measured.
            right: whether it is what had to come; None where nobody can say.
        """
        said = seen.said
        if isinstance(said, Result):
            kind, verdict = said.type.value, said.body.verdict.value
            reason, colour = said.body.reason.value, _COLOURS[said.body.verdict]
        else:
            kind, verdict, reason, colour = "dead letter", "", said.reason.value, "magenta"
        took = f"{seconds * 1000:.1f} ms" if seconds is not None else ""
        cells = (title, kind, verdict, reason, seen.place, took)
        mark = {True: ("✓", "bold green"), False: ("✗", "bold red"), None: ("·", "dim")}[right]
        line = Text.assemble(mark, "  ")
        for column, (cell, width) in enumerate(zip(cells, _WIDTHS, strict=True)):
            line.append(f"{cell:<{width}}  ", style=colour if column in {1, 2} else "")
        line.rstrip()
        self._console.print(line)
        for detail in _details(said):
            self._console.print(Text(f"     → {detail}", style="dim"))


def _details(said: Result | DeadLetter) -> list[str]:
    if isinstance(said, DeadLetter):
        return [said.detail]
    if said.body.challenge_url is not None:
        return [said.body.challenge_url]
    if said.body.provider is not None:
        return [f"provider: {said.body.provider}"]
    return []
