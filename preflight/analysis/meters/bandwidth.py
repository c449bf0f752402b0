"""Effective bandwidth: up to which frequency there is a voice, whatever the sample rate says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.decibels import levels_db

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.framing import Chunk, Grid

_BAND_HZ: Final = 100.0
_EVERY: Final = 2
"""Rows looked at: half of them tell as much."""
_CLASS_DB: Final = 3.0
_CLASSES: Final = 40
_LOUDEST_SHARE: Final = 0.05
_RANGE_DB: Final = 36.0
"""Below the loud rows: what is weaker is no voice, but the room, or silence that a gate left."""
_LEAST_SPREAD_DB: Final = 2.0
"""Of a band's level over the rows: 1.0 for noise, which is the same all the time; 4 and more for a voice."""
_BELOW_VOICE_DB: Final = 65.0
_VOICE_HZ: Final = (200.0, 3000.0)
_BRIDGED_BANDS: Final = 4
_BEYOND_BANDS: Final = 10
_MASKED_DB: Final = 45.0
"""Noise that is nearer than this to the strongest band covers the upper end of a voice."""


class BandwidthMeter:
    """Looks for the bands whose level moves.

    A voice moves in all its bands. Beyond the edge of a telephone line, of a resampler or of a low bit rate there is
    nothing, or noise that stays the same.

    Args:
        grid: Of the chunks.
    """

    def __init__(self, grid: Grid) -> None:
        self._bins = max(1, round(_BAND_HZ / grid.bin_hz))
        self._band_hz = self._bins * grid.bin_hz
        self._bands = (grid.transform // 2 + 1) // self._bins
        # by the level of the row: its number of rows, and the sums of power, level and squared level of each band
        self._counts = np.zeros(_CLASSES, np.int64)
        self._sums = np.zeros((_CLASSES, 3, self._bands))

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        whole = chunk.filled // chunk.grid.row
        rows = chunk.mixed_spectra[(-chunk.first_row) % _EVERY : whole : _EVERY]
        if not len(rows):
            return
        # a Hann window, as the sum of three bins; without it the low end would leak over the high end
        hann = rows[:, 1:-1] - np.complex64(0.5) * (rows[:, :-2] + rows[:, 2:])
        powers = np.zeros(rows.shape, np.float32)
        powers[:, 1:-1] = hann.real**2 + hann.imag**2
        bands = powers[:, : self._bands * self._bins].reshape(len(rows), self._bands, self._bins).sum(axis=2)
        levels = levels_db(bands)
        classes = (levels_db(bands.sum(axis=1)) / _CLASS_DB).astype(np.intp) + _CLASSES - 1
        for number, level_class in enumerate(np.clip(classes, 0, _CLASSES - 1)):
            self._counts[level_class] += 1
            self._sums[level_class] += (bands[number], levels[number], levels[number] ** 2)

    def measurements(self) -> dict[str, float]:
        """``bandwidth_hz``, to about 100 Hz; left out where no band moves, or noise covers what there may be."""
        total = int(self._counts.sum())
        if total < 2:
            return {}
        loudest = int(np.searchsorted(np.cumsum(self._counts), (1 - _LOUDEST_SHARE) * total))
        used = slice(max(0, loudest - round(_RANGE_DB / _CLASS_DB)), _CLASSES)
        power, level, square = self._sums[used].sum(axis=0) / self._counts[used].sum()
        spread = np.sqrt(np.maximum(0.0, square - level**2))
        mean = levels_db(power)
        moving = np.flatnonzero((mean > self._strongest(mean) - _BELOW_VOICE_DB) & (spread > _LEAST_SPREAD_DB))
        if not len(moving):
            return {}
        # a lone band far above all others is a whistle, not a voice
        gaps = np.flatnonzero(np.diff(moving) > _BRIDGED_BANDS)
        last = int(moving[gaps[0]] if len(gaps) else moving[-1])
        if mean[last + 2 : last + 2 + _BEYOND_BANDS].max(initial=-120.0) > self._strongest(mean) - _MASKED_DB:
            return {}
        return {"bandwidth_hz": float(round((last + 1) * self._band_hz, -1))}

    def _strongest(self, spectrum: NDArray[np.float32]) -> float:
        centres = (np.arange(self._bands) + 0.5) * self._band_hz
        within = spectrum[(centres >= _VOICE_HZ[0]) & (centres <= _VOICE_HZ[1])]
        return float((within if len(within) else spectrum).max())
