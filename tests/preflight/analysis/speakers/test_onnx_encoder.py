"""Speaker models of the user's own: real ONNX models, against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from preflight.analysis.speakers.encoder import WINDOW, embed
from preflight.analysis.speakers.fbank import log_mel
from preflight.analysis.speakers.onnx_encoder import OnnxEncoder
from preflight.analysis.speakers.windows import VoiceMeter
from preflight.errors import BadSpeakerModel
from tests.support.onnx_models import SIZE, Node, ge2e_model, mel_model, onnx_model, waveform_model
from tests.support.voices import voice

pytest.importorskip("onnxruntime")


def windows(size: int = WINDOW) -> Any:
    sound = voice()
    return np.stack([sound[at : at + size] for at in (0, 20_000)]).astype(np.float32)


def test_a_model_of_features_equals_numpy() -> None:
    weights = np.random.default_rng(1).normal(size=(80, SIZE)).astype(np.float32)
    expected = np.linalg.norm(np.stack([log_mel(window, 80) @ weights for window in windows()]), axis=1)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(OnnxEncoder(mel_model()).embed(windows()), expected, atol=1e-5)


def test_a_model_of_the_waveform_equals_numpy() -> None:
    filters = np.random.default_rng(2).normal(size=(SIZE, 400)).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(windows(), 400, axis=1)[:, ::160]
    expected = np.linalg.norm(frames @ filters.T, axis=1)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(OnnxEncoder(waveform_model()).embed(windows()), expected, atol=1e-5)


def test_the_shipped_network_as_onnx_equals_itself() -> None:
    np.testing.assert_allclose(OnnxEncoder(ge2e_model()).embed(windows()), embed(windows()), atol=1e-5)


@pytest.mark.parametrize(
    ("model", "size"),
    [
        (waveform_model((1, 48_000)), 48_000),
        (waveform_model(("batch", "time")), WINDOW),
        (mel_model((1, 298, 80)), 47_920),
        (mel_model(("B", "T", 80)), WINDOW),
    ],
)
def test_the_window_fits_the_model(model: bytes, size: int) -> None:
    encoder = OnnxEncoder(model)
    assert encoder.window == size
    assert encoder.embed(windows(size)).shape == (2, SIZE)
    meter, sound = VoiceMeter(0.032, encoder), voice()
    frames = sound[: len(sound) // 512 * 512].reshape(-1, 512)
    meter.add(frames, np.ones(len(frames), np.float32))
    voices = meter.voices()
    assert voices.array().shape == (len(voices.spans), SIZE)
    assert all(len(window) == size for _, window in meter.windows())


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (b"", "cannot be loaded"),
        (b"not a model", "cannot be loaded"),
        (mel_model()[:-100], "cannot be loaded"),
    ],
)
def test_what_is_no_model(model: bytes, words: str) -> None:
    with pytest.raises(BadSpeakerModel, match=words):
        OnnxEncoder(model)


@pytest.mark.parametrize(
    ("shapes", "shown"),
    [
        ([()], "[]"),
        ([("N",)], "[N]"),
        ([(1, 1, "N")], "[1, 1, N]"),
        ([(2, "N")], "[2, N]"),
        ([(1, 400)], "[1, 400]"),
        ([(1, 160_001)], "[1, 160001]"),
        ([(1, 80, "T")], "[1, 80, T]"),
        ([(1, "T", 300)], "[1, T, 300]"),
        ([(1, "N"), (1, "N")], "[1, N], tensor(float) [1, N]"),
    ],
)
def test_inputs_that_are_not_speech(shapes: list[tuple[int | str, ...]], shown: str) -> None:
    given = {f"in{at}": shape for at, shape in enumerate(shapes)}
    with pytest.raises(BadSpeakerModel) as caught:
        OnnxEncoder(onnx_model(given, [Node("Sum", list(given), ["out"])], shape=shapes[0]))
    assert caught.value.message == f"the speaker model takes tensor(float) {shown}"
    assert "waveform [1, N] at 16 kHz" in caught.value.hint


def test_an_output_that_is_no_embedding() -> None:
    with pytest.raises(BadSpeakerModel, match=r"float32 of shape \[1, 25840\], not an embedding"):
        OnnxEncoder(onnx_model({"wave": (1, "N")}, [Node("Identity", ["wave"], ["out"])])).embed(windows())


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_vector_without_direction(value: float) -> None:
    nodes = [Node("Slice", ["wave", "from", "to", "axis"], ["two"]), Node("Mul", ["two", "value"], ["out"])]
    tensors = {"from": np.array([0]), "to": np.array([2]), "axis": np.array([1]), "value": np.array([value])}
    with pytest.raises(BadSpeakerModel, match="not a finite vector"):
        OnnxEncoder(onnx_model({"wave": (1, "N")}, nodes, tensors)).embed(windows())


def test_no_windows() -> None:
    assert len(OnnxEncoder(mel_model()).embed(np.empty((0, WINDOW), np.float32))) == 0
