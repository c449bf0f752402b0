"""Folders that are accepted as speech models: renamed by users, and as the engine's hub lays them out."""

from __future__ import annotations

from pathlib import Path

import pytest

from preflight import BadSpeechModel, SpeechModel

WHOLE = ("encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin")
STREAMING = ("adapter.ort", "cross_kv.ort", "decoder_kv.ort", "encoder.ort", "streaming_config.json", "tokenizer.bin")
OLD_FRONT = ("frontend.ort",)
NEW_FRONT = ("frontend.model.ort", "frontend.weights.ort")


def folder(path: Path, files: tuple[str, ...]) -> Path:
    path.mkdir(parents=True)
    for name in files:
        (path / name).touch()
    return path


@pytest.mark.parametrize(
    ("place", "files", "name"),
    [
        ("tiny-en", WHOLE, "tiny-en"),
        ("base-zh/quantized/base-zh", WHOLE, "base-zh"),
        ("medium-streaming-en/quantized", (*STREAMING, *OLD_FRONT), "medium-streaming-en"),
        ("medium-streaming-en/quantized_26_08_21", (*STREAMING, *NEW_FRONT), "medium-streaming-en"),
        ("small-streaming-ja/quantized_26_08_23", (*STREAMING, *NEW_FRONT), "small-streaming-ja"),
        ("tiny-streaming-zh", (*STREAMING, *NEW_FRONT), "tiny-streaming-zh"),
        ("small-streaming-en", (*STREAMING, *OLD_FRONT), "small-streaming-en"),
    ],
)
def test_folders_of_the_hub_are_models(place: str, files: tuple[str, ...], name: str, tmp_path: Path) -> None:
    model = SpeechModel(folder(tmp_path / place, files))
    assert (model.name, f"{model.size}-{model.language}") == (name, name)


@pytest.mark.parametrize(
    ("place", "files", "words"),
    [
        ("quantized_26_08_21", (*STREAMING, *NEW_FRONT), "not the name of a speech model"),
        ("tiny-en/quantized-by-me", WHOLE, "not the name of a speech model"),
        ("tiny-streaming-en", STREAMING, "lacks frontend.model.ort"),
        ("tiny-streaming-en", (*STREAMING, *NEW_FRONT[:1]), "lacks frontend.weights.ort"),
        ("tiny-streaming-en", OLD_FRONT, "lacks adapter.ort"),
        ("tiny-en", WHOLE[1:], "lacks encoder_model.ort"),
    ],
)
def test_other_folders_are_refused_with_the_reason(
    place: str, files: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    with pytest.raises(BadSpeechModel, match=words):
        SpeechModel(folder(tmp_path / place, files))
