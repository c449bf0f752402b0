"""Seccomp of Linux: a process gives up, for good, system calls that decoding does not need.

A filter is a program for the kernel's classic BPF machine, which sees the number and the arguments of each system call;
see ``linux/seccomp.h`` and ``linux/filter.h``. Numbers are those of ``asm/unistd.h`` of each architecture.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from typing import Final

_SET_MODE_FILTER: Final = 1
_ALL_THREADS: Final = 1
"""SECCOMP_FILTER_FLAG_TSYNC"""

_LOAD: Final = 0x20
"""BPF_LD | BPF_W | BPF_ABS: load 32 bits at offset k of ``struct seccomp_data``."""
_IF_EQUAL: Final = 0x15
"""BPF_JMP | BPF_JEQ | BPF_K: skip `jt` instructions if they are k, else `jf`."""
_IF_ANY_BIT: Final = 0x45
"""BPF_JMP | BPF_JSET | BPF_K"""
_IF_AT_LEAST: Final = 0x35
"""BPF_JMP | BPF_JGE | BPF_K"""
_RETURN: Final = 0x06
_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000
_KILL: Final = 0x80000000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Offsets in ``struct seccomp_data``; of an argument of 64 bits, the lower half comes first (little-endian)."""
_X32: Final = 0x40000000
"""System calls of x86-64's second interface, which has numbers of its own."""

_CLONE_THREAD: Final = 0x10000
_TIOCSTI: Final = 0x5412
"""Types into the terminal as if the user did."""
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_AUDIT: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SECCOMP: Final = {"x86_64": 317, "aarch64": 277}
_CHECKED: Final = {
    "x86_64": {"open": 2, "openat": 257, "clone": 56, "kill": 62, "tgkill": 234, "ioctl": 16},
    "aarch64": {"openat": 56, "clone": 220, "kill": 129, "tgkill": 131, "ioctl": 29},
}
"""System calls whose arguments decide."""
_UNKNOWN: Final = (435, 437)
"""clone3 and openat2, whose arguments a filter cannot see: as if the kernel did not know them, so that the C library
uses clone and openat."""
_DENIED: Final = {
    "x86_64": (
        *(41, 53, 42, 49, 50, 43, 288),  # socket, socketpair, connect, bind, listen, accept, accept4
        *(59, 322, 57, 58),  # execve, execveat, fork, vfork
        *(101, 310, 311, 312),  # ptrace, process_vm_readv, process_vm_writev, kcmp
        *(200, 129, 297),  # tkill, rt_sigqueueinfo, rt_tgsigqueueinfo
        *(85, 87, 263, 82, 264, 316),  # creat, unlink, unlinkat, rename, renameat, renameat2
        *(83, 258, 84, 86, 265, 88, 266),  # mkdir, mkdirat, rmdir, link, linkat, symlink, symlinkat
        *(133, 259, 76, 77),  # mknod, mknodat, truncate, ftruncate
        *(90, 91, 268, 92, 93, 94, 260),  # chmod, fchmod, fchmodat, chown, fchown, lchown, fchownat
        *(188, 189, 190, 197, 198, 199),  # (l, f)setxattr, (l, f)removexattr
        *(132, 235, 261, 280),  # utime, utimes, futimesat, utimensat
        *(321, 298, 323, 248, 249, 250),  # bpf, perf_event_open, userfaultfd, add_key, request_key, keyctl
        *(165, 166, 155, 161, 272, 308, 304),  # mount, umount2, pivot_root, chroot, unshare, setns, open_by_handle_at
        *(169, 175, 313, 246),  # reboot, init_module, finit_module, kexec_load
    ),
    "aarch64": (
        *(198, 199, 203, 200, 201, 202, 242),
        *(221, 281),
        *(117, 270, 271, 272),
        *(130, 138, 240),
        *(35, 38, 276),
        *(34, 37, 36),
        *(33, 45, 46),
        *(52, 53, 54, 55),
        *(5, 6, 7, 14, 15, 16),
        *(88,),
        *(280, 241, 282, 217, 218, 219),
        *(40, 39, 41, 51, 97, 268, 265),
        *(142, 105, 273, 104),
    ),
}
"""The second list has the same calls in the same order, where the architecture has them."""
_DENIED_EVERYWHERE: Final = (
    *(424, 434, 438),  # pidfd_send_signal, pidfd_open, pidfd_getfd
    *(425, 426, 427),  # io_uring: works past filters
    *(428, 429, 430, 432, 442, 452),  # open_tree, move_mount, fsopen, fsmount, mount_setattr, fchmodat2
)


def deny_system_calls() -> bool:
    """Keep this process from network, other processes and everything that changes files: those calls fail with EPERM.

    The caller has set no-new-privileges.

    Returns:
        False, and nothing is changed, on an architecture whose numbers are not listed here, or without seccomp.
    """
    machine = platform.machine()
    if machine not in _AUDIT or sys.byteorder != "little" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    code = _program(machine, os.getpid())
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.syscall(_SECCOMP[machine], _SET_MODE_FILTER, _ALL_THREADS, ctypes.byref(program)) == 0)


class _Program(ctypes.Structure):
    """The kernel's ``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _program(machine: str, pid: int) -> bytes:
    calls = _CHECKED[machine]
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_IF_EQUAL, _AUDIT[machine], 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
        _step(_IF_AT_LEAST, _X32, 0, 1),
        _step(_RETURN, _ERRNO | errno.ENOSYS),
    ]
    for number in _UNKNOWN:
        steps += [_step(_IF_EQUAL, number, 0, 1), _step(_RETURN, _ERRNO | errno.ENOSYS)]
    for number in (*_DENIED[machine], *_DENIED_EVERYWHERE):
        steps += [_step(_IF_EQUAL, number, 0, 1), _step(_RETURN, _ERRNO | errno.EPERM)]
    for name, argument, test, value, is_allowed_if in (
        ("open", 1, _IF_ANY_BIT, _WRITING, False),
        ("openat", 2, _IF_ANY_BIT, _WRITING, False),
        ("clone", 0, _IF_ANY_BIT, _CLONE_THREAD, True),
        ("kill", 0, _IF_EQUAL, pid, True),
        ("tgkill", 0, _IF_EQUAL, pid, True),
        ("ioctl", 1, _IF_EQUAL, _TIOCSTI, False),
    ):
        if name in calls:
            verdicts = (_ERRNO | errno.EPERM, _ALLOW)
            steps += [
                _step(_IF_EQUAL, calls[name], 0, 4),
                _step(_LOAD, _ARGUMENTS + 8 * argument),
                _step(test, value, 0, 1),
                _step(_RETURN, verdicts[is_allowed_if]),
                _step(_RETURN, verdicts[not is_allowed_if]),
            ]
    return b"".join([*steps, _step(_RETURN, _ALLOW)])


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One ``struct sock_filter``."""
    return struct.pack("=HBBI", code, if_true, if_false, value)
