"""The sound as one channel at a lower rate, out of the spectra that are there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.framing import FRAMES_PER_ROW

if TYPE_CHECKING:
    from preflight.analysis.framing import Chunk, Grid, Samples

_TAPER: Final = 0.1
"""The upper part of the band over which it fades: a sharp edge would ring on longer than a row's lead."""


class Downmix:
    """One channel, low-passed, at so many samples a frame (of about 10 ms).

    Args:
        grid: Of the chunks.
        samples_per_frame: 160 for 16 kHz. The frames of a grid are not always 10 ms, but nearly.
    """

    def __init__(self, grid: Grid, samples_per_frame: int) -> None:
        self._length = grid.transform * samples_per_frame // grid.frame
        self._row = FRAMES_PER_ROW * samples_per_frame
        self._ahead = (self._length - self._row) // 2
        self._samples_per_frame = samples_per_frame
        self._frame = grid.frame
        bins = min(self._length // 2 + 1, grid.transform // 2 + 1)
        place = np.arange(bins) / (self._length / 2)
        fade = np.clip((1 - place) / _TAPER, 0, 1)
        self._response = np.asarray(self._length * (0.5 - 0.5 * np.cos(np.pi * fade)), np.complex64)
        self._is_first = True

    def add(self, chunk: Chunk) -> Samples:
        """The next samples; they lag behind the chunk's by half a lead, until the last chunk."""
        rows = np.fft.irfft(chunk.mixed_spectra[:, : len(self._response)] * self._response, n=self._length)[
            :, self._ahead : self._ahead + self._row
        ]
        samples = np.asarray(rows.reshape(-1), np.float32)
        if self._is_first:
            samples, self._is_first = samples[self._ahead :], False
            return samples[: self._end(chunk)]
        return samples[: self._end(chunk) + self._ahead]

    def _end(self, chunk: Chunk) -> int:
        return chunk.filled * self._samples_per_frame // self._frame
