"""Clicks: single samples far outside the waveform around them; and the frames in which a splice may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.meters.splices import LOOK_AHEAD_S, Bends, SpliceDetector

if TYPE_CHECKING:
    from preflight.analysis.frames_and_spectra import Chunk, Grid, Samples

# Below, the steepest consonants change as fast as a click.
_LOWEST_RATE_HZ: Final = 16_000
# -30 dBFS from the value that the neighbors predict.
_MIN_DEVIATION: Final = 0.03
# To the largest deviation around it; speech has up to 5 (docs/benchmarks.md).
_MIN_RATIO: Final = 10.0
# To the mean curvature of its frame: cheap to compute, and few frames reach it.
_SUSPECT_RATIO: Final = 10.0
_STEPS: Final = 3
_NEAR: Final = 32
_OWN: Final = 3
# What a single deviating sample does to the deviations of the samples around it: see `_is_click`.
_TRACE: Final = np.array([1 / 6, -2 / 3, 1.0, -2 / 3, 1 / 6])
_TRACE_TOLERANCE: Final = 0.2


class ClickDetector:
    """Find samples that no band-limited waveform can pass through: bit errors, clock slips, bad edits.

    Args:
        grid: The grid of the chunks.

    Attributes:
        found: The index in the recording of each click, per channel in order.
        splices: The detectors of splices, one per channel: they need the same second differences.
    """

    def __init__(self, grid: Grid) -> None:
        self._is_able = grid.sample_rate_hz >= _LOWEST_RATE_HZ
        self._late = max(_NEAR, -(-round(LOOK_AHEAD_S * grid.sample_rate_hz) // grid.frame) * grid.frame)
        self.found: list[int] = []
        self.splices = [SpliceDetector(grid.sample_rate_hz) for _ in range(grid.channels)]

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        if not self._is_able:
            return
        # the predictions look ahead: frames are examined 20 ms late, when the samples after them are known
        frame, begin = chunk.grid.frame, chunk.grid.lead - self._late
        is_last = chunk.filled < chunk.rows * chunk.grid.row
        for channel in range(chunk.distinct):
            # after the last chunk there is none for what is late
            count = chunk.filled + (self._late + frame if is_last else 0)
            wave = np.pad(chunk.wave[channel], (0, self._late + frame)) if is_last else chunk.wave[channel]
            signed = np.diff(wave[begin - 1 : begin + count + 1], n=2)
            signed = signed[: len(signed) // frame * frame].reshape(-1, frame)
            framed = np.abs(signed)
            # these take a third of the time of max() and mean()
            highest = np.maximum.reduceat(framed.ravel(), np.arange(0, framed.size, frame))
            means = framed @ np.full(frame, 1 / frame, np.float32)
            peak = float(chunk.frame_peaks[channel].max())
            self.splices[channel].add(wave, Bends(signed, highest, means, begin), chunk.start - chunk.grid.lead, peak)
            suspects = (highest > 2 * _MIN_DEVIATION) & (highest > _SUSPECT_RATIO * means)
            if not suspects.any():
                continue
            sizes = np.abs(wave)
            # at a low bit depth, one quantization step looks like a click
            least = max(_MIN_DEVIATION, _STEPS * float(sizes[sizes > 0].min(initial=1.0)))
            for number in np.flatnonzero(suspects).tolist():
                at = begin + number * frame + int(np.argmax(framed[number]))
                place = chunk.start + at - chunk.grid.lead
                # the recording may begin and end with a step, which is not a click
                is_inside = place >= _NEAR and at < chunk.grid.lead + chunk.filled - (_NEAR if is_last else 0)
                if is_inside and _is_click(wave[at - _NEAR : at + _NEAR + 1], _NEAR, least):
                    self.found.append(place)


def _is_click(wave: Samples, at: int, least: float) -> bool:
    """Return whether the sample `at`, and it alone, deviates by at least `least` from its neighbors.

    The deviation is that from the cubic through two neighbors on either side, in Lagrange's form
    x[0] - (4 (x[-1] + x[1]) - x[-2] - x[2]) / 6. A single wrong sample also changes the deviations of its neighbors, by
    -2/3 and 1/6 of its own, since it is part of their predictions. The corner of a clipped peak, a step, or the onset
    of a consonant leave other traces.
    """
    around = wave.astype(np.float64)
    deviations = around[2:-2] - (4 * (around[1:-3] + around[3:-1]) - around[:-4] - around[4:]) / 6
    at -= 2
    if not _OWN <= at < len(deviations) - _OWN or abs(deviations[at]) < least:
        return False
    others = np.concatenate((deviations[: at - _OWN], deviations[at + _OWN + 1 :]))
    trace = deviations[at - 2 : at + 3] / deviations[at]
    return bool(
        abs(deviations[at]) >= _MIN_RATIO * np.abs(others).max(initial=0.0)
        and np.abs(trace - _TRACE).max() <= _TRACE_TOLERANCE
    )
