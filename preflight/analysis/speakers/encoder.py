"""The GE2E speaker encoder, evaluated with numpy: one unit vector for each window of 1.6 s.

Wan et al., "Generalized End-to-End Loss for Speaker Verification", ICASSP 2018; trained by Resemble AI (Apache-2.0;
`ge2e.json` names the source of the weights). Two windows of one voice have vectors with a large cosine, two voices a
small one. For each window the network

1. takes the power spectrum of 25 ms every 10 ms, under a periodic Hann window: 160 frames of 201 bins,
2. sums it in 40 mel bands up to 8 kHz (no logarithm),
3. runs three LSTM layers of 256 cells (Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8),
   1997) over the 160 frames,
4. maps the last hidden state to 256 values, cuts off negative ones, and divides by the norm.

All windows of a take run side by side, so that a step is one product of matrices.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from preflight.analysis.speakers.voices import SIZE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.frames_and_spectra import Samples

WEIGHTS: Final = Path(__file__).with_name("ge2e.npz")
"""Float16, written by tools/ge2e_weights.py."""
RATE_HZ: Final = 16_000
_FFT_SIZE, _HOP, _FRAMES = 400, 160, 160
WINDOW: Final = (_FRAMES - 1) * _HOP + _FFT_SIZE
"""Samples in a window: 1.615 s."""
_CELLS: Final = 256
_LAYERS: Final = 3
_BANDS: Final = 40
_TOP_HZ: Final = 8000.0
# The level that the network was trained at (Resemblyzer's `audio_norm_target_dBFS`). Its input is linear in power, so
# that the level matters.
_LEVEL_DBFS: Final = -30.0
# -90 dBFS: anything quieter is not a voice, and a gain would only raise the rounding noise.
_LEAST_POWER: Final = 1e-9


class Ge2eEncoder:
    """The network as an `Encoder` (`preflight.analysis.speakers.windows`)."""

    window: int = WINDOW

    def embed(self, windows: Samples) -> Samples:
        """See `embed`."""
        return embed(windows)


class _Layer(NamedTuple):
    """One LSTM layer: inputs and hidden state to the gates, each of shape (…, 4 * cells), and the bias."""

    inputs: Samples
    hidden: Samples
    bias: Samples


class _Network(NamedTuple):
    layers: tuple[_Layer, ...]
    weights: Samples
    bias: Samples


def embed(windows: Samples, weights: Path = WEIGHTS) -> Samples:
    """Return the embedding of each window.

    Args:
        windows: Shape (windows, `WINDOW`), at 16 kHz, full scale at ±1.
        weights: The file of the weights.

    Returns:
        Shape (windows, `SIZE`), float32, each row of norm 1 and without negative values.
    """
    if not len(windows):
        return np.empty((0, SIZE), np.float32)
    network = _load(weights)
    states = mel_powers(windows)
    for layer in network.layers:
        states = _run(layer, states)
    vectors = np.maximum(states[-1] @ network.weights + network.bias, 0)
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float32)


def mel_powers(windows: Samples) -> Samples:
    """Return the power in 40 mel bands of each frame, of shape (frames, windows, bands), at the network's level."""
    powers = np.maximum(np.einsum("wi,wi->w", windows, windows) / np.float32(windows.shape[1]), _LEAST_POWER)
    frames = np.lib.stride_tricks.sliding_window_view(windows, _FFT_SIZE, axis=1)[:, ::_HOP]
    bank, hann = _mel_bank(), _hann()
    mel = np.empty((_FRAMES, len(windows), _BANDS), np.float32)
    for at, (window, power) in enumerate(zip(frames, powers, strict=True)):  # one at a time: 160 spectra are 0.3 MB
        spectra = np.fft.rfft(window * hann)
        mel[:, at] = (spectra.real**2 + spectra.imag**2).astype(np.float32) @ bank
        mel[:, at] *= np.float32(10 ** (_LEVEL_DBFS / 10)) / power
    return mel


def _run(layer: _Layer, inputs: Samples) -> Samples:
    """Return the hidden state of an LSTM layer after each frame, of shape (frames, windows, cells).

    The textbook step, with * by element:

        i, f, o = sigmoid(...), sigmoid(...), sigmoid(...);  g = tanh(...)
        cell = f * cell + i * g;  hidden = o * tanh(cell)

    One call of tanh serves all gates, since sigmoid(2x) = (1 + tanh(x)) / 2; the factor 2 is in the weights (`_load`).
    """
    gates = inputs @ layer.inputs
    gates += layer.bias
    count = inputs.shape[1]
    hidden, cell = np.zeros((count, _CELLS), np.float32), np.zeros((count, _CELLS), np.float32)
    states = np.empty((len(inputs), count, _CELLS), np.float32)
    product, squashed = np.empty((count, 4 * _CELLS), np.float32), np.empty((count, _CELLS), np.float32)
    sigmoids = product[:, : 3 * _CELLS]
    forget, accept, expose, candidate = np.split(product, 4, axis=1)
    for gate, state in zip(gates, states, strict=True):
        np.matmul(hidden, layer.hidden, out=product)
        np.add(product, gate, out=product)
        np.tanh(product, out=product)
        sigmoids += 1
        sigmoids *= 0.5
        cell *= forget
        cell += accept * candidate
        np.tanh(cell, out=squashed)
        np.multiply(expose, squashed, out=state)
        hidden = state
    return states


@functools.cache
def _load(weights: Path) -> _Network:
    """Read the weights, and arrange them for products without transposition."""
    with np.load(weights, allow_pickle=False) as stored:
        tensors = {name: stored[name].astype(np.float32) for name in stored.files}
    # PyTorch stores the gates as input, forget, candidate, output. Here: forget, input, output, candidate, so that the
    # three sigmoids are neighbors; their weights are halved (see `_run`)
    order = np.r_[_CELLS : 2 * _CELLS, 0:_CELLS, 3 * _CELLS : 4 * _CELLS, 2 * _CELLS : 3 * _CELLS]
    halves = np.repeat(np.array([0.5, 0.5, 0.5, 1.0], np.float32), _CELLS)

    def arranged(name: str) -> Samples:
        return np.ascontiguousarray((tensors[name][order].T * halves).astype(np.float32))

    layers = tuple(
        _Layer(
            arranged(f"lstm.weight_ih_l{layer}"),
            arranged(f"lstm.weight_hh_l{layer}"),
            arranged(f"lstm.bias_ih_l{layer}") + arranged(f"lstm.bias_hh_l{layer}"),
        )
        for layer in range(_LAYERS)
    )
    return _Network(layers, np.ascontiguousarray(tensors["linear.weight"].T), tensors["linear.bias"])


@functools.cache
def _hann() -> Samples:
    """Return the periodic window, not the symmetric one of `numpy.hanning`."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FFT_SIZE) / _FFT_SIZE), np.float32)


@functools.cache
def _mel_bank() -> Samples:
    """Return triangles of equal area on Slaney's mel scale ("Auditory Toolbox", 1998), shape (bins, bands)."""
    edges = _hz(np.linspace(0.0, _mel(_TOP_HZ), _BANDS + 2))
    bins = np.fft.rfftfreq(_FFT_SIZE, 1 / RATE_HZ)[:, np.newaxis]
    rise = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0, np.minimum(rise, fall)) * (2 / (edges[2:] - edges[:-2])), np.float32)


# Linear up to 1 kHz in steps of 66.7 Hz, then logarithmic: 27 steps to 6.4 kHz.
_LINEAR_HZ: Final = 200 / 3
_BREAK_HZ: Final = 1000.0
_LOG_STEP: Final = float(np.log(6.4) / 27)


def _mel(hz: float) -> float:
    return hz / _LINEAR_HZ if hz < _BREAK_HZ else _BREAK_HZ / _LINEAR_HZ + float(np.log(hz / _BREAK_HZ)) / _LOG_STEP


def _hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    knee = _BREAK_HZ / _LINEAR_HZ
    return np.where(mel < knee, mel * _LINEAR_HZ, _BREAK_HZ * np.exp((mel - knee) * _LOG_STEP))
