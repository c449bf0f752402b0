"""True peak according to ITU-R BS.1770-5, annex 2.

Annex 2 oversamples the signal to at least 192 kHz, with a polyphase FIR filter of 12 taps for each phase, and takes the
highest absolute value. Here the filter has 16 taps, and only those parts of the signal are oversampled whose true peak
can be the highest so far.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from preflight.analysis.frames_and_spectra import Chunk, Grid, Samples

# Of each phase; the filter of annex 2 has 12.
_TAPS: Final = 16
_KAISER_BETA: Final = 6.0
# 4 times 48 kHz (annex 2).
_OVERSAMPLED_HZ: Final = 192_000
# Frames oversampled first: once their peak is known, most of the rest can be skipped.
_FIRST_FRAMES: Final = 4
# Positions of the filter evaluated together: 1 MB.
_BATCH: Final = 1 << 14


class TruePeakMeter:
    """Measure the highest absolute value of the oversampled signal.

    An interpolated value is at most the largest sample under the filter, times the sum of the filter's absolute
    coefficients. Where that is below the highest value so far, the filter is not evaluated, and the result is the same.

    Args:
        grid: The grid of the chunks.
    """

    def __init__(self, grid: Grid) -> None:
        # at 192 kHz and above the factor is 1, and the filter is empty: the sample peak is the true peak
        self._filter = interpolator(math.ceil(_OVERSAMPLED_HZ / grid.sample_rate_hz))
        self._gain = np.float32(np.abs(self._filter).sum(axis=0).max(initial=1.0))
        self._peak = np.float32(0)

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        self._peak = max(self._peak, chunk.frame_peaks.max())
        if not self._filter.size:
            return
        for channel in range(chunk.distinct):
            self._add_channel(chunk, channel)

    def _add_channel(self, chunk: Chunk, channel: int) -> None:
        frame = chunk.grid.frame
        # the filter reaches back into the lead, and never ahead (see `interpolator`)
        wave = chunk.wave[channel, chunk.grid.lead + 1 - _TAPS :]
        peaks = chunk.frame_peaks[channel]
        before = np.concatenate((np.abs(wave[: _TAPS - 1]).max(keepdims=True), peaks[:-1]))
        reached = np.maximum(peaks, before)  # the highest sample under the filter, or above it
        if reached.max() * self._gain <= self._peak:
            return
        windows = np.lib.stride_tricks.sliding_window_view(wave, _TAPS)
        loudest = np.argsort(peaks)[-_FIRST_FRAMES:, np.newaxis] * frame
        self._interpolate(windows[(loudest + np.arange(frame)).ravel()])
        frames = np.flatnonzero(reached * self._gain > self._peak)
        sizes = np.abs(np.lib.stride_tricks.sliding_window_view(wave, frame + _TAPS - 1)[::frame][frames])
        is_able = sizes > self._peak / self._gain
        # whether one of 2, 4, 8 and at last 16 samples is that high, from each sample on
        for step in (1, 2, 4, 8):
            is_able = is_able[:, :-step] | is_able[:, step:]
        places = np.flatnonzero(is_able)
        able = frames[places // frame] * frame + places % frame
        for start in range(0, len(able), _BATCH):
            self._interpolate(windows[able[start : start + _BATCH]])

    def _interpolate(self, windows: Samples) -> None:
        """Evaluate the filter at windows of 16 samples."""
        values = windows @ self._filter
        self._peak = max(self._peak, values.max(), -values.min())

    def measurements(self) -> dict[str, float]:
        """Return ``true_peak_dbtp``, not below -120."""
        # annex 2 reports dB relative to full scale, here ±1; 20 log10, since the peak is an amplitude
        return {"true_peak_dbtp": round(20 * math.log10(max(float(self._peak), 1e-6)), 2) + 0.0}


@functools.cache
def interpolator(factor: int) -> Samples:
    """Return the polyphase filter that interpolates `factor` - 1 values between two samples.

    A sinc with a Kaiser window of β = 6 (Kaiser and Schafer, "On the use of the I0-sinh window for spectrum analysis",
    IEEE Trans. ASSP 28(1), 1980). The value at phase p, between samples 8 and 9 of 16, is the product of these samples
    with column p.

    Returns:
        Shape (16, factor - 1), float32.

    >>> phases = interpolator(4)
    >>> phases.shape
    (16, 3)
    >>> np.allclose(phases.sum(axis=0), 1, atol=1e-3)  # the gain of a constant
    True
    """
    half = _TAPS // 2
    # the distance in samples from each tap to the interpolated point
    at = np.arange(_TAPS)[::-1, np.newaxis] - half + np.arange(1, factor)[np.newaxis, :] / factor
    window = np.i0(_KAISER_BETA * np.sqrt(np.maximum(0.0, 1 - (at / half) ** 2))) / np.i0(_KAISER_BETA)
    return np.asarray(np.sinc(at) * window, np.float32)
