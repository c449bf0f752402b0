"""Digital silence inside sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from preflight.analysis.spans import true_runs

if TYPE_CHECKING:
    from preflight.analysis.framing import Chunk, Grid, Samples

_SILENT: Final = np.float32(1e-4)
"""-80 dBFS: the pauses of a quiet recording have samples above it within any few milliseconds."""
_SHORTEST_S: Final = 0.004
_LONGEST_S: Final = 1.0
_EDGE_S: Final = 0.003
_LOUD: Final = np.float32(0.004)
"""-48 dBFS within 3 ms of a hole on both sides: neither a voice nor a room falls and rises by 30 dB so fast."""
_LOUD_WHEN_COARSE: Final = np.float32(0.06)
"""With 8 bits the last bit alone has -42 dBFS, and all below is silence."""
_OF_PEAK: Final = 0.03
"""-30 dB below the channel's peak: what a gate lets through before it closes is weaker."""
_OF_PEAK_WHEN_GATED: Final = 0.25
_GATED_FROM: Final = 2
"""Other digital silences of at least 4 ms, which no dropout explains: then a gate or a synthesizer is at work, and only
what is cut out of loud sound is a dropout."""
_ABRUPT: Final = 0.1
_STEEP: Final = 0.2
"""Of the highest sample and of the steepest step within 3 ms: a wave that is cut at any phase has more of one of the
two at the cut; one that a gate or a synthesizer fades, or ends at rest, has neither."""
_STEPS: Final = 3
"""Times the smallest step around: with few bits, silence is what lies below the last of them."""


class _Edge(NamedTuple):
    """The sound next to a hole: its highest sample, and whether it is cut."""

    peak: float
    is_abrupt: bool


class HoleFinder:
    """Finds silence of 4 ms to 1 s in one channel, between two sounds of which one at least is cut in its middle.

    Args:
        grid: Of the chunks.
        channel: Which channel.
        coarse: Whether the samples have 8 bits or are companded.
    """

    def __init__(self, grid: Grid, channel: int = 0, *, coarse: bool = False) -> None:
        self._channel = channel
        self._loud = _LOUD_WHEN_COARSE if coarse else _LOUD
        self._rate = grid.sample_rate_hz
        self._edge = max(3, round(_EDGE_S * self._rate))
        self._shortest = max(4, round(_SHORTEST_S * self._rate))
        self._open: tuple[int, _Edge | None] | None = None
        self._peak = 0.0
        self._others = 0
        self._holes: list[tuple[int, int, float]] = []

    @property
    def found(self) -> list[tuple[int, int]]:
        """Beginning and end in samples."""
        least = (_OF_PEAK_WHEN_GATED if self._others >= _GATED_FROM else _OF_PEAK) * self._peak
        return [(start, end) for start, end, peak in self._holes if peak >= least]

    def limit(self, most: int) -> None:
        """Forget all but the first `most`."""
        del self._holes[most:]

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        lead = chunk.grid.lead
        self._peak = max(self._peak, float(chunk.frame_peaks[self._channel].max(initial=0)))
        is_last = chunk.filled < chunk.rows * chunk.grid.row
        wave = chunk.wave[self._channel]
        window = wave if is_last else wave[: lead + chunk.filled]
        # of the samples looked at here at least one lies in every hole
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
                before = self._cut(window[max(0, begin - self._edge) : begin][::-1])
            if end > size - self._edge:
                self._open = start, before  # what follows it is in the next chunk
            elif end > lead - self._edge:
                self._note(start, chunk.start - lead + end, before, self._cut(window[end : end + self._edge]))

    def _cut(self, sound: Samples) -> _Edge | None:
        """The sound next to a hole, in the order away from it; None where it is too weak to be cut."""
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
        if before and after and (before.is_abrupt or after.is_abrupt) and end - start <= _LONGEST_S * self._rate:
            self._holes.append((start, end, min(before.peak, after.peak)))
        else:
            self._others += 1
