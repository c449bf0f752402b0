"""Speech level, noise floor, SNR and pauses of signals built from tones, noise and known speech."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preflight.analysis.meters.peak_and_rms import LevelMeter
from preflight.analysis.speech_and_noise_levels import SpeechLevels, speech_levels
from preflight.analysis.vad.speech import SpeechTrack
from tests.support.audio_measures import judged
from tests.support.chunks import measured_by, sine, white_noise
from tests.support.make_audio import RATE, quiet, story

WINDOW_S = 0.032


def split(sound: Any, *speech: tuple[float, float]) -> SpeechLevels:
    """What is measured where the detector finds `speech`, in seconds."""
    seconds = len(sound) / RATE
    middles = (np.arange(math.ceil(seconds / WINDOW_S)) + 0.5) * WINDOW_S
    certain = np.array([any(start <= at < end for start, end in speech) for at in middles], np.float32)
    return speech_levels(measured_by(LevelMeter, sound, RATE), SpeechTrack(certain, WINDOW_S), seconds)


def phrases(noise_rms: float = 0.001) -> Any:
    """Ten seconds of noise with a tone of -23 dBFS from 2 to 4 s and from 5 to 8 s."""
    sound = white_noise(noise_rms, 10 * RATE)
    for start, end in ((2, 4), (5, 8)):
        sound[start * RATE : end * RATE] += sine(1000, end - start, RATE, 0.1)
    return sound


SPEECH = ((2.0, 4.0), (5.0, 8.0))


def test_levels_of_speech_and_pauses() -> None:
    found = split(phrases(), *SPEECH).measurements
    assert found["speech_level_dbfs"] == pytest.approx(-23, abs=0.2)
    assert found["noise_floor_dbfs"] == pytest.approx(-60, abs=0.3)
    assert found["snr_db"] == pytest.approx(37, abs=0.5)
    assert found["digital_silence_percent"] == 0


@pytest.mark.parametrize("snr_db", [5, 10, 20, 30])
def test_the_noise_under_the_speech_is_subtracted(snr_db: float) -> None:
    noise_rms = math.sqrt(0.005 / 10 ** (snr_db / 10))
    assert split(phrases(noise_rms), *SPEECH).measurements["snr_db"] == pytest.approx(snr_db, abs=1)


def test_times_of_speech_and_silence() -> None:
    found = split(phrases(), *SPEECH)
    assert list(found.speech) == [pytest.approx((2, 4), abs=0.02), pytest.approx((5, 8), abs=0.02)]
    assert found.measurements["speech_s"] == pytest.approx(5, abs=0.04)
    assert found.measurements["speech_percent"] == pytest.approx(50, abs=0.4)
    assert found.measurements["speech_of_sound_percent"] == pytest.approx(100, abs=2)
    assert found.measurements["leading_silence_s"] == pytest.approx(2, abs=0.02)
    assert found.measurements["trailing_silence_s"] == pytest.approx(2, abs=0.02)
    assert found.measurements["longest_pause_s"] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("late_s", [0.03, 0.1, 0.2])
def test_edges_move_to_where_the_sound_begins(late_s: float) -> None:
    found = split(phrases(), (2 + late_s, 4 - late_s), (5 + late_s, 8 - late_s))
    assert list(found.speech) == [pytest.approx((2, 4), abs=0.02), pytest.approx((5, 8), abs=0.02)]


def test_edges_far_from_any_sound_stay() -> None:
    """The tone from 5 to 8 s is more than 0.3 s away."""
    (span,) = split(phrases(), (4.4, 4.6)).speech
    assert span == pytest.approx((4.4, 4.6), abs=WINDOW_S)


def test_digital_silence_is_not_the_noise_floor() -> None:
    sound = phrases()
    sound[: RATE // 2 * 2] = 0
    found = split(sound, *SPEECH).measurements
    assert found["noise_floor_dbfs"] == pytest.approx(-60, abs=0.3)
    # 5 s of pauses, less 96 ms around each edge of the speech; 1 s of it is digital silence
    assert found["digital_silence_percent"] == pytest.approx(100 / (5 - 4 * 0.096), abs=1)


def test_too_little_speech_gives_no_pauses() -> None:
    """A detector that finds 4 % of a constant tone does not recognize the voice."""
    found = split(sine(1000, 10, RATE, 0.1), (5.0, 5.4)).measurements
    assert set(found) == {"speech_s", "speech_percent", "speech_of_sound_percent", "noise_floor_dbfs"}


def test_without_speech_the_floor_is_the_quietest_5_percent() -> None:
    sound = np.concatenate((white_noise(0.1, 19 * RATE), white_noise(0.001, 2 * RATE)))
    found = split(sound).measurements
    assert found["speech_s"] == found["speech_percent"] == found["speech_of_sound_percent"] == 0
    assert found["noise_floor_dbfs"] == pytest.approx(-60, abs=0.5)


def test_speech_without_pauses() -> None:
    found = split(sine(1000, 5, RATE, 0.1), (0.0, 5.0)).measurements
    assert found["leading_silence_s"] == found["longest_pause_s"] == 0
    assert found["trailing_silence_s"] == pytest.approx(0, abs=WINDOW_S)
    assert "snr_db" not in found  # nothing but speech: the noise is unknown


@pytest.mark.parametrize("missed_rms", [0.1, 0.07, 0.03])
def test_pauses_as_loud_as_the_speech_are_no_noise_floor(missed_rms: float) -> None:
    """From 2 to 8 s someone speaks; the detector finds the voice from 2 to 4 s only."""
    sound = white_noise(0.0003, 10 * RATE)
    sound[2 * RATE : 4 * RATE] += sine(1000, 2, RATE, 0.14)
    sound[4 * RATE : 9 * RATE] += white_noise(missed_rms, 5 * RATE)
    found = split(sound, (2.0, 4.0)).measurements
    assert not {"snr_db", "noise_floor_dbfs", "trailing_silence_s", "digital_silence_percent"} & set(found)
    assert found["leading_silence_s"] == pytest.approx(2.0, abs=0.05)  # the start is quiet all the same
    assert found["pause_level_dbfs"] == pytest.approx(20 * math.log10(missed_rms), abs=0.5)


@given(st.integers(0, 2**32 - 1), st.floats(1e-5, 1), st.floats(1e-5, 1), st.floats(0, 1))
@settings(deadline=None, max_examples=40)
def test_the_snr_is_never_negative(seed: int, pause_rms: float, speech_rms: float, share: float) -> None:
    generator = np.random.default_rng(seed)
    sound = generator.normal(0, pause_rms, 4 * RATE).astype(np.float32)
    sound[RATE : 3 * RATE] = generator.normal(0, speech_rms, 2 * RATE)
    found = split(sound, (1.0, 1.0 + 2 * share)).measurements
    assert found.get("snr_db", 0.0) >= 0


def test_a_voice_of_which_a_part_is_missed_is_unsure_and_nothing_else() -> None:
    """Most of it is louder than the speech, and not detected as such."""
    sound = np.concatenate((story()[: 4 * RATE], white_noise(0.2, 7 * RATE)))
    _, findings = judged(sound, RATE)
    assert "unsure-voice" in findings
    assert not set(findings) & {"noisy", "little-speech", "edge-silence", "long-pause"}


def test_a_recording_shorter_than_a_frame() -> None:
    found = speech_levels(
        measured_by(LevelMeter, np.ones(50), RATE), SpeechTrack(np.empty(0, np.float32), WINDOW_S), 50 / RATE
    )
    assert found.speech == ()
    assert found.measurements["noise_floor_dbfs"] == -120


@pytest.mark.parametrize("room", ["digital", "room"])
def test_a_little_speech_in_a_long_silence_is_little_speech(room: str) -> None:
    long = quiet(40) if room == "room" else np.zeros(40 * RATE, np.float32)
    decoded, findings = judged(np.concatenate((long, story()[: 6 * RATE], long)), RATE)
    assert {"edge-silence", "little-speech"} <= set(findings)
    assert not {"unsure-voice", "no-speech"} & set(findings)
    assert len(findings["edge-silence"].spans) == 2
    assert decoded.measurements["leading_silence_s"] == pytest.approx(40, abs=1)


@pytest.mark.parametrize("dbfs", [-50, -60, -75])
def test_a_very_low_level_has_no_negative_snr(dbfs: float) -> None:
    gain = 10 ** (dbfs / 20) / np.sqrt(np.mean(story() ** 2))
    faint = np.rint(story() * gain * 32768) / 32768
    decoded, findings = judged(faint, RATE)
    assert decoded.measurements.get("snr_db", 0.0) >= 0
    assert all("-" not in finding.message.split("dB above")[0][-6:] for finding in findings.values())


@pytest.mark.parametrize("seed", range(3))
def test_speech_under_louder_noise_has_no_snr(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.5, len(story()))
    measured = judged(story() * 0.2 + noise, RATE)[0].measurements
    assert measured.get("snr_db", 0.0) >= 0


SPAN = st.tuples(st.floats(0, 9.5), st.floats(0.1, 5)).map(lambda span: (span[0], span[0] + span[1]))


@settings(max_examples=15, deadline=None)
@given(st.lists(SPAN, max_size=5), st.sampled_from([0.0, 1e-4, 0.05]))
def test_any_decisions_of_the_detector_give_finite_measurements(
    speech: list[tuple[float, float]], noise: float
) -> None:
    found = split(phrases(noise), *speech)
    assert all(math.isfinite(value) for value in found.measurements.values())
    assert all(0 <= start < end <= 10.04 for start, end in found.speech)
    assert all(before[1] < after[0] for before, after in pairwise(found.speech))
    assert 0 <= found.measurements["speech_percent"] <= 100.4
    assert 0 <= found.measurements["speech_of_sound_percent"] <= 100
    assert found.measurements.get("snr_db", 0) >= 0
    total = sum(end - start for start, end in found.speech)
    assert found.measurements["speech_s"] == pytest.approx(total, abs=0.01)


@pytest.mark.parametrize("gain_db", [-12.0, 6.0])
def test_gain_shifts_levels_and_leaves_ratios_and_times(gain_db: float) -> None:
    plain = split(phrases(), *SPEECH)
    shifted = split(10 ** (gain_db / 20) * phrases(), *SPEECH)
    assert shifted.speech == plain.speech
    for name, value in shifted.measurements.items():
        shift = gain_db if name.endswith("dbfs") else 0.0
        assert value == pytest.approx(plain.measurements[name] + shift, abs=0.02), name


def test_a_second_channel_with_the_same_sound_changes_nothing() -> None:
    one = phrases()
    assert split(np.stack((one, one), axis=1), *SPEECH) == split(one, *SPEECH)
