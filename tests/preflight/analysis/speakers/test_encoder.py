"""The encoder against a plain evaluation of its network, and the shipped weights against what their origin says."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import numpy as np
import pytest

from preflight.analysis.speakers import encoder
from preflight.analysis.speakers.encoder import WEIGHTS, WINDOW, embed, mel_powers
from tests.support.voices import HIGH, LOW, voice

with np.load(WEIGHTS, allow_pickle=False) as stored:
    TENSORS: dict[str, Any] = {name: stored[name].astype(np.float64) for name in stored.files}


def windows_of(sound: Any, count: int) -> Any:
    return np.stack([sound[at : at + WINDOW] for at in np.linspace(0, len(sound) - WINDOW, count).astype(int)])


def slaney_hz(mel: float) -> float:
    """Linear to 1 kHz (15 mel), then 27 steps for a factor of 6.4."""
    return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)


def plain_mel(window: Any) -> Any:
    """Shape (frames, bands): the definition, with a Fourier sum and one triangle after the other."""
    highest = 15 + 27 * math.log(8) / math.log(6.4)
    edges = [slaney_hz(highest * number / 41) for number in range(42)]
    time, bins = np.arange(400), np.arange(201)
    kernel = np.exp(-2j * np.pi * np.outer(bins, time) / 400) * (0.5 - 0.5 * np.cos(2 * np.pi * time / 400))
    gain = 1e-3 / np.mean(window.astype(np.float64) ** 2)  # -30 dBFS
    found = np.zeros((160, 40))
    for frame in range(160):
        powers = np.abs(kernel @ window[160 * frame : 160 * frame + 400].astype(np.float64)) ** 2
        for band, (low, center, high) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
            for number, power in enumerate(powers):
                hz = 40.0 * number
                if low < hz < high:
                    height = (hz - low) / (center - low) if hz <= center else (high - hz) / (high - center)
                    found[frame, band] += power * height * 2 / (high - low) * gain
    return found


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def plain_embedding(mel: Any) -> Any:
    """The vector of one window, in float64, as PyTorch documents its LSTM."""
    states = mel
    for layer in range(3):
        hidden, cell, after = np.zeros(256), np.zeros(256), []
        for state in states:
            gates = TENSORS[f"lstm.weight_ih_l{layer}"] @ state + TENSORS[f"lstm.bias_ih_l{layer}"]
            gates += TENSORS[f"lstm.weight_hh_l{layer}"] @ hidden + TENSORS[f"lstm.bias_hh_l{layer}"]
            accept, forget, candidate, expose = gates.reshape(4, 256)
            cell = sigmoid(forget) * cell + sigmoid(accept) * np.tanh(candidate)
            hidden = sigmoid(expose) * np.tanh(cell)
            after.append(hidden)
        states = after
    vector = np.maximum(TENSORS["linear.weight"] @ states[-1] + TENSORS["linear.bias"], 0)
    return vector / np.linalg.norm(vector)


def test_the_mel_powers_equal_their_definition() -> None:
    (window,) = windows_of(voice()[30_000:60_000], 1)
    np.testing.assert_allclose(mel_powers(window[np.newaxis])[:, 0], plain_mel(window), rtol=1e-3, atol=1e-7)


def test_the_embedding_equals_a_plain_evaluation() -> None:
    windows = windows_of(voice(), 3)
    expected = [plain_embedding(mel) for mel in mel_powers(windows).transpose(1, 0, 2).astype(np.float64)]
    np.testing.assert_allclose(embed(windows), expected, atol=2e-4)


def test_windows_do_not_affect_each_other() -> None:
    windows = windows_of(voice(), 4)
    np.testing.assert_allclose(embed(windows)[2], embed(windows[2:3])[0], atol=1e-5)


@pytest.mark.parametrize("gain", [0.05, 2.0])
def test_the_level_does_not_matter(gain: float) -> None:
    windows = windows_of(voice(), 2)
    np.testing.assert_allclose(embed(windows * np.float32(gain)), embed(windows), atol=1e-4)


def test_two_voices_are_less_alike_than_two_parts_of_one() -> None:
    low, high = (embed(windows_of(voice(speed), 4)) for speed in (LOW, HIGH))
    within = min((low[:2] @ low[2:].T).mean(), (high[:2] @ high[2:].T).mean())
    assert (low @ high.T).mean() < 0.65
    assert within > 0.75


@pytest.mark.parametrize("windows", [np.zeros((1, WINDOW), np.float32), np.full((2, WINDOW), 1e-9, np.float32)])
def test_silence_has_an_embedding_without_nan(windows: Any) -> None:
    assert np.isfinite(embed(windows)).all()


def test_no_windows() -> None:
    assert embed(np.empty((0, WINDOW), np.float32)).shape == (0, 256)


def test_the_weights_are_those_of_their_origin() -> None:
    origin = json.loads(WEIGHTS.with_suffix(".json").read_text(encoding="utf-8"))
    assert hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() == origin["sha256"]
    assert WEIGHTS.with_suffix(".LICENSE").read_text(encoding="utf-8").strip().startswith("Apache License")
    assert encoder.WEIGHTS.stat().st_size < 3e6
