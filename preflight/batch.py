"""Check many recordings at a time."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from preflight.checking import examine
from preflight.isolation.lending import Crew
from preflight.profile import DEFAULT, Profile

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from concurrent.futures import Future

    from preflight.report import Report
    from preflight.source import PathLike

_AHEAD: Final = 4
"""Recordings under way or done for each worker: one that takes long does not let the others run far ahead."""


def check_many(
    paths: Iterable[PathLike],
    *,
    quick: bool = False,
    profile: Profile = DEFAULT,
    workers: int | None = None,
    executor: Executor | None = None,
) -> Generator[Report, None, None]:
    """Check recordings as `check` does, several at a time.

    Args:
        paths: The files.
        quick: Read headers only.
        profile: Severities and thresholds of the rules.
        workers: How many at a time; by default one for each core that this process may use.
        executor: Where to run them instead: any that finds the paths. `workers` then says how many it has.

    Yields:
        The reports in the order of `paths`, each as soon as it and those before it are done. Closing the generator
        ends what is under way.
    """
    count = workers or usable_cores()
    if executor is not None:
        yield from _in_order(executor, paths, count, quick=quick, profile=profile)
        return
    # a thread each is enough: the work is done by the process that each of them waits for
    crew = Crew()
    pool = ThreadPoolExecutor(count, thread_name_prefix="preflight-check", initializer=crew.join)
    try:
        yield from _in_order(pool, paths, count, quick=quick, profile=profile)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        crew.dismiss()


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_order(
    pool: Executor, paths: Iterable[PathLike], workers: int, *, quick: bool, profile: Profile
) -> Iterator[Report]:
    waiting: deque[Future[Report]] = deque()
    try:
        for path in paths:
            waiting.append(pool.submit(check_whole, path, quick=quick, profile=profile))
            if len(waiting) >= _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for unwanted in waiting:
            unwanted.cancel()


def check_whole(path: PathLike, *, quick: bool, profile: Profile) -> Report:
    """Like `check`, on one core: the other process measures, too."""
    return examine(path, quick=quick, whole=True, profile=profile).report
