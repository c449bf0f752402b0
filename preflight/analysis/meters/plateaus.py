"""Plateaus: clipping that was lossily encoded, filtered or resampled afterwards.

A lossy codec adds ripple to the flat tops of a clipped waveform, so that no two samples are equal. The shape remains:
the edges are as steep as those of a much higher peak, and all of them stop at one level. Peaks after a limiter or a
compressor share a level, too, but keep the shape of a peak. Soft saturation bends peaks to many levels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.framing import Chunk, Samples

    Numbers = NDArray[np.float64]
    Indexes = NDArray[np.int64]

# Of the highest sample of the polarity: at low bit rates a codec exceeds the ceiling by up to 6 dB.
_FLOOR: Final = np.float32(0.4)
# -600 dBFS: shares of denormal numbers round to the numbers themselves.
_SMALLEST: Final = np.float32(1e-30)
# A dip below this share of the top separates two peaks.
_SAME_PEAK: Final = np.float32(0.75)
# A peak below this share of the highest one next to it does not reach the ceiling.
_OTHER_PEAK: Final = np.float32(0.93)
_TOP: Final = np.float32(0.85)
# The edges of a peak are measured between these shares of its level: above is the ripple, below the next wave.
_UPPER: Final = 0.9
_LOWER: Final = 0.6
_MIDDLE: Final = (_UPPER + _LOWER) / 2
# An edge that lasts longer belongs to a slow wave, which clipping does not make steep.
_EDGE_S: Final = 0.0015
# Least number of samples in which an edge is searched.
_LEAST_REACH: Final = 6
# Most edges are shorter: only the others are searched further.
_NEAR_REACH: Final = 12
# Samples: narrower peaks have no shape.
_NARROWEST: Final = 2.0
# Of the samples above `_SAME_PEAK`, those above `_UPPER`: 0.62 of a parabola, 0.83 of a plateau that `_ROUND` barely
# counts. Only the edges of what has more are measured.
_BROAD: Final = 0.7
# Height, relative to the level, of the parabola that the width and the edges predict. Peaks of clean speech have 0.9 to
# 1.1 with any codec; between 1.2 and 1.4 a peak counts in part.
_ROUND: Final = 1.2
_FLAT: Final = 1.4
# Above this, a peak at a proven ceiling is clipped, if only a little.
_BENT: Final = 1.08
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
        lead = chunk.grid.lead
        is_last = chunk.filled < chunk.rows * chunk.grid.row
        wave = chunk.wave[self._channel, : None if is_last else lead + chunk.filled]
        now = np.array([wave.max(), -wave.min()])
        self._peaks = np.maximum(self._peaks, now)
        floors = np.maximum(self._peaks * _FLOOR, _SMALLEST)
        if not (now > floors).any():
            return
        # peaks in the last half lead are left to the next chunk, which has both of their edges
        owned = range(lead // 2 if chunk.first_row else 0, len(wave) if is_last else len(wave) - lead // 2)
        # the two polarities as one wave: numpy's calls cost more than its work on so few samples
        both = np.stack((wave, -wave))
        both[:, -1] = 0
        peaks = _peaks(both, floors, owned, max(_LEAST_REACH, round(_EDGE_S * chunk.grid.sample_rate_hz)))
        weights = np.minimum(np.maximum((peaks.heights - _ROUND) / (_FLAT - _ROUND), 0), 1)
        bins = _bins(peaks.levels)
        where = peaks.sides * _BINS + bins
        self._flat += np.bincount(where, weights, 2 * _BINS).reshape(2, -1)
        self._round += np.bincount(where, 1 - weights, 2 * _BINS).reshape(2, -1)
        is_flat = peaks.heights > _BENT
        self._samples += np.bincount(where, peaks.clipped * is_flat, 2 * _BINS).reshape(2, -1)
        self._runs += np.bincount(where, is_flat, 2 * _BINS).reshape(2, -1)
        if is_flat.any():
            self._found.append(_kept(peaks, bins, is_flat, chunk))
            if len(self._found) > _MOST_PARTS:
                self._shrink()

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


def _kept(peaks: _Peaks, bins: Indexes, is_flat: NDArray[np.bool_], chunk: Chunk) -> _Kept:
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


class _Peaks(NamedTuple):
    """Peaks of a waveform: where they exceed `_UPPER` of their level, predicted height by level, clipped samples."""

    begins: Indexes
    ends: Indexes
    sides: Indexes
    levels: Numbers
    heights: Numbers
    clipped: Numbers


def _peaks(both: Samples, floors: Samples, owned: range, reach: int) -> _Peaks:
    """Return the peaks above `floors` that begin in `owned`; `reach` is the longest edge in samples."""
    wave, size = both.ravel(), both.shape[1]
    at = np.flatnonzero(both > floors[:, None])
    if not len(at):  # the only high sample is the last one, and the next chunk has it, too
        return _Peaks(at, at, at, *np.empty((3, 0)))
    values, starts = wave[at], _starts(at)
    tops = np.repeat(np.maximum.reduceat(values, starts), _lengths(starts, at))
    near = np.flatnonzero(values > _SAME_PEAK * tops)  # taking indexes is faster than selecting by flags
    at, values = at[near], values[near]
    starts = _starts(at)
    lengths = _lengths(starts, at)
    own = np.maximum.reduceat(values, starts)
    is_top = values > _TOP * np.repeat(own, lengths)
    level = np.add.reduceat(values * is_top, starts) / np.add.reduceat(is_top, starts, dtype=np.float32)
    upper = np.flatnonzero(values > np.repeat(np.float32(_UPPER) * level, lengths))
    # each peak has some of them, and the next peak's follow: the first from each start on, and the one before that
    firsts = np.searchsorted(upper, starts)
    first, last = at[upper[firsts]], at[upper[np.append(firsts[1:], len(upper)) - 1]]
    side = (first >= size).astype(np.int64)
    place = first - side * size
    is_owned = (place >= owned.start) & (place < owned.stop)
    wanted = np.flatnonzero((own > _OTHER_PEAK * tops[near[starts]]) & is_owned)
    first, last, levels = first[wanted], last[wanted], level[wanted].astype(np.float64)
    heights, clipped = np.zeros(len(wanted)), np.zeros(len(wanted))
    is_broad = np.flatnonzero(last - first + 1 > _BROAD * lengths[wanted])
    if len(is_broad):
        shape = _shape(wave, first[is_broad], last[is_broad], levels[is_broad], reach)
        heights[is_broad], clipped[is_broad] = shape
    return _Peaks(place[wanted], last + 1 - side[wanted] * size, side[wanted], levels, heights, clipped)


def _starts(at: Indexes) -> Indexes:
    return np.concatenate(([0], np.flatnonzero(at[1:] - at[:-1] > 1) + 1))


def _lengths(starts: Indexes, at: Indexes) -> Indexes:
    return np.asarray(np.diff(starts, append=len(at)), np.int64)


def _shape(wave: Samples, first: Indexes, last: Indexes, level: Numbers, reach: int) -> tuple[Numbers, Numbers]:
    """Return the predicted height of each peak by its level, 0 where unknown, and its clipped samples."""
    # the edges of what `_ROUND` counts last less than a fifth of the width on average
    reach = min(reach, _LEAST_REACH + int((last - first).max()) // 2)
    rise, begin = _edge(wave, first, level, -1, reach)
    fall, end = _edge(wave, last, level, 1, reach)
    width, edge = last + end - (first - begin), (rise + fall) / 2
    is_known = (edge > 0) & (width >= _NARROWEST)
    edge = np.where(is_known, edge, 1.0)
    # a parabola of width w at the middle level, with the slope s at its sides, is s * w / 4 higher
    heights = _MIDDLE + (_UPPER - _LOWER) / edge * (width + edge) / 4
    clipped = np.maximum(0, width - 2 * edge * (1 - _UPPER) / (_UPPER - _LOWER))
    return np.where(is_known, heights, 0.0), clipped


def _edge(wave: Samples, start: Indexes, level: Numbers, step: int, reach: int) -> tuple[Numbers, Numbers]:
    """Return the samples from `_UPPER` down to `_LOWER` of the level (NaN beyond `reach`), and to `_UPPER`."""
    near = min(reach, _NEAR_REACH)
    lower, values = _fall(wave, start, level, step, near)
    if near < reach and len(far := np.flatnonzero(np.isnan(lower))):
        lower[far], _ = _fall(wave, start[far], level[far], step, reach)
    upper = np.clip((values[:, 0] - _UPPER) / np.maximum(values[:, 0] - values[:, 1], 1e-9), 0, 1)
    return lower - upper, upper


def _fall(wave: Samples, start: Indexes, level: Numbers, step: int, reach: int) -> tuple[Numbers, Samples]:
    """Return the samples down to `_LOWER` of the level (NaN beyond `reach`), and the waveform there by the level."""
    around = start[:, None] + step * np.arange(reach)
    values = np.asarray(wave.take(around, mode="clip") / level[:, None].astype(np.float32), np.float32)
    found, rows = (values <= _LOWER).argmax(axis=1), np.arange(len(start))
    inner, outer = values[rows, np.maximum(found - 1, 0)], values[rows, found]
    lower: Numbers = np.where(found > 0, found - 1 + (inner - _LOWER) / np.maximum(inner - outer, 1e-9), np.nan)
    return lower, values
