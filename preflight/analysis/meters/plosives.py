"""Plosives: bursts of air on the microphone, as from a p or b spoken close to it, and bumps.

A burst moves the membrane back and forth at 10 to 50 Hz, below any voice. The mean of each frame of 10 ms is what a
low-pass at 44 Hz leaves, and all meters share it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.spans import merged, true_runs

if TYPE_CHECKING:
    from preflight.analysis.frames_and_spectra import Chunk, Grid, Samples
    from preflight.report import Span

# 20 s: the level of the voice in them is that of one place.
_SEGMENT: Final = 2000
_SHORTEST: Final = 200
# 0.4 s, whose mean is the offset around.
_AROUND: Final = 20
_SMOOTHED: Final = np.array([0.5, 0.5], np.float32)
# Of the RMS of the speech: -3 dB. Speech has up to 0.3, and once 0.64.
_OF_SPEECH: Final = 0.7
_LOUD_SHARE: Final = 1 / 40
"""16 dB below the loudest frame, as in ITU-T P.56."""
# To the median of the segment: rumble has up to 6.
_MIN_RATIO: Final = 8.0
# A burst begins and ends at this share of the limit.
_EDGE: Final = 0.3
_LONGEST: Final = 30
# A burst that one segment cannot measure, for want of sound after it, has enough of it on both sides in the next one.
_KEPT: Final = 2 * _AROUND + _LONGEST
_JOIN: Final = 5
_MAX_KEPT: Final = 10_000


class PlosiveMeter:
    """Find bursts below 50 Hz that are about as strong as the voice.

    Args:
        grid: The grid of the chunks.
    """

    def __init__(self, grid: Grid) -> None:
        self._frame_s = grid.frame_s
        self._waiting: list[tuple[Samples, Samples]] = []
        self._count = 0
        self._done = 0
        self._found: list[Span] = []

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        count = chunk.whole_frames
        self._waiting.append((chunk.frame_means[:, :count], chunk.frame_powers[:, :count]))
        self._count += count
        if self._count >= _SEGMENT:
            self._measure(is_last=False)

    def measurements(self) -> dict[str, float]:
        """Return ``plosives``, a count."""
        return {"plosives": float(len(self.spans()))}

    def spans(self) -> tuple[Span, ...]:
        """Return the bursts, in seconds; call it when all chunks were added."""
        if self._count >= _SHORTEST:
            self._measure(is_last=True)
        starts, ends = np.array(self._found, np.float64).reshape(-1, 2).T
        return merged(starts, ends, _JOIN * self._frame_s)

    def _measure(self, *, is_last: bool) -> None:
        """Find the bursts in the frames that are waiting, and leave those near the end to the next segment."""
        means, powers = (np.concatenate(parts, axis=1) for parts in zip(*self._waiting, strict=True))
        first = _AROUND if self._done else 0
        last = self._count if is_last else self._count - _AROUND
        for mean, power in zip(means, powers, strict=True):
            bursts = self._bursts(mean, power)
            own = bursts[(bursts[:, 0] >= first) & (bursts[:, 1] <= last)] + self._done
            self._found += [(float(start), float(end)) for start, end in own * self._frame_s]
        del self._found[_MAX_KEPT:]
        kept = 0 if is_last else _KEPT
        self._done += self._count - kept
        self._waiting = [(means[:, self._count - kept :].copy(), powers[:, self._count - kept :].copy())]
        self._count = kept

    def _bursts(self, means: Samples, powers: Samples) -> Samples:
        """Return start and end (exclusive) of the bursts in one channel, in frames, of shape (bursts, 2)."""
        speech = float(np.sqrt(powers[powers >= _LOUD_SHARE * powers.max()].mean(dtype=np.float64)))
        wave = np.convolve(means, _SMOOTHED, "same")
        around = np.convolve(np.pad(wave, _AROUND, mode="edge"), np.ones(2 * _AROUND + 1) / (2 * _AROUND + 1), "valid")
        sizes = np.abs(wave - around)
        limit = max(_OF_SPEECH * speech, _MIN_RATIO * float(np.median(sizes)), 1e-6)
        runs = true_runs(sizes > _EDGE * limit)
        # the zero crossings of a burst do not divide it
        joined = np.array(merged(runs[:, 0], runs[:, 1], _JOIN), np.intp).reshape(-1, 2)
        strong = [at for at, (start, end) in enumerate(joined) if sizes[start:end].max() > limit]
        return np.asarray([joined[at] for at in strong if joined[at, 1] - joined[at, 0] <= _LONGEST]).reshape(-1, 2)
