"""Peaks of a waveform: their level, and the height that their width and their edges predict.

A peak of a voice is about as high as a parabola of the same width and the same slope at its sides. One that was cut off
is lower than that, also if a lossy codec, a filter or a resampler made its flat top ripple.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.frames_and_spectra import Samples

    Numbers = NDArray[np.float64]
    Indexes = NDArray[np.int64]

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
# Of the samples above `_SAME_PEAK`, those above `_UPPER`: 0.76 of a parabola, whose level is 0.95 of its top. What has
# less is a spike.
_BROAD: Final = 0.7
# The predicted height by the level above which a peak is bent, if only a little: clean speech has 0.9 to 1.1.
BENT: Final = 1.08
# Edges of such peaks last this share of their width at most, on average: see `_shape`.
_LONGEST: Final = (_UPPER - _LOWER) / (4 * (BENT - _MIDDLE) - (_UPPER - _LOWER))


class Peaks(NamedTuple):
    """Peaks of a waveform, by number; each array has the shape (peaks,).

    Attributes:
        begins: The first sample above `_UPPER` of the level.
        ends: The last one, exclusive.
        sides: 0 for positive peaks, 1 for negative ones.
        levels: The mean of the samples at the top.
        heights: The height that width and edges predict, by the level; 0 where it cannot be above `BENT`.
        clipped: The samples between the edges.
    """

    begins: Indexes
    ends: Indexes
    sides: Indexes
    levels: Numbers
    heights: Numbers
    clipped: Numbers


def peaks_above(floors: Samples, wave: Samples, owned: range, rate_hz: int) -> Peaks:
    """Return the peaks of a waveform, positive ones first.

    Args:
        floors: The level above which positive peaks are looked for, and that for negative ones.
        wave: The waveform, shape (samples,).
        owned: The samples in which the peaks begin.
        rate_hz: The sample rate.
    """
    size = len(wave)
    above, below = np.flatnonzero(wave > floors[0]), np.flatnonzero(wave < -floors[1])
    # the places of negative samples follow those of the positive ones: numpy's calls cost more than its work on so few
    at, values = np.concatenate((above, below + size)), np.concatenate((wave[above], -wave[below]))
    if not len(at):
        return Peaks(at, at, at, *np.empty((3, 0)))
    starts = _starts(at)
    tops = np.repeat(np.maximum.reduceat(values, starts), _lengths(starts, at))
    near = np.flatnonzero(values > _SAME_PEAK * tops)  # taking indexes is faster than selecting by flags
    at, values = at[near], values[near]
    starts = _starts(at)
    lengths = _lengths(starts, at)
    own = np.maximum.reduceat(values, starts)
    is_top = (values > _TOP * np.repeat(own, lengths)).astype(np.float32)
    level = np.add.reduceat(values * is_top, starts) / np.add.reduceat(is_top, starts)
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
        offset, sign = side[wanted][is_broad] * size, 1 - 2 * side[wanted][is_broad]
        shape = _shape(wave, first[is_broad] - offset, last[is_broad] - offset, sign * levels[is_broad], rate_hz)
        heights[is_broad], clipped[is_broad] = shape
    return Peaks(place[wanted], last + 1 - side[wanted] * size, side[wanted], levels, heights, clipped)


def _starts(at: Indexes) -> Indexes:
    return np.concatenate(([0], np.flatnonzero(at[1:] - at[:-1] > 1) + 1))


def _lengths(starts: Indexes, at: Indexes) -> Indexes:
    return np.asarray(np.diff(starts, append=len(at)), np.int64)


def _shape(wave: Samples, first: Indexes, last: Indexes, level: Numbers, rate_hz: int) -> tuple[Numbers, Numbers]:
    """Return the heights of peaks, 0 where they cannot be above `BENT`, and their clipped samples: see `Peaks`."""
    reach = max(_LEAST_REACH, round(_EDGE_S * rate_hz))
    near = min(reach, _NEAR_REACH)
    (rise, begin), (fall, end) = _edge(wave, first, level, -1, near), _edge(wave, last, level, 1, near)
    width = last + end - (first - begin)
    # most slow edges belong to peaks that are round even if the slow edge ends where the search did
    least = (np.nan_to_num(rise, nan=near - 2) + np.nan_to_num(fall, nan=near - 2)) / 2
    far = np.flatnonzero(np.isnan(rise + fall) & (least < _LONGEST * width))
    if near < reach and len(far):
        reach = min(reach, 3 + int(2 * _LONGEST * width[far].max()))
        rise[far] = _edge(wave, first[far], level[far], -1, reach)[0]
        fall[far] = _edge(wave, last[far], level[far], 1, reach)[0]
    edge = (rise + fall) / 2
    is_known = (edge > 0) & (width >= _NARROWEST)
    edge = np.where(is_known, edge, 1.0)
    # a parabola of width w at the middle level, with the slope s at its sides, is s * w / 4 higher
    heights = _MIDDLE + (_UPPER - _LOWER) / edge * (width + edge) / 4
    clipped = np.maximum(0, width - 2 * edge * (1 - _UPPER) / (_UPPER - _LOWER))
    return np.where(is_known, heights, 0.0), clipped


def _edge(wave: Samples, start: Indexes, level: Numbers, step: int, reach: int) -> tuple[Numbers, Numbers]:
    """Return the samples from `_UPPER` down to `_LOWER` of the level (NaN beyond `reach`), and to `_UPPER`."""
    around = start[:, None] + step * np.arange(reach)
    values = np.asarray(wave.take(around, mode="clip") / level[:, None].astype(np.float32), np.float32)
    found, rows = (values <= _LOWER).argmax(axis=1), np.arange(len(start))
    inner, outer = values[rows, np.maximum(found - 1, 0)], values[rows, found]
    lower: Numbers = np.where(found > 0, found - 1 + (inner - _LOWER) / np.maximum(inner - outer, 1e-9), np.nan)
    upper = np.clip((values[:, 0] - _UPPER) / np.maximum(values[:, 0] - values[:, 1], 1e-9), 0, 1)
    return lower - upper, upper
