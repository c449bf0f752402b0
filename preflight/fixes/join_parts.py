"""Which part of each take `join` keeps, and where it is in the result."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final

import msgspec

from preflight.fixes.part_to_keep import trim_silence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from preflight.fixes.convert import FixJob
    from preflight.report import Span

PAUSE_S: Final = 0.6
"""Pause between the speech of two takes: their own silence first, then added noise."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a take in the result.

    Attributes:
        path: The take, safe to display.
        start_s: Start of the part in the take.
        end_s: End of the part in the take.
        at_s: Start of the part in the result.
        gain_db: Gain that makes all takes equally loud.
    """

    path: str
    start_s: float
    end_s: float
    at_s: float
    gain_db: float


def arrange(takes: Sequence[FixJob], gains_db: Sequence[float]) -> tuple[Part, ...]:
    """Return what is kept of each take, and where it starts in the result."""
    windows = [window_of(take) for take in takes]
    lengths = [end - start for start, end in windows]
    pauses = map(_missing_pause_s, takes[:-1], takes[1:], windows[:-1], windows[1:])
    steps = (length + pause for length, pause in zip(lengths[:-1], pauses, strict=True))
    return tuple(
        Part(path=take.report.path, start_s=start, end_s=end, at_s=at, gain_db=gain)
        for take, (start, end), at, gain in zip(takes, windows, accumulate(steps, initial=0.0), gains_db, strict=True)
    )


def window_of(take: FixJob) -> Span:
    """Return the part of a take to keep: the silence at its ends is trimmed to half a pause."""
    seconds = take.analysis.duration_s or 0.0
    return trim_silence(take.analysis.pauses, None, seconds, margin_s=PAUSE_S / 2, min_s=0.0) or (0.0, seconds)


def _missing_pause_s(before: FixJob, after: FixJob, left: Span, right: Span) -> float:
    """Return how much of the pause between two takes their own silence lacks."""
    behind = left[1] - before.analysis.speech[-1][1] if before.analysis.speech else 0.0
    ahead = after.analysis.speech[0][0] - right[0] if after.analysis.speech else 0.0
    return max(0.0, PAUSE_S - behind - ahead)
