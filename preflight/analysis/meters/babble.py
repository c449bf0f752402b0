"""Babble: other voices behind the speaker, by how the background changes where the speaker is weakest.

Between words a quiet room is as loud in one moment as in the next, and so are noise and hum. A room rings, but only
falls. Voices behind the speaker rise and fall with their own syllables. The measure is the bend of the level over 96 ms
in seven bands: the second difference, which a steady fall does not have. A syllable bends neighboring bands alike. What
noise reduction leaves over bends each band separately.

A room smooths the syllables of voices that are far away, and of many voices little more than noise is left. In whole
pauses twice as long windows still distinguish them: the level of noise evens out in them, that of syllables does not.
The speaker's own reverberation falls too fast to stay near the quietest level for as long as such a pause.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.meters.peak_and_rms import levels_db
from preflight.analysis.spans import true_runs

if TYPE_CHECKING:
    from preflight.analysis.frames_and_spectra import Samples

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
# Below the loud windows; what is weaker is silence, such as from a noise gate.
_RANGE_DB: Final = 50.0
_FEWEST_BENDS: Final = 8
# A pause stays within 8 dB of the quietest level for 0.4 s: in a room with a reverberation time of 1 s sound falls by
# 24 dB in that time, and other voices vary by 5 dB.
_PAUSE_RANGE_DB: Final = 8.0
_PAUSE: Final = 12
# 64 ms at either end, where the speaker fades out and in.
_PAUSE_EDGE: Final = 2
# 0.8 s in all: less holds too few syllables.
_LEAST_PAUSES: Final = 25


def band_powers(powers: Samples) -> Samples:
    """Return the power in seven bands from 250 to 4000 Hz, shape (frames, 7).

    Args:
        powers: Power spectra of shape (frames, bins), a bin every 62.5 Hz.
    """
    return np.asarray(powers[:, : _BINS[-1]] @ _BANDS, np.float32)


class BabbleMeter:
    """Measure how much the level changes in the quietest windows, and how loud these are."""

    def __init__(self) -> None:
        self._waiting: list[Samples] = []
        self._count = 0
        self._found: list[tuple[float, float, float, float]] = []
        self._in_pauses: list[tuple[float, float]] = []

    def add(self, bands: Samples) -> None:
        """Add the next frames: see `band_powers`; a frame every 8 ms."""
        self._waiting.append(bands)
        self._count += len(bands)
        if self._count >= _SEGMENT:
            self._measure()

    def measurements(self) -> dict[str, float]:
        """Return the medians of all segments of 20 s; empty where no segment has enough quiet windows.

        ``background_bend_db``: the mean bend in the quietest 15 % of the windows. ``background_level_db``: the level
        that 95 % of the windows exceed, relative to the level that 10 % exceed; ``background_spread_db``: how much
        lower it is than the level that 85 % exceed; ``background_likeness``: the correlation of the bends of two
        neighboring bands. Where there are pauses, ``pause_bend_db``, the median bend within them, over 192 ms, and
        ``pause_likeness``.
        """
        if self._count >= _SHORTEST:
            self._measure()
        self._waiting, self._count = [], 0
        found: dict[str, float] = {}
        if self._in_pauses:
            bend, likeness = np.median(self._in_pauses, axis=0).round(2).tolist()
            found = {"pause_bend_db": bend, "pause_likeness": likeness}
        if not self._found:
            return found
        bend, likeness, level, spread = np.median(self._found, axis=0).round(2).tolist()
        return {
            "background_bend_db": bend,
            "background_likeness": likeness,
            "background_level_db": level,
            "background_spread_db": spread,
            **found,
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
        in_pauses = _bends_in_pauses(windows)
        if len(in_pauses) >= _FEWEST_BENDS:
            self._in_pauses.append((float(np.median(np.abs(in_pauses))), _likeness(in_pauses)))


def _bends_in_pauses(windows: Samples) -> Samples:
    """Return the bends in each band, of windows of 64 ms, where all of it lies in a pause.

    Args:
        windows: Powers of shape (windows, bands), every 32 ms.
    """
    double = (windows[1:] + windows[:-1]) / 2
    totals = levels_db(double @ np.ones(windows.shape[1], np.float32))
    runs = true_runs(totals <= np.percentile(totals, _LOWEST_PERCENT) + _PAUSE_RANGE_DB)
    runs = runs[runs[:, 1] - runs[:, 0] >= _PAUSE]
    if np.diff(runs).sum() < _LEAST_PAUSES:
        return np.zeros((0, windows.shape[1]), np.float32)
    inside = np.zeros(len(double), bool)
    for start, end in runs.tolist():
        inside[start + _PAUSE_EDGE : end - _PAUSE_EDGE] = True
    levels = levels_db(double)
    bends = levels[4:] - 2 * levels[2:-2] + levels[:-4]
    return np.asarray(bends[inside[4:] & inside[2:-2] & inside[:-4]], np.float32)


def _likeness(bends: Samples) -> float:
    """Return the mean correlation of two neighboring columns; 0 for constant ones."""
    centered = bends - bends.mean(axis=0)
    norms = np.maximum(np.sqrt((centered**2).sum(axis=0)), 1e-9)
    return float(((centered[:, 1:] * centered[:, :-1]).sum(axis=0) / (norms[1:] * norms[:-1])).mean())
