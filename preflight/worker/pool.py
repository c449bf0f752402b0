"""Who has which decoding process: they are lent, given back, and kept for the next recording."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from typing import TYPE_CHECKING

from preflight.errors import DecoderFailed
from preflight.worker.process import Process

if TYPE_CHECKING:
    from collections.abc import Iterator


class WorkerPool:
    """Threads that use processes, and can be dismissed at any time: what they wait for is then ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lent: list[Process] = []
        self._is_dismissed = False

    def join(self) -> None:
        """Let the calling thread belong to the crew, until it ends."""
        _of_thread.crew = self

    def dismiss(self) -> None:
        """End the processes that its threads use; those threads, and those that want one later, get `Dismissed`.

        So do those that read a file, at their next block.
        """
        with self._lock:
            self._is_dismissed = True
            for process in self._lent:
                process.interrupt()

    @property
    def is_dismissed(self) -> bool:
        """Whether `dismiss` was called."""
        return self._is_dismissed

    @contextlib.contextmanager
    def uses(self, process: Process) -> Iterator[None]:
        """Note that one of its threads uses `process`.

        Raises:
            Dismissed: The crew is no longer wanted.
        """
        with self._lock:
            if self._is_dismissed:
                raise Dismissed
            self._lent.append(process)
        try:
            yield
        except DecoderFailed:
            if self._is_dismissed:  # nothing is wrong with the recording
                raise Dismissed from None
            raise
        finally:
            with self._lock:
                self._lent.remove(process)


class Dismissed(RuntimeError):
    """Nobody waits for this recording any more."""


_of_thread = threading.local()
_free: list[Process] = []
_lock = threading.Lock()


@contextlib.contextmanager
def acquire(*, fresh: bool = False) -> Iterator[Process]:
    """A process that is free: one that was started before, or a new one.

    Args:
        fresh: Take a new one.

    Raises:
        Dismissed: The calling thread belongs to a crew that is no longer wanted.
    """
    crew: WorkerPool | None = getattr(_of_thread, "crew", None)
    process = _taken(fresh=fresh)
    try:
        with crew.uses(process) if crew else contextlib.nullcontext():
            yield process
    finally:
        with _lock:
            keep = process.is_free and len(_free) < (os.cpu_count() or 1)
            if keep:
                _free.append(process)
        if not keep:
            process.end()


def require_wanted() -> None:
    """Raise `Dismissed` where the calling thread belongs to a crew that is no longer wanted."""
    crew: WorkerPool | None = getattr(_of_thread, "crew", None)
    if crew is not None and crew.is_dismissed:
        raise Dismissed


def _taken(*, fresh: bool) -> Process:
    with _lock:
        while (process := _free.pop() if _free and not fresh else None) is not None and not process.is_alive:
            process.end()
    return process or Process()


def prepare() -> None:
    """Start a process now that will be needed soon: it starts while its caller does other things."""
    process = Process()
    with _lock:
        _free.append(process)


def end_all() -> None:
    """End the processes that are free."""
    with _lock:
        ended = _free[:]
        _free.clear()
    for process in ended:
        process.end()


def _forget() -> None:
    """In a fork: the processes belong to the parent, and so does whoever held the lock."""
    global _lock  # noqa: PLW0603 - there is one
    _free.clear()
    _lock = threading.Lock()


atexit.register(end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
