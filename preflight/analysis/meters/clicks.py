"""Single samples that lie outside the wave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from preflight.analysis.framing import Chunk, Grid, Samples

_LOWEST_RATE_HZ: Final = 16_000
"""Below, the steepest consonants change as fast as a click."""
_LEVEL: Final = 0.03
"""-30 dBFS away from where its neighbours put it."""
_RATIO: Final = 10.0
"""Over the largest such deviation around it; speech was seen up to 5, see benchmarks."""
_SUSPECT_RATIO: Final = 10.0
"""Over the mean curvature of its frame: cheap, and passed by few frames."""
_STEPS: Final = 3
_NEAR: Final = 32
_OWN: Final = 3
_TRACE: Final = np.array([1 / 6, -2 / 3, 1.0, -2 / 3, 1 / 6])
_TRACE_TOLERANCE: Final = 0.2


class ClickFinder:
    """Finds samples that no band-limited wave runs through: bit errors, clock slips, bad cuts.

    Args:
        grid: Of the chunks.
    """

    def __init__(self, grid: Grid) -> None:
        self._is_able = grid.sample_rate_hz >= _LOWEST_RATE_HZ
        self.found: list[int] = []

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk; `found` holds the samples' numbers."""
        if not self._is_able:
            return
        frame, begin = chunk.grid.frame, chunk.grid.lead - _NEAR
        is_last = chunk.filled < chunk.rows * chunk.grid.row
        for channel in range(chunk.distinct):
            wave = chunk.wave[channel]
            # a frame is looked at when the samples behind it are known
            step = np.diff(wave[begin - 1 : begin + chunk.filled + 1])
            curvature = np.diff(step)
            np.abs(curvature, out=curvature)
            framed = curvature[: len(curvature) // frame * frame].reshape(-1, frame)
            highest = framed.max(axis=1)
            suspects = (highest > 2 * _LEVEL) & (highest > _SUSPECT_RATIO * framed.mean(axis=1))
            if not suspects.any():
                continue
            sizes = np.abs(wave)
            # with few bits, one step of the converter looks like a click
            least = max(_LEVEL, _STEPS * float(sizes[sizes > 0].min(initial=1.0)))
            for number in np.flatnonzero(suspects).tolist():
                at = begin + number * frame + int(np.argmax(framed[number]))
                place = chunk.start + at - chunk.grid.lead
                # where the recording begins there is a step, and where it ends
                is_inside = place >= _NEAR and at < chunk.grid.lead + chunk.filled - (_NEAR if is_last else 0)
                if is_inside and _is_click(wave[at - _NEAR : at + _NEAR + 1], _NEAR, least):
                    self.found.append(place)


def _is_click(wave: Samples, at: int, least: float) -> bool:
    """Whether the sample `at`, and it alone, is `least` and more from the cubic through its neighbours.

    Such a sample also pulls the cubics of its neighbours off, by known parts of its own deviation; the corner of a
    clipped peak, a step and the onset of a consonant leave other traces.
    """
    around = wave.astype(np.float64)
    away = around[2:-2] - (4 * (around[1:-3] + around[3:-1]) - around[:-4] - around[4:]) / 6
    at -= 2
    if not _OWN <= at < len(away) - _OWN or abs(away[at]) < least:
        return False
    others = np.concatenate((away[: at - _OWN], away[at + _OWN + 1 :]))
    trace = away[at - 2 : at + 3] / away[at]
    return bool(
        abs(away[at]) >= _RATIO * np.abs(others).max(initial=0.0) and np.abs(trace - _TRACE).max() <= _TRACE_TOLERANCE
    )
