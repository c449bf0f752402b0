"""Measure pieces of work in turn, on a machine that is not always idle."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.processes import elsewhere_s

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Work = Callable[[], object]

CHECKED: Final = (0, 1)
"""The exit statuses of `onetake check` that do not mean a failure: all recordings are fit, or one is not."""
_MOST_TIMES: Final = 2
"""The largest number of rounds, for each round that counts."""
_QUIET: Final = 0.1
"""Cores. A round in which other programs use more is disturbed."""
_TICKS_S: Final = 0.03
"""The kernel counts CPU time in hundredths of a second, for several processes."""


def onetake(*arguments: str | Path) -> list[str]:
    """Return a command line of the installed command."""
    return [str(Path(sys.executable).with_name("onetake")), *map(str, arguments)]


def process(command: Sequence[str], statuses: Sequence[int] = (0,)) -> Work:
    """Return the work of running `command`, with its output discarded.

    Raises:
        RuntimeError: It ends with another status when it runs: a failure is fast, and must not count.
    """
    return partial(_run, command, statuses)


def _run(command: Sequence[str], statuses: Sequence[int]) -> None:
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode not in statuses:
        raise RuntimeError(f"{command[0]} ended with status {done.returncode}: {done.stderr.decode()[-500:]}")


class _Sample(NamedTuple):
    disturbed: float  # cores that other programs used meanwhile
    figure: float


def in_turn(
    *works: Work, rounds: int = 7, warm_up: bool = True, measure: Callable[[Work], float] | None = None
) -> list[float]:
    """Return the median figure of each work. They run in turn, so that a busy moment hits all alike.

    While other programs keep the machine busy there are more rounds, and the least disturbed ones of each work count.

    Args:
        works: What to measure.
        rounds: How many rounds count.
        warm_up: Start with a round that fills the caches and does not count.
        measure: Runs a work and returns its figure; `milliseconds` by default.
    """
    measure = measure or milliseconds
    if warm_up:
        for work in works:
            work()
    samples: list[list[_Sample]] = [[] for _ in works]
    for number in range(rounds * _MOST_TIMES):
        if number >= rounds and all(_quiet(of_work) >= rounds for of_work in samples):
            break
        for of_work, work in zip(samples, works, strict=True):
            of_work.append(_sample(work, measure))
    return [_median(of_work, rounds) for of_work in samples]


def _median(samples: Sequence[_Sample], count: int) -> float:
    """Return the median of the least disturbed samples, fast or slow."""
    quietest = sorted(samples, key=lambda sample: sample.disturbed)[:count]
    return statistics.median(sample.figure for sample in quietest)


def _quiet(samples: Sequence[_Sample]) -> int:
    return sum(sample.disturbed <= _QUIET for sample in samples)


def _sample(work: Work, measure: Callable[[Work], float]) -> _Sample:
    before_s, started = elsewhere_s(), time.perf_counter()
    figure = measure(work)
    taken_s = time.perf_counter() - started
    disturbed_s = max(0.0, elsewhere_s() - before_s - _TICKS_S)
    return _Sample(round(disturbed_s / taken_s, 1), figure)


def milliseconds(work: Work) -> float:
    """Run `work`, and return the milliseconds it takes."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e3
