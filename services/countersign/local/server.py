"""One server of the stack: start it, stop it, kill it, freeze it, and start it again as it was.

Law: a server keeps its port and its data through every stop and start, and `start` returns only
when the server has really answered a client.
"""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import psutil

from countersign.local.child import Child, wait_until
from countersign.local.errors import StackError
from countersign.local.ports import HOST, is_free

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

POLL_SECONDS = 0.02
SIGNAL_PATIENCE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start a server and how to tell that it's ready."""

    name: str
    command: Sequence[str]
    """The program's path and its arguments."""
    directory: Path
    """The working directory, which holds the data too."""
    log: Path
    port: int
    """The port of the loopback interface where clients connect."""
    other_ports: Sequence[int] = ()
    answers: Callable[[], Awaitable[bool]]
    """Ask the server something as a client; True once the answer is right, and no exception."""
    start_patience: timedelta
    stop_patience: timedelta
    discard: Path | None = None
    """What is deleted if this process is killed while the server runs."""


class Server:
    """A server under a guard, for fault tests to treat as roughly as they like.

    It belongs to no event loop: one loop may start it and another stop it.
    """

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._child: Child | None = None

    @property
    def name(self) -> str:
        """The server's name, as messages call it."""
        return self._launch.name

    @property
    def port(self) -> int:
        """The port of the loopback interface where clients connect."""
        return self._launch.port

    @property
    def address(self) -> str:
        """Host and port, as in `127.0.0.1:19092`."""
        return f"{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        """The server's log; it goes on through restarts."""
        return self._launch.log

    @property
    def pid(self) -> int | None:
        """The process id, or None when the server isn't running."""
        return self._child.pid if self._child is not None and self._child.running else None

    @property
    def running(self) -> bool:
        """Whether the process is there; a paused one counts as running."""
        return self.pid is not None

    async def start(self) -> None:
        """Start the server on its port and its data, and return when it answers.

        Nothing happens when it already runs.

        Raises:
            StackError: A port is taken, the process ended, or it gave no answer in time.
        """
        if self.running:
            return
        launch = self._launch
        for port in (launch.port, *launch.other_ports):
            if not is_free(port):
                raise StackError(
                    problem=f"{launch.name} can't start: port {port} of {HOST} is taken.",
                    remedy=f"end what listens on port {port}, or choose another port.",
                )
        started = time.monotonic()
        self._child = await Child.spawn(
            launch.command, directory=launch.directory, log=launch.log, discard=launch.discard
        )
        try:
            await self._wait_for_answer(self._child, started)
        except BaseException:
            await self.kill()
            raise

    async def _wait_for_answer(self, child: Child, started: float) -> None:
        launch = self._launch
        deadline = started + launch.start_patience.total_seconds()
        while not (await launch.answers() and child.running):
            seconds = time.monotonic() - started
            if not child.running:
                raise StackError(
                    problem=f"{launch.name} ended with status {child.status} after {seconds:.1f} s, "
                    "before it answered.",
                    log=launch.log,
                    remedy="put right what the log complains of, then start again.",
                )
            if time.monotonic() >= deadline:
                raise StackError(
                    problem=f"{launch.name} runs but gave no answer on port {launch.port} "
                    f"within {seconds:.0f} s.",
                    log=launch.log,
                    remedy="see whether the machine is short of processor time or memory, "
                    "then start again.",
                )
            await asyncio.sleep(POLL_SECONDS)

    async def stop(self) -> None:
        """Ask the server to stop and return when it has; past its patience it is killed."""
        if self._child is None:
            return
        self._child.signal(signal.SIGTERM)
        self._child.signal(signal.SIGCONT)  # a paused one hears SIGTERM only when it goes on
        try:
            stopped = await self._child.ended(self._launch.stop_patience)
        except asyncio.CancelledError:
            self._child.kill()  # whoever lost patience with us wants it gone
            raise
        if not stopped:
            await self.kill()

    async def kill(self) -> None:
        """Kill the server with SIGKILL and return when it's gone.

        Raises:
            StackError: It's still there after ten seconds.
        """
        if self._child is None:
            return
        self._child.signal(signal.SIGKILL)
        if not await self._child.ended(SIGNAL_PATIENCE):
            raise StackError(
                problem=f"{self.name} (process {self._child.pid}) doesn't end, though it was killed.",
                log=self.log,
                remedy="see what the process waits for; a hung file system is the usual cause.",
            )

    async def pause(self) -> None:
        """Freeze the server with SIGSTOP: its connections stay open, and no answer comes."""
        await self._switch(signal.SIGSTOP, paused=True)

    async def resume(self) -> None:
        """Let a paused server go on, with SIGCONT."""
        await self._switch(signal.SIGCONT, paused=False)

    async def _switch(self, number: signal.Signals, *, paused: bool) -> None:
        if self._child is None or (pid := self.pid) is None:
            raise StackError(problem=f"{self.name} isn't running.", remedy="start it first.")
        self._child.signal(number)
        if not await wait_until(lambda: is_paused(pid) is paused, SIGNAL_PATIENCE):
            raise StackError(
                problem=f"{self.name} (process {pid}) didn't take {number.name}.",
                log=self.log,
                remedy="see in the log whether it ended just then.",
            )


def is_paused(pid: int) -> bool:
    """Return whether a process is frozen by SIGSTOP; one that has ended isn't."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False
