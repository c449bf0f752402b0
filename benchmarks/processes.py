"""CPU time and memory of processes, read from /proc: Linux only."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SYSTEM: Final = Path("/proc")
_IDLE: Final = (3, 4)
_TIMES: Final = slice(0, 8)
_PROCESS_TIMES: Final = slice(11, 15)
"""The fields after a process's name (proc(5)): user and system time, its own and that of children it waited for."""


def family(number: int) -> Iterator[int]:
    """Yield a process, its children, and theirs."""
    yield number
    try:
        children = [child for task in (_SYSTEM / str(number) / "task").iterdir() for child in _children(task)]
    except OSError:  # it ended meanwhile
        return
    for child in children:
        yield from family(child)


def peak_mb(number: int) -> float | None:
    """Return the peak resident memory of a process so far, in 10^6 bytes; None when it has ended."""
    return _status_mb(number, "VmHWM:")


def resident_mb(number: int) -> float | None:
    """Return the resident memory of a process now, in 10^6 bytes; None when it has ended."""
    return _status_mb(number, "VmRSS:")


def elsewhere_s() -> float:
    """Return the CPU seconds that other programs have used so far; 0 where unknown."""
    if sys.platform != "linux":
        return 0.0
    fields = [int(field) for field in _read(_SYSTEM / "stat").split("\n", 1)[0].split()[1:][_TIMES]]
    busy = sum(fields) - sum(fields[place] for place in _IDLE)
    return busy / os.sysconf("SC_CLK_TCK") - cpu_s_of_family()


def cpu_s_of_family() -> float:
    """Return the CPU seconds so far of this process, its children, and those that they have waited for."""
    ticks = sum(sum(_ticks(number)) for number in family(os.getpid()))
    return ticks / os.sysconf("SC_CLK_TCK")


def _status_mb(number: int, field: str) -> float | None:
    lines = _read(_SYSTEM / str(number) / "status").splitlines()
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(field)), None)


def _ticks(number: int) -> list[int]:
    behind_name = _read(_SYSTEM / str(number) / "stat").rpartition(")")[2].split()
    return [int(field) for field in behind_name[_PROCESS_TIMES]]


def _children(task: Path) -> list[int]:
    return [int(child) for child in (task / "children").read_text(encoding="ascii").split()]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # the process ended meanwhile
        return ""
