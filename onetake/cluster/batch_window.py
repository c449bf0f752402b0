"""Batches on an engine: a bounded number at a time, and retries where a worker ends.

    recordings ── batches ── window of tasks ──> engine
                    ^                              │
                    └─ worker ended: each alone    └──> reports, in the order in which tasks end

A batch that had begun when its worker ended is split, and each of its recordings is checked alone. One that was alone
on a worker that ended, twice, is reported as ``unreadable``. A batch that had not begun is submitted again as it is.
"""

from __future__ import annotations

import contextlib
import queue
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from onetake.cluster.task import NamedTake, Task, named, reports_of, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from onetake.io.inputs import Take
    from preflight import Profile, Report

BATCH: Final = 20
"""Recordings in a task: about a second, against a millisecond for the scheduler."""
TRIES: Final = 2
"""How often a recording may end its worker while it is alone there."""
_MAX_SUBMISSIONS: Final = 6
"""For a batch whose begin is never seen: workers that end before they can send it."""
_SLICE_S: Final = 0.5


class Job(Protocol):
    """A submitted task."""

    def cancel(self) -> object:
        """Do not run it."""
        ...


class Engine(Protocol):
    """Runs tasks elsewhere."""

    def watch(self, on_begin: Callable[[int], object]) -> None:
        """Call `on_begin` from now on, in any thread, with the number of a task whenever it begins."""
        ...

    def submit(self, task: Task, number: int, on_done: Callable[[], object]) -> Job:
        """Start a task; `on_done` is called in any thread when it has ended."""
        ...

    def result(self, job: Job) -> bytes | None:
        """Return what `run_task` returned, or None if its worker ended; raises what it raised."""
        ...

    def window(self) -> int:
        """Return how many tasks may be submitted at a time."""
        ...


class _Batch(NamedTuple):
    number: int
    first: int
    takes: tuple[Take, ...]
    names: tuple[NamedTake, ...]
    submissions: int = 0


class _Begun(NamedTuple):
    batch: _Batch
    job: Job


def checked_on(
    engine: Engine, takes: Iterable[Take], profile: Profile, *, quick: bool = False
) -> Generator[tuple[int, Take, Report], None, None]:
    """Check recordings on an engine.

    Args:
        engine: The engine.
        takes: The recordings; consumed as the window moves.
        profile: Severities and thresholds.
        quick: Read headers only.

    Yields:
        Index, recording and report, in the order in which tasks end: each recording exactly once. Closing the
        generator cancels what was submitted.

    Raises:
        ClusterFailed: The cluster can no longer be used, or cannot see a recording.
        uploader.StorageError, SettingError: The storage cannot be used.
    """
    window = _Window(engine, profile, quick=quick)
    try:
        yield from window.run(_batches(takes))
    finally:
        window.cancel()


def checked_in_order(
    engine: Engine, takes: Iterable[Take], profile: Profile, *, quick: bool = False
) -> Generator[Report, None, None]:
    """Like `checked_on`, with the reports in the order of the recordings; those that are early are kept."""
    early: dict[int, Report] = {}
    following = 0
    with contextlib.closing(checked_on(engine, takes, profile, quick=quick)) as checked:
        for number, _, report in checked:
            early[number] = report
            while following in early:
                yield early.pop(following)
                following += 1


class _Window:
    def __init__(self, engine: Engine, profile: Profile, *, quick: bool) -> None:
        from onetake import __version__

        self._engine, self._profile, self._quick, self._version = engine, profile, quick, __version__
        self._under_way: dict[int, _Begun] = {}
        self._again: deque[_Batch] = deque()
        self._done: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._numbers = 0
        self._begins: dict[int, int] = {}
        engine.watch(self._note_begin)

    def run(self, batches: Iterator[_Batch]) -> Iterator[tuple[int, Take, Report]]:
        while True:
            while len(self._under_way) < self._engine.window():
                batch = self._again.popleft() if self._again else next(batches, None)
                if batch is None:
                    break
                self._submit(batch)
            if not self._under_way:
                return
            try:  # in slices: on Windows Ctrl-C does not interrupt a wait for a lock
                number = self._done.get(timeout=_SLICE_S)
            except queue.Empty:
                continue
            batch, job = self._under_way.pop(number)
            result = self._engine.result(job)
            reports = self._retried(batch) if result is None else reports_of(result)
            if reports:
                self._begins.pop(batch.number, None)
            for offset, report in enumerate(reports):
                yield batch.first + offset, batch.takes[offset], report

    def cancel(self) -> None:
        for begun in self._under_way.values():
            begun.job.cancel()

    def _note_begin(self, number: int) -> None:
        if number in self._begins:
            self._begins[number] += 1

    def _submit(self, batch: _Batch) -> None:
        self._numbers += 1
        number = self._numbers
        self._begins.setdefault(batch.number, 0)
        task = Task(batch.names, self._profile, self._quick, self._version)
        job = self._engine.submit(task, batch.number, lambda: self._done.put(number))
        self._under_way[number] = _Begun(batch._replace(submissions=batch.submissions + 1), job)

    def _retried(self, batch: _Batch) -> list[Report]:
        """Submit a batch again, or return what is reported instead."""
        begun = self._begins[batch.number]
        is_exhausted = batch.submissions >= _MAX_SUBMISSIONS
        if len(batch.takes) == 1 and (begun >= TRIES or is_exhausted):
            return [unreadable(batch.names[0], self._profile, quick=self._quick, tries=max(begun, TRIES))]
        if len(batch.takes) == 1 or not (begun or is_exhausted):
            self._again.append(batch)
        else:
            del self._begins[batch.number]
            for offset, (take, name) in enumerate(zip(batch.takes, batch.names, strict=True)):
                first = batch.first + offset
                self._again.append(_Batch(-1 - first, first, (take,), (name,)))
        return []


def _batches(takes: Iterable[Take]) -> Iterator[_Batch]:
    rest, first, size = iter(takes), 0, 1
    while chosen := tuple(islice(rest, size)):
        # numbers of batches are not negative; those of recordings that are alone are
        yield _Batch(first, first, chosen, tuple(map(named, chosen)))
        first += len(chosen)
        size = min(size + 1, BATCH)  # small at first: a few recordings, too, are shared by all workers
