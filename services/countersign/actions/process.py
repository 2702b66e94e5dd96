"""The program of the sandbox: shuts itself in, then runs the flows that its worker gives it.

Law: it is shut in before it reads the first frame, so tenants' code never runs in a process that could do
more than answer. It ends when its worker does.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from countersign.actions.confinement import DESCRIPTOR, allow_cpu, confine, end_after
from countersign.actions.flow import (
    ActionCode,
    ErrorKind,
    Failure,
    FlowCode,
    FlowLogin,
    FlowReport,
)
from countersign.actions.frames import (
    HEADER_BYTES,
    LAZY_SECONDS,
    Answer,
    Answers,
    Ready,
    Work,
    framed,
)
from countersign.actions.realm import Realm
from countersign.actions.realms import Realms, Runnable
from countersign.actions.share import charged
from countersign.core.action import ActionKind

REALM_MEMORY: Final = 32 * 2**20
"""Bytes that a flow's realm may have."""
PROCESS_MEMORY: Final = 2**30
"""Bytes of address space of the whole process: some hundred realms, and one that is at its limit."""
_SPARE_CPU: Final = 5.0

_encode = msgspec.msgpack.Encoder().encode
_work = msgspec.msgpack.Decoder(Work)


class Runner:
    """Runs batches of logins.

    Args:
        realms: the code and the realms.
        cpu: the clock of this thread's processor time, in seconds. The process's is as coarse as the
            kernel's ticks, once it has a limit.
        end_after: has this process ended once it has used so many seconds more.
    """

    def __init__(
        self,
        realms: Realms,
        cpu: Callable[[], float] = time.thread_time,
        end_after: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._realms = realms
        self._cpu = cpu
        self._end_after = end_after

    def cpu_needed(self, work: Work) -> float:
        """Return the processor time that a batch may take at most, generously."""
        limits = (self._realms.code(number).flow_time_limit for number, _ in work.logins)
        return 2 * sum(limits) + _SPARE_CPU

    def learn(self, work: Work) -> None:
        """Take a batch's new code."""
        self._realms.learn(work.flows, work.dropped)

    def answers(self, work: Work) -> Iterator[list[Answer]]:
        """Run a batch, and give its answers as they are to be sent."""
        left = dict(work.shares)
        kept: list[Answer] = []
        for number, login in work.logins:
            if left[login.tenant] > 0:
                self._end_after(self._realms.longest(number, login))
                started = self._cpu()
                report = self._run(number, login)
                seconds = max(0.0, self._cpu() - started)
                left[login.tenant] -= charged(seconds)
            else:
                report, seconds = _NO_SHARE, 0.0
            kept.append(Answer(seconds, msgspec.Raw(_encode(report))))
            if len(kept) >= work.every or seconds > LAZY_SECONDS:
                yield kept
                kept = []
        self._end_after(0)
        if kept:
            yield kept

    def _run(self, number: int, login: FlowLogin) -> FlowReport:
        try:
            return self._realms.run(number, login)
        except MemoryError:
            raise  # it is at its end, and another process takes over
        except Exception as error:  # noqa: BLE001  # a mistake in here is one login's, and told without its text
            return FlowReport(failure=Failure(kind=ErrorKind.CRASHED, message=_where(error)))


_NO_SHARE: Final = FlowReport(
    failure=Failure(
        kind=ErrorKind.SHARE,
        message="The tenant's Actions have used up their share of this worker's time",
    )
)


def _where(error: BaseException) -> str:
    """Return what went wrong and where; an exception's text could quote a secret (law 9)."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" in {trace.tb_frame.f_code.co_name}, line {trace.tb_lineno}"
    return f"{type(error).__name__}{place}"


def warm_up(make: Callable[[FlowCode], Runnable]) -> None:
    """Run a login of nobody, so that everything that is read when it is first needed has been read."""
    source = "exports.onExecutePostLogin = async () => { new URL('https://example.com'); };"
    action = ActionCode(name="warm-up", version=1, kind=ActionKind.ACTION, source=source)
    flow = FlowCode(actions=(action,), time_limit=1.0, flow_time_limit=1.0)
    login = FlowLogin(tenant="warm-up", event=b'{"user":{},"client":{}}', at=0, seed=bytes(16))
    work = Work(
        number=0, flows={1: flow}, dropped=(), shares={"warm-up": 1.0}, every=1, logins=[(1, login)]
    )
    runner = Runner(Realms(make))
    runner.learn(_work.decode(_encode(work)))
    for answers in runner.answers(work):
        _encode(Answers(number=0, answers=answers))


def serve(make: Callable[[FlowCode], Runnable]) -> None:
    """Shut this process in and serve the worker on descriptor 0, until that is closed.

    Args:
        make: makes a realm for a flow.
    """
    warm_up(make)
    gc.collect()
    gc.freeze()
    runner = Runner(Realms(make), end_after=end_after)
    lacks = confine(memory=PROCESS_MEMORY)
    _write(_encode(Ready(lacks=lacks)))
    while (frame := _read()) is not None:
        work = _work.decode(frame)
        del frame
        runner.learn(work)
        allow_cpu(runner.cpu_needed(work))
        for answers in runner.answers(work):
            _write(_encode(Answers(number=work.number, answers=answers)))


def _read() -> bytes | None:
    header = _exactly(HEADER_BYTES)
    return None if header is None else _exactly(int.from_bytes(header, "big"))


def _exactly(size: int) -> bytes | None:
    """Return so many bytes; None where the worker has gone."""
    parts = []
    while size:
        part = os.read(DESCRIPTOR, min(size, 2**20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _write(body: bytes) -> None:
    rest = memoryview(framed(body))
    while rest:
        rest = rest[os.write(DESCRIPTOR, rest) :]


def main() -> None:
    """Run the sandbox's program."""
    serve(lambda flow: Realm(flow, memory_limit=REALM_MEMORY))


if __name__ == "__main__":
    main()
