"""Buffers of sound that were written twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.spans import true_runs

if TYPE_CHECKING:
    from preflight.analysis.framing import Chunk, Grid, Samples

_BUFFERS: Final = (256, 512, 1024, 1152, 2048, 4096)
_BUFFERS_S: Final = (0.01, 0.02)
"""What sound cards, drivers and coders pass on at once: powers of two, 10 and 20 ms, a frame of MP3."""
_STRIDE: Final = 8
_LEAST: Final = 0.9
_MOST: Final = 3.0
"""A buffer that is written again is equal for its own length; what is equal for much longer is periodic."""
_LOUD: Final = np.float32(0.003)
"""-50 dBFS: in the last bits of a quiet room equality is chance."""


class RepeatFinder:
    """Finds stretches that are, sample for sample, what stood one buffer earlier.

    A lossy coding leaves no two stretches the same, so that repeats are only found in recordings that were not
    coded since.

    Args:
        grid: Of the chunks.
        channel: Which channel.
    """

    def __init__(self, grid: Grid, channel: int = 0) -> None:
        self._channel = channel
        self._lags = sorted({*_BUFFERS, *(round(seconds * grid.sample_rate_hz) for seconds in _BUFFERS_S)})
        self._kept = int((_MOST + 1) * self._lags[-1]) + 2 * _STRIDE
        self._tail = np.zeros(self._kept, np.float32)
        self.found: list[tuple[int, int]] = []

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk; `found` holds beginning and end in samples."""
        wave = np.concatenate((self._tail, chunk.samples[self._channel]))
        origin = chunk.start - self._kept
        for lag in self._lags:
            self._look(wave, lag, origin)
        self._tail = wave[len(wave) - self._kept :]

    def _look(self, wave: Samples, lag: int, origin: int) -> None:
        first = self._kept - int(_MOST * lag)  # a repeat that began in the chunk before may end in this one
        if not _is_suspect(wave, first, lag):
            return
        now, before = wave[first::_STRIDE], wave[first - lag : len(wave) - lag : _STRIDE]
        same = (now == before) & (now != 0)
        runs = true_runs(same) * _STRIDE + first
        lengths = runs[:, 1] - runs[:, 0]
        for begin, end in runs[(lengths >= _LEAST * lag) & (lengths <= _MOST * lag)].tolist():
            start, stop = _exact(wave, begin, end - _STRIDE + 1, lag)
            is_complete = self._kept < stop < len(wave)
            if is_complete and _LEAST * lag <= stop - start <= _MOST * lag and np.ptp(wave[start:stop]) > 2 * _LOUD:
                self.found.append((origin + start, origin + stop))


def _is_suspect(wave: Samples, first: int, lag: int) -> bool:
    """Whether three samples in a row, a quarter of a buffer apart, are what they were a buffer earlier."""
    step = lag // 4
    now = wave[first::step]
    same = (now == wave[first - lag : len(wave) - lag : step]) & (now != 0)
    return bool((same[:-2] & same[1:-1] & same[2:]).any())


def _exact(wave: Samples, begin: int, end: int, lag: int) -> tuple[int, int]:
    """The run of equal samples around `begin`, to the sample; empty when not all are."""
    if not np.array_equal(wave[begin:end], wave[begin - lag : end - lag]):
        return begin, begin
    reach = _STRIDE
    back = wave[begin - reach : begin] != wave[begin - lag - reach : begin - lag]
    ahead = wave[end : end + reach] != wave[end - lag : end - lag + len(wave[end : end + reach])]
    start = begin - int(np.argmax(back[::-1])) if back.any() else begin - reach
    return start, end + (int(np.argmax(ahead)) if ahead.any() else len(ahead))
