"""A guarded process ends with its owner, and a server that fails says how."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import psutil
import pytest

from countersign.local import Server, StackError
from countersign.local.child import GUARD, Child, wait_until
from countersign.local.errors import last_lines
from countersign.local.ports import free_port
from countersign.local.server import Launch

if TYPE_CHECKING:
    from pathlib import Path

SOON = timedelta(seconds=10)
WAITING = "import signal, sys; print('up', flush=True); signal.pause()"
STUBBORN = """
import signal
signal.signal(signal.SIGTERM, lambda *_: print("no", flush=True))
print("up", flush=True)
while True:
    signal.pause()
"""


def python(code: str) -> list[str]:
    """Return the command that runs some Python."""
    return [sys.executable, "-I", "-S", "-c", code]


def guard_command(owner: str, log: Path, discard: str) -> list[str]:
    """Return the command that runs a guard over something that waits."""
    return [sys.executable, "-I", "-S", str(GUARD), owner, str(log), discard, *python(WAITING)]


def is_gone(pid: int) -> bool:
    """Return whether a process has ended, reaped or not."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def server(
    directory: Path,
    code: str,
    *,
    ready: bool = True,
    start_patience: timedelta = SOON,
    stop_patience: timedelta = SOON,
) -> Server:
    """Make a server of some Python; it's ready once it has printed something, or never."""
    log = directory / "log"

    async def answers() -> bool:
        return ready and last_lines(log) != []

    return Server(
        Launch(
            name="Snake",
            command=python(code),
            directory=directory,
            log=log,
            port=free_port(),
            answers=answers,
            start_patience=start_patience,
            stop_patience=stop_patience,
        )
    )


async def test_child_ends_when_its_guard_loses_the_owner(tmp_path: Path) -> None:
    """The end of the guard's input kills the command, and deletes what was to be discarded."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with subprocess.Popen(  # noqa: S603, ASYNC220  # our own script
        guard_command(str(os.getpid()), tmp_path / "log", str(scratch)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as guard:
        assert guard.stdin is not None
        assert guard.stdout is not None
        pid = int(guard.stdout.readline())
        assert not is_gone(pid)
        guard.stdin.close()
        assert guard.wait(timeout=10) == 128 + 9
    assert is_gone(pid)
    assert not scratch.exists()


async def test_child_ends_though_a_fork_of_the_owner_holds_the_pipe(tmp_path: Path) -> None:
    """A guard whose parent isn't its owner kills the command, the pipe open or not."""
    with subprocess.Popen(  # noqa: S603, ASYNC220  # our own script
        guard_command("0", tmp_path / "log", ""),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as guard:
        assert guard.wait(timeout=10) == 128 + 9


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel ends a dead guard's child")
async def test_child_ends_with_its_guard(tmp_path: Path) -> None:
    """A guard that is killed takes its command with it."""
    child = await Child.spawn(python(WAITING), directory=tmp_path, log=tmp_path / "log")
    pid = child.pid
    assert pid is not None
    guard = psutil.Process(pid).parent()
    assert guard is not None
    guard.kill()
    assert await child.ended(SOON)
    assert await wait_until(lambda: is_gone(pid), SOON)


async def test_child_runs_in_a_session_of_its_own(tmp_path: Path) -> None:
    """Ctrl-C in our terminal reaches neither the command nor its guard."""
    child = await Child.spawn(python(WAITING), directory=tmp_path, log=tmp_path / "log")
    try:
        assert child.pid is not None
        guard = psutil.Process(child.pid).parent()
        assert guard is not None
        assert len({os.getsid(0), os.getsid(guard.pid), os.getsid(child.pid)}) == 3
    finally:
        child.kill()
        assert await child.ended(SOON)


@pytest.mark.parametrize(
    ("code", "status"),
    [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 15)", 128 + 15)],
)
async def test_child_tells_its_status(tmp_path: Path, code: str, status: int) -> None:
    """The command's exit status comes through the guard, a signal as 128 and its number."""
    child = await Child.spawn(python(code), directory=tmp_path, log=tmp_path / "log")
    assert await child.ended(SOON)
    assert child.status == status


async def test_command_that_cannot_be_executed_has_ended(tmp_path: Path) -> None:
    """A command that isn't there is a child with status 127, the reason in its log."""
    child = await Child.spawn(["/nowhere/program"], directory=tmp_path, log=tmp_path / "log")
    assert await child.ended(SOON)
    assert (child.pid, child.status) == (None, 127)
    assert "/nowhere/program can't be executed" in last_lines(tmp_path / "log")[0]


async def test_server_that_ends_early_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    """The error says that the process ended, with what status, and what it said."""
    snake = server(tmp_path, "print('out of mice'); raise SystemExit(3)", ready=False)
    with pytest.raises(StackError, match="Snake ended with status 3") as caught:
        await snake.start()
    assert "  out of mice" in str(caught.value)


async def test_server_that_never_answers_is_an_error_and_is_ended(tmp_path: Path) -> None:
    """When the time to start runs out, the error says so and the process is gone."""
    snake = server(tmp_path, WAITING, ready=False, start_patience=timedelta(seconds=0.2))
    with pytest.raises(StackError, match="gave no answer"):
        await snake.start()
    assert not snake.running


async def test_server_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """A server that doesn't stop within its patience is killed."""
    snake = server(tmp_path, STUBBORN, stop_patience=timedelta(seconds=0.2))
    await snake.start()
    await snake.stop()
    assert not snake.running
    assert last_lines(snake.log) == ["up", "no"]


async def test_server_can_be_told_twice(tmp_path: Path) -> None:
    """Starting a running server and stopping a stopped one do nothing."""
    snake = server(tmp_path, WAITING)
    await snake.stop()
    await snake.start()
    pid = snake.pid
    await snake.start()
    assert snake.pid == pid
    await snake.kill()
    await snake.kill()
    await snake.stop()
    assert snake.pid is None
    assert snake.address == f"127.0.0.1:{snake.port}"


async def test_server_that_is_down_cannot_be_paused(tmp_path: Path) -> None:
    """Pausing what doesn't run is an error."""
    with pytest.raises(StackError, match="Snake isn't running"):
        await server(tmp_path, WAITING).pause()
