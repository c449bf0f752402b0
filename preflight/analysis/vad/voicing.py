"""A second witness for voices that the speech detector does not know: children, characters, song.

It looks only where the detector hears nothing. A voice is a sum of harmonics whose pitch glides and whose level
beats with the syllables; noise has no pitch, a tone does not glide, a hum does not beat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.decibels import levels_db

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.framing import Samples

_RATE_HZ: Final = 16_000
_PITCH_HZ: Final = (70.0, 700.0)
_QUIETEST_DBFS: Final = -60.0
_PERIODIC: Final = 0.55
"""Of the normalised autocorrelation: voiced speech has 0.6 to 0.95, white noise under 0.3 in 64 ms."""
_GLIDE_SEMITONES: Final = (0.04, 4.0)
"""Between two windows 32 ms apart: a voice never holds a pitch so exactly, and seldom leaps."""
_BEAT_DB: Final = 6.0
_BEAT_WINDOWS: Final = 16
"""About half a second: two syllables at 4 Hz."""
_HARMONIC: Final = 0.02
"""The least share of power above 1.6 times the pitch: a single tone has none."""


class VoicingMeter:
    """Seconds that sound like a voice although the detector hears none.

    Args:
        window_s: Of the windows it is given.
    """

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._before = np.zeros(0, np.float32)
        self._levels: list[Samples] = []
        self._pitches: list[Samples] = []

    def add(self, windows: Samples, unheard: NDArray[np.bool_]) -> None:
        """Take the next windows, shape (windows, samples) at 16 kHz, and where the detector hears no speech."""
        if not len(self._before):
            self._before = np.zeros(windows.shape[1], np.float32)
        previous = np.concatenate((self._before[np.newaxis], windows[:-1]))
        self._before = windows[-1].copy()
        levels = levels_db(np.einsum("wi,wi->w", windows, windows) / np.float32(windows.shape[1]))
        pitches = np.zeros(len(windows), np.float32)
        wanted = np.flatnonzero(unheard & (levels > _QUIETEST_DBFS))
        if len(wanted):
            pitches[wanted] = _pitches(np.concatenate((previous[wanted], windows[wanted]), axis=1))
        self._levels.append(levels)
        self._pitches.append(pitches)

    def voiced_s(self) -> float:
        """Seconds of gliding pitch within a beating level."""
        if not self._levels:
            return 0.0
        levels, pitches = np.concatenate(self._levels), np.concatenate(self._pitches)
        both = (pitches[1:] > 0) & (pitches[:-1] > 0)
        glide = np.zeros(len(pitches), bool)
        steps = 12 * np.abs(np.log2(pitches[1:][both] / pitches[:-1][both]))
        glide[1:][both] = (steps > _GLIDE_SEMITONES[0]) & (steps < _GLIDE_SEMITONES[1])
        return float((glide & _beats(levels)).sum() * self._window_s)


def _pitches(pieces: Samples) -> Samples:
    """The pitch of each of `pieces` in Hz, 0 where there is none, by the autocorrelation of 64 ms."""
    length = pieces.shape[1]
    pieces = (pieces - pieces.mean(axis=1, keepdims=True)) * np.hanning(length).astype(np.float32)
    spectra = np.fft.rfft(pieces, n=2 * length, norm="forward")
    powers = spectra.real**2 + spectra.imag**2
    correlation = np.fft.irfft(powers.astype(np.complex64), n=2 * length)[:, :length]
    window = np.hanning(length)
    taper = np.fft.irfft(np.abs(np.fft.rfft(window, n=2 * length)) ** 2)[:length]
    shortest, longest = int(_RATE_HZ / _PITCH_HZ[1]), int(_RATE_HZ / _PITCH_HZ[0]) + 1
    curve = correlation[:, : longest + 2] / np.maximum(correlation[:, :1], 1e-20)
    curve = curve / (taper[: longest + 2] / taper[0])
    lag = shortest + np.argmax(curve[:, shortest : longest + 1], axis=1)
    rows = np.arange(len(pieces))
    left, top, right = (curve[rows, lag + step] for step in (-1, 0, 1))
    bend = left - 2 * top + right
    exact = lag + np.where(bend < 0, 0.5 * (left - right) / np.minimum(bend, -1e-9), 0.0)
    pitch = _RATE_HZ / exact
    above = np.arange(powers.shape[1]) * (_RATE_HZ / (2 * length)) > 1.6 * pitch[:, np.newaxis]
    rich = np.where(above, powers, 0).sum(axis=1) > _HARMONIC * powers.sum(axis=1)
    is_peak = (top >= left) & (top >= right)
    return np.where((top > _PERIODIC) & is_peak & rich, pitch, 0).astype(np.float32)


def _beats(levels: Samples) -> NDArray[np.bool_]:
    """Where the level moves by at least `_BEAT_DB` within half a second."""
    padded = np.pad(levels, (_BEAT_WINDOWS // 2, _BEAT_WINDOWS - _BEAT_WINDOWS // 2 - 1), mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, _BEAT_WINDOWS, axis=0)
    return np.asarray(around.max(axis=1) - around.min(axis=1) >= _BEAT_DB)
