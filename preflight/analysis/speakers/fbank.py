"""Kaldi's log-mel filter bank with the mean removed: the usual input of speaker models that do not take a waveform.

Povey et al., "The Kaldi Speech Recognition Toolkit", ASRU 2011; feat/feature-window.cc and feat/mel-computations.cc
define it: 25 ms every 10 ms (only whole frames), mean removed, pre-emphasis of 0.97, Povey's window, power spectrum of
512 points, triangles that are linear in mel = 1127 ln(1 + f / 700) from 20 Hz to 8 kHz, and the natural logarithm. No
dither, no energy. Samples are in the range of 16-bit integers.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.frames_and_spectra import Samples

FRAME: Final = 400
HOP: Final = 160
_FFT_SIZE: Final = 512
_RATE_HZ: Final = 16_000
_EDGES_HZ: Final = (20.0, 8000.0)
_PREEMPHASIS: Final = 0.97
_POVEY: Final = 0.85
_LEAST: Final = float(np.finfo(np.float32).eps)


def log_mel(window: Samples, bands: int) -> Samples:
    """Return the features of a window, each band with a mean of 0.

    Args:
        window: Shape (samples,), at 16 kHz, full scale at ±1.
        bands: Mel bands.

    Returns:
        Shape (frames, bands), float32.
    """
    frames = np.lib.stride_tricks.sliding_window_view(window.astype(np.float64) * 32_768, FRAME)[::HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    # the first sample has no predecessor, and stands for it
    frames = frames - _PREEMPHASIS * np.concatenate((frames[:, :1], frames[:, :-1]), axis=1)
    spectra = np.fft.rfft(
        frames * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / (FRAME - 1))) ** _POVEY, _FFT_SIZE
    )
    logarithms = np.log(np.maximum((spectra.real**2 + spectra.imag**2) @ _bank(bands), _LEAST))
    return np.asarray(logarithms - logarithms.mean(axis=0), np.float32)


@functools.cache
def _bank(bands: int) -> NDArray[np.float64]:
    """Return the triangles, of shape (bins, bands); they are linear in mel, not in frequency."""
    low, high = (1127 * np.log1p(hz / 700) for hz in _EDGES_HZ)
    edges = np.linspace(low, high, bands + 2)
    bins = 1127 * np.log1p(np.fft.rfftfreq(_FFT_SIZE, 1 / _RATE_HZ) / 700)[:, np.newaxis]
    rise = (bins - edges[:-2]) / np.diff(edges)[:-1]
    fall = (edges[2:] - bins) / np.diff(edges)[1:]
    return np.asarray(np.maximum(0, np.minimum(rise, fall)))
