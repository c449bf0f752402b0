"""Peak and RMS levels, frame by frame, and powers in decibels.

A level in dBFS is relative to the power 1 here, the mean square of a full-scale square wave, so that a full-scale sine
has an RMS of -3.01 dBFS. (AES17 defines dB FS relative to that sine: its figures are 3.01 dB higher.) All levels stop
at -120 dB, below the quantization noise of 16 bits (-101 dBFS): digital silence would be minus infinity, which JSON
cannot express.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.frames_and_spectra import Chunk, Grid, Samples


# -120 dB.
_LOWEST_POWER: Final = 1e-12


def decibels(power: float) -> float:
    """Return `power` in dB, rounded to 0.01 dB, not below -120.

    >>> decibels(0.5), decibels(1.0), decibels(0.0)
    (-3.01, 0.0, -120.0)
    """
    return round(10 * math.log10(max(power, _LOWEST_POWER)), 2) + 0.0  # + 0.0 makes -0.0 positive


def levels_db(powers: NDArray[Any]) -> NDArray[np.float32]:
    """Return each of `powers`, an array of any shape, in dB, not below -120.

    >>> levels_db(np.array([1.0, 0.01, 0.0])).tolist()
    [0.0, -20.0, -120.0]
    """
    return np.asarray(10 * np.log10(np.maximum(powers, _LOWEST_POWER)), dtype=np.float32)


_MEAN_FRAMES: Final = 10


class LevelMeter:
    """Measure the RMS of frames of about 10 ms, and RMS and sample peak of the whole.

    10 ms are short enough to show the closure of a plosive, and long enough for one period of a low voice.

    Args:
        grid: The grid of the chunks.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self._frames: list[NDArray[np.float32]] = []
        self._energy = np.zeros(grid.channels)
        self._count = 0
        self._peak = 0.0

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        self._count += chunk.filled
        self._frames.append(_without_offset(chunk.frame_powers, chunk.frame_means, chunk.whole_frames))
        self._peak = max(self._peak, float(chunk.frame_peaks.max()))
        # the zeros that pad the last frame add no energy, so that the product is exact there, too
        self._energy += chunk.frame_powers.sum(axis=1, dtype=np.float64) * self.grid.frame

    @property
    def frame_s(self) -> float:
        """Seconds in a frame."""
        return self.grid.frame_s

    @property
    def seconds(self) -> float:
        """Seconds measured so far."""
        return self._count / self.grid.sample_rate_hz

    def frame_powers(self) -> NDArray[np.float32]:
        """Return the mean square of every whole frame over all channels, without DC offset, shape (frames,)."""
        if len(self._frames) > 1:
            self._frames = [np.concatenate(self._frames)]
        return self._frames[0] if self._frames else np.empty(0, np.float32)

    def frame_levels_dbfs(self) -> NDArray[np.float32]:
        """Return `frame_powers` in dBFS, not below -120."""
        return levels_db(self.frame_powers())

    def measurements(self) -> dict[str, float]:
        """Return ``rms_dbfs`` over all channels, DC offset included, and ``sample_peak_dbfs``; neither below -120."""
        mean = float(self._energy.mean()) / max(1, self._count)
        return {"rms_dbfs": decibels(mean), "sample_peak_dbfs": decibels(self._peak**2)}


def _without_offset(powers: Samples, means: Samples, count: int) -> Samples:
    """Return the mean over the channels of each frame's power around the mean of its 100 ms: DC is not sound.

    100 ms hold whole periods of both mains frequencies (5 of 50 Hz, 6 of 60 Hz), so that hum counts in full. With m the
    local mean, the mean of (x - m)² is the mean of x², minus m (2·mean(x) - m).
    """
    powers, means = powers[:, :count], means[:, :count]
    starts = np.arange(0, count, _MEAN_FRAMES)
    lengths = np.diff(np.append(starts, count))
    local = np.repeat(np.add.reduceat(means, starts, axis=1) / lengths, lengths, axis=1) if count else means
    # maximum: rounding may leave a difference just below zero
    return np.asarray(np.maximum(powers - local * (2 * means - local), 0).mean(axis=0), np.float32)
