"""Noise gates and expanders: steps of the level in the pauses, in all bands alike, from one even level to another.

A gate that closes turns the noise of the room down within milliseconds, by as much in the bass as in the treble. A
voice fades in one band after the other, and a room rings. Above and below the step the noise is even, and it is the
same noise each time: that a voice ends twice in sounds of the same spectrum, and both times at once, is chance, except
where a synthesizer repeats a consonant. Consonants are louder than the noise of a room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from preflight.analysis.meters.peak_and_rms import levels_db

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.frames_and_spectra import Samples

_FRAME_S: Final = 0.008
# 20 s, as for `BabbleMeter`; a remainder of less than 2 s has no levels of its own.
_SEGMENT: Final = 2500
_SHORTEST: Final = 250
# 40 ms on either side: gates hold for 50 ms and more before they close, so that they do not flutter.
_EVEN_FRAMES: Final = 5
# Standard deviation of the level within them: of noise 1 dB.
_EVEN_DB: Final = 2.0
# Frames that the step may take: within one, or a release of up to 40 ms.
_STEP_FRAMES: Final = (1, 4)
# Below this it may be a breath, or the beats of a room of 0.3 s, which falls by 8 dB in 40 ms; gates are set to 10 to
# 40 dB.
_LEAST_STEP_DB: Final = 12.0
# Standard deviation over the bands: two levels of noise over 40 ms in a band of 250 Hz differ by 2 dB.
_ALIKE_DB: Final = 3.0
# The same of the mean of all steps that are alike, in which that difference evens out.
_MEAN_ALIKE_DB: Final = 1.5
# Relative to the level that 10 % of the frames exceed. The consonants of synthetic voices are at -26 dB and above.
_HIGHEST_DB: Final = -30.0
_LOUD_PERCENT: Final = 90
_LOWEST_PERCENT: Final = 5
# Above the level that 95 % exceed: below the step is the quietest there is.
_NEAR_LOWEST_DB: Final = 6.0
# Root mean square over the bands, between the spectra of two steps.
_SAME_DB: Final = 2.5
# 0.1 s apart, two are not the same step found twice.
_APART: Final = 12


class _Steps(NamedTuple):
    """Steps of the level: when, and the levels in each band, shape (steps, bands)."""

    frames: NDArray[np.intp]
    above: Samples
    below: Samples


class GateMeter:
    """Count the steps that are alike."""

    def __init__(self) -> None:
        self._waiting: list[Samples] = []
        self._count = self._frames = 0
        self._found: list[tuple[int, float]] = []

    def add(self, bands: Samples) -> None:
        """Add the next frames: powers of shape (frames, bands), a frame every 8 ms; see `babble.band_powers`."""
        self._waiting.append(bands)
        self._count += len(bands)
        if self._count >= _SEGMENT:
            self._measure()

    def measurements(self) -> dict[str, float]:
        """Return ``gate_steps_per_minute`` and ``gate_step_db``, the median of their sizes; empty without such steps.

        Two steps or more within 20 s count, where the levels before them are alike, and those after them, too.
        """
        if self._count >= _SHORTEST:
            self._measure()
        self._waiting, self._count = [], 0
        steps = sum(count for count, _ in self._found)
        if not steps:
            return {}
        sizes = np.repeat([size for _, size in self._found], [count for count, _ in self._found])
        minutes = self._frames * _FRAME_S / 60
        return {
            "gate_steps_per_minute": round(steps / minutes, 1),
            "gate_step_db": round(float(np.median(sizes)), 1),
        }

    def _measure(self) -> None:
        """Find the steps in the frames that are waiting."""
        bands = np.concatenate(self._waiting)
        self._waiting, self._count = [], 0
        self._frames += len(bands)
        count, size = _alike(_steps(bands))
        if count > 1:
            self._found.append((count, size))


def _steps(bands: Samples) -> _Steps:
    """Return the steps, some of them several times."""
    levels = levels_db(bands @ np.ones(bands.shape[1], np.float32)).astype(np.float64)
    means = _means(levels)
    is_even = _means(levels**2) - means**2 < _EVEN_DB**2
    starts = [_candidates(means, is_even, _EVEN_FRAMES + frames) for frames in _STEP_FRAMES]
    start = np.concatenate(starts)
    end = np.concatenate([at + _EVEN_FRAMES + frames for at, frames in zip(starts, _STEP_FRAMES, strict=True)])
    if len(start):  # most recordings have no candidate: only these need the rest
        lowest, loud = np.percentile(levels, (_LOWEST_PERCENT, _LOUD_PERCENT))
        is_quiet = np.maximum(means[start], means[end]) < loud + _HIGHEST_DB
        is_quiet &= np.minimum(means[start], means[end]) < lowest + _NEAR_LOWEST_DB
        start, end = start[is_quiet], end[is_quiet]
    after = np.arange(_EVEN_FRAMES)
    one, other = (levels_db(bands[at[:, np.newaxis] + after].mean(axis=1)) for at in (start, end))
    falls = (means[start] > means[end])[:, np.newaxis]
    above, below = np.where(falls, one, other), np.where(falls, other, one)
    is_alike = (above - below).std(axis=1) < _ALIKE_DB
    return _Steps(start[is_alike], above[is_alike], below[is_alike])


def _candidates(means: NDArray[np.float64], is_even: NDArray[np.bool_], far: int) -> NDArray[np.intp]:
    """Return where even frames are followed, `far` frames later, by even ones of another level."""
    return np.flatnonzero((np.abs(means[far:] - means[:-far]) > _LEAST_STEP_DB) & is_even[far:] & is_even[:-far])


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means of `_EVEN_FRAMES` values in a row."""
    size = len(values) - _EVEN_FRAMES + 1
    total = values[:size].copy()
    for step in range(1, _EVEN_FRAMES):
        total += values[step : step + size]
    return total / _EVEN_FRAMES


def _alike(steps: _Steps) -> tuple[int, float]:
    """Return how many steps have the spectra of one of them, and the median size of these."""
    if not len(steps.frames):
        return 0, 0.0
    is_same = np.ones((len(steps.frames), len(steps.frames)), bool)
    for spectra in (steps.above, steps.below):
        differences = spectra[:, np.newaxis] - spectra[np.newaxis]
        is_same &= np.sqrt((differences**2).mean(axis=2)) < _SAME_DB
    same = is_same[is_same.sum(axis=1).argmax()]
    sizes = (steps.above - steps.below)[same]
    if sizes.mean(axis=0).std() > _MEAN_ALIKE_DB:
        return 0, 0.0
    count = 1 + int((np.diff(np.sort(steps.frames[same])) > _APART).sum())
    return count, float(np.median(sizes))
