"""Progress of one piece of work on the status line: amount, rate and estimated time left; and the steps of long work.

Not `rich.progress`: importing it takes 63 ms of CPU time and 117 modules (rich 15, Python 3.11), as much as all of
`onetake --help`. Its `Live` display also replaces sys.stdout and sys.stderr, through which results must pass unchanged.
"""

from __future__ import annotations

import contextlib
import math
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from onetake.console.streams import print_step, print_warning, status_line
from onetake.console.terminal import can_rewrite_lines, is_quiet, is_verbose
from preflight.display.text import clock, megabytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from onetake.clones.observer import Stage

    Update = Callable[[float, float | None], None]


def can_show_progress() -> bool:
    """Whether standard error is a terminal that can rewrite a line, and ``-q`` is not given."""
    return can_rewrite_lines(sys.stderr) and not is_quiet()


T = TypeVar("T")

_MIN_RATE_TIME_S: Final = 1.0
"""No rate is shown before this: it would be too uncertain."""
_MAX_TIME_LEFT_S: Final = 360_000.0
_BAR_COLUMNS: Final = 16
_DONE, _LEFT = "#", "-"


@dataclass(frozen=True)
class Unit:
    """What progress is counted in.

    Attributes:
        amount: Formats (done, total).
        rate: Formats an amount per second.
    """

    amount: Callable[[float, float], str]
    rate: Callable[[float], str]


def _takes_rate(rate: float) -> str:
    return f"{rate:.1f} a second" if rate >= 1 else f"{60 * rate:.1f} a minute"


TAKES: Final = Unit(lambda done, total: f"{done:.0f} of {total:.0f}", _takes_rate)
BYTES: Final = Unit(
    lambda done, total: f"{done / 1e6:.1f} of {megabytes(round(total))}", lambda rate: f"{rate / 1e6:.1f} MB/s"
)
AUDIO: Final = Unit(lambda done, total: f"{clock(done)} of {clock(total)}", lambda rate: f"{rate:.0f}x real time")
"""Seconds of audio; the rate is seconds of audio per second."""


@dataclass
class Progress:
    """Progress of one piece of work.

    Attributes:
        label: What is being done, such as "checking".
        unit: What `done` and `total` count.
        done: Amount done.
        total: Total amount; None while it is unknown, for example while waiting for an answer.
    """

    label: str
    unit: Unit
    done: float = 0.0
    total: float | None = None
    _started: float = field(default_factory=time.monotonic)

    def update(self, done: float, total: float | None) -> None:
        """Set the amounts. A smaller `done` than before starts a new pass: the rate is measured from now on."""
        if done < self.done:
            self._started = time.monotonic()
        self.done, self.total = done, total

    def render(self, columns: int) -> str:
        """Label, bar, amount, rate and time left in one line; if it is too long, first the bar goes, then the rate."""
        elapsed_s = time.monotonic() - self._started
        if not self.total:
            return f"{self.label}  {format_seconds(elapsed_s)}"
        share = min(1.0, self.done / self.total)
        bar = f"[{_DONE * round(share * _BAR_COLUMNS):{_LEFT}<{_BAR_COLUMNS}}]"
        parts = [self.label, bar, self.unit.amount(self.done, self.total)]
        rate = self.done / elapsed_s if elapsed_s > _MIN_RATE_TIME_S else 0.0
        if rate and (left_s := max(0.0, self.total - self.done) / rate) < _MAX_TIME_LEFT_S:
            parts += [self.unit.rate(rate), f"{format_seconds(math.ceil(left_s))} left"]
        for droppable in (1, -2):
            if len("  ".join(parts)) > columns and len(parts) > 3:
                parts.pop(droppable)
        return "  ".join(parts)


def format_seconds(seconds: float) -> str:
    """A duration in whole seconds as ``m:ss`` or ``h:mm:ss``; truncated, like `clock`.

    >>> format_seconds(59.9), format_seconds(3600)
    ('0:59', '1:00:00')
    """
    return clock(seconds).partition(".")[0]


@contextlib.contextmanager
def show_progress(label: str, unit: Unit) -> Iterator[Update | None]:
    """Show progress on the status line during the block.

    Yields:
        A function to call with (done, total); None if no progress is shown, so that callees need not compute it.
    """
    if not can_show_progress():
        yield None
        return
    progress = Progress(label, unit)
    status_line.show(progress.render)
    try:
        yield progress.update
    finally:
        status_line.end()


def with_progress(items: Iterable[T], total: int, *, label: str) -> Iterator[T]:
    """Yield `items`, and show how many of `total` have been yielded."""
    with show_progress(label, TAKES) as update:
        if update is not None:
            update(0, total)
        for number, item in enumerate(items, 1):
            yield item
            if update is not None:
                update(number, total)


_LABELS: Final[dict[Stage, tuple[str, Unit]]] = {
    "check": ("checking", AUDIO),
    "fix": ("fixing", AUDIO),
    "upload": ("uploading", BYTES),
    "clone": ("waiting for the service to clone", AUDIO),
    "demo": ("downloading the preview", BYTES),
}
"""The label of each stage, and the unit of its progress."""


class Steps:
    """An observer of a clone, an upload or a speech call that prints what happens on standard error.

    Args:
        quiet: Print warnings only, unless ``-v`` is given.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = is_quiet() or (quiet and not is_verbose())
        self._started = time.monotonic()
        self._stage: Stage | None = None
        self._progress: Progress | None = None

    def step(self, name: str, detail: str) -> None:
        """Print a completed step."""
        if name == self._stage:
            self._stage = None
            status_line.end()
        if not self._quiet:
            print_step(time.monotonic() - self._started, name, detail)

    def progress(self, stage: Stage, done: float, total: float | None) -> None:
        """Show progress of the current stage, in the unit of that stage."""
        if stage != self._stage and can_show_progress():
            self._stage, self._progress = stage, Progress(*_LABELS[stage])
            status_line.show(self._progress.render)
        if self._progress is not None:
            self._progress.update(done, total)

    def warn(self, message: str) -> None:
        """Print a warning; the operation continues."""
        print_warning(message)


class Stopwatch:
    """Measures the run time of each result of a batch, in seconds.

    Recordings are processed several at a time, so each result gets the time since the previous result. The sum is
    the run time of the batch.

    Attributes:
        seconds: One value per result, in order.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._last = time.monotonic()

    def split(self) -> None:
        """Record the next result."""
        now = time.monotonic()
        self.seconds.append(now - self._last)
        self._last = now
