"""A coarse spectrogram, for drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.columns import Columns
from preflight.analysis.decibels import levels_db
from preflight.analysis.framing import hann_spectra
from preflight.analysis.pictures import Spectrogram

if TYPE_CHECKING:
    from preflight.analysis.framing import Chunk, Grid

_MAX_COLUMNS: Final = 600
_BANDS: Final = 64
_LOWEST_HZ: Final = 50.0
_HIGHEST_HZ: Final = 20_000.0
_RANGE_DB: Final = 80.0
# The loudest point is drawn brightest, but digital silence or faint noise is not drawn as bright sound.
_MIN_TOP_DBFS: Final = -60.0


class SpectrogramMeter:
    """Measure the level in 64 bands of equal width in octaves, from the spectra that all meters share.

    Args:
        grid: The grid of the chunks.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._high_hz = min(_HIGHEST_HZ, grid.sample_rate_hz / 2)
        self._low_hz = min(_LOWEST_HZ, self._high_hz / 8)
        edges = np.geomspace(self._low_hz, self._high_hz, _BANDS + 1)
        # the lowest bands are narrower than a bin: neighbors then share one
        self._edges = np.clip(np.rint(edges / grid.bin_hz), 1, grid.transform // 2 - 1).astype(np.intp)
        self._columns = Columns(_MAX_COLUMNS)

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        rows = chunk.mixed_spectra[: -(-chunk.filled // chunk.grid.row)]
        hann = hann_spectra(rows)
        powers = np.pad(hann.real**2 + hann.imag**2, ((0, 0), (1, 0)))[:, : self._edges[-1] + 1]
        # reduceat sums from each edge to the next, and takes a single bin where two edges are equal
        self._columns.add(np.add.reduceat(powers, self._edges[:-1], axis=1))

    def spectrogram(self) -> Spectrogram | None:
        """Return the spectrogram, after all chunks were added; None without any."""
        levels = levels_db(self._columns.highest())
        if not len(levels):
            return None
        bottom = max(float(levels.max()), _MIN_TOP_DBFS) - _RANGE_DB
        scaled = np.clip((levels - bottom) / _RANGE_DB, 0, 1) * 255
        return Spectrogram(
            column_s=self._columns.width * self._grid.row_s,
            columns=len(levels),
            levels=np.rint(scaled).astype(np.uint8).T[::-1].tobytes(),
            low_hz=round(self._low_hz, 1),
            high_hz=round(self._high_hz, 1),
            range_db=_RANGE_DB,
        )
