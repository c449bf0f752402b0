"""The mono mix at a lower sample rate, computed from the spectra that the meters share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.frames_and_spectra import FRAMES_PER_ROW

if TYPE_CHECKING:
    from preflight.analysis.frames_and_spectra import Chunk, Grid, Samples

# The share of the band, at its upper end, over which the response falls to zero. A brick wall would ring for longer
# than the lead of a row, and wrap around.
_TAPER: Final = 0.1


class Downmix:
    """Resample the mono mix to a number of samples per frame (of about 10 ms).

    An inverse transform that is shorter than the forward one resamples: it keeps the bins below the new Nyquist
    frequency. Half of the lead is dropped at either end of each row, so that filter and wraparound are symmetric.

    Args:
        grid: The grid of the chunks.
        samples_per_frame: 160 for 16 kHz; at sample rates where frames are not exactly 10 ms (see `Grid`), for a rate
            within 0.5 % of it.
    """

    def __init__(self, grid: Grid, samples_per_frame: int) -> None:
        self._length = grid.transform * samples_per_frame // grid.frame
        self._row = FRAMES_PER_ROW * samples_per_frame
        self._ahead = (self._length - self._row) // 2
        self._samples_per_frame = samples_per_frame
        self._frame = grid.frame
        # a recording with a lower rate than the mix has fewer bins: it is upsampled
        bins = min(self._length // 2 + 1, grid.transform // 2 + 1)
        position = np.arange(bins) / (self._length / 2)
        fade = np.clip((1 - position) / _TAPER, 0, 1)
        # a raised cosine; times the length, since both the spectra and numpy's inverse transform divide
        self._response = np.asarray(self._length * (0.5 - 0.5 * np.cos(np.pi * fade)), np.complex64)
        self._is_first = True

    def add(self, chunk: Chunk) -> Samples:
        """Return the next samples of the mix, shape (samples,), full scale at ±1.

        They lag behind the chunk by half a lead (25 ms); with the last chunk they catch up.
        """
        rows = np.fft.irfft(chunk.mixed_spectra[:, : len(self._response)] * self._response, n=self._length)[
            :, self._ahead : self._ahead + self._row
        ]
        samples = np.asarray(rows.reshape(-1), np.float32)
        if self._is_first:  # the first half lead is before the recording
            samples, self._is_first = samples[self._ahead :], False
            return samples[: self._end(chunk)]
        return samples[: self._end(chunk) + self._ahead]

    def _end(self, chunk: Chunk) -> int:
        return chunk.filled * self._samples_per_frame // self._frame
