"""How long things take, one beside the other."""

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
"""The statuses of `onetake check` when it did its work: every recording is fit, or one is not."""
_MOST_TIMES: Final = 2
"""Rounds that are made at most, for each that is to count."""
_QUIET: Final = 0.1
"""Of one core: a round in which other programs use more is a disturbed one."""
_TICKS_S: Final = 0.03
"""The kernel counts in hundredths of a second, for several processes."""


def onetake(*arguments: str | Path) -> list[str]:
    """The command line of the installed command."""
    return [str(Path(sys.executable).with_name("onetake")), *map(str, arguments)]


def process(command: Sequence[str], statuses: Sequence[int] = (0,)) -> Work:
    """The work of running `command` with its output thrown away.

    Raises:
        RuntimeError: When it runs and ends with another status: what fails is fast, and must not count.
    """
    return partial(_run, command, statuses)


def _run(command: Sequence[str], statuses: Sequence[int]) -> None:
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode not in statuses:
        raise RuntimeError(f"{command[0]} ended with status {done.returncode}: {done.stderr.decode()[-500:]}")


class _Sample(NamedTuple):
    disturbed: float  # cores that other programs used meanwhile
    taken_ms: float


def in_turn(*works: Work, rounds: int = 7, warm_up: bool = True) -> list[float]:
    """The median milliseconds of each work, done in turn so that a busy moment hits all alike.

    While other programs keep the machine busy, further rounds are made, and of each work the quietest count.

    Args:
        works: What to time.
        rounds: How many count.
        warm_up: Begin with a round that fills the caches and does not count.
    """
    if warm_up:
        for work in works:
            work()
    samples: list[list[_Sample]] = [[] for _ in works]
    for number in range(rounds * _MOST_TIMES):
        if number >= rounds and all(_quiet(of_work) >= rounds for of_work in samples):
            break
        for of_work, work in zip(samples, works, strict=True):
            of_work.append(_sample(work))
    return [_median(of_work, rounds) for of_work in samples]


def _median(samples: Sequence[_Sample], count: int) -> float:
    """Of the quietest, whether they were fast or slow."""
    quietest = sorted(samples, key=lambda sample: sample.disturbed)[:count]
    return statistics.median(sample.taken_ms for sample in quietest)


def _quiet(samples: Sequence[_Sample]) -> int:
    return sum(sample.disturbed <= _QUIET for sample in samples)


def _sample(work: Work) -> _Sample:
    before_s = elsewhere_s()
    taken_ms = milliseconds(work)
    disturbed_s = max(0.0, elsewhere_s() - before_s - _TICKS_S)
    return _Sample(round(disturbed_s / taken_ms * 1e3, 1), taken_ms)


def milliseconds(work: Work) -> float:
    """How long `work` takes."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e3
