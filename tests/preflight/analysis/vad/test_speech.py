"""Noise, tones and silence are not speech, voices are, and music is at least a warning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import preflight
from tests.support import make_audio as making
from tests.support.audio_measures import judged
from tests.support.defects import noise

if TYPE_CHECKING:
    from tests.support.defects import Sound

RATE = 48_000
COUNT = 12 * RATE
TIME = np.arange(COUNT) / RATE
AUDIO = Path(__file__).parents[5] / "shared" / "audio"


def harmonics(hz: float, seconds: float, decay: float = 0.0) -> Sound:
    time = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * hz * number * time) / number for number in range(1, 7))
    return np.asarray(0.1 * wave * np.exp(-decay * time), np.float32)


def pulsating(sound: Sound, hz: float = 4.0) -> Sound:
    return np.asarray(sound * 0.5 * (1 - np.cos(2 * np.pi * hz * TIME)), np.float32)


def dialling() -> Sound:
    pairs = [(697, 1209), (770, 1336), (852, 1477), (941, 1633)]
    press = np.arange(RATE // 5) / RATE
    keys = [np.sin(2 * np.pi * low * press) + np.sin(2 * np.pi * high * press) for low, high in pairs]
    return np.resize(np.concatenate([np.pad(0.2 * key, (0, RATE // 10)) for key in keys]), COUNT).astype(np.float32)


NO_VOICE: dict[str, Callable[[], NDArray[Any]]] = {
    "white noise": lambda: 0.1 * noise(COUNT, "white"),
    "pink noise": lambda: 0.1 * noise(COUNT, "pink"),
    "pulsating white noise": lambda: pulsating(0.1 * noise(COUNT, "white")),
    "pulsating pink noise": lambda: pulsating(0.1 * noise(COUNT, "pink")),
    "bursts of noise": lambda: 0.1 * noise(COUNT, "white") * (TIME % 0.5 < 0.05),
    "room noise": lambda: 1e-3 * noise(COUNT, "white"),
    "tone": lambda: 0.1 * np.sin(2 * np.pi * 1000 * TIME),
    "low square wave": lambda: 0.1 * np.sign(np.sin(2 * np.pi * 151 * TIME)),
    "hum": lambda: harmonics(50, 12),
    "pulsating sawtooth": lambda: pulsating(harmonics(203, 12)),
    "sweep": lambda: 0.1 * np.sin(2 * np.pi * (100 * TIME + 100 * TIME**2)),
    "siren": lambda: 0.1 * np.sin(2 * np.pi * 600 * TIME + 100 * np.sin(np.pi * TIME)),
    "dialling": dialling,
    "clicks": lambda: 0.5 * (np.arange(COUNT) % 4800 == 0),
}


@pytest.mark.parametrize("name", NO_VOICE)
def test_sound_without_a_voice_has_no_speech(name: str) -> None:
    _, findings = judged(np.asarray(NO_VOICE[name](), np.float32), RATE)
    assert findings["no-speech"].severity == "error"
    assert "unsure-voice" not in findings


def test_silence_is_reported_once(tmp_path: Path) -> None:
    path = tmp_path / "silent.wav"
    path.write_bytes(making.wav(np.zeros(COUNT, np.float32), RATE))
    assert [finding.rule for finding in preflight.check(path).findings] == ["no-audio"]


def test_a_melody_is_reported() -> None:
    generator = np.random.default_rng(1)
    notes = [harmonics(float(hz), 0.4, decay=3) for hz in generator.choice([262, 294, 330, 349, 392, 440], 30)]
    _, findings = judged(np.concatenate(notes), RATE)
    assert {"no-speech", "unsure-voice"} & set(findings)


def test_a_voice_that_the_detector_does_not_recognize_is_a_warning() -> None:
    """Gliding, pulsating harmonics, as of a cartoon character or of song."""
    wave = sum(
        np.sin(2 * np.pi * 220 * number * TIME + number * 8 * np.sin(2 * np.pi * 5.5 * TIME)) / number
        for number in range(1, 8)
    )
    _, findings = judged(pulsating(np.asarray(0.1 * wave, np.float32)), RATE)
    assert findings["unsure-voice"].severity == "warning"
    assert "no-speech" not in findings


def test_a_profile_can_ignore_or_downgrade_a_quality_error(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    path.write_bytes(making.wav(np.asarray(NO_VOICE["tone"](), np.float32), RATE))
    assert preflight.check(path).verdict == "rejected"
    for changes in ({"ignore": ["no-speech"]}, {"levels": {"no-speech": "warning"}}):
        profile = preflight.PROFILES["default"].changed(**changes)
        assert preflight.check(path, profile=profile).verdict == "ready"
        assert preflight.fix(path, tmp_path / "out.wav", profile=profile, force=True).action == "keep"


@pytest.mark.slow
@pytest.mark.skipif(not AUDIO.is_dir(), reason="the real recordings are missing")
def test_real_speech_raises_no_quality_error() -> None:
    checked = 0
    for path in sorted(AUDIO.iterdir()):
        if path.suffix == ".md" or path.name.startswith("pydub"):
            continue
        report = preflight.check(path)
        errors = {finding.rule for finding in report.errors if not preflight.RULES[finding.rule].is_contract}
        assert not errors, path.name
        checked += 1
    assert checked >= 18
    character = preflight.check(AUDIO / "OpenVoice__resources_demo_speaker1.mp3")
    assert character.verdict == "ready"
    assert "unsure-voice" in {finding.rule for finding in character.findings}


@pytest.mark.skipif(not AUDIO.is_dir(), reason="the real recordings are missing")
@pytest.mark.parametrize("name", ["pydub__test_data_bach.ogg", "pydub__test_data_test1-24bit.wav"])
def test_real_music_is_reported(name: str) -> None:
    assert {"no-speech", "unsure-voice"} & {finding.rule for finding in preflight.check(AUDIO / name).findings}
