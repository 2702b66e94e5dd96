"""A process that is shut in can compute, and answer on its one descriptor; nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import psutil
import pytest

from countersign.actions.process import PROCESS_MEMORY
from countersign.actions.sandbox import Sandbox
from tests.sandboxes import an_obedient_sandbox
from tests.waiting import eventually

SECRET = "a-secret-of-the-workers"
_PROBE = """
import json, os, resource, socket, sys, subprocess
from countersign.actions.confinement import confine
if user := int(sys.argv[1]):
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
lacks = confine(memory=2**29)
def took(step):
    try:
        step()
    except BaseException as error:
        return type(error).__name__
    return ""
print_ = lambda told: os.write(0, json.dumps(told).encode() + b"\\n")
tries = {
    "read": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "write": lambda: os.open("/tmp/x", os.O_CREAT | os.O_WRONLY),
    "null": lambda: os.open("/dev/null", os.O_RDONLY),
    "socket": lambda: socket.socket(),
    "unix": lambda: socket.socket(socket.AF_UNIX),
    "pair": lambda: socket.socketpair(),
    "pipe": lambda: os.pipe(),
    "dup": lambda: os.dup(0),
    "fork": lambda: os._exit(0) if os.fork() == 0 else None,
    "memory": lambda: bytearray(2**30),
    "root": lambda: os.setuid(0) if os.getuid() else (_ for _ in ()).throw(OSError),
    "more-files": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
    "more-processes": lambda: resource.setrlimit(resource.RLIMIT_NPROC, (64, 64)),
}
failed = {name: took(step) for name, step in tries.items()}
open_ = [n for n in range(1, 256) if took(lambda: os.fstat(n)) == ""]
print_({"lacks": lacks, "failed": failed, "open": open_, "environment": dict(os.environ),
        "cwd": os.getcwd(), "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
        "size": resource.getrlimit(resource.RLIMIT_FSIZE)[0]})
os.execv("/bin/sh", ["sh", "-c", "echo ran >&0"])
"""


class _Told(msgspec.Struct):
    lacks: list[str]
    failed: dict[str, str]
    open: list[int]
    environment: dict[str, str]
    cwd: str
    core: int
    size: int


def _probe(user: int = 0) -> _Told:
    """Return what a process found that was shut in, with a file of the worker's left open on purpose."""
    here, there = socket.socketpair()
    with here, there, Path("/etc/hosts").open("rb") as left_open:
        process = subprocess.Popen(  # noqa: S603  # this interpreter, and the text above
            [sys.executable, "-I", "-c", _PROBE, str(user)],
            stdin=there.fileno(),
            pass_fds=(left_open.fileno(),),
            env={**os.environ, "COUNTERSIGN_SETTINGS_KEY": SECRET},
        )
        there.close()
        here.settimeout(30)
        with here.makefile("rb") as answers:
            line = answers.readline()
            # No program of the system runs.
            assert answers.read() == b""
        here.close()
        process.wait(30)
    return msgspec.json.decode(line, type=_Told)


@pytest.mark.parametrize("as_root", [True, False])
def test_nothing_but_computing(*, as_root: bool) -> None:
    """No file, no socket, no process, no program, no more memory; no way to raise a limit again.

    Whether or not the worker is root.
    """
    if as_root != (os.geteuid() == 0) and as_root:
        pytest.skip("This user isn't root")
    told = _probe(0 if as_root or os.geteuid() else 65_533)
    assert {name for name, error in told.failed.items() if not error} == set()
    assert told.open == []
    assert told.cwd == "/"
    assert (told.core, told.size) == (0, 0)
    if sys.platform == "linux":
        assert told.lacks == []


@pytest.mark.law(9)
def test_no_secret_in_the_environment() -> None:
    """Law 9: the worker's environment is nowhere in the process."""
    assert _probe().environment == {"TZ": "UTC"}


@pytest.mark.law(9)
@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
async def test_the_real_process_from_outside() -> None:
    """The sandbox's own process began without the worker's environment, and has one descriptor."""
    async with Sandbox() as sandbox:
        found = await asyncio.to_thread(_seen, Path(f"/proc/{sandbox.pid}"))
    if os.geteuid() == 0:
        assert set(found["environ"].split("\0")) == {"TZ=UTC", ""}
        assert found["fd"] == "0"
        assert "Uid:\t65534\t65534\t65534\t65534" in found["status"]
    assert "NoNewPrivs:\t1" in found["status"]
    assert f"Max address space         {PROCESS_MEMORY} " in found["limits"]
    assert "Max open files            1 " in found["limits"]


def _seen(process: Path) -> dict[str, str]:
    found = {name: (process / name).read_text("utf-8") for name in ("status", "limits")}
    if os.geteuid() == 0:  # nobody else may look: the process is not dumpable
        found["environ"] = (process / "environ").read_text("utf-8")
        found["fd"] = " ".join(path.name for path in (process / "fd").iterdir())
    return found


async def test_signals_of_a_terminal_leave_it_alone() -> None:
    """Ctrl-C and a polite end are for the worker, which finishes its batch first."""
    async with an_obedient_sandbox() as sandbox:
        assert sandbox.pid is not None
        for polite in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(sandbox.pid, polite)
        assert os.getsid(sandbox.pid) != os.getsid(0)
        assert psutil.pid_exists(sandbox.pid)


_WORKER = """
import asyncio, sys
sys.path[:0] = [{root!r}]
from tests.sandboxes import a_flow, a_job, an_obedient_sandbox
async def main():
    async with an_obedient_sandbox() as sandbox:
        print(sandbox.pid, flush=True)
        await sandbox.run([a_job(a_flow(flow_limit=20), do="hang")])
asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it ends with its next answer")
async def test_it_ends_with_its_worker() -> None:
    """A worker that is killed takes its sandbox along, even out of the middle of a login."""
    root = str(Path(__file__).parents[2])
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WORKER.format(root=root), stdout=asyncio.subprocess.PIPE
    )
    assert worker.stdout is not None
    while not (line := (await worker.stdout.readline()).strip()).isdigit():
        assert line  # lines of the log come before
    sandbox = psutil.Process(int(line))
    worker.kill()
    await worker.wait()
    await eventually(lambda: _is_gone(sandbox))


def _is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
