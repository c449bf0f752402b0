"""Clipping: flat runs and plateaus at the ceiling of a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from preflight.analysis.meters.plateaus import PlateauDetector
from preflight.analysis.spans import merged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from preflight.analysis.frames_and_spectra import Chunk, Grid, Samples
    from preflight.analysis.meters.plateaus import Places
    from preflight.report import Span

# Of the highest sample of a polarity: clipped samples share one level, which later gain only scales.
_NEAR: Final = np.float32(0.99)
# Neighbors within this are equal: dither may toggle the last bit of 16-bit audio, 3.1e-5.
_FLAT: Final = np.float32(4e-5)
# Two equal samples at the top occur in any tone; three after a steep rise do not.
_LEAST_RUN: Final = 3
# Times `_FLAT`: the least step at one end of a clipped run. The top of a slow wave has smaller steps.
_STEEP: Final = 4.0
# With 8 bits, or companding, every peak is flat: only runs at full scale count.
_COARSE_CEILING: Final = 0.97
_NEAR_S: Final = 0.05
_FRAMES_PER_PLACE: Final = 5
# Least ratio of clipped samples in plateaus to those in exact runs. Below it the runs are the plateaus.
_PLATEAUS_PER_RUN: Final = 2.0
# Samples of the previous chunk that are examined again, for runs across the border.
_LOOK_BACK: Final = 64


class ClippingMeter:
    """Measure clipped samples: their share and their spans.

    Each polarity of a channel has a ceiling of its own. A run of at least three equal samples near the ceiling, with a
    step at one end, is clipped. Where plateaus bent by a lossy codec or a resampler (see `plateaus`) hold more samples
    than the exact runs of a channel, they count instead. Full scale is not special: floating-point samples and decoded
    lossy ones above it are not flattened, and one gain brings them below it.

    Args:
        grid: The grid of the chunks.
        coarse: Whether the samples have 8 bits, or are companded (G.711).
    """

    def __init__(self, grid: Grid, *, coarse: bool = False) -> None:
        self._grid = grid
        self._sides = [_Side(coarse=coarse) for _ in range(2 * grid.channels)]
        # the steps of coarse samples are as large as the differences between a plateau and a peak
        self._plateaus = [] if coarse else [PlateauDetector(channel) for channel in range(grid.channels)]
        self._count = 0

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        self._count += chunk.filled
        for number, side in enumerate(self._sides):
            side.add(chunk, number // 2, -1 if number % 2 else 1)
        for finder in self._plateaus:
            finder.add(chunk)

    def measurements(self) -> dict[str, float]:
        """Return ``clipped_percent`` of all samples, and ``clipped_runs`` (a count)."""
        clipped = runs = 0.0
        for exact, plateaus in self._places():
            if plateaus:
                clipped += sum(some.samples for some in plateaus)
                runs += sum(some.runs for some in plateaus)
            else:
                clipped += sum(int(some.samples.sum()) for some in exact)
                runs += sum(int(some.runs.sum()) for some in exact)
        total = self._count * self._grid.channels
        return {"clipped_percent": round(100 * clipped / total, 4) if total else 0.0, "clipped_runs": runs}

    def spans(self) -> tuple[Span, ...]:
        """Return the clipped spans in seconds; those within 50 ms are joined."""
        places: list[_Places | Places] = []
        for exact, plateaus in self._places():
            places += [*exact, *plateaus]
        begins = np.concatenate([some.begins for some in places]) / self._grid.sample_rate_hz
        ends = np.concatenate([some.ends for some in places]) / self._grid.sample_rate_hz
        return merged(begins, ends, _NEAR_S)

    def _places(self) -> Iterator[tuple[list[_Places], tuple[Places, ...]]]:
        """Yield, for each channel, the exact runs, and the plateaus where these hold more samples."""
        for channel in range(self._grid.channels):
            exact = [side.places() for side in self._sides[2 * channel : 2 * channel + 2]]
            plateaus = self._plateaus[channel].places() if self._plateaus else ()
            least = _PLATEAUS_PER_RUN * sum(int(some.samples.sum()) for some in exact)
            yield exact, plateaus if sum(some.samples for some in plateaus) > least else ()


class _Side:
    """One polarity of one channel."""

    def __init__(self, *, coarse: bool) -> None:
        self._peak = np.float32(0)
        self._coarse = coarse
        self._found: list[_Places] = []

    @property
    def _lowest(self) -> np.float32:
        """The lowest sample that can be clipped: near the ceiling."""
        return self._peak * _NEAR

    def add(self, chunk: Chunk, channel: int, sign: int) -> None:
        lead = chunk.grid.lead
        # a zero follows the last sample of the recording, so that every run has an end
        wave = chunk.wave[channel, lead - _LOOK_BACK : lead + chunk.filled + 1]
        peak = wave.max() if sign > 0 else -wave.min()
        if peak < self._lowest or not peak:
            return
        self._peak = max(self._peak, peak)
        near = np.flatnonzero(wave >= self._lowest if sign > 0 else wave <= -self._lowest)
        runs = _of_this_chunk(_clipped_runs(wave if sign > 0 else -wave, near), len(wave))
        if len(runs.begins):
            self._found.append(_places(runs, chunk.start - _LOOK_BACK, chunk.grid.frame))

    def places(self) -> _Places:
        """Return the runs near the final ceiling: it rises with the highest sample."""
        if not self._found:
            nothing = np.empty(0, np.int64)
            return _Places(nothing, nothing, nothing, nothing, np.empty(0, np.float32))
        self._found = [_Places(*(np.concatenate(parts) for parts in zip(*self._found, strict=True)))]
        lowest = np.float32(_COARSE_CEILING) if self._coarse else np.float32(0)
        at_ceiling = self._found[0].tops >= np.maximum(self._lowest, lowest)
        return _Places(*(part[at_ceiling] for part in self._found[0]))  # pyright: ignore[reportArgumentType]


class _Places(NamedTuple):
    """Runs, summed over 50 ms: the memory does not grow with the number of clipped samples."""

    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    samples: NDArray[np.int64]
    runs: NDArray[np.int64]
    tops: Samples


def _places(runs: _Runs, origin: int, frame: int) -> _Places:
    numbers = (runs.begins + origin) // (frame * _FRAMES_PER_PLACE)
    starts = np.concatenate(([0], np.flatnonzero(np.diff(numbers)) + 1))
    lasts = np.append(starts[1:], len(numbers)) - 1
    return _Places(
        begins=runs.begins[starts] + origin,
        ends=runs.begins[lasts] + runs.lengths[lasts] + origin,
        samples=np.add.reduceat(runs.lengths, starts),
        runs=lasts - starts + 1,
        tops=np.maximum.reduceat(runs.tops, starts),
    )


class _Runs(NamedTuple):
    """Runs of samples: their first index, length and highest sample."""

    begins: NDArray[np.int64]
    lengths: NDArray[np.int64]
    tops: Samples

    def only(self, wanted: NDArray[np.bool_]) -> _Runs:
        return _Runs(self.begins[wanted], self.lengths[wanted], self.tops[wanted])


def _clipped_runs(wave: Samples, near: NDArray[np.int64]) -> _Runs:
    """Return the clipped runs of the positive polarity of `wave`, among its samples at the indexes `near`."""
    level = wave[near]
    # above full scale, rounding errors grow with the samples
    flat = _FLAT * np.maximum(level, np.float32(1))
    cuts = np.flatnonzero((np.abs(np.diff(level)) > flat[1:]) | (np.diff(near) != 1)) + 1
    starts = np.concatenate(([0], cuts)) if len(near) else cuts
    if not len(starts):
        return _Runs(near, near, level)
    begins, lengths = near[starts], np.diff(np.append(starts, len(near)))
    tops = np.maximum.reduceat(level, starts)
    before = wave[np.maximum(begins - 1, 0)]
    after = wave[np.minimum(begins + lengths, len(wave) - 1)]
    is_steep = tops - np.minimum(before, after) > _STEEP * _FLAT * np.maximum(tops, np.float32(1))
    return _Runs(begins, lengths, tops).only((lengths >= _LEAST_RUN) & is_steep)


def _of_this_chunk(runs: _Runs, end: int) -> _Runs:
    """Return each run once, in the chunk in which it ends; a run longer than the look-back counts piece by piece."""
    was_open = runs.begins == 0
    begins = np.where(was_open, _LOOK_BACK, runs.begins)
    lengths = runs.begins + runs.lengths - begins
    is_open = (runs.begins + runs.lengths == end) & (runs.lengths < _LOOK_BACK)
    ended_before = runs.begins + runs.lengths < _LOOK_BACK
    return _Runs(begins, lengths, runs.tops).only((lengths > 0) & ~is_open & ~ended_before)
