"""Shuts a process in, so that it can compute, answer on one descriptor, and nothing else.

Law: whatever tenants' code makes of the engine that runs it, it finds no secret, no file, no network and
no other process. Limits that an operating system lacks are named, and the others hold without them.
"""

from __future__ import annotations

import ctypes
import gc
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from countersign.actions.system_calls import refuse_system_calls

NOBODY: Final = 65_534
"""A user and group that own nothing; root's processes aren't counted, so the limit on them wants another."""
DESCRIPTOR: Final = 0
"""The one descriptor that stays open."""

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_ON_LINUX: Final = sys.platform.startswith("linux")
_MOST_DESCRIPTORS: Final = 65_536


def confine(*, memory: int) -> tuple[str, ...]:
    """Shut this process in for good; descriptor 0 stays open.

    Args:
        memory: bytes of address space that it may have.

    Returns:
        What the operating system doesn't have or allow.
    """
    # Whoever starts it ends it: by closing its descriptor, or by force.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    os.environ.clear()
    os.environ["TZ"] = "UTC"
    time.tzset()
    os.chdir("/")
    limits = {
        "processes": (resource.RLIMIT_NPROC, 0),
        "file-size": (resource.RLIMIT_FSIZE, 0),
        "core": (resource.RLIMIT_CORE, 0),
        "memory": (resource.RLIMIT_AS, memory),
        # Descriptor 0 is open, and one more would be number 1. Programs need some to load their libraries.
        "descriptors": (resource.RLIMIT_NOFILE, DESCRIPTOR + 1),
    }
    steps: dict[str, Callable[[], object]] = {
        "user": _become_nobody,
        # After the user was changed, which takes it back.
        **_linux(),
        "inherited": _close_the_rest,
        **{name: partial(_limit, *limit) for name, limit in limits.items()},
        **({"system-calls": refuse_system_calls} if _ON_LINUX else {}),
    }
    return tuple(name for name, step in steps.items() if not _taken(step))


def allow_cpu(seconds: float) -> None:
    """Let this process use so much more processor time, and be ended after that."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    until = math.ceil(time.process_time() + seconds)
    if most != resource.RLIM_INFINITY:
        until = min(until, most)
    resource.setrlimit(resource.RLIMIT_CPU, (until, most))


def end_after(cpu: float) -> None:
    """Have the kernel end this process once it has used so much more processor time; 0 calls that off.

    What the engine does without looking at its limit, such as sorting an array of four thousand million
    holes, is ended so.
    """
    signal.setitimer(signal.ITIMER_PROF, cpu)


def _taken(step: Callable[[], object]) -> bool:
    try:
        step()
    except (OSError, ValueError):
        return False
    return True


def _become_nobody() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def _linux() -> dict[str, Callable[[], object]]:
    if not _ON_LINUX:
        return {}
    return {
        "privileges": lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1),
        "dumps": lambda: _prctl(_PR_SET_DUMPABLE, 0),
        "parent": lambda: _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
    }


def _prctl(option: int, value: int) -> None:
    words = [ctypes.c_ulong(word) for word in (value, 0, 0, 0)]
    if ctypes.CDLL(None, use_errno=True).prctl(option, *words) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _close_the_rest() -> None:
    sys.stdin = sys.stdout = sys.stderr = None
    gc.collect()
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else min(soft, _MOST_DESCRIPTORS)
    os.closerange(DESCRIPTOR + 1, most)


def _limit(which: int, value: int) -> None:
    _, most = resource.getrlimit(which)
    value = value if most == resource.RLIM_INFINITY else min(value, most)
    resource.setrlimit(which, (value, value))
