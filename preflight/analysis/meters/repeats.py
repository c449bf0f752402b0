"""Repeated buffers: stretches of sound that were written twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.spans import true_runs

if TYPE_CHECKING:
    from preflight.analysis.framing import Chunk, Grid, Samples

# The buffer sizes of sound cards, drivers and codecs: powers of two, the 1152 samples of an MP3 frame, 10 and 20 ms
# (the frames of WebRTC and Opus).
_BUFFERS: Final = (256, 512, 1024, 1152, 2048, 4096)
_BUFFERS_S: Final = (0.01, 0.02)
_STRIDE: Final = 8
# In buffers. A repeated buffer is equal for its own length; sound that is equal for much longer is periodic.
_MIN_LENGTH: Final = 0.9
_MAX_LENGTH: Final = 3.0
# -50 dBFS: in the last bits of a quiet room, equality is chance.
_LOUD: Final = np.float32(0.003)


class RepeatDetector:
    """Find stretches that equal, sample for sample, the sound one buffer earlier.

    Lossy coding leaves no two stretches equal, so that repeats are found only in recordings that were never coded
    afterwards.

    Args:
        grid: The grid of the chunks.
        channel: The index of the channel.

    Attributes:
        found: Start and end (exclusive) of each repeated buffer, as sample indexes in the recording.
    """

    def __init__(self, grid: Grid, channel: int = 0) -> None:
        self._channel = channel
        self._lags = sorted({*_BUFFERS, *(round(seconds * grid.sample_rate_hz) for seconds in _BUFFERS_S)})
        # the lead is too short here: a repeat may begin three buffers before it is complete, and its original earlier
        self._kept = int((_MAX_LENGTH + 1) * self._lags[-1]) + 2 * _STRIDE
        self._tail = np.zeros(self._kept, np.float32)
        self.found: list[tuple[int, int]] = []

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        wave = np.concatenate((self._tail, chunk.samples[self._channel]))
        origin = chunk.start - self._kept
        for lag in self._lags:
            self._search(wave, lag, origin)
        self._tail = wave[len(wave) - self._kept :]

    def _search(self, wave: Samples, lag: int, origin: int) -> None:
        first = self._kept - int(_MAX_LENGTH * lag)  # a repeat that began in the chunk before may end in this one
        if not _is_suspect(wave, first, lag):
            return
        # compare every 8th sample, then all samples of the few candidates; zeros equal zeros, and are no repeat
        now, before = wave[first::_STRIDE], wave[first - lag : len(wave) - lag : _STRIDE]
        same = (now == before) & (now != 0)
        runs = true_runs(same) * _STRIDE + first
        lengths = runs[:, 1] - runs[:, 0]
        for begin, end in runs[(lengths >= _MIN_LENGTH * lag) & (lengths <= _MAX_LENGTH * lag)].tolist():
            start, stop = _exact(wave, begin, end - _STRIDE + 1, lag)
            # found by the chunk in which it ends: one that touches the end may go on in the next
            is_complete = self._kept <= stop < len(wave)
            fits = _MIN_LENGTH * lag <= stop - start <= _MAX_LENGTH * lag
            if is_complete and fits and np.ptp(wave[start:stop]) > 2 * _LOUD:
                self.found.append((origin + start, origin + stop))


def _is_suspect(wave: Samples, first: int, lag: int) -> bool:
    """Return whether three samples in a row, a quarter of a buffer apart, equal those one buffer earlier.

    A repeated buffer covers at least three of them. This looks at four samples per buffer, and almost always says no.
    """
    step = lag // 4
    now = wave[first::step]
    same = (now == wave[first - lag : len(wave) - lag : step]) & (now != 0)
    return bool((same[:-2] & same[1:-1] & same[2:]).any())


def _exact(wave: Samples, begin: int, end: int, lag: int) -> tuple[int, int]:
    """Return the run of equal samples around `begin` to the sample; an empty one where not all are equal."""
    if not np.array_equal(wave[begin:end], wave[begin - lag : end - lag]):
        return begin, begin
    reach = _STRIDE
    back = wave[begin - reach : begin] != wave[begin - lag - reach : begin - lag]
    ahead = wave[end : end + reach] != wave[end - lag : end - lag + len(wave[end : end + reach])]
    start = begin - int(np.argmax(back[::-1])) if back.any() else begin - reach
    return start, end + (int(np.argmax(ahead)) if ahead.any() else len(ahead))
