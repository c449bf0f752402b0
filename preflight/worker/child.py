"""Child processes: the interpreter to start, its modules and environment, and its end together with the caller.

Windows limits a child from outside, and ends it with its caller, by a job object:
https://learn.microsoft.com/windows/win32/procthread/job-objects
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

_KEPT: Final = re.compile(
    # programs and libraries, language, time zone, temporary files
    "PATH|LD_LIBRARY_PATH|DYLD_.*|LANG|LANGUAGE|LC_.*|TZ|TMPDIR|TEMP|TMP|"
    # Windows cannot start a process without the first of these
    "SYSTEMROOT|SYSTEMDRIVE|WINDIR|PATHEXT|NUMBER_OF_PROCESSORS|"
    "PYTHONHOME|PYTHONUTF8|PYTHONDONTWRITEBYTECODE|PYTHONPYCACHEPREFIX|PYTHONPLATLIBDIR|"
    "OPENBLAS_.*|OMP_.*|MKL_.*",
    re.IGNORECASE,
)
"""The environment variables that a child gets."""

if sys.platform == "win32":
    OWN_GROUP = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    """`creationflags` of a process that Ctrl-C in the caller's console does not reach, and that opens no window."""
else:
    OWN_GROUP = 0

MEMORY_BYTES: Final = 1 << 30
"""Committed memory of a worker. It counts what libraries reserve, so it is larger than the limit on Linux."""
# no garbage collection during the imports: what they create stays
_START: Final = (
    "import gc, sys; gc.disable(); sys.path[:] = sys.argv[2:]; "
    "from preflight.worker.worker import main; main(sys.argv[1])"
)


def is_possible() -> bool:
    """Whether there is an interpreter to start: a program that embeds one has none."""
    return bool(sys.executable) and not getattr(sys, "frozen", False)


def interpreter() -> str:
    """The interpreter to start.

    On Windows `sys.executable` of a virtual environment is a launcher, which would be killed and measured in place of
    the interpreter that it starts.
    """
    return getattr(sys, "_base_executable", sys.executable) if sys.platform == "win32" else sys.executable


def module_path() -> list[str]:
    """Where this process finds its modules, and `preflight` itself, however it was found."""
    entries = [entry for entry in sys.path if entry]
    if "" in sys.path:
        with contextlib.suppress(OSError):  # the working folder was removed, with what was in it
            entries.insert(sys.path.index(""), str(Path.cwd()))
    home = str(Path(__file__).resolve().parents[2])
    return entries if home in entries else [*entries, home]


def clean_environment() -> dict[str, str]:
    """This process's environment for a child, without what the child does not need: keys, proxies, settings."""
    return {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)}


class StartedWorker(NamedTuple):
    """A worker process and, on systems other than Windows, the socket through which it gets recordings."""

    process: subprocess.Popen[bytes]
    files: socket.socket | None


def start_worker() -> StartedWorker:
    """Start a worker process, which waits for jobs (`preflight.worker.protocol`) and ends with its standard input.

    The interpreter is started directly, not by `multiprocessing`: callers need no ``__main__`` guard, and the worker
    inherits none of their state, even if they have threads. This module imports as little as possible: the command
    starts a worker first, and imports its own modules while the worker starts.
    """
    ours: socket.socket | None = None
    theirs: socket.socket | None = None
    if sys.platform != "win32" and hasattr(socket, "send_fds"):
        # a pair without a name: no other process can connect to it
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with theirs or contextlib.nullcontext():
        inherited = [theirs.fileno()] if theirs else []
        process = subprocess.Popen(
            [interpreter(), "-P", "-s", "-S", "-c", _START, "".join(map(str, inherited)), *module_path()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**clean_environment(), "OPENBLAS_NUM_THREADS": "1"},
            pass_fds=inherited,
            process_group=0,  # Ctrl-C is for the caller
            creationflags=OWN_GROUP,
        )
    return StartedWorker(process, ours)


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _EXTENDED_LIMITS: Final = 9  # JobObjectExtendedLimitInformation
    _PROCESS_MEMORY, _KILL_ON_CLOSE = 0x100, 0x2000  # JOB_OBJECT_LIMIT_…, winnt.h
    _SET_QUOTA_AND_TERMINATE: Final = 0x0101  # PROCESS_SET_QUOTA | PROCESS_TERMINATE

    class _BasicLimits(ctypes.Structure):
        """JOBOBJECT_BASIC_LIMIT_INFORMATION."""

        _fields_ = (
            ("process_time", wintypes.LARGE_INTEGER),
            ("job_time", wintypes.LARGE_INTEGER),
            ("flags", wintypes.DWORD),
            ("minimum_working_set", ctypes.c_size_t),
            ("maximum_working_set", ctypes.c_size_t),
            ("processes", wintypes.DWORD),
            ("affinity", ctypes.c_size_t),
            ("priority", wintypes.DWORD),
            ("scheduling", wintypes.DWORD),
        )

    class _ExtendedLimits(ctypes.Structure):
        """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

        _fields_ = (
            ("basic", _BasicLimits),
            ("io", ctypes.c_ulonglong * 6),
            ("process_memory", ctypes.c_size_t),
            ("job_memory", ctypes.c_size_t),
            ("peak_process_memory", ctypes.c_size_t),
            ("peak_job_memory", ctypes.c_size_t),
        )

    def create_job(pid: int, memory_bytes: int | None = None) -> int | None:
        """Let a child end with this process, even if this one is killed.

        Args:
            pid: The child.
            memory_bytes: The maximum of its committed memory: an allocation above it fails.

        Returns:
            The handle of the job, for `close_job`; None if the system refuses. The system closes it when this process
            ends, and kills the child when it is closed.
        """
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateJobObjectW.restype = kernel.OpenProcess.restype = wintypes.HANDLE
        kernel.CreateJobObjectW.argtypes = (wintypes.LPVOID, wintypes.LPCWSTR)
        kernel.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
        kernel.SetInformationJobObject.argtypes = (wintypes.HANDLE, ctypes.c_int, wintypes.LPVOID, wintypes.DWORD)
        kernel.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
        kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
        job, child = kernel.CreateJobObjectW(None, None), kernel.OpenProcess(_SET_QUOTA_AND_TERMINATE, False, pid)
        limits = _ExtendedLimits()
        limits.basic.flags = _KILL_ON_CLOSE | (_PROCESS_MEMORY if memory_bytes else 0)
        limits.process_memory = memory_bytes or 0
        is_bound = bool(
            job
            and child
            and kernel.SetInformationJobObject(job, _EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits))
            and kernel.AssignProcessToJobObject(job, child)
        )
        for handle in (child, None if is_bound else job):
            if handle:
                kernel.CloseHandle(handle)
        return int(job) if is_bound else None

    def close_job(job: int) -> None:
        """Close a job and kill its processes."""
        kernel = ctypes.WinDLL("kernel32")
        kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
        kernel.CloseHandle(job)

else:

    def create_job(pid: int, memory_bytes: int | None = None) -> int | None:
        """Return None: other systems have resource limits and signals."""
        del pid, memory_bytes
        return None

    def close_job(job: int) -> None:
        """Do nothing."""
        del job
