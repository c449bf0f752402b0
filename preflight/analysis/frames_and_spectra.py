"""The grid that all meters share: blocks of any size become rows of one size, each with its spectrum.

    blocks     |-------|---|-----------|-----       as the decoder returns them
    frames     |-|-|-|-|-|-|-|-|-|-|-|-|-|-|-       about 10 ms
    rows       |---------|---------|---------       20 frames
    lead     |-|       |-|       |-|                the 5 frames before a row
    spectra  |-----------|                          over lead and row
                       |-----------|                ...

Filters are applied in the frequency domain by overlap-save (Oppenheim and Schafer, "Discrete-Time Signal Processing",
3rd ed., 8.7.3): multiply a spectrum with a filter's response, transform it back, and drop the lead, where the circular
convolution wraps around. That is exact for impulse responses of up to 50 ms. One transform per row thus serves all
meters that need a filter or a spectrum.

Rows begin at the same samples however the decoder cuts its blocks, so that no measurement depends on the blocks.
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
_LEAD_FRAMES: Final = 5  # 50 ms: the K-weighting's high-pass at 38 Hz, the longest filter, has decayed by 60 dB
# 6.4 s, if that is no more than 2 MB: with 0.8 s the overhead of numpy's calls takes as long as the work.
_ROWS_PER_CHUNK: Final = 32
_SAMPLES_PER_CHUNK: Final = 1 << 19
_FEWEST_ROWS: Final = 4
_FRAME_S: Final = 0.01
# A frame may be longer or shorter than 10 ms by this share, where that makes its transform faster.
_MAX_DEVIATION: Final = 0.005
# Below 1.4 kHz frames are longer than 10 ms: meters look back 64 samples, and the lead has to hold them.
_SHORTEST_FRAME: Final = 14
# pocketfft, numpy's transform, has code for these factors; lengths with larger ones are several times as slow.
_FAST_FACTORS: Final = (2, 3, 5, 7, 11)


@dataclass(frozen=True)
class Grid:
    """Sizes in samples of one channel.

    Attributes:
        sample_rate_hz: The sample rate in hertz.
        channels: The number of channels.
        frame: Samples in a frame of about 10 ms.
    """

    sample_rate_hz: int
    channels: int
    frame: int

    @classmethod
    def at(cls, sample_rate_hz: int, channels: int) -> Grid:
        """Return the grid for a sample rate.

        >>> grid = Grid.at(48_000, channels=2)
        >>> grid.frame, grid.row, grid.lead, grid.transform
        (480, 9600, 2400, 12000)
        >>> Grid.at(44_099, channels=1).frame  # 441 = 3² · 7², the nearest length with a fast transform
        441
        """
        wanted = sample_rate_hz * _FRAME_S
        low, high = (max(_SHORTEST_FRAME, int(wanted * (1 + part))) for part in (-_MAX_DEVIATION, _MAX_DEVIATION))
        lengths = range(low, high + 2)
        near = sorted(lengths, key=lambda length: (not _is_fast(length), abs(length - wanted)))
        return cls(sample_rate_hz, channels, near[0])

    @property
    def row(self) -> int:
        """Samples in a row."""
        return FRAMES_PER_ROW * self.frame

    @property
    def lead(self) -> int:
        """Samples before a row that its transform covers, too: the overlap of overlap-save."""
        return _LEAD_FRAMES * self.frame

    @property
    def transform(self) -> int:
        """Samples in a transform."""
        return self.lead + self.row

    @property
    def rows_per_chunk(self) -> int:
        """Rows in a chunk, except for the last one of a recording."""
        fitting = _SAMPLES_PER_CHUNK // (self.row * self.channels)
        return max(_FEWEST_ROWS, min(_ROWS_PER_CHUNK, fitting))

    @property
    def frame_s(self) -> float:
        """Seconds in a frame."""
        return self.frame / self.sample_rate_hz

    @property
    def row_s(self) -> float:
        """Seconds in a row."""
        return self.row / self.sample_rate_hz

    @property
    def bin_hz(self) -> float:
        """Hertz from one bin of a row's spectrum to the next."""
        return self.sample_rate_hz / self.transform

    def frequencies_hz(self) -> NDArray[np.float64]:
        """Return the frequencies of the bins of a row's spectrum."""
        return np.asarray(np.arange(self.transform // 2 + 1) * self.bin_hz, np.float64)


def _is_fast(length: int) -> bool:
    for factor in _FAST_FACTORS:
        while length % factor == 0:
            length //= factor
    return length == 1


@dataclass(frozen=True)
class Chunk:
    """A few rows, and what several meters need of them; each value is computed once, when it is first used.

    Only the last chunk of a recording is padded: with zeros, and with more than half a lead (25 ms) of them.

    Attributes:
        grid: The sizes.
        first_row: The index of its first row in the recording.
        wave: Samples of shape (channels, lead + rows * row): the lead, then the rows.
        filled: The number of samples after the lead that belong to the recording.
    """

    grid: Grid
    first_row: int
    wave: Samples
    filled: int

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self.wave.shape[1] - self.grid.lead) // self.grid.row

    @property
    def start(self) -> int:
        """The index of its first sample in the recording."""
        return self.first_row * self.grid.row

    def folded(self) -> Chunk:
        """Return the chunk with the mean of all channels as its only channel."""
        return replace(self, grid=replace(self.grid, channels=1), wave=self.wave.mean(axis=0, keepdims=True))

    @property
    def samples(self) -> Samples:
        """The recording's samples, without lead and padding, of shape (channels, filled)."""
        return self.wave[:, self.grid.lead : self.grid.lead + self.filled]

    @property
    def whole_frames(self) -> int:
        """The number of frames without padding."""
        return self.filled // self.grid.frame

    @cached_property
    def frame_peaks(self) -> Samples:
        """The highest absolute sample of each frame, of shape (channels, frames)."""
        return absolute_peaks(self.wave[:, self.grid.lead :], self.grid.frame)

    @cached_property
    def frame_powers(self) -> Samples:
        """The mean square of each frame, of shape (channels, frames), padding included."""
        framed = self._framed()
        return np.asarray(np.einsum("cfi,cfi->cf", framed, framed) / np.float32(self.grid.frame))

    @cached_property
    def frame_means(self) -> Samples:
        """The mean of each frame, of shape (channels, frames), padding included."""
        # a product takes a fifth of the time of mean()
        return np.asarray(self._framed() @ np.ones(self.grid.frame, np.float32) / np.float32(self.grid.frame))

    @property
    def frame_products(self) -> Samples:
        """The sum of the products of two channels in each frame, of shape (frames,), padding included."""
        return self._products[_LEAD_FRAMES:]

    @cached_property
    def _products(self) -> Samples:  # with the lead
        return np.asarray(np.einsum("fi,fi->f", *(channel.reshape(-1, self.grid.frame) for channel in self.wave)))

    def _framed(self) -> Samples:
        return self.wave[:, self.grid.lead :].reshape(len(self.wave), -1, self.grid.frame)

    @cached_property
    def distinct(self) -> int:
        """1 where all channels are identical, else their number: identical channels are transformed once."""
        parts = (self.wave[:, : 2 * self.grid.lead], self.wave)  # most channels differ at once
        return 1 if all(bool((part[1:] == part[:1]).all()) for part in parts) else self.grid.channels

    @cached_property
    def spectra(self) -> Spectra:
        """The spectrum of each row with its lead, of shape (distinct, rows, bins), divided by the transform's length.

        The window is rectangular, as overlap-save needs it. A meter that wants a Hann window applies it to the spectrum
        (`bandwidth.hann_spectra`).
        """
        windows = np.lib.stride_tricks.sliding_window_view(self.wave[: self.distinct], self.grid.transform, axis=-1)
        # numpy's transform of float32 is several times as fast when it scales on the way forward (norm="forward")
        return np.asarray(np.fft.rfft(windows[:, :: self.grid.row], norm="forward"), np.complex64)

    @cached_property
    def mixed_spectra(self) -> Spectra:
        """The spectrum of each row of the mono mix with its lead, of shape (rows, bins), scaled as `spectra`.

        The mix is the mean of the channels; in rows where two channels are out of phase, and would cancel, it is half
        their difference.
        """
        if self.distinct == 1:
            mixed: Spectra = self.spectra[0]
            return mixed
        left, right = self.spectra
        mixed = left + right
        # per frame first, so that each product is computed once although rows overlap by the lead
        size = _LEAD_FRAMES + FRAMES_PER_ROW
        in_phase = np.lib.stride_tricks.sliding_window_view(self._products, size)[::FRAMES_PER_ROW]
        for row in np.flatnonzero(in_phase.sum(axis=1) < 0).tolist():
            np.subtract(left[row], right[row], out=mixed[row])
        mixed *= np.complex64(0.5)
        return mixed


def absolute_peaks(samples: Samples, frame: int) -> Samples:
    """Return the highest absolute sample of each frame of the last axis; the last frame may be incomplete."""
    starts = np.arange(0, samples.shape[-1], frame)
    # not of np.abs(samples), a temporary array that costs more than a second pass; reduceat is faster than max() here
    highest, lowest = (extreme.reduceat(samples, starts, axis=-1) for extreme in (np.maximum, np.minimum))
    return np.asarray(np.maximum(highest, -lowest))


class ChunkCutter:
    """Cut a recording's blocks into chunks.

    Args:
        grid: The sizes.
        rows: Rows in a chunk; by default as many as are fast.

    >>> grid = Grid.at(16_000, channels=1)
    >>> cutter = ChunkCutter(grid, rows=4)
    >>> chunks = [*cutter.add(np.ones((16_000, 1), np.float32)), *cutter.end()]
    >>> [(chunk.start, chunk.filled) for chunk in chunks]
    [(0, 12800), (12800, 3200)]
    """

    def __init__(self, grid: Grid, rows: int | None = None) -> None:
        self._grid = grid
        self._size = (rows or grid.rows_per_chunk) * grid.row
        self._wave = self._empty()
        self._filled = 0
        self._row = 0

    def _empty(self) -> Samples:
        grid = self._grid
        return np.zeros((grid.channels, grid.lead + self._size), np.float32)

    def add(self, block: NDArray[Any], scale: float = 1.0) -> Iterator[Chunk]:
        """Add a block, and yield the chunks that are full now.

        Args:
            block: Shape (frames, channels), of any number type.
            scale: Multiplied with each sample, so that full scale becomes ±1: 2**-15 for int16.
        """
        planes, used = block.T, 0
        while count := min(len(block) - used, self._size - self._filled):
            at = self._grid.lead + self._filled
            # converts, scales and transposes in one pass, without a temporary array
            np.multiply(planes[:, used : used + count], np.float32(scale), out=self._wave[:, at : at + count])
            self._filled += count
            used += count
            if self._filled == self._size:
                yield self._chunk()

    def end(self) -> Iterator[Chunk]:
        """Yield the last chunk, padded with zeros, so that filters that look ahead reach the last sample."""
        if self._row or self._filled:
            rows = (self._filled + self._grid.lead // 2) // self._grid.row + 1
            padded = np.pad(self._wave, ((0, 0), (0, self._grid.row)))
            self._wave = padded[:, : self._grid.lead + rows * self._grid.row]
            yield self._chunk()

    def _chunk(self) -> Chunk:
        chunk = Chunk(self._grid, self._row, self._wave, self._filled)
        self._wave = self._empty()
        self._wave[:, : self._grid.lead] = chunk.wave[:, chunk.wave.shape[1] - self._grid.lead :]
        self._row += chunk.rows
        self._filled = 0
        return chunk
