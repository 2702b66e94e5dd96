"""Tell the person at the terminal what a first start waits for; a later start says nothing."""

from __future__ import annotations

import sys
import threading
from typing import Protocol

MEGABYTE = 1_000_000
LINE_EVERY_PERCENT = 25


class Progress(Protocol):
    """Hears how the first start's download goes; calls may come from several threads."""

    def start(self, *, jars: int, size: int) -> None:
        """A download of this many jars and bytes begins."""

    def advance(self, *, jars: int = 0, size: int = 0) -> None:
        """This many more jars or bytes have come."""

    def end(self) -> None:
        """The download is over, done or not."""

    def note(self, text: str) -> None:
        """Something else begins that takes a while, but is done only once."""


class Silence:
    """A progress that nobody sees."""

    def start(self, *, jars: int, size: int) -> None:
        """Say nothing."""

    def advance(self, *, jars: int = 0, size: int = 0) -> None:
        """Say nothing."""

    def end(self) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""


class Lines:
    """Plain lines on standard error, for logs and pipes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jars_total = self._jars = self._said = 0

    def start(self, *, jars: int, size: int) -> None:
        """Say how much there is to come."""
        self._jars_total, self._jars, self._said = jars, 0, 0
        self.note(f"Downloading {jars} jars of Apache Kafka ({size / MEGABYTE:.0f} MB), once")

    def advance(self, *, jars: int = 0, size: int = 0) -> None:  # noqa: ARG002  # lines count jars
        """Say so at each quarter of the jars."""
        with self._lock:
            self._jars += jars
            percent = 100 * self._jars // self._jars_total
            if percent >= self._said + LINE_EVERY_PERCENT:
                self._said = percent - percent % LINE_EVERY_PERCENT
                self.note(f"  {self._jars} of {self._jars_total} jars")

    def end(self) -> None:
        """Say nothing: the last quarter has been said."""

    def note(self, text: str) -> None:
        """Print the line."""
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


class Bar(Lines):
    """A progress bar on standard error, for a terminal."""

    def start(self, *, jars: int, size: int) -> None:
        """Show the bar, empty."""
        # Loaded here, as nearly every start has nothing to show.
        from rich import progress  # noqa: PLC0415
        from rich.console import Console  # noqa: PLC0415

        self._jars = 0
        self._bar = progress.Progress(
            progress.TextColumn("Apache Kafka, once: jar {task.fields[jars]} of " + str(jars)),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task("", total=size, jars=0)
        self._bar.start()

    def advance(self, *, jars: int = 0, size: int = 0) -> None:
        """Lengthen the bar."""
        with self._lock:
            self._jars += jars
            self._bar.update(self._task, advance=size, jars=self._jars)

    def end(self) -> None:
        """Leave the bar as it stands."""
        self._bar.stop()


def on_stderr() -> Progress:
    """Return a bar when standard error is a terminal, and plain lines otherwise."""
    return Bar() if sys.stderr.isatty() else Lines()
