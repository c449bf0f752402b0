"""How far the work has come, how fast it goes, and how long it will take."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from onetake.console.status_line import somebody_looks, status_line
from preflight.display.text import clock, megabytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Tell = Callable[[float, float | None], None]

T = TypeVar("T")

_SURE_S: Final = 1.0
"""Sooner, nothing can be said of the rate."""
_FORESEEABLE_S: Final = 360_000.0
_BAR: Final = 16
_DONE, _LEFT = "#", "-"


@dataclass(frozen=True)
class Unit:
    """What is counted.

    Attributes:
        amount: Says so many of so many.
        rate: Says how many a second.
    """

    amount: Callable[[float, float], str]
    rate: Callable[[float], str]


def _takes_a_time(rate: float) -> str:
    return f"{rate:.1f} a second" if rate >= 1 else f"{60 * rate:.1f} a minute"


TAKES: Final = Unit(lambda done, total: f"{done:.0f} of {total:.0f}", _takes_a_time)
BYTES: Final = Unit(
    lambda done, total: f"{done / 1e6:.1f} of {megabytes(round(total))}", lambda rate: f"{rate / 1e6:.1f} MB/s"
)
SOUND: Final = Unit(lambda done, total: f"{clock(done)} of {clock(total)}", lambda rate: f"{rate:.0f}x real time")
"""Seconds of a recording, and of it heard in one second."""


@dataclass
class Progress:
    """Of one piece of work.

    Attributes:
        doing: What is done, as a verb.
        unit: In which it is counted.
        done: So many.
        total: Of so many; None where that is not known, as while an answer is awaited.
    """

    doing: str
    unit: Unit
    done: float = 0.0
    total: float | None = None
    _begun: float = field(default_factory=time.monotonic)

    def update(self, done: float, total: float | None) -> None:
        """So many are done of so many; fewer than before where the work goes through a recording once more."""
        if done < self.done:
            self._begun = time.monotonic()
        self.done, self.total = done, total

    def told(self, room: int) -> str:
        """All of it in one line; where `room` columns are too few, the bar is left out, then the rate."""
        elapsed = time.monotonic() - self._begun
        if not self.total:
            return f"{self.doing}  {minutes(elapsed)}"
        share = min(1.0, self.done / self.total)
        bar = f"[{_DONE * round(share * _BAR):{_LEFT}<{_BAR}}]"
        parts = [self.doing, bar, self.unit.amount(self.done, self.total)]
        rate = self.done / elapsed if elapsed > _SURE_S else 0.0
        if rate and (left_s := max(0.0, self.total - self.done) / rate) < _FORESEEABLE_S:
            parts += [self.unit.rate(rate), f"{minutes(math.ceil(left_s))} left"]
        for droppable in (1, -2):
            if len("  ".join(parts)) > room and len(parts) > 3:
                parts.pop(droppable)
        return "  ".join(parts)


def minutes(seconds: float) -> str:
    """A time that only has to be right to the second, as ``m:ss`` or ``h:mm:ss``; cut, like `clock`."""
    return clock(seconds).partition(".")[0]


@contextlib.contextmanager
def watched(doing: str, unit: Unit) -> Iterator[Tell | None]:
    """What takes notice of how far a piece of work has come, and shows it; None where nobody looks."""
    if not somebody_looks():
        yield None
        return
    progress = Progress(doing, unit)
    status_line.show(progress.told)
    try:
        yield progress.update
    finally:
        status_line.end()


def counted(items: Iterable[T], total: int, *, doing: str) -> Iterator[T]:
    """Yield `items`, and show how many of `total` there were."""
    with watched(doing, TAKES) as tell:
        if tell is not None:
            tell(0, total)
        for number, item in enumerate(items, 1):
            yield item
            if tell is not None:
                tell(number, total)
