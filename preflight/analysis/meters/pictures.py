"""Meters for drawing data: the waveform, the spectrogram and loudness over time, in a bounded number of columns.

They run in the same pass as all others, so that a drawing decodes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from preflight.analysis.meters.bandwidth import hann_spectra
from preflight.analysis.meters.peak_and_rms import levels_db
from preflight.analysis.pictures import Pictures, Spectrogram, Waveform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.frames_and_spectra import Chunk, Grid
    from preflight.analysis.meters.loudness import LoudnessMeter


class Columns:
    """Keep the maximum of the values in each column, element by element.

    A column holds one value at first. Whenever there are too many columns, pairs of them are merged, so that the memory
    and the detail stay between half and all of the limit.

    Args:
        most: The largest number of columns; even.

    >>> columns = Columns(most=4)
    >>> columns.add(np.array([1, 5, 2, 4, 3, 0]))
    >>> columns.highest().tolist(), columns.width
    ([5, 4, 3], 2)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._full: list[NDArray[Any]] = []
        self._count = 0
        self._open: NDArray[Any] | None = None
        self._held = 0
        self.width = 1
        """Values in each column."""

    def add(self, values: NDArray[Any]) -> None:
        """Add the next values, of shape (values, …)."""
        while len(values):
            if self._held or len(values) < self.width:
                values = self._fill(values)
            else:
                whole = len(values) // self.width
                used, values = values[: whole * self.width], values[whole * self.width :]
                self._keep(used.reshape(whole, self.width, *used.shape[1:]).max(axis=1))

    def highest(self) -> NDArray[Any]:
        """Return the columns, of shape (columns, …); the last may hold fewer values than the others."""
        parts = self._full if self._open is None else [*self._full, self._open[np.newaxis]]
        return np.concatenate(parts) if parts else np.empty(0)

    def _fill(self, values: NDArray[Any]) -> NDArray[Any]:
        """Add values to the column that is not full yet, and return those that are left."""
        used = values[: self.width - self._held]
        most = used.max(axis=0)
        self._open = full = most if self._open is None else np.maximum(self._open, most)
        self._held += len(used)
        if self._held == self.width:
            self._open, self._held = None, 0
            self._keep(full[np.newaxis])
        return values[len(used) :]

    def _keep(self, columns: NDArray[Any]) -> None:
        self._full.append(columns)
        self._count += len(columns)
        while self._count >= self._most:
            kept = np.concatenate(self._full)
            if self._count % 2:  # the odd one becomes the first half of the open column
                self._open, self._held, kept = kept[-1], self.width, kept[:-1]
            self._full = [kept.reshape(-1, 2, *kept.shape[1:]).max(axis=1)]
            self._count //= 2
            self.width *= 2


_WAVEFORM_COLUMNS: Final = 1200
_FULL_SCALE: Final = 32767


class EnvelopeMeter:
    """Keep the lowest and the highest sample of each channel, over time.

    Args:
        grid: The grid of the chunks.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._columns = Columns(_WAVEFORM_COLUMNS)

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        frames = -(-chunk.filled // self._grid.frame)
        wave = chunk.wave[:, self._grid.lead : self._grid.lead + frames * self._grid.frame]
        framed = wave.reshape(len(wave), frames, self._grid.frame)
        # Columns keeps maxima: the lowest sample is kept as the highest of the negated ones
        self._columns.add(np.stack((-framed.min(axis=2), framed.max(axis=2)), axis=2).transpose(1, 0, 2))

    def waveform(self) -> Waveform:
        """Return the envelope, after all chunks were added."""
        found = self._columns.highest().reshape(-1, self._grid.channels, 2)
        return Waveform(
            column_s=self._columns.width * self._grid.frame_s,
            lows=tuple(_as_bytes(-found[:, channel, 0]) for channel in range(self._grid.channels)),
            highs=tuple(_as_bytes(found[:, channel, 1]) for channel in range(self._grid.channels)),
        )


def _as_bytes(samples: NDArray[np.float32]) -> bytes:
    """Return samples as little-endian int16, clipped to full scale."""
    return np.rint(np.clip(samples, -1, 1) * _FULL_SCALE).astype("<i2").tobytes()


_SPECTROGRAM_COLUMNS: Final = 600
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
        self._columns = Columns(_SPECTROGRAM_COLUMNS)

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


class PictureMeters:
    """Measure the envelope of the whole recording, and the spectrogram of the part that the other meters measure.

    Args:
        grid: The grid of the chunks.
    """

    def __init__(self, grid: Grid) -> None:
        self._envelope = EnvelopeMeter(grid)
        self._spectrogram = SpectrogramMeter(grid)

    def add(self, chunk: Chunk, *, measured: bool) -> None:
        """Add the next chunk; `measured` says whether the other meters measure it, too."""
        self._envelope.add(chunk)
        if measured:
            self._spectrogram.add(chunk)

    def pictures(self, loudness: LoudnessMeter | None) -> Pictures:
        """Return the drawing data, after all chunks were added.

        Args:
            loudness: The loudness meter of the same pass; None where nothing was measured.
        """
        return Pictures(
            waveform=self._envelope.waveform(),
            spectrogram=self._spectrogram.spectrogram(),
            momentary=loudness.momentary() if loudness else None,
            short_term=loudness.short_term() if loudness else None,
        )
