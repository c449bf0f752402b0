"""Transcription with the real engine and a real model, and comparison of texts."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

import preflight
from preflight import BadSpeechModel, SpeechModel
from preflight.analysis.analysis import Comparison
from preflight.prompt.text_match import agreement
from tests.preflight.prompt.test_clips import OTHERS, recording, sentence
from tests.support.make_audio import FIXTURES, RATE, story, wav
from tests.support.selection import parametrize_some
from tests.support.speech_models import carried_model

TEXT = (FIXTURES / "prompt.txt").read_text().strip()
ENGLISH = OTHERS / "F5-TTS__src_f5_tts_infer_examples_basic_basic_ref_en.wav"
CHINESE = OTHERS / "F5-TTS__src_f5_tts_infer_examples_basic_basic_ref_zh.wav"


@pytest.fixture(scope="session")
def model() -> SpeechModel:
    return SpeechModel(carried_model())


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(carried_model(), tmp_path / "models" / "tiny-en"))


@pytest.mark.parametrize(
    ("text", "recognized", "expected"),
    [
        ("Some call me nature, others…", "some call me Nature. OTHERS", 1.0),
        ("对，这就是我！", "对这就是我", 1.0),  # noqa: RUF001
        ("対です", "タイデス", 0.0), ("カメラ", "ｶﾒﾗ", 1.0),
        ("Straße", "STRASSE", 1.0), ("ÉTÉ", "été", 1.0), ("room 42", "room 43", 0.833),
        ("abcd", "abcx", 0.75), ("Some words.", "", 0.0), ("Some words.", "?!", 0.0),
        ("对,这就是我", "Do I slay", None), ("Привет", "Privet", None), ("42", "forty two", None),
    ],
)  # fmt: skip
def test_the_agreement_of_two_texts(text: str, recognized: str, expected: float | None) -> None:
    assert agreement(text, recognized) == expected


@parametrize_some("name", ["prompt.wav", "prompt.m4a"], fast=1)
def test_a_wrong_text_is_a_warning_and_the_right_text_is_not(model: SpeechModel, name: str) -> None:
    right = preflight.compare_text(FIXTURES / name, TEXT, model)
    assert right.agreement is not None
    assert right.agreement > 0.85
    assert preflight.text_findings(right) == ()
    wrong = preflight.compare_text(FIXTURES / name, "I would like two coffees, please.", model)
    (finding,) = preflight.text_findings(wrong)
    assert (finding.rule, finding.severity, finding.limit) == ("prompt-text-differs", "warning", 0.7)
    assert finding.value == wrong.agreement
    assert wrong.transcript in finding.message


@pytest.mark.slow
@pytest.mark.skipif(not OTHERS.is_dir(), reason="the real recordings are not here")
def test_real_speech_and_a_language_that_the_model_does_not_have(model: SpeechModel) -> None:
    known = preflight.compare_text(ENGLISH, "Some call me nature, others call me mother nature.", model)
    assert known.agreement is not None
    assert known.agreement > 0.9
    unknown = preflight.compare_text(CHINESE, "对,这就是我,万人敬仰的太乙真人。", model)
    assert unknown.agreement is None
    (finding,) = preflight.text_findings(unknown)
    assert "English" in finding.message
    assert (finding.value, finding.limit) == (None, 0.7)


def test_the_limit_is_that_of_the_profile_unless_one_is_given() -> None:
    comparison = Comparison(transcript="Words", agreement=0.8, language="en")
    rule = "prompt-text-differs"
    harder = preflight.Profile("mine", {rule: "error"}, {rule: {"min_agreement": 0.9}})
    assert preflight.text_findings(comparison) == ()
    assert preflight.text_findings(comparison, limit=0.81)[0].limit == 0.81
    (finding,) = preflight.text_findings(comparison, harder)
    assert (finding.severity, finding.limit) == ("error", 0.9)
    assert preflight.text_findings(comparison, harder, limit=0.5) == ()
    assert preflight.text_findings(comparison, harder.changed(ignore=[rule])) == ()


def test_a_long_transcript_is_shortened_in_the_message() -> None:
    endless = Comparison(transcript="la " * 5000, agreement=0.1, language="en")
    (finding,) = preflight.text_findings(endless)
    assert len(finding.message) < 450
    nothing = Comparison(transcript="", agreement=0.0, language="en")
    assert "found no words" in preflight.text_findings(nothing)[0].message


@pytest.mark.slow
def test_each_clip_of_a_recording_is_transcribed_separately(model: SpeechModel, tmp_path: Path) -> None:
    path = recording(tmp_path / "take.wav", sentence(), story()[: 5 * RATE], sentence())
    clips = preflight.prompt_clips(path, count=50)
    spans = [(clip.start_s, clip.end_s) for clip in clips]
    texts = preflight.transcribe(path, spans, model)
    assert len(texts) == len(clips)
    assert texts == preflight.transcribe(path, spans[::-1], model)[::-1]
    assert any((agreement(TEXT, words) or 0) > 0.8 for words in texts)


def test_a_clip_up_to_the_last_sample(model: SpeechModel, tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(wav(sentence()))
    seconds = len(sentence()) / RATE
    (words,) = preflight.transcribe(path, [(0.0, seconds + 0.0004)], model)  # as rounding to a millisecond may leave it
    assert words
    with pytest.raises(preflight.CannotOpen, match="shorter"):
        preflight.transcribe(path, [(0.0, seconds + 1)], model)


@parametrize_some(
    "sound",
    [np.zeros(0), np.zeros(100), np.zeros(64000), np.full(64000, np.nan), np.full(64000, 1e30)],
    fast=2,
    ids=["empty", "short", "silence", "NaN", "huge"],
)
def test_audio_without_speech(model: SpeechModel, sound: np.ndarray) -> None:
    (words,) = model.transcribe([sound.astype(np.float32)])
    assert "\n" not in words
    assert model.transcribe([]) == ()


def test_files_that_cannot_be_transcribed(model: SpeechModel, tmp_path: Path) -> None:
    for name in ("text.mp3", "missing.wav"):
        with pytest.raises(preflight.PreflightError):
            preflight.compare_text(FIXTURES / name, TEXT, model)
    assert preflight.compare_text(FIXTURES / "header-only.wav", TEXT, model).agreement == 0.0
    soundfile.write(tmp_path / "silence.wav", np.zeros(64000), 16000)
    silent = preflight.compare_text(tmp_path / "silence.wav", TEXT, model)  # the model invents a word for it
    assert [finding.rule for finding in preflight.text_findings(silent)] == ["prompt-text-differs"]


def test_a_folder_name_of_any_bytes_and_a_relative_one(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = os.fsencode(copied.parents[1]) + b"/o'd \xff\n\xe5\x90\x8d"
    os.mkdir(odd)  # noqa: PTH102
    shutil.move(copied, os.fsdecode(odd))
    model = SpeechModel(os.fsdecode(odd + b"/tiny-en"))
    assert preflight.compare_text(FIXTURES / "prompt.wav", TEXT, model).agreement
    monkeypatch.chdir(model.folder)
    assert SpeechModel(".").name == "tiny-en"


def test_a_model_can_be_pickled(model: SpeechModel) -> None:
    assert pickle.loads(pickle.dumps(model)).folder == model.folder


@pytest.mark.parametrize("name", ["model", "en", "tiny", "huge-en", "small-en", "tiny-en-2", "TINY-EN", "quantized"])
def test_a_folder_without_the_name_of_a_model(name: str, copied: Path) -> None:
    with pytest.raises(BadSpeechModel, match="not the name of a speech model") as caught:
        SpeechModel(copied.rename(copied.with_name(name)))
    assert "SIZE-LANGUAGE" in caught.value.hint


def test_a_folder_as_the_hub_lays_it_out(copied: Path) -> None:
    inner = copied / "quantized"
    inner.mkdir()
    for file in list(copied.glob("*.*")):
        file.rename(inner / file.name)
    assert SpeechModel(inner).name == "tiny-en"


def test_a_missing_folder_and_missing_files(copied: Path) -> None:
    for path in (copied / "nowhere", copied / "tokenizer.bin"):
        with pytest.raises(BadSpeechModel, match="does not exist"):
            SpeechModel(path)
    with pytest.raises(BadSpeechModel, match=r"lacks adapter\.ort"):
        SpeechModel(copied.rename(copied.with_name("small-streaming-en")))
    (copied.with_name("small-streaming-en") / "encoder_model.ort").unlink()
    with pytest.raises(BadSpeechModel, match=r"lacks encoder_model\.ort"):
        SpeechModel(copied.with_name("small-streaming-en").rename(copied))


@parametrize_some("file", ["encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin"], fast=1)
@pytest.mark.parametrize("how", ["empty", "cut", "noise", "pipe"])
def test_a_broken_model_is_reported(file: str, how: str, copied: Path) -> None:
    path = copied / file
    content = path.read_bytes()
    broken = {"empty": b"", "cut": content[: len(content) // 2], "noise": np.random.default_rng(1).bytes(100_000)}
    if how == "pipe":
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(BadSpeechModel, match="lacks"):
            SpeechModel(copied)
        return
    path.write_bytes(broken[how])
    with pytest.raises(BadSpeechModel, match="is broken") as caught:
        preflight.compare_text(FIXTURES / "prompt.wav", TEXT, SpeechModel(copied))
    assert caught.value.hint


def test_a_model_of_another_size_than_in_its_name(copied: Path) -> None:
    with pytest.raises(BadSpeechModel, match="is broken") as caught:
        SpeechModel(copied.rename(copied.with_name("base-en"))).transcribe([sentence()])
    assert "do not rename its folder" in caught.value.hint
