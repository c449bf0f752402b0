"""A second pitch: of two voices at once, and of none, one and noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from preflight.analysis.speakers.encoder import WINDOW
from preflight.analysis.speakers.overlap import second_pitches
from preflight.analysis.speakers.windows import VoiceMeter
from tests.support import defects, rooms
from tests.support.make_audio import RATE
from tests.support.voices import HIGH, LOW, voice

FRAME = 512


def percent(sound: Any) -> float:
    meter = VoiceMeter(FRAME / RATE)
    frames = np.asarray(sound, np.float32)[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    meter.add(frames, np.ones(len(frames), np.float32))
    return meter.voices().second_pitch_percent


def glide(low_hz: float, high_hz: float) -> Any:
    """Return ten harmonics, as long as a window, whose pitch rises."""
    hz = np.linspace(low_hz, high_hz, WINDOW)
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    return 0.1 * sum(np.sin(n * phase) / n for n in range(1, 11))


def test_two_harmonic_sounds_have_two_pitches_and_one_has_one() -> None:
    one, other = glide(110, 120), glide(185, 178)
    voiced, second = second_pitches(one.astype(np.float32))
    assert voiced > 25
    assert second == 0
    voiced, second = second_pitches((one + other).astype(np.float32))
    assert second > 0.5 * voiced


def test_voices_at_the_same_time() -> None:
    low, high = voice(LOW), np.resize(voice(HIGH), len(voice(LOW)))
    assert percent(low) < 2.3
    assert percent(high) < 2.3
    assert percent(low + high) > 3


def test_a_room_and_noise_have_no_second_pitch() -> None:
    sound = voice(LOW)
    assert percent(rooms.convolved(sound, rooms.impulse_response(RATE, 0.6, 0))) < 2.3
    assert percent(sound + 0.02 * defects.noise(len(sound), "pink")) < 2.3


@pytest.mark.parametrize("sound", [np.zeros(WINDOW), defects.noise(WINDOW, "white"), np.ones(WINDOW)])
def test_what_is_no_voice_has_none(sound: Any) -> None:
    assert second_pitches(np.asarray(sound, np.float32))[1] == 0


def test_too_little_speech_has_no_value() -> None:
    assert percent(voice(LOW)[: 2 * RATE]) == 0


@pytest.mark.parametrize("gain", [1e-3, 10.0])
def test_pitches_do_not_depend_on_the_level(gain: float) -> None:
    both = (glide(110, 120) + glide(185, 178)).astype(np.float32)
    assert second_pitches(np.float32(gain) * both) == second_pitches(both)


@pytest.mark.parametrize("ratio", [1.0, 2.0, 1.5, 0.5])
def test_a_pitch_in_a_simple_ratio_is_no_second_voice(ratio: float) -> None:
    """Octaves and fifths are the harmonics of one voice."""
    both = glide(130, 133) + glide(130 * ratio, 133 * ratio)
    assert second_pitches(both.astype(np.float32))[1] == 0
