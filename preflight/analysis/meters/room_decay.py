"""How long a room rings: the decay of sound after words, in four octave bands.

After a word ends, a dry recording falls silent as fast as the vocal tract does, and a room goes on ringing. Decays of
speech alone give the reverberation time without a measuring signal (Ratnam et al., "Blind estimation of reverberation
time", J. Acoust. Soc. Am. 114(5), 2003). ISO 3382-1 defines it as the time in which the level falls by 60 dB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from preflight.analysis.meters.peak_and_rms import levels_db
from preflight.analysis.spans import true_runs

if TYPE_CHECKING:
    from preflight.analysis.frames_and_spectra import Samples

_HZ_PER_BIN: Final = 62.5
_BANDS_HZ: Final = ((350, 700), (700, 1400), (1400, 2800), (2800, 5600))
# 20 s: long enough for pauses, short enough that the floor is that of the same place.
_SEGMENT: Final = 2500
# A remainder of less than 2 s has no floor of its own.
_SHORTEST: Final = 250
_FLOOR_PERCENT: Final = 5
_ABOVE_FLOOR_DB: Final = 3.0


class _Search(NamedTuple):
    """What counts as a free decay.

    Attributes:
        smoothed: Frames of the moving average, so that the beat between two modes of the room does not end a decay.
        max_rise_db: From one frame to the next.
        least_frames: Shorter decays are those of single sounds within a word.
        least_fall_db: As above.
        voice_db: The first decibels belong to the voice: ISO 3382-1 evaluates from -5 dB, too.
    """

    smoothed: int
    max_rise_db: float
    least_frames: int
    least_fall_db: float
    voice_db: float


# 24 ms and 96 ms.
_FAST: Final = _Search(3, 0.5, 12, 12.0, 5.0)
# 72 ms and 160 ms. In a church the level falls by less than 12 dB between two words, and less steeply than it beats.
_SLOW: Final = _Search(9, 0.3, 20, 8.0, 2.0)
# Slow decays of dry speech have a median of up to 0.45 s, with loud noise or other voices up to 0.75 s.
_LEAST_SLOW_S: Final = 0.8
# Rooms of 1 to 1.5 s have 20 and more in 6 to 14 s; loud noise and music, where fast ones are few, up to 10.
_LEAST_SLOW_DECAYS: Final = 15
_LEAST_POINTS: Final = 5
# Fewer decays give no stable median.
_LEAST_DECAYS: Final = 8
# In a church there are fewer in 6 s. Noise as loud as the voice has a median of up to 0.9 s where it has as many, music
# as loud as the voice 1.3 s, rooms of 2 s 1.5 to 2.5 s.
_LONG_S: Final = 1.5


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
        self._slow: list[float] = []
        self._bins = [slice(round(low / _HZ_PER_BIN), round(high / _HZ_PER_BIN)) for low, high in _BANDS_HZ]

    def add(self, powers: Samples) -> None:
        """Add the next frames: power spectra of shape (frames, bins), a bin every 62.5 Hz."""
        self._waiting.append(np.stack([powers[:, bins].sum(axis=1) for bins in self._bins]))
        self._count += len(powers)
        if self._count >= _SEGMENT:
            self._measure()

    def decay_s(self) -> float | None:
        """Return the median time in which the sound falls by 60 dB, in seconds; None with too few decays.

        Where there are few fast decays, that of the slow ones, if it is at least 0.8 s, or of few slow ones 1.5 s.
        """
        if self._count >= _SHORTEST or not self._decays:
            self._measure()
        if len(self._decays) >= _LEAST_DECAYS:
            return float(np.median(self._decays))
        slow_s = float(np.median(self._slow)) if len(self._slow) >= _LEAST_DECAYS else 0.0
        return slow_s if slow_s >= (_LEAST_SLOW_S if len(self._slow) >= _LEAST_SLOW_DECAYS else _LONG_S) else None

    def _measure(self) -> None:
        """Find the decays in the frames that are waiting."""
        if self._count:
            bands = np.concatenate(self._waiting, axis=1)
            self._decays += self._found(bands, _FAST)
            if len(self._decays) < _LEAST_DECAYS:
                self._slow += self._found(bands, _SLOW)
        self._waiting, self._count = [], 0

    def _found(self, bands: Samples, search: _Search) -> list[float]:
        mean = np.full(search.smoothed, 1 / search.smoothed, np.float32)
        smooth = (levels_db(np.convolve(powers, mean, "same")) for powers in bands)
        return [decay_s for levels in smooth for decay_s in _decays_s(levels, self._frame_s, search)]


def _decays_s(levels: Samples, frame_s: float, search: _Search) -> list[float]:
    """Return, for each free decay in one band, the seconds for 60 dB at its slope."""
    floor = np.percentile(levels, _FLOOR_PERCENT)
    falls = (levels[1:] < levels[:-1] + search.max_rise_db) & (levels[:-1] > floor + _ABOVE_FLOOR_DB)
    runs = true_runs(np.asarray(falls))
    heights = levels[runs[:, 0]] - levels[runs[:, 1]]
    is_free = (runs[:, 1] - runs[:, 0] >= search.least_frames) & (heights >= search.least_fall_db)
    if not is_free.any():
        return []
    first, last = runs[is_free].T[:, :, np.newaxis]
    after = np.arange(int((last - first).max()) + 1)
    falling = levels[np.minimum(first + after, last)].astype(np.float64)
    is_late = (falling < falling[:, :1] - search.voice_db) & (first + after <= last)
    points = is_late.sum(axis=1)
    # least squares: covariance by variance
    centred = np.where(is_late, after - (is_late @ after / np.maximum(points, 1))[:, np.newaxis], 0.0)
    slopes = (centred * falling).sum(axis=1) / np.maximum((centred * centred).sum(axis=1), 1e-9) / frame_s
    found: list[float] = (-60 / slopes[(points >= _LEAST_POINTS) & (slopes < 0)]).tolist()
    return found
