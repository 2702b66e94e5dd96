"""A process of ours under a guard: it ends when we end, whatever way that is.

Law: only this module starts long-lived processes, and nothing here belongs to an event loop, so a
child started in one loop can be waited for in another.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

GUARD = Path(__file__).with_name("guard.py")
POLL_SECONDS = 0.01


class Child:
    """A guarded process; make one with `spawn`, and see it out with `ended` or `kill`."""

    def __init__(self, guard: subprocess.Popen[bytes], pid: int | None) -> None:
        self._guard = guard
        self._pid = pid

    @classmethod
    async def spawn(
        cls, command: Sequence[str], *, directory: Path, log: Path, discard: Path | None = None
    ) -> Self:
        """Start a command in a directory, its output appended to a log.

        Args:
            command: The program's path and its arguments.
            directory: The working directory.
            log: Where its standard output and standard error go.
            discard: What the guard deletes if we are gone first.

        A command that can't be executed is a child that has ended with status 127, the reason in
        its log.
        """
        guard = subprocess.Popen(  # noqa: S603, ASYNC220  # our own script, back within a millisecond
            [
                *(sys.executable, "-I", "-S", GUARD, str(os.getpid()), log),
                *("" if discard is None else discard, *command),
            ],
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            # Out of the terminal's reach: Ctrl-C is for us, and we then stop the servers in order.
            start_new_session=True,
        )
        assert guard.stdin is not None  # noqa: S101  # both are PIPE above
        assert guard.stdout is not None  # noqa: S101
        try:
            line = await asyncio.to_thread(guard.stdout.readline)
        except BaseException:
            guard.stdin.close()  # the guard takes that as our end, and kills the command
            guard.wait()
            raise
        finally:
            guard.stdout.close()
        return cls(guard, int(line) if line else None)

    @property
    def pid(self) -> int | None:
        """The command's process id, or None when it couldn't be executed."""
        return self._pid

    @property
    def running(self) -> bool:
        """Whether the command has not ended yet; a paused one counts as running."""
        return self.status is None

    @property
    def status(self) -> int | None:
        """The exit status (128 + n for signal n), or None while it runs."""
        status = self._guard.poll()
        if status is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
        return status

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command and to all that it has started; nothing once it has ended."""
        if self._pid is not None and self.running:
            os.killpg(self._pid, number)

    def kill(self) -> None:
        """Send SIGKILL; `ended` tells when the command is gone."""
        self.signal(signal.SIGKILL)

    async def ended(self, within: timedelta) -> bool:
        """Wait until the command has ended, and return whether it did so in time."""
        return await wait_until(lambda: not self.running, within)


async def wait_until(condition: Callable[[], bool], within: timedelta) -> bool:
    """Wait until a condition holds, and return whether it did so in time."""
    deadline = time.monotonic() + within.total_seconds()
    while not condition():
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True
