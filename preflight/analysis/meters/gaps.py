"""Gaps: digital silence inside sound, as a buffer underrun or a lost packet leaves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from preflight.analysis.spans import true_runs

if TYPE_CHECKING:
    from preflight.analysis.framing import Chunk, Grid, Samples

# -80 dBFS: the pauses of even a quiet recording have samples above it within a few milliseconds.
_SILENT: Final = np.float32(1e-4)
_SHORTEST_S: Final = 0.004
_LONGEST_S: Final = 1.0
_EDGE_S: Final = 0.003
# -48 dBFS within 3 ms before and after a gap: neither a voice nor a room falls and rises by 30 dB so fast.
_LOUD: Final = np.float32(0.004)
# With 8 bits the last bit alone has -42 dBFS, and everything below it is silence.
_LOUD_WHEN_COARSE: Final = np.float32(0.06)
# -30 dB relative to the channel's peak: what a noise gate passes before it closes is weaker.
_OF_PEAK: Final = 0.03
_OF_PEAK_WHEN_GATED: Final = 0.25
# Other digital silences of at least 4 ms, which no dropout explains. They are the work of a noise gate or a speech
# synthesizer, and then only a gap in loud sound counts as a dropout.
_GATED_FROM: Final = 2
# Of the highest sample, and of the steepest step, within 3 ms. A waveform cut at any phase has one of the two at the
# cut; one that fades out, or ends at a zero crossing, has neither.
_ABRUPT: Final = 0.1
_STEEP: Final = 0.2
# Times the smallest step around: at a low bit depth, everything below the last bit is silence.
_STEPS: Final = 3


class _Edge(NamedTuple):
    """The sound next to a gap: its highest sample, and whether it ends abruptly there."""

    peak: float
    is_abrupt: bool


class GapDetector:
    """Find silence of 4 ms to 1 s in one channel, between sounds of which at least one is cut off.

    Args:
        grid: The grid of the chunks.
        channel: The index of the channel.
        coarse: Whether the samples have 8 bits, or are companded (G.711).
    """

    def __init__(self, grid: Grid, channel: int = 0, *, coarse: bool = False) -> None:
        self._channel = channel
        self._loud = _LOUD_WHEN_COARSE if coarse else _LOUD
        self._rate = grid.sample_rate_hz
        self._edge = max(3, round(_EDGE_S * self._rate))
        self._shortest = max(4, round(_SHORTEST_S * self._rate))
        # the start of a silence that reaches into the next chunk, and the sound before it
        self._open: tuple[int, _Edge | None] | None = None
        self._peak = 0.0
        self._others = 0
        self._gaps: list[tuple[int, int, float]] = []

    @property
    def found(self) -> list[tuple[int, int]]:
        """Start and end (exclusive) of each gap, as sample indexes in the recording."""
        least = (_OF_PEAK_WHEN_GATED if self._others >= _GATED_FROM else _OF_PEAK) * self._peak
        return [(start, end) for start, end, peak in self._gaps if peak >= least]

    def limit(self, most: int) -> None:
        """Drop all but the first `most`."""
        del self._gaps[most:]

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        lead = chunk.grid.lead
        self._peak = max(self._peak, float(chunk.frame_peaks[self._channel].max(initial=0)))
        is_last = chunk.filled < chunk.rows * chunk.grid.row
        wave = chunk.wave[self._channel]
        window = wave if is_last else wave[: lead + chunk.filled]
        # a gap of at least `_shortest` samples covers at least one of these: most chunks need no closer look
        if self._open is None and not (np.abs(window[:: self._shortest // 2]) <= _SILENT).any():
            return
        runs = true_runs(np.asarray(np.abs(window) <= _SILENT))
        size, opened, self._open = len(window), self._open, None
        at_edge = (runs[:, 0] == 0) | (runs[:, 1] > size - self._edge)
        for begin, end in runs[at_edge | (runs[:, 1] - runs[:, 0] >= self._shortest)].tolist():
            if begin == 0:
                start, before = opened or (0, None)
            else:
                start = chunk.start - lead + begin
                before = self._edge_of(window[max(0, begin - self._edge) : begin][::-1])
            if end > size - self._edge:
                self._open = start, before  # the sound after it is in the next chunk
            elif end > lead - self._edge:  # else it was complete in the chunk before
                self._note(start, chunk.start - lead + end, before, self._edge_of(window[end : end + self._edge]))

    def _edge_of(self, sound: Samples) -> _Edge | None:
        """Return the edge of the sound next to a gap, given from the gap outwards; None where it is too quiet."""
        sizes = np.abs(sound)
        if len(sound) < 3 or sizes[: self._edge].max() < self._loud:
            return None
        peak = float(sizes.max())
        steps = np.abs(np.diff(sound))
        smallest = float(steps[steps > 0].min(initial=peak))
        is_fine = sizes[0] > _STEPS * smallest or smallest < _SILENT
        is_abrupt = sizes[0] >= _ABRUPT * peak or steps[0] >= _STEEP * float(steps.max())
        return _Edge(peak, bool(is_fine and is_abrupt))

    def _note(self, start: int, end: int, before: _Edge | None, after: _Edge | None) -> None:
        if end - start < self._shortest:
            return
        # one abrupt edge is enough: the other may be cut at a zero crossing by chance
        if before and after and (before.is_abrupt or after.is_abrupt) and end - start <= _LONGEST_S * self._rate:
            self._gaps.append((start, end, min(before.peak, after.peak)))
        else:
            self._others += 1
