"""A coarse spectrogram, to be drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.columns import Columns
from preflight.analysis.decibels import levels_db
from preflight.analysis.pictures import Spectrogram

if TYPE_CHECKING:
    from preflight.analysis.framing import Chunk, Grid

_MOST_COLUMNS: Final = 600
_BANDS: Final = 64
_LOWEST_HZ: Final = 50.0
_HIGHEST_HZ: Final = 20_000.0
_RANGE_DB: Final = 80.0
_LEAST_TOP_DBFS: Final = -60.0
"""Digital silence is shown as silence, not as the loudest that there is."""


class SpectrogramMeter:
    """Levels in bands that are equally wide in octaves, of the spectra that all meters share.

    Args:
        grid: Of the chunks.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._high_hz = min(_HIGHEST_HZ, grid.sample_rate_hz / 2)
        self._low_hz = min(_LOWEST_HZ, self._high_hz / 8)
        edges = np.geomspace(self._low_hz, self._high_hz, _BANDS + 1)
        self._edges = np.clip(np.rint(edges / grid.bin_hz), 1, grid.transform // 2 - 1).astype(np.intp)
        self._columns = Columns(_MOST_COLUMNS)

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        rows = chunk.mixed_spectra[: -(-chunk.filled // chunk.grid.row)]
        # a Hann window, as the sum of three bins; without it the low end would leak over the high end
        hann = rows[:, 1:-1] - np.complex64(0.5) * (rows[:, :-2] + rows[:, 2:])
        powers = np.pad(hann.real**2 + hann.imag**2, ((0, 0), (1, 0)))[:, : self._edges[-1] + 1]
        self._columns.add(np.add.reduceat(powers, self._edges[:-1], axis=1))

    def spectrogram(self) -> Spectrogram | None:
        """What was found, when all chunks were given; None where there was none."""
        levels = levels_db(self._columns.highest())
        if not len(levels):
            return None
        bottom = max(float(levels.max()), _LEAST_TOP_DBFS) - _RANGE_DB
        scaled = np.clip((levels - bottom) / _RANGE_DB, 0, 1) * 255
        return Spectrogram(
            column_s=self._columns.width * self._grid.row_s,
            columns=len(levels),
            levels=np.rint(scaled).astype(np.uint8).T[::-1].tobytes(),
            low_hz=round(self._low_hz, 1),
            high_hz=round(self._high_hz, 1),
            range_db=_RANGE_DB,
        )
