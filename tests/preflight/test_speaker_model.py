"""A speaker model of the user's own, in worker processes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from preflight import PROFILES, BadSpeakerModel, EngineMissing, Profile, SpeakerModel, check, join, load_profile
from preflight.checks import analyze
from tests.support.onnx_models import Node, ge2e_model, mel_model, onnx_model
from tests.support.voices import HIGH, LOW, write_voices

pytest.importorskip("onnxruntime")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model of a few kB."""
    path = tmp_path / "model.onnx"
    path.write_bytes(mel_model())
    return path


def with_model(path: Path, limit: float = 0.5, base: Profile = PROFILES["default"]) -> Profile:
    return base.with_speakers().with_speaker_model(SpeakerModel(str(path), limit))


@pytest.mark.slow
def test_the_shipped_network_in_its_own_place(tmp_path: Path) -> None:
    """The same network as an ONNX file: the same embeddings and the same finding, with the given limit."""
    two = write_voices(tmp_path / "two.wav", LOW, HIGH)
    path = tmp_path / "ge2e.onnx"
    path.write_bytes(ge2e_model())
    profile = with_model(path, 0.75)
    shipped, own = (analyze(two, profile=each).voices for each in (PROFILES["default"].with_speakers(), profile))
    assert shipped is not None
    assert own is not None
    np.testing.assert_allclose(own.array(), shipped.array(), atol=1e-5)
    found = {each.rule: each for each in check(two, profile=profile).findings}["several-speakers"]
    assert (found.limit, found.quality) == (0.75, "fair")  # how far below is poor is not known
    low = check(two, profile=with_model(path, -0.9))
    assert "several-speakers" not in {each.rule for each in low.findings}


def test_limits_of_the_profile_itself_count(model: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[thresholds.several-speakers]\nmin_second_voice_cosine = 0.3\n", encoding="utf-8")
    profile = with_model(model, 0.5, load_profile(own))
    assert profile.thresholds["several-speakers"]["min_second_voice_cosine"] == 0.3
    assert profile.same_voice_cosine == 0.5
    assert PROFILES["default"].same_voice_cosine == 0.75


def test_join_compares_takes_with_it(model: Path, tmp_path: Path) -> None:
    takes = [write_voices(tmp_path / f"{speed}.wav", speed) for speed in (LOW, HIGH)]
    strict, lax = (
        join(takes, tmp_path / "joined.wav", force=True, profile=with_model(model, limit)).warnings
        for limit in (0.9999, -0.9)
    )
    assert "below 0.9999" in strict[-1]
    assert lax == ()


def test_a_file_that_is_no_model_is_not_a_fault_of_the_recording(model: Path, tmp_path: Path) -> None:
    take = write_voices(tmp_path / "one.wav", LOW)
    profile = with_model(model)
    assert analyze(take, profile=profile).voices is not None
    model.write_bytes(b"something else")
    for _ in range(2):  # and not only where it is loaded for the first time
        with pytest.raises(BadSpeakerModel, match="cannot be loaded"):
            analyze(take, profile=profile)
    model.write_bytes(mel_model())
    assert analyze(take, profile=profile).voices is not None
    model.unlink()
    with pytest.raises(BadSpeakerModel, match="no such file"):
        analyze(take, profile=profile)
    assert check(take, quick=True, profile=profile).verdict == "ready"


def test_a_model_that_takes_too_much_memory(model: Path, tmp_path: Path) -> None:
    nodes = [
        Node("Expand", ["wave", "shape"], ["huge"]),
        Node("ReduceSum", ["huge", "axes"], ["out"], {"keepdims": 0}),
    ]
    tensors = {"shape": np.array([100_000, 1]), "axes": np.array([1])}
    model.write_bytes(onnx_model({"wave": (1, "N")}, nodes, tensors))
    with pytest.raises(BadSpeakerModel, match="cannot be run"):
        analyze(write_voices(tmp_path / "one.wav", LOW), profile=with_model(model))


@pytest.mark.slow
def test_a_model_that_never_ends(model: Path, tmp_path: Path) -> None:
    size = 1500
    nodes = [Node("Slice", ["wave", "from", "to", "axis"], ["start"]), Node("MatMul", ["column", "start"], ["m0"])]
    nodes += [Node("MatMul", [f"m{at}", f"m{at}"], [f"m{at + 1}"]) for at in range(3000)]
    tensors = {"from": [0], "to": [size], "axis": [1], "column": np.zeros((size, 1))}
    model.write_bytes(onnx_model({"wave": (1, "N")}, nodes, {k: np.array(v) for k, v in tensors.items()}, "m3000"))
    with pytest.raises(BadSpeakerModel, match="takes more than 8 s for one window"):
        analyze(write_voices(tmp_path / "one.wav", LOW), profile=with_model(model))


@pytest.mark.parametrize("limit", [1.0, -1.0, 50.0, float("nan")])
def test_a_limit_that_is_no_cosine(model: Path, limit: float) -> None:
    with pytest.raises(BadSpeakerModel, match="the limit of the speaker model is"):
        SpeakerModel(str(model), limit)


def test_files_that_cannot_be_models(model: Path, tmp_path: Path) -> None:
    for path, words in ((tmp_path / "none.onnx", "no such file"), (tmp_path, "folder")):
        with pytest.raises(BadSpeakerModel, match=words):
            SpeakerModel(str(path), 0.5)
    with model.open("r+b") as file:
        file.truncate(100_000_001)
    with pytest.raises(BadSpeakerModel, match="above 100"):
        SpeakerModel(str(model), 0.5)


def test_without_the_extra(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preflight.speaker_model.find_spec", lambda name: None)
    with pytest.raises(EngineMissing) as caught:
        SpeakerModel(str(model), 0.5)
    assert caught.value.hint == "pip install 'onetake[onnx]'"
