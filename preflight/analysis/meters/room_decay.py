"""How long a room rings: the decay of sound after words, in four octave bands.

After a word ends, a dry recording falls silent as fast as the vocal tract does, and a room goes on ringing. Decays of
speech alone give the reverberation time without a measuring signal (Ratnam et al., "Blind estimation of reverberation
time", J. Acoust. Soc. Am. 114(5), 2003). ISO 3382-1 defines it as the time in which the level falls by 60 dB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.meters.levels import levels_db
from preflight.analysis.spans import true_runs

if TYPE_CHECKING:
    from preflight.analysis.framing import Samples

_HZ_PER_BIN: Final = 62.5
_BANDS_HZ: Final = ((350, 700), (700, 1400), (1400, 2800), (2800, 5600))
# 20 s: long enough for pauses, short enough that the floor is that of the same place.
_SEGMENT: Final = 2500
# A remainder of less than 2 s has no floor of its own.
_SHORTEST: Final = 250
_FLOOR_PERCENT: Final = 5
_ABOVE_FLOOR_DB: Final = 3.0
# 24 ms, so that the beat between two modes of the room does not end a decay.
_SMOOTHED: Final = np.full(3, 1 / 3, np.float32)
_MAX_RISE_DB: Final = 0.5
# 96 ms and 12 dB: shorter decays are those of single sounds within a word.
_LEAST_FRAMES: Final = 12
_LEAST_FALL_DB: Final = 12.0
# The first 5 dB belong to the voice: ISO 3382-1 evaluates from -5 dB, too.
_VOICE_DB: Final = 5.0
_LEAST_POINTS: Final = 5
# Fewer decays give no stable median.
_LEAST_DECAYS: Final = 8


class RoomDecayMeter:
    """Measure the slopes of free decays.

    Args:
        frame_s: Seconds from one frame to the next, about 8 ms.
    """

    def __init__(self, frame_s: float) -> None:
        self._frame_s = frame_s
        self._waiting: list[Samples] = []
        self._count = 0
        self._decays: list[float] = []
        self._bins = [slice(round(low / _HZ_PER_BIN), round(high / _HZ_PER_BIN)) for low, high in _BANDS_HZ]

    def add(self, powers: Samples) -> None:
        """Add the next frames: power spectra of shape (frames, bins), a bin every 62.5 Hz."""
        self._waiting.append(np.stack([powers[:, bins].sum(axis=1) for bins in self._bins]))
        self._count += len(powers)
        if self._count >= _SEGMENT:
            self._measure()

    def decay_s(self) -> float | None:
        """Return the median time in which the sound falls by 60 dB, in seconds; None with too few decays."""
        if self._count >= _SHORTEST or not self._decays:
            self._measure()
        return float(np.median(self._decays)) if len(self._decays) >= _LEAST_DECAYS else None

    def _measure(self) -> None:
        """Find the decays in the frames that are waiting."""
        if self._count:
            for powers in np.concatenate(self._waiting, axis=1):
                self._decays += _decays_s(levels_db(np.convolve(powers, _SMOOTHED, "same")), self._frame_s)
        self._waiting, self._count = [], 0


def _decays_s(levels: Samples, frame_s: float) -> list[float]:
    """Return, for each free decay in one band, the seconds for 60 dB at its slope."""
    floor = np.percentile(levels, _FLOOR_PERCENT)
    falls = (levels[1:] < levels[:-1] + _MAX_RISE_DB) & (levels[:-1] > floor + _ABOVE_FLOOR_DB)
    runs = true_runs(np.asarray(falls))
    is_free = (runs[:, 1] - runs[:, 0] >= _LEAST_FRAMES) & (levels[runs[:, 0]] - levels[runs[:, 1]] >= _LEAST_FALL_DB)
    if not is_free.any():
        return []
    first, last = runs[is_free].T[:, :, np.newaxis]
    after = np.arange(int((last - first).max()) + 1)
    falling = levels[np.minimum(first + after, last)].astype(np.float64)
    is_late = (falling < falling[:, :1] - _VOICE_DB) & (first + after <= last)
    points = is_late.sum(axis=1)
    # least squares: covariance by variance
    centred = np.where(is_late, after - (is_late @ after / np.maximum(points, 1))[:, np.newaxis], 0.0)
    slopes = (centred * falling).sum(axis=1) / np.maximum((centred * centred).sum(axis=1), 1e-9) / frame_s
    found: list[float] = (-60 / slopes[(points >= _LEAST_POINTS) & (slopes < 0)]).tolist()
    return found
