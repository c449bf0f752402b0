"""Limits for a worker that its system does not enforce, checked from the caller's process.

Linux ends a worker that does not stop computing (SIGPROF), and refuses memory above a limit (RLIMIT_DATA). macOS
enforces no limit on memory, and Windows has no CPU timer: there the caller looks at its worker while it waits for an
answer.
"""

from __future__ import annotations

import contextlib
from typing import Any, Final

import psutil

from preflight.worker.child import MEMORY_BYTES

CPU_LIMIT_S: Final = 8.0
"""As `preflight.worker.worker.CPU_LIMIT_S`."""


class Monitor:
    """CPU time and memory of a worker process, seen from outside.

    Args:
        pid: The worker.
    """

    def __init__(self, pid: int) -> None:
        self._process: Any = None
        with contextlib.suppress(psutil.Error):  # it has ended, which its pipe reports
            self._process = psutil.Process(pid)
        self._before_s = 0.0
        self.restart()

    def restart(self) -> None:
        """Count CPU time from now on: the worker answered, or was given a job."""
        self._before_s = self._used_s()

    def exceeded(self) -> str:
        """Return ``time`` or ``memory`` where the worker is above that limit; else an empty text."""
        if self._process is None:
            return ""
        if self._used_s() - self._before_s > CPU_LIMIT_S:
            return "time"
        try:
            return "memory" if self._process.memory_info().rss > MEMORY_BYTES else ""
        except psutil.Error:
            return ""

    def _used_s(self) -> float:
        if self._process is None:
            return 0.0
        try:
            times = self._process.cpu_times()
        except psutil.Error:
            return self._before_s
        return float(times.user + times.system)
