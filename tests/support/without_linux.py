"""Run the command, and the processes that it starts, as on a POSIX system without what only Linux has.

    python -P tests/support/without_linux.py check take.wav

`sys.platform` is ``darwin``; there is no memfd, no /proc, no pidfd, no pipe2, no poll, no CPU timer and no limit on
memory, and all pipes hold 64 KiB. What differs between macOS and this simulation remains: its kernel and its libraries.
"""

from __future__ import annotations

import builtins
import fcntl
import os
import resource
import select
import signal
import subprocess
import sys
import sysconfig

# what chooses its implementation by the system at import
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import av
import numpy
import psutil
import soundfile

HERE: Final = Path(__file__).resolve()
_F_SETPIPE_SZ: Final = 1031  # fcntl.h of Linux
_PIPE_BYTES: Final = 65_536
_MISSING: Final = {
    os: ("memfd_create", "pidfd_open", "pipe2", "sched_getaffinity", "sched_setaffinity", "splice", "eventfd"),
    select: ("poll", "epoll"),
    signal: ("setitimer", "pidfd_send_signal"),
    resource: ("prlimit",),
}


def install() -> None:
    """Remove it all from this process."""
    assert av
    assert numpy
    assert soundfile
    assert psutil.Process().cpu_times()
    urllib.request.getproxies()
    assert sysconfig.get_config_vars()
    for module, names in _MISSING.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    signal.setitimer = lambda *_: None  # type: ignore[assignment] # macOS has one; without it the caller must watch
    for name in ("open", "stat", "listdir", "scandir", "readlink"):
        setattr(os, name, _without_proc(getattr(os, name)))
    builtins.open = _without_proc(builtins.open)
    subprocess.Popen = _Popen  # type: ignore[misc, assignment]
    fcntl.F_FULLFSYNC = 51  # type: ignore[attr-defined] # of macOS; Linux refuses it (EINVAL), as some file systems do
    sys.platform = "darwin"


def _without_proc(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(path: Any = ".", *arguments: Any, **settings: Any) -> Any:
        caller = str(sys._getframe(1).f_globals.get("__name__"))  # on macOS psutil needs no /proc
        is_hidden = isinstance(path, str | bytes | os.PathLike) and os.fsdecode(path).startswith("/proc")
        if is_hidden and not caller.startswith("psutil"):
            raise FileNotFoundError(2, "No such file or directory", path)
        return function(path, *arguments, **settings)

    return call


class _Popen(subprocess.Popen):  # type: ignore[type-arg]
    """Starts Python processes in the same way, and makes pipes as small as those of macOS."""

    def __init__(self, arguments: Any, *more: Any, **settings: Any) -> None:
        if isinstance(arguments, list) and arguments[0] == sys.executable:
            arguments = _prefixed(arguments)
        super().__init__(arguments, *more, **settings)
        for pipe in (self.stdin, self.stdout):
            if pipe is not None:
                fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_BYTES)


def _prefixed(arguments: list[str]) -> list[str]:
    """The command line of a Python process that calls `install` first."""
    before = (
        f"import sys; sys.path[:0] = {sys.path!r}; import runpy; "
        f"runpy.run_path({str(HERE)!r}, run_name='without_linux')['install'](); "
    )
    if "-c" in arguments:
        at = arguments.index("-c")
        return [*arguments[: at + 1], before + arguments[at + 1], *arguments[at + 2 :]]
    at = arguments.index("-m")
    run = f"sys.argv[0] = 'x'; runpy.run_module({arguments[at + 1]!r}, run_name='__main__', alter_sys=True)"
    return [*arguments[:at], "-c", before + run, *arguments[at + 2 :]]


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parents[2]))
    install()
    from onetake.__main__ import main

    main()
