"""The speaker model of the settings, as the commands take it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.onetake.conftest import Say
from tests.support.onnx_models import mel_model, waveform_model
from tests.support.services import FIXTURES
from tests.support.voices import HIGH, LOW, write_voices

pytest.importorskip("onnxruntime")

GOOD = str(FIXTURES / "good.wav")


@pytest.fixture
def model(home: Path) -> str:
    """A small model; the working folder is empty."""
    Path("model.onnx").write_bytes(mel_model())
    return "model.onnx"


def test_check_compares_voices_with_it(say: Say, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    two = str(write_voices(Path("two.wav"), LOW, HIGH))

    def limits(*words: str) -> list[float]:
        (take,) = json.loads(say("check", two, "--json", *words).out)["takes"]
        return [found["limit"] for found in take["findings"] if found["rule"] == "several-speakers"]

    assert limits("--speaker-model", model, "--speaker-limit", "0.9999") == [0.9999]  # the option asks for the check
    assert limits("--speaker-model", model, "--speaker-limit=-0.9") == []
    monkeypatch.setenv("ONETAKE_SPEAKER_MODEL", model)
    monkeypatch.setenv("ONETAKE_SPEAKER_LIMIT", "0.9998")
    assert limits("--speakers") == [0.9998]
    assert limits() == []  # the variables do not


def test_join_and_clone_compare_voices_with_it(say: Say, model: str) -> None:
    takes = [str(write_voices(Path(f"{speed}.wav"), speed)) for speed in (LOW, HIGH)]
    chosen = ("--speaker-model", model, "--speaker-limit", "0.9999")
    assert "below 0.9999" in say("join", *takes, "-o", "joined.wav", *chosen).err
    assert say("clone", takes[0], "--dry-run", "--sandbox", *chosen).status == 0
    broken = say("clone", takes[0], "--dry-run", "--sandbox", "--speaker-model", takes[1], "--speaker-limit", "0.5")
    assert (broken.status, "cannot be loaded" in broken.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--speaker-model", "model.onnx"), "the speaker model has no limit"),
        (("--speakers", "--speaker-limit", "0.5"), "has no speaker_model"),
        (("--speaker-model", "model.onnx", "--speaker-limit", "half"), "is not a number"),
        (("--speaker-model", "model.onnx", "--speaker-limit", "1.5"), "the limit of the speaker model is 1.5"),
        (("--speaker-model", "none.onnx", "--speaker-limit", "0.5"), "none.onnx': there is no such file"),
        (("--speaker-model", GOOD, "--speaker-limit", "0.5"), "the speaker model cannot be loaded"),
        (("--speaker-model", "other.onnx", "--speaker-limit", "0.5"), "takes tensor(float) [1, 9]"),
    ],
)
def test_what_cannot_be_used_is_a_usage_error(say: Say, model: str, words: tuple[str, ...], expected: str) -> None:
    Path("other.onnx").write_bytes(waveform_model((1, 9)))
    ran = say("check", GOOD, *words)
    assert (ran.status, ran.out) == (2, "")
    assert expected in ran.err
