"""The full scale of a floating-point recording: 1, or that of integers that were stored without scaling.

numpy users often write int16 samples as float without dividing them by 32768.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WINDOW: Final = 4096
_INTEGER_SCALES: Final = (2.0**15, 2.0**23, 2.0**31)
"""The full scale of 16, 24 and 32 bits."""
_WHOLE_ABOVE: Final = 4.0
"""If all samples are whole numbers and exceed this, they are integers: normal floats are fractions."""
_LOUD_MEDIAN: Final = 64.0
"""36 dB above full scale. The median, because a few corrupt samples are damage, not another scale."""
_LOUD_SHARE: Final = 0.05
"""The share of the non-silent windows whose median must exceed `_LOUD_MEDIAN`."""
_OUTLIER_SHARE: Final = 0.005
"""The share of the loudest windows that is ignored when the scale is chosen."""


class ScaleMeter:
    """Estimates the full scale from the peaks and medians of windows of 4096 samples."""

    def __init__(self) -> None:
        self._peaks: list[float] = []
        self._medians: list[float] = []
        self._is_whole = True

    def add(self, block: NDArray[Any]) -> None:
        """Add a block of floats, shape (frames, channels); NaN and infinity are ignored."""
        flat = block.reshape(-1)
        sizes = np.abs(np.where(np.isfinite(flat), flat, 0)).astype(np.float64)
        self._is_whole = self._is_whole and bool((sizes == np.rint(sizes)).all())
        for start in range(0, len(sizes), _WINDOW):
            window = sizes[start : start + _WINDOW]
            self._peaks.append(float(window.max()))
            self._medians.append(float(np.median(window)))

    def scale(self) -> float:
        """Return the full scale: 1, that of 16, 24 or 32 bits, or the next power of two above the peaks."""
        peaks, medians = np.array(self._peaks), np.array(self._medians)
        medians, peaks = medians[peaks > 0], np.sort(peaks[peaks > 0])
        if not len(peaks):
            return 1.0
        # the loudest windows may be clicks or corrupt samples
        typical = float(peaks[int((1 - _OUTLIER_SHARE) * (len(peaks) - 1))])
        loud = float((medians > _LOUD_MEDIAN).mean())
        if loud < _LOUD_SHARE and not (self._is_whole and typical > _WHOLE_ABOVE):
            return 1.0
        return next((scale for scale in _INTEGER_SCALES if typical <= scale), float(2 ** np.ceil(np.log2(typical))))
