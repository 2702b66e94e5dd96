"""The sandbox: runs tenants' flows in a process beside the worker, whatever they do to it.

Law: each login gets a report. What a process leaves unanswered is run again in another; only a login that
ends a process all by itself is given up, and its neighbours are answered. Where no process can be started, it
raises `UnavailableError`, and nothing is denied.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Final, Self

import msgspec
import structlog

from countersign.actions.child import PROGRAM, Child, Job, LostError
from countersign.actions.flow import SETTING_UP, ErrorKind, Failure, FlowReport
from countersign.actions.frames import EAGER_EVERY, LAZY_EVERY, MAX_ANSWER_BYTES, Answer
from countersign.actions.share import Shares, charged
from countersign.core.errors import UnavailableError

MAX_BATCH_BYTES: Final = 16 * 2**20
"""Of events that cross the border at once; a process has only so much memory."""
_PAUSES: Final = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds before another start, after so many that came to nothing."""

_report = msgspec.msgpack.Decoder(FlowReport)

log = structlog.get_logger(__name__)


class Sandbox:
    """Runs flows, one batch at a time, in the order in which they come.

    Args:
        program: the sandbox's program and its arguments.
        clock: seconds that only move on; for the tenants' shares.
        on_restart: is told of each process that had to be replaced.
    """

    def __init__(
        self,
        program: Sequence[str] = PROGRAM,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_restart: Callable[[], None] = lambda: None,
    ) -> None:
        self._program = program
        self._clock = clock
        self._on_restart = on_restart
        self._shares = Shares()
        self._turn = asyncio.Lock()
        self._child: Child | None = None
        self._going: set[asyncio.Task[None]] = set()
        self._fruitless = 0
        self._closed = False
        self._told_lacks = False

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        return None if self._child is None else self._child.pid

    async def __aenter__(self) -> Self:
        """Start it. Where no process can be started, who comes with work will hear of it."""
        async with self._turn:
            try:
                await self._standing()
            except UnavailableError as error:
                log.warning("sandbox_unavailable", reason=str(error))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process; a batch under way raises `UnavailableError`."""
        self._closed = True
        self._drop()
        await asyncio.gather(*self._going)

    async def run(self, jobs: Sequence[Job]) -> list[FlowReport]:
        """Return each login's report.

        Raises:
            UnavailableError: no process can be started now, or the sandbox is closed.
        """
        reports: list[FlowReport] = []
        async with self._turn:
            for part in _parts(jobs):
                reports += await self._whole(part)
        return reports

    async def _whole(self, jobs: Sequence[Job]) -> list[FlowReport]:
        """Run logins until each has a report.

        A process that ended can have ended by any login that has no answer yet. In the next one each answer
        is sent at once, so the first without one is suspected, and runs alone in a process of its own. What
        it comes to there is its own; the others go on.
        """
        reports: list[FlowReport] = []
        lost, started = 0, self._clock()
        while len(reports) < len(jobs):
            if lost < 2:  # noqa: PLR2004  # told above
                rest = jobs[len(reports) :]
                lost += not await self._some(
                    rest, reports, every=EAGER_EVERY if lost else LAZY_EVERY
                )
                continue
            suspect = jobs[len(reports)]
            self._drop()
            if not await self._some([suspect], reports, every=EAGER_EVERY):
                now = self._clock()
                # Everything that it has cost the others, the processes that it ended before included.
                self._shares.charge(suspect.login.tenant, now - started, now)
                reports.append(_crashed("The process that ran it ended, each time"))
            lost, started = 1, self._clock()
        return reports

    async def _some(self, jobs: Sequence[Job], reports: list[FlowReport], *, every: int) -> bool:
        """Run logins in one process, and say whether it lasted.

        Args:
            jobs: the logins.
            reports: gets their reports, in order.
            every: after how many answers they are sent at the latest.
        """
        child = await self._standing()
        patience = 4 * max(job.flow.flow_time_limit for job in jobs) + SETTING_UP + 2
        now = self._clock()
        shares = {
            tenant: self._shares.left(tenant, now)
            for tenant in dict.fromkeys(job.login.tenant for job in jobs)
        }
        used: defaultdict[str, float] = defaultdict(float)
        answered = 0
        try:
            async with asyncio.timeout(patience):
                await child.send(jobs, shares, every=every)
            while answered < len(jobs):
                async with asyncio.timeout(patience):
                    answers = await child.answers()
                self._fruitless = 0
                if answered + len(answers) > len(jobs):
                    message = "it sent more answers than there are logins"
                    raise LostError(message)  # noqa: TRY301  # one place says what becomes of it
                for answer in answers:
                    used[jobs[answered].login.tenant] += charged(answer.seconds)
                    reports.append(_read(answer))
                    answered += 1
        except (LostError, TimeoutError) as error:
            reason = str(error) or "it was silent for too long"
            log.warning(
                "sandbox_lost", pid=child.pid, reason=reason, unanswered=len(jobs) - answered
            )
            self._lost(child)
            return False
        except BaseException:
            # What it would still answer must not be taken for an answer to the next batch.
            self._lost(child)
            raise
        finally:
            now = self._clock()
            for tenant, seconds in used.items():
                self._shares.charge(tenant, seconds, now)
        return True

    async def _standing(self) -> Child:
        """Return a process that can be given work.

        Raises:
            UnavailableError: none can be started now.
        """
        if self._child is not None and self._child.ended:
            log.warning("sandbox_lost", pid=self._child.pid, reason="it ended", unanswered=0)
            self._lost(self._child)
            self._fruitless += 1
        if self._child is not None:
            return self._child
        self._refuse_closed()
        await asyncio.sleep(_PAUSES[min(self._fruitless, len(_PAUSES) - 1)])
        try:
            child = await Child.started(self._program)
        except LostError as error:
            self._fruitless += 1
            message = f"the process for tenants' Actions can't be started: {error}"
            raise UnavailableError(message) from error
        self._child = child
        if self._closed:
            self._drop()
        self._refuse_closed()
        if child.lacks and not self._told_lacks:
            self._told_lacks = True
            log.warning("sandbox_without_limits", lacks=child.lacks)
        log.info("sandbox_started", pid=child.pid)
        return child

    def _refuse_closed(self) -> None:
        if self._closed:
            message = "the sandbox is closed"
            raise UnavailableError(message)

    def _lost(self, child: Child) -> None:
        if child is self._child:
            self._drop()
            self._on_restart()

    def _drop(self) -> None:
        """End the process, if there is one."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            going = asyncio.create_task(child.gone())
            self._going.add(going)
            going.add_done_callback(self._going.discard)


def _parts(jobs: Sequence[Job]) -> Iterator[Sequence[Job]]:
    """Cut a batch where its events are too large to cross the border at once."""
    first = size = 0
    for position, job in enumerate(jobs):
        size += len(job.login.event)
        if size > MAX_BATCH_BYTES and position > first:
            yield jobs[first:position]
            first, size = position, len(job.login.event)
    if first < len(jobs):
        yield jobs[first:]


def _read(answer: Answer) -> FlowReport:
    try:
        if len(memoryview(answer.report)) > MAX_ANSWER_BYTES:
            return _crashed("Its report is too large")
        return _report.decode(answer.report)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return _crashed("Its report can't be read")


def _crashed(message: str) -> FlowReport:
    return FlowReport(failure=Failure(kind=ErrorKind.CRASHED, message=message))
