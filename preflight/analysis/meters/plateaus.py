"""Plateaus: clipping that was lossily encoded, filtered or resampled afterwards.

A lossy codec adds ripple to the flat tops of a clipped waveform, so that no two samples are equal. The shape remains:
the edges are as steep as those of a much higher peak, and all of them stop at one level. Peaks after a limiter or a
compressor share a level, too, but keep the shape of a peak. Soft saturation bends peaks to many levels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from preflight.analysis.peak_shapes import BENT, peaks_above

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.frames_and_spectra import Chunk, Samples
    from preflight.analysis.peak_shapes import Peaks

    Numbers = NDArray[np.float64]
    Indexes = NDArray[np.int64]

# Of the highest sample of the polarity: at low bit rates a codec exceeds the ceiling by up to 6 dB.
_FLOOR: Final = np.float32(0.4)
# -600 dBFS: shares of denormal numbers round to the numbers themselves.
_SMALLEST: Final = np.float32(1e-30)
# Height, relative to the level, of the parabola that the width and the edges predict. Peaks of clean speech have 0.9 to
# 1.1 with any codec; between 1.2 and 1.4 a peak counts in part.
_ROUND: Final = 1.2
_FLAT: Final = 1.4
_BINS_PER_DB: Final = 10
_LOWEST_DB: Final = -100
_HIGHEST_DB: Final = 30
_BINS: Final = (_HIGHEST_DB - _LOWEST_DB) * _BINS_PER_DB
# Bins of the ceiling: plateaus at one level stay within 0.45 dB of it after most codecs.
_WINDOW: Final = 9
# Bins around a proven ceiling in which plateaus belong to it.
_REACH: Final = 10
# The plateaus at the ceiling must be more than 3 plus these shares of the other plateaus near the ceiling, of the round
# peaks above it and of the round peaks at it. Twelve voices in six states (clean, normalized, compressed, three
# limiters) and twelve encodings stay below 0.6 times that sum.
_LEAST: Final = 3.0
_PER_OTHER_FLAT: Final = 0.5
_PER_HIGHER: Final = 0.05
_PER_ROUND: Final = 0.04
# Bins: the two polarities of a clipped signal without an offset have one ceiling.
_SAME_CEILING: Final = 10
_MOST_KEPT: Final = 10_000
_MOST_PARTS: Final = 64
_FRAMES_PER_PLACE: Final = 5


class Places(NamedTuple):
    """Plateaus: first samples and ends (exclusive), and the numbers of clipped samples and of plateaus."""

    begins: Indexes
    ends: Indexes
    samples: float
    runs: float


class PlateauDetector:
    """Collect the peaks of a channel by polarity, level and shape, in bounded memory.

    Args:
        channel: The index of the channel.
    """

    def __init__(self, channel: int = 0) -> None:
        self._channel = channel
        self._peaks = np.zeros(2, np.float32)
        self._flat, self._round, self._samples, self._runs = (np.zeros((2, _BINS)) for _ in range(4))
        self._found: list[_Kept] = []

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        grid, wave = chunk.grid, chunk.wave[self._channel]
        is_last = chunk.filled < chunk.rows * grid.row
        now = np.array([wave.max(), -wave.min()])
        self._peaks = np.maximum(self._peaks, now)
        if not (now > self._floors()).any():
            return
        # peaks in the last half lead are left to the next chunk, which has both of their edges
        owned = range(grid.lead // 2 if chunk.first_row else 0, len(wave) - (0 if is_last else grid.lead // 2))
        peaks = peaks_above(self._floors(), wave, owned, grid.sample_rate_hz)
        weights = np.minimum(np.maximum((peaks.heights - _ROUND) / (_FLAT - _ROUND), 0), 1)
        bins = _bins(peaks.levels)
        where = peaks.sides * _BINS + bins
        self._flat += np.bincount(where, weights, 2 * _BINS).reshape(2, -1)
        self._round += np.bincount(where, 1 - weights, 2 * _BINS).reshape(2, -1)
        is_flat = peaks.heights > BENT
        self._samples += np.bincount(where, peaks.clipped * is_flat, 2 * _BINS).reshape(2, -1)
        self._runs += np.bincount(where, is_flat, 2 * _BINS).reshape(2, -1)
        if is_flat.any():
            self._found.append(_kept(peaks, bins, is_flat, chunk))
            if len(self._found) > _MOST_PARTS:
                self._shrink()

    def _floors(self) -> Samples:
        """Return the level, for each polarity, above which peaks are examined."""
        return np.asarray(np.maximum(self._peaks * _FLOOR, _SMALLEST), np.float32)

    def places(self) -> tuple[Places, ...]:
        """Return the plateaus of each clipped polarity; empty without any.

        A polarity is clipped by its own evidence, or both are by their common evidence. A polarity with too few
        plateaus is clipped, too, if the other one is at the same level.
        """
        both = [self._evidence(side) for side in range(2)]
        sides = [side for side in range(2) if both[side].is_clipped]
        is_same = abs(both[0].ceiling - both[1].ceiling) <= _SAME_CEILING
        summed = _Evidence(0, both[0].plateaus + both[1].plateaus, both[0].against + both[1].against)
        if (sides and is_same) or (not sides and summed.is_clipped):
            sides = [0, 1]
        return tuple(self._at(side, both[side].ceiling) for side in sides if self._found)

    def _evidence(self, side: int) -> _Evidence:
        """Return the level with most flat peaks, and the evidence for and against clipping there."""
        if not self._peaks[side] > 0:
            return _Evidence(0, 0.0, 0.0)
        lowest = int(_bins(self._peaks[side : side + 1].astype(np.float64) * float(_FLOOR))[0])
        flat = self._flat[side].copy()
        flat[:lowest] = 0
        sums = np.convolve(flat, np.ones(_WINDOW), "same")
        # argmax from the top: the highest of several equal levels
        ceiling = _BINS - 1 - int(sums[::-1].argmax())
        low, high = max(0, ceiling - _WINDOW // 2), ceiling + _WINDOW // 2 + 1
        others = flat[max(0, low - _WINDOW) : low].sum() + flat[high:].sum()
        higher, level = self._round[side, high:].sum(), self._round[side, low:high].sum()
        against = _PER_OTHER_FLAT * others + _PER_HIGHER * higher + _PER_ROUND * level
        return _Evidence(ceiling, float(flat[low:high].sum()), float(against))

    def _shrink(self) -> None:
        """Join the lists of plateaus; of too many keep the first at the ceiling."""
        kept = _Kept(*(np.concatenate(parts) for parts in zip(*self._found, strict=True)))
        if len(kept.begins) > _MOST_KEPT:
            ceilings = np.array([self._evidence(side).ceiling for side in range(2)])
            at_ceiling = np.flatnonzero(np.abs(kept.bins - ceilings[kept.sides]) <= _REACH)
            kept = _Kept._make(part[at_ceiling[:_MOST_KEPT]] for part in kept)
        self._found = [kept]

    def _at(self, side: int, ceiling: int) -> Places:
        self._shrink()
        kept = self._found[0]
        wanted = (kept.sides == side) & (np.abs(kept.bins - ceiling) <= _REACH)
        near = slice(max(0, ceiling - _REACH), ceiling + _REACH + 1)
        return Places(
            kept.begins[wanted],
            kept.ends[wanted],
            float(self._samples[side, near].sum()),
            float(self._runs[side, near].sum()),
        )


class _Evidence(NamedTuple):
    ceiling: int
    plateaus: float
    against: float

    @property
    def is_clipped(self) -> bool:
        return self.plateaus > _LEAST + self.against


class _Kept(NamedTuple):
    """Plateaus: first samples, ends (exclusive), polarity, and level as a bin."""

    begins: Indexes
    ends: Indexes
    sides: Indexes
    bins: Indexes


def _bins(levels: Numbers) -> Indexes:
    bins = (20 * np.log10(levels) - _LOWEST_DB) * _BINS_PER_DB
    return np.asarray(np.clip(bins, 0, _BINS - 1), np.int64)


def _kept(peaks: Peaks, bins: Indexes, is_flat: NDArray[np.bool_], chunk: Chunk) -> _Kept:
    """Return the plateaus; those within 50 ms and at nearly one level are joined, which bounds their number."""
    origin = chunk.start - chunk.grid.lead
    cells = (peaks.begins + origin) // (chunk.grid.frame * _FRAMES_PER_PLACE)
    keys = ((cells * 2 + peaks.sides) * _BINS + bins // _WINDOW)[is_flat]
    order = np.flatnonzero(is_flat)[np.argsort(keys, kind="stable")]
    keys.sort()
    starts = np.concatenate(([0], np.flatnonzero(np.diff(keys)) + 1))
    return _Kept(
        begins=np.minimum.reduceat(peaks.begins[order] + origin, starts),
        ends=np.maximum.reduceat(peaks.ends[order] + origin, starts),
        sides=peaks.sides[order][starts],
        bins=bins[order][starts],
    )
