"""Which part of a recording to keep: between pauses, whole, and with as much clean speech as fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from preflight import limits
from preflight.analysis.pauses import first_cut_after, last_cut_before
from preflight.analysis.spans import merged
from preflight.display.text import clock
from preflight.errors import CannotFix

if TYPE_CHECKING:
    from collections.abc import Callable

    from preflight.analysis.analysis import Heard
    from preflight.checks import Examination
    from preflight.fixes.options import FixOptions, Keep
    from preflight.report import Role, Span

_LONG_PAUSE_S: Final = 2.0
"""A run ends at a pause of more than this."""
_PROMPT_LENGTHS_S: Final = (0.5, limits.PROMPT_BELOW_S - limits.LOSSY_MARGIN_S)
_NEAR_S: Final = 0.05
_LEAST_TRIMMED_S: Final = 0.25
_LEFT_AT_EDGES_S: Final = 0.5
"""Room to breathe, and for what the detector is late by."""
_NEARLY_AS_GOOD_S: Final = 10.0
"""An earlier window is taken if it is not worse than the best by more: people begin at the beginning."""
_COST_OF_A_FLAW: Final = 10.0
"""Seconds of clean speech that one second of clipping, or one dropout, is worth."""


@dataclass(frozen=True)
class _Cuts:
    """Where a recording can begin and end.

    Attributes:
        pauses: Where nobody speaks.
        seconds: How long the recording is.
    """

    pauses: list[Span]
    seconds: float

    def between(self, begin: float, end: float) -> Span | None:
        """The most from the first cut behind `begin` that ends by `end` and is not too long.

        The ends of the recording are cuts, too.
        """
        start = 0.0 if begin <= 0 else first_cut_after(self.pauses, begin)
        if start is None:
            return None
        last = min(end, start + limits.WRITE_BELOW_S)
        stop = self.seconds if last >= self.seconds else last_cut_before(self.pauses, last)
        return None if stop is None or stop <= start else (start, stop)


def chosen_window(
    examination: Examination, pauses: list[Span], seconds: float, longest: float, keep: Keep
) -> Span | None:
    """What to keep of the decoded sound; None for all of it.

    Args:
        examination: Of the recording, heard to its end.
        pauses: See `pauses_of`.
        seconds: How long it is.
        longest: Seconds that the result may have.
        keep: ``best`` for the most clean speech, ``start`` for the beginning, ``longest-run`` for the longest talk
            without a pause of 2 s.

    Raises:
        CannotFix: Nothing long enough lies between two pauses.
    """
    decoded = examination.subject.decoded
    has_error = any(finding.rule == "damaged" for finding in examination.report.errors)
    stretches = decoded.whole_stretches if decoded and has_error else ((0.0, seconds),)
    if stretches == ((0.0, seconds),) and seconds <= longest:
        return None
    cuts = _Cuts(pauses, seconds)
    windows = [window for stretch in stretches for window in _windows(stretch, cuts, keep)]
    if has_error and not any(_is_enough(window) for window in windows):
        # what is broken is a place to cut, too
        windows += [(begin, min(end, begin + limits.WRITE_BELOW_S)) for begin, end in stretches]
    if not windows:
        raise CannotFix("there is no pause at which it could be cut", "cut it yourself, at a quiet place")
    long_enough = [window for window in windows if _is_enough(window)]
    if not long_enough:
        raise CannotFix(
            f"only {clock(max(end - start for start, end in windows))} between two pauses is whole and short enough; "
            f"{clock(limits.MIN_DURATION_S)} are needed",
            "make or export another recording",
        )
    worth = _worth(examination.subject.heard, keep)
    most = max(worth(window) for window in long_enough)
    return next(window for window in long_enough if worth(window) >= most - _NEARLY_AS_GOOD_S)


def _is_enough(window: Span) -> bool:
    return window[1] - window[0] >= limits.WRITE_ABOVE_S


def given_window(options: FixOptions, seconds: float, role: Role, limit_s: float) -> Span:
    """What is kept by hand; its end is moved so little that it fits into `limit_s`.

    Raises:
        CannotFix: It is too short or too long for its role, or not there.
    """
    begin = options.start_s or 0.0
    end = min(seconds, seconds if options.end_s is None else options.end_s)
    shortest, longest = (limits.MIN_DURATION_S, limits.MAX_DURATION_S) if role == "recording" else _PROMPT_LENGTHS_S
    part = f"{clock(begin)} to {clock(max(begin, end))} of {clock(seconds)}"
    if end - begin < shortest:
        raise CannotFix(f"{part} is less than the {clock(shortest)} that are needed", "keep more of it")
    if end - begin > longest:
        raise CannotFix(f"{part} is more than {clock(longest)}", "keep less of it")
    return begin, min(end, begin + limit_s)


def trimmed(
    pauses: list[Span],
    window: Span | None,
    seconds: float,
    *,
    margin_s: float = _LEFT_AT_EDGES_S,
    shortest_s: float = limits.WRITE_ABOVE_S,
) -> Span | None:
    """`window`, None for all of `seconds`, without the silence at its ends: what is quiet, and no speech.

    Args:
        pauses: Of the recording, see `pauses_of`.
        window: What is kept of it.
        seconds: How long it is.
        margin_s: What silence is left in front and behind.
        shortest_s: What would be shorter is left as it is.
    """
    begin, end = window or (0.0, seconds)
    first = next((pause for pause in pauses if pause[0] <= begin + _NEAR_S < pause[1]), None)
    last = next((pause for pause in pauses if pause[0] < end - _NEAR_S <= pause[1]), None)
    start = first[1] - margin_s if first else begin
    stop = last[0] + margin_s if last else end
    start = start if start >= begin + _LEAST_TRIMMED_S else begin
    stop = stop if stop <= end - _LEAST_TRIMMED_S else end
    return (start, stop) if stop - start >= shortest_s and (start, stop) != (0.0, seconds) else window


def pauses_of(examination: Examination) -> list[Span]:
    """Where nobody speaks: both the level and the speech detector say so."""
    decoded = examination.subject.decoded
    return list(decoded.pauses) if decoded else []


def _windows(stretch: Span, cuts: _Cuts, keep: Keep) -> list[Span]:
    begin, end = stretch
    starts = [begin, *(start for start, stop in cuts.pauses if begin < start and stop < end)]
    if keep == "start":
        starts = starts[:1]
    found = (cuts.between(start, end) for start in starts)
    return [window for window in found if window is not None]


def _worth(heard: Heard | None, keep: Keep) -> Callable[[Span], float]:
    """What a window is judged by, in seconds: clean speech, or the longest run, or its length."""
    if heard is None or keep == "start":
        return lambda window: window[1] - window[0]
    speech, clipped = Lengths(heard.speech), Lengths(heard.clipped)
    flaws = Lengths(tuple((start, start + 1) for start, _ in sorted((*heard.dropouts, *heard.clicks))))
    starts, ends = np.array(heard.speech, np.float64).reshape(-1, 2).T
    runs = merged(starts, ends, _LONG_PAUSE_S)

    def longest_run(window: Span) -> float:
        return max((min(window[1], end) - max(window[0], start) for start, end in runs), default=0.0)

    def clean_speech(window: Span) -> float:
        return speech.within(window) - _COST_OF_A_FLAW * (clipped.within(window) + flaws.within(window))

    return longest_run if keep == "longest-run" else clean_speech


class Lengths:
    """How much of a window some spans cover.

    Args:
        spans: In order.
    """

    def __init__(self, spans: tuple[Span, ...]) -> None:
        self._starts, self._ends = np.array(spans, np.float64).reshape(-1, 2).T
        self._before = np.concatenate(([0.0], np.cumsum(self._ends - self._starts)))

    def within(self, window: Span) -> float:
        """Seconds of the spans in `window`."""
        return self._until(window[1]) - self._until(window[0])

    def _until(self, moment: float) -> float:
        whole = int(np.searchsorted(self._ends, moment, "right"))
        begun = moment - self._starts[whole] if whole < len(self._starts) and self._starts[whole] < moment else 0.0
        return float(self._before[whole] + begun)
