"""Check many recordings, several at a time."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from preflight.checks import analyze, check
from preflight.profile import DEFAULT, Profile
from preflight.worker.pool import WorkerPool, usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from concurrent.futures import Future

    from preflight.analysis.analysis import Analysis
    from preflight.input.recording import Recording
    from preflight.report import Report

T = TypeVar("T")

_SLICE_S: Final = 0.5
_AHEAD: Final = 4
"""Recordings in progress or done for each worker: a long one does not let the others run far ahead."""


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
        executor: Run them there instead: any executor that can open the paths and receive the recordings (processes
            cannot receive file objects). `workers` then says how many it has.

    Yields:
        The reports in the order of `recordings`, each as soon as it and those before it are done. Closing the generator
        cancels what is in progress.

    Raises:
        TypeError, ValueError: As `check` does, when it is the turn of what cannot be a recording.
    """
    work = partial(check, quick=quick, profile=profile)
    yield from _each(work, recordings, workers, executor)


def analyze_many(
    recordings: Iterable[Recording],
    *,
    quick: bool = False,
    pictures: bool = False,
    profile: Profile = DEFAULT,
    workers: int | None = None,
    executor: Executor | None = None,
) -> Generator[Analysis, None, None]:
    """Like `check_many`, with the analyses instead of the reports; `pictures` keeps what can be drawn."""
    work = partial(analyze, quick=quick, pictures=pictures, profile=profile)
    yield from _each(work, recordings, workers, executor)


def _each(
    work: Callable[[Recording], T], recordings: Iterable[Recording], workers: int | None, executor: Executor | None
) -> Iterator[T]:
    count = workers or usable_cores()
    if executor is not None:
        yield from _in_order(executor, work, recordings, count)
        return
    # threads are enough: each waits for a worker process, which does the work
    pool = WorkerPool()
    threads = ThreadPoolExecutor(count, thread_name_prefix="preflight-check", initializer=pool.add_thread)
    try:
        yield from _in_order(threads, work, recordings, count)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        pool.cancel()


def _in_order(
    executor: Executor, work: Callable[[Recording], T], recordings: Iterable[Recording], workers: int
) -> Iterator[T]:
    waiting: deque[Future[T]] = deque()
    try:
        for recording in recordings:
            waiting.append(executor.submit(work, recording))
            if len(waiting) >= _AHEAD * workers:
                yield _result_of(waiting.popleft())
        while waiting:
            yield _result_of(waiting.popleft())
    finally:
        for unwanted in waiting:
            unwanted.cancel()


def _result_of(future: Future[T]) -> T:
    # in slices: on Windows Ctrl-C does not interrupt a wait for a lock
    while not wait((future,), _SLICE_S).done:
        pass
    return future.result()
