"""Worker processes: acquired for a recording, released, and kept for the next one."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from typing import TYPE_CHECKING

from preflight.errors import DecoderFailed
from preflight.worker.process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.worker.child import StartedWorker


def usable_cores() -> int:
    """How many cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Cancelled(RuntimeError):
    """The result is no longer wanted."""


class WorkerPool:
    """Threads that use worker processes, and can be cancelled at any time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy: list[WorkerProcess] = []
        self._is_cancelled = False

    def add_thread(self) -> None:
        """Add the calling thread, until it ends."""
        _of_thread.pool = self

    def cancel(self) -> None:
        """Kill the processes that its threads use. Those threads get `Cancelled`, and so do those that want one later.

        Threads that hash a file get it at the next megabyte.
        """
        with self._lock:
            self._is_cancelled = True
            for process in self._busy:
                process.interrupt()

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._is_cancelled

    @contextlib.contextmanager
    def uses(self, process: WorkerProcess) -> Iterator[None]:
        """Note that one of its threads uses `process`.

        Raises:
            Cancelled: The pool was cancelled.
        """
        with self._lock:
            if self._is_cancelled:
                raise Cancelled
            self._busy.append(process)
        try:
            yield
        except DecoderFailed:
            if self._is_cancelled:  # it was killed: nothing is wrong with the recording
                raise Cancelled from None
            raise
        finally:
            with self._lock:
                self._busy.remove(process)


_of_thread = threading.local()
_free: list[WorkerProcess] = []
_lock = threading.Lock()


@contextlib.contextmanager
def acquire(*, fresh: bool = False) -> Iterator[WorkerProcess]:
    """A free worker process: one that was started before, or a new one.

    Args:
        fresh: Start a new one.

    Raises:
        Cancelled: The calling thread belongs to a pool that was cancelled.
    """
    pool: WorkerPool | None = getattr(_of_thread, "pool", None)
    process = _free_process() if not fresh else None
    process = process or WorkerProcess()
    try:
        with pool.uses(process) if pool else contextlib.nullcontext():
            yield process
    finally:
        with _lock:
            keep = process.is_free and len(_free) < (os.cpu_count() or 1)
            if keep:
                _free.append(process)
        if not keep:
            process.end()


def require_wanted() -> None:
    """Raise `Cancelled` where the calling thread belongs to a pool that was cancelled."""
    pool: WorkerPool | None = getattr(_of_thread, "pool", None)
    if pool is not None and pool.is_cancelled:
        raise Cancelled


def _free_process() -> WorkerProcess | None:
    with _lock:
        while _free:
            process = _free.pop()
            if process.is_alive:
                return process
            process.end()
    return None


def prepare(started: StartedWorker | None = None) -> None:
    """Keep a process that will be needed soon: it starts while its caller does other things.

    Args:
        started: The process; by default a new one.
    """
    process = WorkerProcess(started)
    with _lock:
        _free.append(process)


def end_all() -> None:
    """End the free processes."""
    with _lock:
        ended = _free[:]
        _free.clear()
    for process in ended:
        process.end()


def _forget() -> None:
    """In a fork: the processes belong to the parent, and a thread of the parent may have held the lock."""
    global _lock  # noqa: PLW0603 - there is one
    _free.clear()
    _lock = threading.Lock()


atexit.register(end_all)
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget)
