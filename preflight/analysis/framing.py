"""The grid on which every meter works: blocks of any size become rows of one size, each with its spectrum.

A row is about 0.2 s and twenty *frames* of about 10 ms. Its transform also covers the 50 ms before it, so that
meters can filter by overlap-save (Oppenheim and Schafer, "Discrete-Time Signal Processing", 8.7.3). Because the rows
begin at the same samples however the decoder cuts its blocks, measurements do not depend on the blocks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Samples = NDArray[np.float32]
    Spectra = NDArray[np.complex64]

FRAMES_PER_ROW: Final = 20
_LEAD_FRAMES: Final = 5
_ROWS_PER_CHUNK: Final = 4
_FRAME_S: Final = 0.01
_MAY_DEVIATE: Final = 0.005
"""A frame may be so much longer or shorter than 10 ms, if its transform is faster then."""
_SHORTEST: Final = 14
"""Below 1.4 kHz, where nobody records speech, frames are longer: meters look back 64 samples into the lead."""
_FAST_FACTORS: Final = (2, 3, 5, 7, 11)


@dataclass(frozen=True)
class Grid:
    """Sizes, in samples of one channel.

    Attributes:
        sample_rate_hz: Samples a second and channel.
        channels: Number of channels.
        frame: Samples of one frame of about 10 ms.
    """

    sample_rate_hz: int
    channels: int
    frame: int

    @classmethod
    def at(cls, sample_rate_hz: int, channels: int) -> Grid:
        """The grid for a sample rate."""
        wanted = sample_rate_hz * _FRAME_S
        low, high = int(wanted * (1 - _MAY_DEVIATE)), int(wanted * (1 + _MAY_DEVIATE)) + 1
        lengths = range(max(_SHORTEST, low), max(_SHORTEST, high) + 1)
        near = sorted(lengths, key=lambda length: (not _is_fast(length), abs(length - wanted)))
        return cls(sample_rate_hz, channels, near[0])

    @property
    def row(self) -> int:
        """Samples of one row."""
        return FRAMES_PER_ROW * self.frame

    @property
    def lead(self) -> int:
        """Samples before a row that its transform covers too."""
        return _LEAD_FRAMES * self.frame

    @property
    def transform(self) -> int:
        """Samples of one transform."""
        return self.lead + self.row

    @property
    def frame_s(self) -> float:
        """Seconds of one frame."""
        return self.frame / self.sample_rate_hz

    @property
    def row_s(self) -> float:
        """Seconds of one row."""
        return self.row / self.sample_rate_hz

    @property
    def bin_hz(self) -> float:
        """Distance of two bins of a row's spectrum."""
        return self.sample_rate_hz / self.transform

    def frequencies_hz(self) -> NDArray[np.float64]:
        """Of the bins of a row's spectrum."""
        return np.asarray(np.arange(self.transform // 2 + 1) * self.bin_hz, np.float64)


def _is_fast(length: int) -> bool:
    for factor in _FAST_FACTORS:
        while length % factor == 0:
            length //= factor
    return length == 1


@dataclass(frozen=True)
class Chunk:
    """A few rows, the last of which may be filled up with zeros at the end of the recording.

    Attributes:
        grid: The sizes.
        first_row: The number of its first row since the beginning.
        wave: Samples of shape (channels, lead + rows * row): the lead, then the rows.
        filled: How many samples behind the lead are the recording's own.
    """

    grid: Grid
    first_row: int
    wave: Samples
    filled: int

    @property
    def rows(self) -> int:
        """How many rows there are."""
        samples: int = self.wave.shape[1]
        return (samples - self.grid.lead) // self.grid.row

    @property
    def start(self) -> int:
        """The number of its first sample since the beginning of the recording."""
        return self.first_row * self.grid.row

    def folded(self) -> Chunk:
        """The same with the mean of all channels as the only one."""
        grid = replace(self.grid, channels=1)
        return Chunk(grid, self.first_row, self.wave.mean(axis=0, keepdims=True), self.filled)

    @property
    def samples(self) -> Samples:
        """Its own samples, of shape (channels, filled)."""
        return self.wave[:, self.grid.lead : self.grid.lead + self.filled]

    @property
    def whole_frames(self) -> int:
        """How many frames hold nothing but samples of the recording."""
        return self.filled // self.grid.frame

    @cached_property
    def frame_peaks(self) -> Samples:
        """The highest absolute sample of each frame, of shape (channels, frames)."""
        framed = self._framed()
        return np.asarray(np.maximum(framed.max(axis=2), -framed.min(axis=2)))

    @cached_property
    def frame_powers(self) -> Samples:
        """The mean square of each frame, of shape (channels, frames); the end is filled up with zeros."""
        framed = self._framed()
        return np.asarray(np.einsum("cfi,cfi->cf", framed, framed) / np.float32(self.grid.frame))

    @cached_property
    def frame_means(self) -> Samples:
        """The mean of each frame, of shape (channels, frames); the end is filled up with zeros."""
        return np.asarray(self._framed().mean(axis=2))

    def _framed(self) -> Samples:
        return self.wave[:, self.grid.lead :].reshape(len(self.wave), -1, self.grid.frame)

    @cached_property
    def distinct(self) -> int:
        """1 where all channels are the same, else how many there are: what is the same is transformed once."""
        return 1 if bool((self.wave[1:] == self.wave[:1]).all()) else self.grid.channels

    @cached_property
    def spectra(self) -> Spectra:
        """Of each row with its lead, of shape (distinct, rows, bins), divided by the transform's length."""
        windows = np.lib.stride_tricks.sliding_window_view(self.wave[: self.distinct], self.grid.transform, axis=-1)
        # numpy is several times as fast in single precision when it scales on the way forward
        return np.asarray(np.fft.rfft(windows[:, :: self.grid.row], norm="forward"), np.complex64)

    @cached_property
    def mixed_spectra(self) -> Spectra:
        """Of each row of the channels' mean with its lead, of shape (rows, bins), as `spectra`.

        Opposite channels cancel in their sum: half their difference stands for it in rows where that is stronger.
        """
        if self.distinct == 1:
            mixed: Spectra = self.spectra[0]
            return mixed
        left, right = self.spectra
        mixed = left + right
        products = np.einsum("fi,fi->f", *(channel.reshape(-1, self.grid.frame) for channel in self.wave))
        alike = np.lib.stride_tricks.sliding_window_view(products, _LEAD_FRAMES + FRAMES_PER_ROW)[::FRAMES_PER_ROW]
        for row in np.flatnonzero(alike.sum(axis=1) < 0).tolist():
            np.subtract(left[row], right[row], out=mixed[row])
        mixed *= np.complex64(0.5)
        return mixed


class Rows:
    """Cuts blocks into chunks.

    Args:
        grid: The sizes.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._wave = self._empty()
        self._filled = 0
        self._row = 0

    def _empty(self) -> Samples:
        grid = self._grid
        return np.zeros((grid.channels, grid.lead + _ROWS_PER_CHUNK * grid.row), np.float32)

    def add(self, block: NDArray[Any], scale: float = 1.0) -> Iterator[Chunk]:
        """Take a block of shape (frames, channels) whose full scale is 1 / `scale`; yield the chunks that are full."""
        room = _ROWS_PER_CHUNK * self._grid.row
        planes, taken = block.T, 0
        while taken < len(block):
            count = min(len(block) - taken, room - self._filled)
            at = self._grid.lead + self._filled
            np.multiply(planes[:, taken : taken + count], np.float32(scale), out=self._wave[:, at : at + count])
            self._filled += count
            taken += count
            if self._filled == room:
                yield self._chunk()

    def end(self) -> Iterator[Chunk]:
        """Yield the last chunk, filled up with zeros: meters that look ahead find some behind the last sample."""
        if self._row or self._filled:
            rows = self._filled // self._grid.row + 1
            self._wave = np.pad(self._wave, ((0, 0), (0, self._grid.row)))
            self._wave = self._wave[:, : self._grid.lead + rows * self._grid.row]
            yield self._chunk()

    def _chunk(self) -> Chunk:
        chunk = Chunk(self._grid, self._row, self._wave, self._filled)
        self._wave = self._empty()
        self._wave[:, : self._grid.lead] = chunk.wave[:, chunk.wave.shape[1] - self._grid.lead :]
        self._row += chunk.rows
        self._filled = 0
        return chunk
