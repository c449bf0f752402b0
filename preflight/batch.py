"""Check many recordings at a time."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from preflight.checks import examine
from preflight.profile import DEFAULT, Profile
from preflight.worker.pool import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from concurrent.futures import Future

    from preflight.analysis.pictures import Pictures
    from preflight.input.types import Recording
    from preflight.report import Report

T = TypeVar("T")

_AHEAD: Final = 4
"""Recordings under way or done for each worker: one that takes long does not let the others run far ahead."""


@dataclass(frozen=True)
class Illustrated:
    """A report, and what can be drawn of the recording; it can be pickled.

    Attributes:
        report: What `check` returns.
        pictures: What can be drawn; None where there was no sound, or only headers were read.
    """

    report: Report
    pictures: Pictures | None


def check_many(
    recordings: Iterable[Recording],
    *,
    quick: bool = False,
    profile: Profile = DEFAULT,
    workers: int | None = None,
    executor: Executor | None = None,
) -> Generator[Report, None, None]:
    """Check recordings as `check` does, several at a time.

    Args:
        recordings: Each as `check` takes it.
        quick: Read headers only.
        profile: Severities and thresholds of the rules.
        workers: How many at a time; by default one for each core that this process may use.
        executor: Where to run them instead: any that finds the paths, and can be given the recordings
            (processes cannot be given file objects). `workers` then says how many it has.

    Yields:
        The reports in the order of `recordings`, each as soon as it and those before it are done. Closing the generator
        ends what is under way.

    Raises:
        TypeError, ValueError: As `check` does, in the turn of what can be no recording.
    """
    yield from _each(partial(check_whole, quick=quick, profile=profile), recordings, workers, executor)


def illustrate_many(
    recordings: Iterable[Recording],
    *,
    quick: bool = False,
    profile: Profile = DEFAULT,
    workers: int | None = None,
    executor: Executor | None = None,
) -> Generator[Illustrated, None, None]:
    """Like `check_many`, with what can be drawn, which is kept in the same pass over the sound."""
    yield from _each(partial(illustrate, quick=quick, profile=profile), recordings, workers, executor)


def _each(
    work: Callable[[Recording], T], recordings: Iterable[Recording], workers: int | None, executor: Executor | None
) -> Iterator[T]:
    count = workers or usable_cores()
    if executor is not None:
        yield from _in_order(executor, work, recordings, count)
        return
    # a thread each is enough: the work is done by the process that each of them waits for
    crew = WorkerPool()
    pool = ThreadPoolExecutor(count, thread_name_prefix="preflight-check", initializer=crew.join)
    try:
        yield from _in_order(pool, work, recordings, count)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        crew.dismiss()


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_order(
    pool: Executor, work: Callable[[Recording], T], recordings: Iterable[Recording], workers: int
) -> Iterator[T]:
    waiting: deque[Future[T]] = deque()
    try:
        for recording in recordings:
            waiting.append(pool.submit(work, recording))
            if len(waiting) >= _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for unwanted in waiting:
            unwanted.cancel()


def check_whole(recording: Recording, *, quick: bool, profile: Profile) -> Report:
    """Like `check`, on one core: the other process measures, too."""
    return examine(recording, quick=quick, whole=True, profile=profile).report


def illustrate(recording: Recording, *, quick: bool, profile: Profile) -> Illustrated:
    """Like `check_whole`, with what can be drawn."""
    examination = examine(recording, quick=quick, whole=True, pictures=True, profile=profile)
    return Illustrated(examination.report, examination.pictures)
