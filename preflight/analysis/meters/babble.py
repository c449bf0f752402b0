"""Babble: other voices behind the speaker, by how the background changes where the speaker is weakest.

Between words a quiet room is as loud in one moment as in the next, and so are noise and hum. A room rings, but only
falls. Voices behind the speaker rise and fall with their own syllables. The measure is the bend of the level over 96 ms
in seven bands: the second difference, which a steady fall does not have. A syllable bends neighboring bands alike. What
noise reduction leaves over bends each band for itself.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.meters.levels import levels_db

if TYPE_CHECKING:
    from preflight.analysis.framing import Samples

_HZ_PER_BIN: Final = 62.5
# Where speech has its power: half of each octave, and nothing of hum and rumble.
_EDGES_HZ: Final = (250, 500, 750, 1000, 1500, 2000, 3000, 4000)
_BINS: Final = [round(hz / _HZ_PER_BIN) for hz in _EDGES_HZ]
# A product with these columns of ones and zeros sums all bands in one call.
_BANDS: Final = np.array([[low <= at < high for low, high in pairwise(_BINS)] for at in range(_BINS[-1])], np.float32)
# 32 ms: long enough for an even level of noise, shorter than a syllable.
_FRAMES_PER_WINDOW: Final = 4
# 20 s: long enough for pauses, short enough that the background is that of one place.
_SEGMENT: Final = 2500
# A quarter of that has pauses, too.
_SHORTEST: Final = 625
_LOUD_PERCENT: Final = 90
_QUIET_PERCENT: Final = 15
_LOWEST_PERCENT: Final = 5
# Below the loud windows; what is weaker is silence, as of a noise gate.
_RANGE_DB: Final = 50.0
_FEWEST_BENDS: Final = 8


class BabbleMeter:
    """Measure how much the level changes in the quietest windows, and how loud these are."""

    def __init__(self) -> None:
        self._waiting: list[Samples] = []
        self._count = 0
        self._found: list[tuple[float, float, float, float]] = []

    def add(self, powers: Samples) -> None:
        """Add the next frames: power spectra of shape (frames, bins), a bin every 62.5 Hz, a frame every 8 ms."""
        self._waiting.append(powers[:, : _BINS[-1]] @ _BANDS)
        self._count += len(powers)
        if self._count >= _SEGMENT:
            self._measure()

    def measurements(self) -> dict[str, float]:
        """Return the medians of all segments of 20 s; empty where no segment has enough quiet windows.

        ``background_bend_db``: the mean bend in the quietest 15 % of the windows. ``background_level_db``: the level
        that 95 % of the windows exceed, relative to the level that 10 % exceed; ``background_spread_db``: how much
        lower it is than the level that 85 % exceed; ``background_likeness``: the correlation of the bends of two
        neighboring bands.
        """
        if self._count >= _SHORTEST:
            self._measure()
        self._waiting, self._count = [], 0
        if not self._found:
            return {}
        bend, likeness, level, spread = np.median(self._found, axis=0).round(2).tolist()
        return {
            "background_bend_db": bend,
            "background_likeness": likeness,
            "background_level_db": level,
            "background_spread_db": spread,
        }

    def _measure(self) -> None:
        """Measure the frames that are waiting."""
        frames = np.concatenate(self._waiting)
        self._waiting, self._count = [], 0
        count = len(frames) // _FRAMES_PER_WINDOW
        windows = frames[: count * _FRAMES_PER_WINDOW].reshape(count, _FRAMES_PER_WINDOW, -1).mean(axis=1)
        totals, levels = levels_db(windows.sum(axis=1)), levels_db(windows)
        lowest, loud = np.percentile(totals, (_LOWEST_PERCENT, _LOUD_PERCENT))
        is_sound = totals > loud - _RANGE_DB
        quiet_db = np.percentile(totals[is_sound], _QUIET_PERCENT)
        is_quiet = is_sound & (totals <= quiet_db)
        bends = (levels[2:] - 2 * levels[1:-1] + levels[:-2])[is_quiet[2:] & is_quiet[1:-1] & is_quiet[:-2]]
        if len(bends) >= _FEWEST_BENDS:
            bend, likeness = float(np.abs(bends).mean()), _likeness(bends)
            self._found.append((bend, likeness, float(lowest - loud), float(quiet_db - lowest)))


def _likeness(bends: Samples) -> float:
    """Return the mean correlation of two neighboring columns; 0 for constant ones."""
    centered = bends - bends.mean(axis=0)
    norms = np.maximum(np.sqrt((centered**2).sum(axis=0)), 1e-9)
    return float(((centered[:, 1:] * centered[:, :-1]).sum(axis=0) / (norms[1:] * norms[:-1])).mean())
