"""Splices: places where the waveform jumps, as where words were cut or buffers were lost or swapped.

A jump in the waveform or its slope leaves a trace of at most three samples in the third difference, and so does nothing
that a microphone records: consonants and the pulses of the glottis last longer, and come again after each period. At a
splice neither side predicts the other, which a linear prediction shows (Godsill and Rayner, "Digital Audio
Restoration", Springer, 1998, chapter 5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from preflight.analysis.frames_and_spectra import Samples

LOOK_AHEAD_S: Final = 0.02
"""How much sound after a place has to be known."""
# Of the highest second difference in a frame to the mean: cheap to compute. One splice of ten has less.
_SUSPECT_CURVATURE: Final = 5.0
_NEAR_S: Final = 0.012
_PREDICTED_FROM_S: Final = 0.016
_TRACE: Final = 3
# Of the highest third difference in a frame to the mean: few frames reach it.
_SUSPECT_RATIO: Final = 10.0
# To the largest third difference within 12 ms, which is a period of the lowest voices. Speech has up to 3.6.
_MIN_RATIO: Final = 4.5
# To the largest error of the prediction within 16 ms, on the better predicted side. Speech has up to 6.4, but not where
# the other ratio is above 3.6.
_MIN_ERROR_RATIO: Final = 4.0
# -30 dB relative to the highest peak.
_OF_PEAK: Final = 0.03
# Silence, clipping and low bit depths: equal samples on one side.
_STILL_S: Final = 0.001
_MAX_EQUAL: Final = 0.5
_RIDGE: Final = 1e-6


class Bends(NamedTuple):
    """Frames of second differences, which clicks need, too.

    Attributes:
        curvature: Shape (frames, samples).
        highest: The highest absolute one of each frame.
        means: The mean of the absolute ones of each frame.
        begin: The index in the samples of the middle one of the first second difference.
    """

    curvature: Samples
    highest: Samples
    means: Samples
    begin: int


class SpliceDetector:
    """Find jumps in one channel.

    Args:
        sample_rate_hz: Of the recording.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._near = int(_NEAR_S * sample_rate_hz)
        self._before = int(_PREDICTED_FROM_S * sample_rate_hz)
        self._still = max(4, int(_STILL_S * sample_rate_hz))
        self._order = min(32, 8 + sample_rate_hz // 2000)
        self._peak = 0.0
        self._jumps: list[tuple[int, float]] = []

    @property
    def found(self) -> list[int]:
        """The index in the recording of the first sample after each jump."""
        return [place for place, size in self._jumps if size > _OF_PEAK * self._peak]

    def limit(self, most: int) -> None:
        """Drop all but the first `most`."""
        del self._jumps[most:]

    def add(self, wave: Samples, bends: Bends, origin: int, peak: float) -> None:
        """Add the next frames.

        Args:
            wave: The samples of a chunk, with enough before and after the frames.
            bends: The frames.
            origin: The index in the recording of the first sample of `wave`.
            peak: The highest absolute sample of the chunk.
        """
        self._peak = max(self._peak, peak)
        # a third difference is at most twice the second differences around it
        is_bent = (bends.highest > _SUSPECT_CURVATURE * bends.means) & (bends.highest > _OF_PEAK / 2 * self._peak)
        frames = np.flatnonzero(is_bent)
        jerk = np.abs(np.diff(bends.curvature[frames], axis=1))
        highest = jerk.max(axis=1)
        suspects = (highest > _OF_PEAK * self._peak) & (highest > _SUSPECT_RATIO * jerk.mean(axis=1))
        for number in np.flatnonzero(suspects).tolist():
            # the third difference at `at` is that of the samples from at - 1 to at + 2 around it
            at = bends.begin + int(frames[number]) * bends.curvature.shape[1] + int(jerk[number].argmax())
            if (place := self._jump_near(wave, at)) is not None:
                self._jumps.append((origin + place, float(highest[number])))

    def _jump_near(self, wave: Samples, at: int) -> int | None:
        """Return the index of the first sample after the jump whose third difference is highest at `at`; or None."""
        first = at - 1 - self._near - _TRACE
        last = at + 3 + self._near + _TRACE
        if first < 0 or last > len(wave):
            return None
        jerk = np.abs(np.diff(wave[first:last].astype(np.float64), n=3))
        own = at - 1 - first
        # of the three windows of three samples around the highest, the one with the most energy is the trace
        energies = [float((jerk[start : start + _TRACE] ** 2).sum()) for start in range(own - 2, own + 1)]
        start = own - 2 + int(np.argmax(energies))
        others = max(jerk[: start - 1].max(), jerk[start + _TRACE + 1 :].max())
        if jerk[own] < _MIN_RATIO * others:
            return None
        place = first + start + _TRACE
        if place < self._before or place + self._before > len(wave):
            return None
        left, right = wave[place - self._before : place], wave[place : place + self._before][::-1]
        if any(float((np.diff(side[-self._still :]) == 0).mean()) > _MAX_EQUAL for side in (left, right)):
            return None
        errors = (self._error_ratio(left, right[-1]), self._error_ratio(right, left[-1]))
        return place if min(errors) > _MIN_ERROR_RATIO else None

    def _error_ratio(self, side: Samples, following: np.float32) -> float:
        """Return how much worse `following` is predicted than any sample of `side`, by the predictor that fits it."""
        sound = side.astype(np.float64)
        rows = np.lib.stride_tricks.sliding_window_view(sound, self._order)[:-1]
        wanted = sound[self._order :]
        normal = rows.T @ rows
        normal[np.diag_indices(self._order)] += _RIDGE * np.trace(normal) / self._order + 1e-12
        weights = np.linalg.solve(normal, rows.T @ wanted)
        worst = float(np.abs(wanted - rows @ weights).max())
        return abs(float(following) - float(sound[-self._order :] @ weights)) / max(worst, 1e-9)
