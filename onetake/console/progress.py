"""Progress of one piece of work on one line at the bottom of standard error: amount, rate and estimated time left.

Not `rich.progress`: importing it takes 63 ms of CPU time and 117 modules (rich 15, Python 3.11), as much as all of
`onetake --help`. Its `Live` display also replaces sys.stdout and sys.stderr, through which results must pass unchanged.
"""

from __future__ import annotations

import contextlib
import math
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from onetake.console.terminal import can_rewrite_lines, is_quiet, terminal_columns
from preflight.display.text import clock, megabytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Render = Callable[[int], str]

    Update = Callable[[float, float | None], None]


_DELAY_S: Final = 0.5
"""Work that ends sooner shows no progress."""
_INTERVAL_S: Final = 0.2
_ERASE_LINE: Final = "\x1b[K"
"""EL, erase in line (ECMA-48, 8.3.41): from the cursor to the end of the line."""


def can_show_progress() -> bool:
    """Whether standard error is a terminal that can rewrite a line, and ``-q`` is not given."""
    return can_rewrite_lines(sys.stderr) and not is_quiet()


class StatusLine:
    """A line that a thread redraws a few times a second, and only when it has changed, so that it does not flicker.

    Anything else that is printed to the terminal must be printed within `hidden`. Thread-safe.
    """

    def __init__(self) -> None:
        # reentrant: a signal handler prints in the main thread, which may hold the lock
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._render: Render | None = None
        self._drawn = ""

    def show(self, render: Render) -> None:
        """Show a status until `end` is called.

        Args:
            render: Called with the number of columns; returns one line of text.
        """
        with self._lock:
            if self._render is None:
                self._ended = threading.Event()
                threading.Thread(
                    target=self._keep_drawing, args=(self._ended,), name="status-line", daemon=True
                ).start()
            self._render = render

    def end(self) -> None:
        """Erase the line and stop drawing."""
        with self._lock:
            self._render = None
            self._ended.set()
            self._erase()

    @contextlib.contextmanager
    def hidden(self) -> Iterator[None]:
        """Erase the line while something else is printed, and draw it again afterwards."""
        with self._lock:
            was_drawn = bool(self._drawn)
            self._erase()
            try:
                yield
            finally:
                if was_drawn and self._render is not None:
                    self._draw(self._render)

    def _keep_drawing(self, ended: threading.Event) -> None:
        wait_s = _DELAY_S
        while not ended.wait(wait_s):
            wait_s = _INTERVAL_S
            with self._lock:
                if self._render is not None and not ended.is_set():
                    self._draw(self._render)

    def _draw(self, render: Render) -> None:
        # one column less: some terminals wrap a line that fills the last one. The width is read at each redraw,
        # which replaces a handler of SIGWINCH.
        columns = terminal_columns(sys.stderr) - 1
        text = render(columns)[:columns]
        if text != self._drawn:
            self._write(f"\r{text}{_ERASE_LINE}")
            self._drawn = text

    def _erase(self) -> None:
        if self._drawn:
            self._write(f"\r{_ERASE_LINE}")
            self._drawn = ""

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # the terminal was closed: the work continues
            sys.stderr.write(text)
            sys.stderr.flush()


status_line: Final = StatusLine()


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
