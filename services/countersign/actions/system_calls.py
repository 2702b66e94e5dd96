"""Takes system calls from this process for good, on Linux: what would reach files, networks or processes.

Law: a process of the same user could read and signal the worker, which no resource limit forbids. Only native
code that broke out of the engine could try; this is the wall behind that one (seccomp(2)).
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from typing import Final, NamedTuple

_PR_SET_SECCOMP: Final = 22
_SECCOMP_MODE_FILTER: Final = 2
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
_NUMBER_AT, _MACHINE_AT = 0, 4
_X32: Final = 0x40000000
"""The bit of a second set of numbers that x86-64 has."""


class _Machine(NamedTuple):
    audit: int
    refused: tuple[int, ...]


# pidfd_open, pidfd_send_signal, pidfd_getfd, io_uring_setup, clone3, openat2, process_madvise, fchmodat2: the
# same everywhere
_NEWER: Final = (434, 424, 438, 425, 435, 437, 440, 452)
_MACHINES: Final = {
    # execve, execveat, fork, vfork, clone, socket, connect, open, openat, creat, ptrace, process_vm_readv,
    # process_vm_writev, kill, tkill, tgkill, bpf, rt_sigqueueinfo, rt_tgsigqueueinfo; then what changes files
    # by their names: truncate, rename, mkdir, rmdir, link, unlink, symlink, chmod, chown, lchown, mknod,
    # unlinkat, renameat, renameat2, linkat, symlinkat, mkdirat, mknodat, fchmodat, fchownat, utimensat;
    # mount, umount2, chroot, pivot_root, setns, unshare, keyctl, add_key, request_key, setpriority,
    # perf_event_open
    "x86_64": _Machine(
        0xC000003E,
        (
            *(59, 322, 57, 58, 56, 41, 42, 2, 257, 85, 101, 310, 311, 62, 200, 234, 321, 129, 297),
            *(76, 82, 83, 84, 86, 87, 88, 90, 92, 94, 133, 263, 264, 316, 265, 266, 258, 259),
            *(268, 260, 280, 165, 166, 161, 155, 308, 272, 250, 248, 249, 141, 298),
            *_NEWER,
        ),
    ),
    # The same, where this machine has them.
    "aarch64": _Machine(
        0xC00000B7,
        (
            *(221, 281, 220, 198, 203, 56, 117, 270, 271, 129, 130, 131, 280, 138, 240),
            *(45, 35, 38, 276, 37, 36, 34, 33, 53, 54, 88, 40, 39, 51, 41, 268, 97),
            *(219, 217, 218, 140, 241),
            *_NEWER,
        ),
    ),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def refuse_system_calls() -> None:
    """Have the kernel refuse them from now on; `no_new_privs` is set.

    Raises:
        OSError: the kernel or the machine has no such filter.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        raise OSError(errno.ENOSYS, "no list of system calls for this machine")
    refused = machine.refused
    steps = [
        (_LOAD, 0, 0, _MACHINE_AT),
        (_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, len(refused) + 1, 0, _X32),
        *((_EQUAL, len(refused) - place, 0, number) for place, number in enumerate(refused)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    held = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(steps), ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    words = [
        ctypes.c_ulong(word) for word in (_SECCOMP_MODE_FILTER, ctypes.addressof(program), 0, 0)
    ]
    if libc.prctl(_PR_SET_SECCOMP, *words) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
