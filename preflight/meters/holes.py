"""Digital silence inside sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.meters.spans import true_runs

if TYPE_CHECKING:
    from preflight.meters.grid import Chunk, Grid, Samples

_SILENT: Final = np.float32(1e-4)
"""-80 dBFS: the pauses of a quiet recording have samples above it within any few milliseconds."""
_SHORTEST_S: Final = 0.004
_LONGEST_S: Final = 1.0
_EDGE_S: Final = 0.003
_LOUD: Final = np.float32(0.004)
"""-48 dBFS within 3 ms of a hole on both sides: neither a voice nor a room nor a gate falls and rises by 30 dB so
fast."""
_LOUD_WHEN_COARSE: Final = np.float32(0.06)
"""With 8 bits the last bit alone has -42 dBFS, and all below is silence."""


class HoleFinder:
    """Finds silence of 4 ms to 1 s between two sounds that break off and begin at once.

    Args:
        grid: Of the chunks.
        coarse: Whether the samples have 8 bits or are companded.
    """

    def __init__(self, grid: Grid, *, coarse: bool = False) -> None:
        self._loud = _LOUD_WHEN_COARSE if coarse else _LOUD
        self._rate = grid.sample_rate_hz
        self._edge = max(2, round(_EDGE_S * self._rate))
        self._shortest = max(4, round(_SHORTEST_S * self._rate))
        self._open: tuple[int, bool] | None = None
        self.found: list[tuple[int, int]] = []

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk; `found` holds beginning and end in samples."""
        lead = chunk.grid.lead
        is_last = chunk.filled < chunk.rows * chunk.grid.row
        window = chunk.wave if is_last else chunk.wave[:, : lead + chunk.filled]
        # of the samples looked at here at least one lies in every hole
        spots = np.abs(window[:, :: self._shortest // 2]) <= _SILENT
        if self._open is None and not spots.all(axis=0).any():
            return
        runs = true_runs(np.asarray((np.abs(window) <= _SILENT).all(axis=0)))
        size, opened, self._open = window.shape[1], self._open, None
        at_edge = (runs[:, 0] == 0) | (runs[:, 1] > size - self._edge)
        for begin, end in runs[at_edge | (runs[:, 1] - runs[:, 0] >= self._shortest)].tolist():
            if begin == 0:
                start, was_loud = opened or (0, False)
            else:
                start, was_loud = chunk.start - lead + begin, self._is_loud(window, begin - self._edge, begin)
            if end > size - self._edge:
                self._open = start, was_loud  # what follows it is in the next chunk
            elif end > lead - self._edge and was_loud and self._is_loud(window, end, end + self._edge):
                self._note(start, chunk.start - lead + end)

    def _is_loud(self, window: Samples, start: int, end: int) -> bool:
        return bool(np.abs(window[:, max(0, start) : end]).max(initial=0) >= self._loud)

    def _note(self, start: int, end: int) -> None:
        if self._shortest <= end - start <= _LONGEST_S * self._rate:
            self.found.append((start, end))
