"""Voicing: gliding, harmonic, pulsating sound that the speech detector does not recognize.

Silero VAD misses some voices: children, cartoon characters, song. This meter looks only where it finds no speech. A
voice is a sum of harmonics whose pitch glides and whose level changes with the syllables; noise has no pitch, a tone
does not glide, hum does not pulsate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.meters.peak_and_rms import levels_db

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.frames_and_spectra import Samples

_RATE_HZ: Final = 16_000
# From a low male voice to a child's or a soprano's.
_PITCH_HZ: Final = (70.0, 700.0)
_QUIETEST_DBFS: Final = -60.0
# Normalized autocorrelation: voiced speech has 0.6 to 0.95, white noise below 0.3 over 64 ms.
_PERIODIC: Final = 0.55
# From one window of 32 ms to the next: a voice never holds its pitch exactly, and seldom leaps.
_GLIDE_SEMITONES: Final = (0.04, 4.0)
_SYLLABLE_DB: Final = 6.0
# About 0.5 s: two syllables at 4 Hz, the peak of the modulation spectrum of speech (Houtgast and Steeneken, J. Acoust.
# Soc. Am. 77, 1985).
_SYLLABLE_WINDOWS: Final = 16
# Least share of the power above 1.6 times the pitch: a pure tone has none.
_OVERTONES: Final = 0.02
_ABOVE_PITCH: Final = 1.6


class VoicingMeter:
    """Measure how many seconds resemble a voice although the detector finds no speech.

    Args:
        window_s: Seconds from one window to the next.
    """

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._before = np.zeros(0, np.float32)
        self._levels: list[Samples] = []
        self._pitches: list[Samples] = []

    def add(self, windows: Samples, no_speech: NDArray[np.bool_]) -> None:
        """Add the next windows.

        Args:
            windows: Shape (windows, samples), at 16 kHz.
            no_speech: Shape (windows,): where the detector finds no speech.
        """
        if not len(self._before):
            self._before = np.zeros(windows.shape[1], np.float32)
        previous = np.concatenate((self._before[np.newaxis], windows[:-1]))
        self._before = windows[-1].copy()
        levels = levels_db(np.einsum("wi,wi->w", windows, windows) / np.float32(windows.shape[1]))
        pitch_hz = np.zeros(len(windows), np.float32)
        candidates = np.flatnonzero(no_speech & (levels > _QUIETEST_DBFS))
        if len(candidates):
            # 64 ms: the lowest pitch needs several periods in a window for a stable estimate
            pitch_hz[candidates] = pitches(np.concatenate((previous[candidates], windows[candidates]), axis=1))
        self._levels.append(levels)
        self._pitches.append(pitch_hz)

    def voiced_s(self) -> float:
        """Return the seconds with a gliding pitch and a level that changes as with syllables."""
        if not self._levels:
            return 0.0
        levels, pitch_hz = np.concatenate(self._levels), np.concatenate(self._pitches)
        both = (pitch_hz[1:] > 0) & (pitch_hz[:-1] > 0)
        glides = np.zeros(len(pitch_hz), bool)
        steps = 12 * np.abs(np.log2(pitch_hz[1:][both] / pitch_hz[:-1][both]))
        glides[1:][both] = (steps > _GLIDE_SEMITONES[0]) & (steps < _GLIDE_SEMITONES[1])
        return float((glides & _pulsates(levels)).sum() * self._window_s)


def pitches(pieces: Samples) -> Samples:
    """Return the pitch of each piece in hertz, 0 where it is not periodic or has no overtones.

    The autocorrelation of the windowed piece, divided by the window's own, as in Boersma, "Accurate short-term analysis
    of the fundamental frequency", IFA Proceedings 17, 1993: without that division the peak at the true period would
    shrink with its lag, and half the period, an octave too high, would win.

    Args:
        pieces: Shape (pieces, samples), at 16 kHz.

    Returns:
        Shape (pieces,), float32. Of an exactly periodic piece, which no voice is, it may be a subharmonic.

    >>> seconds = np.arange(1024) / 16_000
    >>> phase = 2 * np.pi * (200 * seconds + 60 * seconds**2)  # glides from 200 to 208 Hz
    >>> voice = sum(np.sin(n * phase) / n for n in range(1, 9))
    >>> pitches(voice[np.newaxis]).round(-1).tolist()
    [200.0]
    """
    length = pieces.shape[1]
    pieces = (pieces - pieces.mean(axis=1, keepdims=True)) * np.hanning(length).astype(np.float32)
    # Wiener-Khinchin: the autocorrelation is the inverse transform of the power spectrum; zero-padded to twice the
    # length, or it would be circular
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
    # the vertex of the parabola through three points: at 700 Hz a step of one lag is 0.7 semitones
    bend = left - 2 * top + right
    exact_lag = lag + np.where(bend < 0, 0.5 * (left - right) / np.minimum(bend, -1e-9), 0.0)
    pitch_hz = _RATE_HZ / exact_lag
    is_above = np.arange(powers.shape[1]) * (_RATE_HZ / (2 * length)) > _ABOVE_PITCH * pitch_hz[:, np.newaxis]
    has_overtones = np.where(is_above, powers, 0).sum(axis=1) > _OVERTONES * powers.sum(axis=1)
    is_peak = (top >= left) & (top >= right)
    return np.where((top > _PERIODIC) & is_peak & has_overtones, pitch_hz, 0).astype(np.float32)


def _pulsates(levels: Samples) -> NDArray[np.bool_]:
    """Return where the level varies by at least 6 dB within half a second around."""
    padded = np.pad(levels, (_SYLLABLE_WINDOWS // 2, _SYLLABLE_WINDOWS - _SYLLABLE_WINDOWS // 2 - 1), mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, _SYLLABLE_WINDOWS, axis=0)
    return np.asarray(around.max(axis=1) - around.min(axis=1) >= _SYLLABLE_DB)
