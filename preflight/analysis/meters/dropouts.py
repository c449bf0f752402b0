"""Dropouts: digital silence inside sound, buffers that were written twice, and single-sample clicks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.meters.clicks import ClickFinder
from preflight.analysis.meters.holes import HoleFinder
from preflight.analysis.meters.repeats import RepeatFinder
from preflight.analysis.spans import merged

if TYPE_CHECKING:
    from preflight.analysis.framing import Chunk, Grid
    from preflight.report import Span

_JOIN_S: Final = 0.002
_MOST_KEPT: Final = 10_000
"""Of each kind: what has more is not told apart from what has that many, and must not fill the memory."""


class DropoutMeter:
    """What gets lost or doubled between a microphone and a file.

    Args:
        grid: Of the chunks.
        coarse: Whether the samples have 8 bits or are companded.
    """

    def __init__(self, grid: Grid, *, coarse: bool = False) -> None:
        self._rate = grid.sample_rate_hz
        self._holes = [HoleFinder(grid, channel, coarse=coarse) for channel in range(grid.channels)]
        self._repeats = [RepeatFinder(grid, channel) for channel in range(grid.channels)]
        self._clicks = ClickFinder(grid)

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        for holes in self._holes:
            holes.add(chunk)
            holes.limit(_MOST_KEPT)
        for repeats in self._repeats:
            repeats.add(chunk)
            del repeats.found[_MOST_KEPT:]
        self._clicks.add(chunk)
        del self._clicks.found[_MOST_KEPT:]

    def measurements(self) -> dict[str, float]:
        """``dropouts`` (holes and repeated buffers, a count), ``dropouts_s`` altogether, ``clicks`` (a count)."""
        spans = self.spans()
        lost = sum(end - start for start, end in spans)
        return {"dropouts": float(len(spans)), "dropouts_s": round(lost, 4), "clicks": float(len(self.clicks()))}

    def spans(self) -> tuple[Span, ...]:
        """Of the holes and repeated buffers."""
        found = (
            np.array(
                [
                    *(span for holes in self._holes for span in holes.found),
                    *(span for some in self._repeats for span in some.found),
                ],
                np.float64,
            ).reshape(-1, 2)
            / self._rate
        )
        return merged(found[:, 0], found[:, 1], _JOIN_S)

    def clicks(self) -> tuple[Span, ...]:
        """Of the clicks, each one sample long, apart from those that the edge of a dropout makes."""
        found = sorted(set(self._clicks.found))
        edges = np.array([-np.inf, *sorted(edge for span in self.spans() for edge in span), np.inf])
        moments = np.array(found, np.float64) / self._rate
        following = np.searchsorted(edges, moments)
        moments = moments[np.minimum(edges[following] - moments, moments - edges[following - 1]) > _JOIN_S]
        return merged(moments, moments + 1 / self._rate, _JOIN_S)
