"""Run one command, and kill it as soon as the process that asked for it is gone.

Law: no command outlives its owner, however the owner ends, SIGKILL included. The owner is the only
holder of the write end of this script's standard input, so the end of that input is the owner's
end. The script stands alone on the standard library (`python -I guard.py …`): it must start at
once, and an owner in an odd environment must not break it.

    guard.py OWNER-PID LOG DISCARD COMMAND…

It prints the command's process id, then ends with the command's status (128 + n for signal n).
DISCARD is a directory to delete, but only if it's the owner that goes first; it may be empty.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

OWNER_CHECK_SECONDS = 1.0
PR_SET_PDEATHSIG = 1


def main(owner: str, log: str, discard: str, *command: str) -> int:
    """Start the command, watch it and its owner, and return the command's exit status."""
    child_ended = catch_signals()
    with Path(log).open("ab") as output:
        try:
            child = subprocess.Popen(  # noqa: S603  # the owner's own command, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # Safe here: this process has one thread.
                preexec_fn=die_with_guard,  # noqa: PLW1509
            )
        except OSError as exc:
            output.write(f"{command[0]} can't be executed: {exc}\n".encode())
            return 127
    sys.stdout.write(f"{child.pid}\n")
    sys.stdout.flush()
    while child.poll() is None:
        readable, _, _ = select.select([sys.stdin, child_ended], [], [], OWNER_CHECK_SECONDS)
        if child_ended in readable:
            os.read(child_ended, 64)
        # The pid is asked as well: a fork of the owner without exec keeps the pipe open.
        if sys.stdin in readable or os.getppid() != int(owner):
            end_group(child)
            if discard:
                shutil.rmtree(discard, ignore_errors=True)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def catch_signals() -> int:
    """Outlive what is meant for the owner, and return a descriptor that wakes at SIGCHLD."""
    wake, alarm = os.pipe()
    os.set_blocking(alarm, False)
    signal.set_wakeup_fd(alarm)
    # Handlers, not SIG_IGN: an ignored signal would stay ignored in the command, and Java then
    # never hears SIGTERM.
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return wake


def die_with_guard() -> None:
    """Make the kernel kill the command when this guard is killed (Linux has that, macOS not)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def end_group(child: subprocess.Popen[bytes]) -> None:
    """Kill the command and whatever it has started, and reap it."""
    # The child isn't reaped yet, so its group can't be another's by now.
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
