"""Dropouts: gaps of digital silence in sound, buffers that were written twice, and single-sample clicks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.meters.clicks import ClickDetector
from preflight.analysis.meters.gaps import GapDetector
from preflight.analysis.meters.repeats import RepeatDetector
from preflight.analysis.spans import merged

if TYPE_CHECKING:
    from preflight.analysis.framing import Chunk, Grid
    from preflight.report import Span

_JOIN_S: Final = 0.002
# Of each kind and channel. A recording with more is judged no differently, and must not fill the memory.
_MAX_KEPT: Final = 10_000


class DropoutMeter:
    """Find what was lost or doubled between the microphone and the file.

    Args:
        grid: The grid of the chunks.
        coarse: Whether the samples have 8 bits, or are companded (G.711).
    """

    def __init__(self, grid: Grid, *, coarse: bool = False) -> None:
        self._rate = grid.sample_rate_hz
        self._gaps = [GapDetector(grid, channel, coarse=coarse) for channel in range(grid.channels)]
        self._repeats = [RepeatDetector(grid, channel) for channel in range(grid.channels)]
        self._clicks = ClickDetector(grid)

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        for gaps in self._gaps:
            gaps.add(chunk)
            gaps.limit(_MAX_KEPT)
        for repeats in self._repeats:
            repeats.add(chunk)
            del repeats.found[_MAX_KEPT:]
        self._clicks.add(chunk)
        del self._clicks.found[_MAX_KEPT:]

    def measurements(self) -> dict[str, float]:
        """Return ``dropouts`` (gaps and repeated buffers, a count), ``dropouts_s`` in total, ``clicks`` (a count)."""
        spans = self.spans()
        lost = sum(end - start for start, end in spans)
        return {"dropouts": float(len(spans)), "dropouts_s": round(lost, 4), "clicks": float(len(self.clicks()))}

    def spans(self) -> tuple[Span, ...]:
        """Return the gaps and repeated buffers of all channels, in seconds; those within 2 ms are joined."""
        gaps = [span for detector in self._gaps for span in detector.found]
        repeats = [span for detector in self._repeats for span in detector.found]
        found = np.array([*gaps, *repeats], np.float64).reshape(-1, 2) / self._rate
        return merged(found[:, 0], found[:, 1], _JOIN_S)

    def clicks(self) -> tuple[Span, ...]:
        """Return the clicks, each one sample long, without those at the edges of dropouts: the cut itself clicks."""
        found = sorted(set(self._clicks.found))
        edges = np.array([-np.inf, *sorted(edge for span in self.spans() for edge in span), np.inf])
        moments = np.array(found, np.float64) / self._rate
        following = np.searchsorted(edges, moments)
        moments = moments[np.minimum(edges[following] - moments, moments - edges[following - 1]) > _JOIN_S]
        return merged(moments, moments + 1 / self._rate, _JOIN_S)
