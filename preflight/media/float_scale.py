"""Which value is full scale in a floating-point recording: 1, or that of integers that were never divided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WINDOW: Final = 4096
_INTEGER_SCALES: Final = (2.0**15, 2.0**23, 2.0**31)
"""Of 16, 24 and 32 bits."""
_WHOLE_ABOVE: Final = 4.0
"""Samples that are all whole numbers and reach this are integers: normal floats are fractions."""
_LOUD_MEDIAN: Final = 64.0
"""Half the samples of a window beyond ±64, 36 dB over full scale: a few corrupt samples are damage, not a scale."""
_LOUD_SHARE: Final = 0.05
"""Of the windows that hold anything."""
_OUTLIER_SHARE: Final = 0.005


class ScaleMeter:
    """Looks at the peaks of windows of 4096 samples."""

    def __init__(self) -> None:
        self._peaks: list[float] = []
        self._medians: list[float] = []
        self._is_whole = True

    def add(self, block: NDArray[Any]) -> None:
        """Take the next block of floats, shape (frames, channels), of which some may be NaN or infinite."""
        flat = block.reshape(-1)
        sizes = np.abs(np.where(np.isfinite(flat), flat, 0)).astype(np.float64)
        self._is_whole = self._is_whole and bool((sizes == np.rint(sizes)).all())
        for start in range(0, len(sizes), _WINDOW):
            window = sizes[start : start + _WINDOW]
            self._peaks.append(float(window.max()))
            self._medians.append(float(np.median(window)))

    def scale(self) -> float:
        """The value of full scale: 1, a power of two of an integer format, or the next power of two above all."""
        peaks, medians = np.array(self._peaks), np.array(self._medians)
        medians, peaks = medians[peaks > 0], np.sort(peaks[peaks > 0])
        if not len(peaks):
            return 1.0
        typical = float(peaks[int((1 - _OUTLIER_SHARE) * (len(peaks) - 1))])
        loud = float((medians > _LOUD_MEDIAN).mean())
        if loud < _LOUD_SHARE and not (self._is_whole and typical > _WHOLE_ABOVE):
            return 1.0
        return next((scale for scale in _INTEGER_SCALES if typical <= scale), float(2 ** np.ceil(np.log2(typical))))
