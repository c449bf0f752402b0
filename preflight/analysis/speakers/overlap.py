"""Two people who speak at the same time: a second pitch beside that of the stronger voice.

The stronger voice is periodic, so that the difference between the sound and itself one period earlier cancels it (a
comb filter; de Cheveigné, "Separation of concurrent harmonic sounds: fundamental frequency estimation and a time-domain
cancellation model of auditory processing", J. Acoust. Soc. Am. 93, 1993). With one voice, noise is left, or the same
pitch where it glides; with two voices, the other one is left, with its own pitch.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.frames_and_spectra import Samples

_RATE_HZ: Final = 16_000
# 64 ms: several periods of a low voice.
_PIECE: Final = 1024
_HOP: Final = 768
# From 500 down to 70 Hz.
_LAGS: Final = (32, 230)
# The harmonics of one voice are apart there, and strong.
_BAND_HZ: Final = (60.0, 1500.0)
# 20 dB below the loud pieces there is reverberation.
_LOUD_SHARE: Final = 0.9
_OF_LOUD: Final = 0.01
# Normalized autocorrelation: of the mixture, and of what is left. Noise in this band has up to 0.6.
_PERIODIC: Final = 0.4
_CLEARLY_PERIODIC: Final = 0.8
# Of the power, after the comb filter, which doubles what it does not cancel.
_LEFT: Final = 0.08
# The shortest of the lags that are nearly as good: the longer ones are its multiples.
_NEARLY: Final = 0.92
# What is left of one voice has its pitch, or one in a simple ratio to it.
_RATIOS: Final = np.array([1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2, 2, 3, 4])
_NEAR: Final = 0.06


def second_pitches(window: Samples) -> tuple[int, int]:
    """Count the pieces of 64 ms with a voice, and those with a second pitch.

    Args:
        window: Speech, shape (samples,), at 16 kHz.

    Returns:
        Pieces with a pitch, and those of them with another one.
    """
    sound = _band(window)
    longest = _LAGS[1]
    pieces = np.lib.stride_tricks.sliding_window_view(sound, longest + _PIECE)[::_HOP]
    powers = np.einsum("pi,pi->p", pieces[:, longest:], pieces[:, longest:]) / np.float32(_PIECE)
    is_loud = powers > max(_OF_LOUD * float(np.quantile(powers, _LOUD_SHARE)), 1e-12)
    pieces, powers = pieces[is_loud], powers[is_loud]
    if not len(pieces):
        return 0, 0
    now = pieces[:, longest:]
    lags, heights = _peaks(_autocorrelations(now), None)
    starts = longest - lags
    rest = now - np.take_along_axis(pieces, starts[:, np.newaxis] + np.arange(_PIECE), axis=1)
    _, others = _peaks(_autocorrelations(rest), _unrelated()[lags - _LAGS[0]])
    left = np.einsum("pi,pi->p", rest, rest) / (2 * _PIECE * powers)
    is_voiced = heights > _PERIODIC
    return int(is_voiced.sum()), int((is_voiced & (others > _CLEARLY_PERIODIC) & (left > _LEFT)).sum())


def _band(window: Samples) -> Samples:
    spectrum = np.fft.rfft(window)
    hz = np.fft.rfftfreq(len(window), 1 / _RATE_HZ)
    spectrum[(hz < _BAND_HZ[0]) | (hz > _BAND_HZ[1])] = 0
    return np.asarray(np.fft.irfft(spectrum, len(window)), np.float32)


def _autocorrelations(pieces: Samples) -> NDArray[np.float64]:
    """Return the normalized autocorrelation of each piece, divided by the window's own (see `voicing.pitches`)."""
    window, taper = _window()
    # numpy's transform of float32 is several times as fast when it scales on the way forward
    spectra = np.fft.rfft((pieces - pieces.mean(axis=1, keepdims=True)) * window, 2 * _PIECE, norm="forward")
    powers = (spectra.real**2 + spectra.imag**2).astype(np.complex64)
    curves = np.fft.irfft(powers, 2 * _PIECE)[:, : len(taper)]
    return np.asarray(curves / np.maximum(curves[:, :1], 1e-20) / taper, np.float64)


@functools.cache
def _window() -> tuple[Samples, NDArray[np.float64]]:
    window = np.hanning(_PIECE).astype(np.float32)
    taper = np.fft.irfft(np.abs(np.fft.rfft(window, 2 * _PIECE)) ** 2)[: _LAGS[1] + 2]
    return window, np.asarray(taper / taper[0], np.float64)


@functools.cache
def _unrelated() -> NDArray[np.bool_]:
    """Return which lag, in columns, is in no simple ratio to which other one, in rows; both count from the lowest."""
    lags = np.arange(*_LAGS)
    ratios = lags / lags[:, np.newaxis]
    return np.asarray((np.abs(ratios[..., np.newaxis] / _RATIOS - 1) > _NEAR).all(axis=2))


def _peaks(
    curves: NDArray[np.float64], wanted: NDArray[np.bool_] | None
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the lag and the height of the highest peak of each curve, or of a nearly as high one at a shorter lag."""
    low, high = _LAGS
    inner = curves[:, low:high]
    is_peak = (inner >= curves[:, low - 1 : high - 1]) & (inner >= curves[:, low + 1 : high + 1])
    heights = np.where(is_peak if wanted is None else is_peak & wanted, inner, -1.0)
    first = (heights >= _NEARLY * heights.max(axis=1, keepdims=True)).argmax(axis=1)
    return low + first, heights[np.arange(len(heights)), first]
