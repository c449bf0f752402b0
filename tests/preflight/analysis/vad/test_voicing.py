"""Pitch of known waveforms, and what resembles a voice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from preflight.analysis.vad.voicing import VoicingMeter, pitches
from tests.support.chunks import sine, white_noise

RATE = 16_000
WINDOW = 512
WINDOW_S = WINDOW / RATE


def harmonics(hz: float, seconds: float, first: int = 1) -> Any:
    """Harmonics of a pitch that rises by 2 % within 64 ms around `hz`: exactly periodic sound has many pitches."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * (0.99 * hz * time + 0.02 * hz / 0.064 * time**2 / 2)
    return sum(0.2 * np.sin(number * phase) / number for number in range(first, first + 8) if number * hz < 7000)


def steady(hz: float, seconds: float) -> Any:
    return sum(sine(hz * number, seconds, RATE, 0.2 / number) for number in range(1, 9))


def pitch(sound: Any) -> float:
    return float(pitches(np.asarray(sound[:1024], np.float32)[np.newaxis])[0])


@pytest.mark.parametrize("hz", [75, 110.5, 200, 333.3])
def test_the_pitch_of_a_harmonic_sound(hz: float) -> None:
    assert pitch(harmonics(hz, 0.1)) == pytest.approx(hz, rel=0.01)


@pytest.mark.parametrize("first", [2, 3])
def test_the_pitch_without_the_fundamental(first: int) -> None:
    """A telephone does not transmit it."""
    assert pitch(harmonics(150, 0.1, first)) == pytest.approx(150, rel=0.01)


def test_noise_has_no_pitch() -> None:
    pieces = white_noise(0.1, 200 * 1024).reshape(-1, 1024).astype(np.float32)
    assert not pitches(pieces).any()


def test_silence_has_no_pitch() -> None:
    assert pitch(np.zeros(1024)) == 0


def voiced_s(sound: Any, *, is_speech: bool = False) -> float:
    meter = VoicingMeter(WINDOW_S)
    windows = np.asarray(sound[: len(sound) // WINDOW * WINDOW], np.float32).reshape(-1, WINDOW)
    for piece in np.array_split(windows, 5):
        meter.add(piece, np.full(len(piece), not is_speech))
    return meter.voiced_s()


SECONDS = 6
TIME = np.arange(SECONDS * RATE) / RATE
SYLLABLES = 0.55 - 0.45 * np.cos(2 * np.pi * 4 * TIME)


def gliding(depth: float = 0.2) -> Any:
    """Harmonics of a pitch around 220 Hz that glides once a second."""
    phase = 2 * np.pi * np.cumsum(220 * (1 + depth * np.sin(2 * np.pi * TIME))) / RATE
    return sum(0.1 * np.sin(number * phase) / number for number in range(1, 9))


def test_a_gliding_pulsating_sound_resembles_a_voice() -> None:
    assert voiced_s(gliding() * SYLLABLES) > 3


def test_without_glide_or_syllables_it_does_not() -> None:
    assert voiced_s(steady(200, SECONDS) * SYLLABLES) < 0.3
    assert voiced_s(gliding()) < 0.3
    assert voiced_s(white_noise(0.1, SECONDS * RATE) * SYLLABLES) < 0.3


def test_only_sound_without_detected_speech_counts() -> None:
    assert voiced_s(gliding() * SYLLABLES, is_speech=True) == 0


def test_what_is_too_faint_does_not_count() -> None:
    assert voiced_s(0.001 * gliding() * SYLLABLES) == 0


def test_a_recording_without_windows() -> None:
    assert VoicingMeter(WINDOW_S).voiced_s() == 0


@pytest.mark.parametrize("hz", [40, 1_200])
def test_what_no_voice_can_sing_has_no_pitch_of_its_own(hz: float) -> None:
    """Below the lowest and above the highest pitch; a multiple of the period may lie between them."""
    found = pitch(harmonics(hz, 0.1))
    assert found == 0 or 69 <= found <= 701
    assert found != pytest.approx(hz, rel=0.05)


@pytest.mark.parametrize("hz", [100, 250])
def test_a_pure_tone_has_no_overtones_and_no_pitch(hz: float) -> None:
    assert pitch(sine(hz, 0.1, RATE, 0.5)) == 0


@pytest.mark.parametrize("gain", [0.001, 0.1, 1.0])
def test_the_pitch_does_not_depend_on_the_level(gain: float) -> None:
    assert pitch(gain * harmonics(180, 0.1)) == pytest.approx(pitch(harmonics(180, 0.1)), rel=1e-3)


def test_an_offset_does_not_change_the_pitch() -> None:
    assert pitch(0.3 + harmonics(180, 0.1)) == pytest.approx(pitch(harmonics(180, 0.1)), rel=1e-3)


@pytest.mark.parametrize("noise_rms", [0.005, 0.02])
def test_a_little_noise_does_not_hide_the_pitch(noise_rms: float) -> None:
    sound = harmonics(180, 0.1)
    assert pitch(sound + white_noise(noise_rms, len(sound))) == pytest.approx(180, rel=0.02)


def test_several_pieces_are_measured_one_by_one() -> None:
    pieces = [np.asarray(harmonics(hz, 0.1)[:1024], np.float32) for hz in (90, 180, 360)]
    assert pitches(np.stack(pieces)).tolist() == [pytest.approx(pitch(piece), rel=1e-5) for piece in pieces]


@pytest.mark.parametrize("pieces", [1, 2, 7, 60])
def test_the_result_does_not_depend_on_how_windows_are_grouped(pieces: int) -> None:
    sound = np.asarray(gliding() * SYLLABLES, np.float32)
    windows = sound[: len(sound) // WINDOW * WINDOW].reshape(-1, WINDOW)
    meter = VoicingMeter(WINDOW_S)
    for piece in np.array_split(windows, pieces):
        meter.add(piece, np.ones(len(piece), bool))
    assert meter.voiced_s() == voiced_s(sound)


def test_only_the_part_without_detected_speech_counts() -> None:
    sound = np.asarray(gliding() * SYLLABLES, np.float32)
    windows = sound[: len(sound) // WINDOW * WINDOW].reshape(-1, WINDOW)
    meter = VoicingMeter(WINDOW_S)
    meter.add(windows, np.arange(len(windows)) >= len(windows) // 2)
    assert 0.3 * voiced_s(sound) < meter.voiced_s() < 0.7 * voiced_s(sound)


@pytest.mark.parametrize("hz", [80.0, 110.0, 160.0])
def test_the_pitch_of_a_glide_is_that_of_its_middle(hz: float) -> None:
    """A glide of 2 % over the 64 ms of a piece."""
    at = np.arange(1024) / 16_000
    phase = 2 * np.pi * hz * (at + 0.01 * at**2 / at[-1])
    piece = sum(np.sin(n * phase) / n for n in range(1, 9))
    assert pitches(np.asarray(piece, np.float32)[np.newaxis])[0] == pytest.approx(1.01 * hz, rel=0.01)
