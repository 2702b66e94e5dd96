"""One sandbox process, as its worker has it: started, given work, asked for answers, killed.

Law: only processes that were started here are ever killed, and one that doesn't keep to the frames is.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec

from countersign.actions.flow import FlowCode, FlowLogin
from countersign.actions.frames import (
    HEADER_BYTES,
    MAX_ANSWERS_BYTES,
    Answer,
    Answers,
    Ready,
    Work,
    framed,
)

PROGRAM: Final = (sys.executable, "-I", "-m", "countersign.actions.process")
ESSENTIAL: Final = frozenset({"descriptors", "inherited"})
"""Limits that every system has, and without which nothing may run: they keep files and networks away."""
MOST_FLOWS: Final = 500
"""Flows whose code a sandbox keeps between batches."""
_START_WITHIN: Final = 20.0
_TOLD: Final = 2_000
"""Bytes of what a program says on its standard error that are looked at, before it is shut in."""
_LIBRARIES: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""What an interpreter may need to start at all."""

_encode = msgspec.msgpack.Encoder().encode
_answers = msgspec.msgpack.Decoder(Answers)
_ready = msgspec.msgpack.Decoder(Ready)


class Job(NamedTuple):
    """A login, and the flow to run for it; a flow is one tenant's."""

    flow: FlowCode
    login: FlowLogin


class LostError(Exception):
    """The process has ended, or has to be ended; the text says why."""


class Child:
    """A sandbox process; `started` makes one.

    Attributes:
        pid: the process.
        lacks: the limits that it is without.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._batch = 0
        self._flow = 0
        self._flows: OrderedDict[int, tuple[int, FlowCode]] = OrderedDict()
        self.pid = process.pid
        self.lacks: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether it is known to have ended."""
        return self._process.returncode is not None or self._reader.at_eof()

    @classmethod
    async def started(cls, program: Sequence[str] = PROGRAM) -> Child:
        """Start a process and return it once it is shut in.

        Args:
            program: the program and its arguments.

        Raises:
            LostError: it can't be started.
        """
        here, there = socket.socketpair()
        try:
            process = await _process(program, there)
        except OSError as error:
            here.close()
            raise LostError(str(error)) from error
        finally:
            there.close()
        reader, writer = await asyncio.open_connection(sock=here)
        child = cls(process, reader, writer)
        try:
            async with asyncio.timeout(_START_WITHIN):
                child.lacks = _ready.decode(await child._frame()).lacks
            if essential := ESSENTIAL.intersection(child.lacks):
                message = f"it can't be shut in: {', '.join(sorted(essential))}"
                raise LostError(message)  # noqa: TRY301  # as whatever else keeps it from work
        except (LostError, TimeoutError, msgspec.MsgspecError) as error:
            child.kill()
            told = await process.stderr.read(_TOLD) if process.stderr else b""
            await child.gone()
            last_line = told.decode(errors="replace").strip().rpartition("\n")[2]
            reason = last_line or str(error) or "it was not ready in time"
            raise LostError(reason) from error
        except BaseException:
            child.kill()
            await child.gone()
            raise
        return child

    async def send(self, jobs: Sequence[Job], shares: dict[str, float], *, every: int) -> None:
        """Give it a batch; the one before has been answered.

        Raises:
            LostError: it has ended.
        """
        self._batch += 1
        new: dict[int, FlowCode] = {}
        logins = [(self._number(job.flow, new), job.login) for job in jobs]
        work = Work(
            number=self._batch,
            flows=new,
            dropped=self._outdated({number for number, _ in logins}),
            shares=shares,
            every=every,
            logins=logins,
        )
        try:
            self._writer.write(framed(_encode(work)))
            await self._writer.drain()
        except OSError as error:
            raise LostError(self._how_it_ended(error)) from error

    async def answers(self) -> list[Answer]:
        """Return the batch's next answers.

        Raises:
            LostError: it has ended, or doesn't keep to the frames.
        """
        frame = await self._frame()
        try:
            answers = _answers.decode(frame)
        except (msgspec.MsgspecError, RecursionError) as error:
            message = "it sent a frame that is none"
            raise LostError(message) from error
        if answers.number != self._batch or not answers.answers:
            message = "it answered what it was not asked"
            raise LostError(message)
        return answers.answers

    def kill(self) -> None:
        """End the process at once."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._writer.close()

    async def gone(self) -> None:
        """Return when a killed process is there no more."""
        await self._process.wait()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _frame(self) -> bytes:
        try:
            size = int.from_bytes(await self._reader.readexactly(HEADER_BYTES), "big")
            if size > MAX_ANSWERS_BYTES:
                message = f"it sent a frame of {size} bytes"
                raise LostError(message)
            return await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise LostError(self._how_it_ended(error)) from error

    def _how_it_ended(self, error: Exception) -> str:
        status = self._process.returncode
        return f"it ended ({type(error).__name__})" if status is None else f"it ended with {status}"

    def _number(self, flow: FlowCode, new: dict[int, FlowCode]) -> int:
        known = self._flows.get(id(flow))
        if known is not None:
            self._flows.move_to_end(id(flow))
            return known[0]
        self._flow += 1
        new[self._flow] = flow
        # Kept, so that no other flow gets this one's id.
        self._flows[id(flow)] = (self._flow, flow)
        return self._flow

    def _outdated(self, used: set[int]) -> tuple[int, ...]:
        """Forget the oldest flows beyond those that are kept, and return their numbers."""
        beyond = len(self._flows) - MOST_FLOWS
        if beyond <= 0:
            return ()
        gone = [key for key, (number, _) in self._flows.items() if number not in used][:beyond]
        return tuple(self._flows.pop(key)[0] for key in gone)


async def _process(program: Sequence[str], there: socket.socket) -> asyncio.subprocess.Process:
    """Start a program with the one descriptor, next to no environment, and a session of its own.

    What is typed at the worker's terminal must not end it in the middle of a batch.
    """
    libraries = {name: os.environ[name] for name in _LIBRARIES if name in os.environ}
    return await asyncio.create_subprocess_exec(
        *program,
        stdin=there.fileno(),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={"TZ": "UTC", **libraries},
        cwd="/",
        start_new_session=True,
    )
