"""True peak by ITU-R BS.1770-5, annex 2, oversampling only where the maximum can be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.framing import Chunk, Grid, Samples

_TAPS: Final = 16
"""Of each phase; the annex's own filter has 12."""
_KAISER_BETA: Final = 6.0
_OVERSAMPLED_HZ: Final = 192_000
"""What the annex brings the signal to."""
_MOST_AT_ONCE: Final = 64
"""Frames interpolated together, so that what they take does not grow."""


class TruePeakMeter:
    """The highest absolute value of the interpolated signal.

    An interpolated value is at most the largest sample under the filter times the sum of the filter's absolute
    coefficients, so that frames whose samples stay below the highest value found so far, divided by that sum,
    cannot hold the maximum and are passed over. The result is the same as without.

    Args:
        grid: Of the chunks.
    """

    def __init__(self, grid: Grid) -> None:
        self._filter = interpolator(math.ceil(_OVERSAMPLED_HZ / grid.sample_rate_hz))
        self._gain = float(np.abs(self._filter).sum(axis=0).max(initial=1.0))
        self._peak = 0.0

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        self._peak = max(self._peak, float(chunk.frame_peaks.max()))
        if not self._filter.size:
            return
        for channel in range(chunk.distinct):
            peaks = chunk.frame_peaks[channel]
            before = np.abs(chunk.wave[channel, : chunk.grid.lead]).max()
            # the filter reaches back into the frame before, and never ahead
            bound = np.maximum(peaks, np.concatenate(([before], peaks[:-1]))) * self._gain
            order = np.argsort(bound)[::-1]
            for start in range(0, len(order), _MOST_AT_ONCE):
                some = order[start : start + _MOST_AT_ONCE]
                some = some[bound[some] > self._peak]
                if not len(some):
                    break
                self._look(chunk.wave[channel], chunk.grid.lead + np.sort(some) * chunk.grid.frame, chunk.grid.frame)

    def _look(self, wave: Samples, begins: NDArray[np.intp], length: int) -> None:
        """Interpolate those pieces of the frames at `begins` that can hold the maximum."""
        pieces = -(-length // _TAPS)
        first = (begins[:, np.newaxis] + np.arange(pieces) * _TAPS).ravel()
        first = np.minimum(first, len(wave) - _TAPS)
        # the windows that end in a piece of as many samples as the filter has taps lie in it and the one before
        size = 2 * _TAPS - 1
        near = wave[first[:, np.newaxis] + np.arange(1 - _TAPS, _TAPS)]
        able = np.maximum(near.max(axis=1), -near.min(axis=1)) * self._gain > self._peak
        if not able.any():
            return
        windows = np.lib.stride_tricks.sliding_window_view(near[able].reshape(-1, size), _TAPS, axis=1)
        found = windows @ self._filter
        self._peak = max(self._peak, float(found.max()), -float(found.min()))

    def measurements(self) -> dict[str, float]:
        """``true_peak_dbtp``, not below -120."""
        return {"true_peak_dbtp": round(20 * math.log10(max(self._peak, 1e-6)), 2) + 0.0}


def interpolator(factor: int) -> Samples:
    """The phases between two samples of a sinc under a Kaiser window, of shape (taps, factor - 1)."""
    half = _TAPS // 2
    at = np.arange(_TAPS)[::-1, np.newaxis] - half + np.arange(1, factor)[np.newaxis, :] / factor
    window = np.i0(_KAISER_BETA * np.sqrt(np.maximum(0.0, 1 - (at / half) ** 2))) / np.i0(_KAISER_BETA)
    return np.asarray(np.sinc(at) * window, np.float32)
