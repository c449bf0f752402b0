"""How the background changes: of other voices, of noise, of rooms, of silence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from preflight.analysis.meters.babble import BabbleMeter, band_powers
from preflight.analysis.vad.silero import WINDOW, SileroVad
from tests.support import backgrounds, defects, processing, rooms
from tests.support import make_audio as making
from tests.support.audio_measures import judged

RATE = making.RATE
SPEECH = defects.clean(making.talk(14), RATE)


def found(sound: Any, piece: int = 64) -> dict[str, float]:
    frames = np.asarray(sound, np.float32)[: len(sound) // WINDOW * WINDOW].reshape(-1, WINDOW)
    vad, meter = SileroVad(), BabbleMeter()
    for start in range(0, len(frames), piece):
        vad.probabilities(frames[start : start + piece])
        meter.add(band_powers(vad.powers))
    return meter.measurements()


def test_the_level_of_voices_bends_and_that_of_noise_does_not() -> None:
    voices = found(backgrounds.below(SPEECH, backgrounds.babble(SPEECH), 12))
    noise = found(backgrounds.below(SPEECH, defects.noise(len(SPEECH.sound), "pink"), 12))
    assert voices["background_bend_db"] > 4.5
    assert noise["background_bend_db"] < 3
    assert voices["background_likeness"] > 0.35
    assert noise["background_likeness"] < 0.2


def test_the_level_of_the_background_follows_its_strength() -> None:
    noise = defects.noise(len(SPEECH.sound), "pink")
    strong, weak = (found(backgrounds.below(SPEECH, noise, ratio))["background_level_db"] for ratio in (10, 20))
    assert strong - weak == pytest.approx(10, abs=1.5)


def test_the_quietest_moments_of_a_room_are_far_below_the_quiet_ones() -> None:
    wet = rooms.convolved(SPEECH.sound, rooms.impulse_response(RATE, 0.6, 0))
    assert found(wet)["background_spread_db"] > 8


@pytest.mark.parametrize("sound", [np.zeros(0), np.zeros(RATE), SPEECH.sound[: 2 * RATE]])
def test_what_is_too_short_has_no_value(sound: Any) -> None:
    assert found(sound) == {}


def test_silence_has_no_bends() -> None:
    assert found(np.zeros(8 * RATE)).get("background_bend_db", 0.0) == 0


def test_the_result_does_not_depend_on_the_pieces() -> None:
    sound = backgrounds.below(SPEECH, backgrounds.babble(SPEECH), 12)
    assert found(sound, 64) == found(sound, 7)


def test_the_median_of_long_recordings() -> None:
    voices = backgrounds.below(SPEECH, backgrounds.babble(SPEECH), 12)[: 10 * RATE]
    assert found(np.tile(voices, 6))["background_bend_db"] == pytest.approx(
        found(np.tile(voices, 2))["background_bend_db"], abs=0.5
    )


@pytest.mark.parametrize(("others", "ratio_db"), [(3, 10), (6, 15)])
def test_other_voices_are_named(others: int, ratio_db: float) -> None:
    analysis, findings = judged(backgrounds.below(SPEECH, backgrounds.babble(SPEECH, others), ratio_db), RATE)
    assert findings["babble"].value == analysis.measurements["background_bend_db"]
    assert "music" not in findings


IN_A_ROOM = rooms.convolved(backgrounds.babble(SPEECH, 10), rooms.impulse_response(RATE, 0.6, -3, 5))


@pytest.mark.parametrize("ratio_db", [10, 15, 20])
def test_voices_in_a_room_bend_the_level_of_whole_pauses(ratio_db: float) -> None:
    analysis, findings = judged(backgrounds.below(SPEECH, IN_A_ROOM, ratio_db), RATE)
    assert "babble" in findings
    assert analysis.measurements["pause_bend_db"] > 2.9


@pytest.mark.parametrize("color", ["white", "pink"])
def test_noise_does_not_bend_the_level_of_whole_pauses(color: str) -> None:
    noise = defects.noise(len(SPEECH.sound), color)
    for ratio_db in (10, 15, 20):
        assert found(backgrounds.below(SPEECH, noise, ratio_db))["pause_bend_db"] < 2


@pytest.mark.parametrize(
    "sound",
    [
        SPEECH.sound,
        next(backgrounds.roaring(SPEECH)).sound,
        rooms.convolved(SPEECH.sound, rooms.impulse_response(RATE, 0.6, 0)),
        processing.subtracted(backgrounds.below(SPEECH, defects.noise(len(SPEECH.sound), "pink"), 15), RATE),
    ],
    ids=["clean", "a street", "a room", "reduced noise"],
)
def test_nothing_else_is_babble(sound: Any) -> None:
    assert "babble" not in judged(sound, RATE)[1]


def levels_of(*decibels: float, count: int = 1250) -> Any:
    """Power spectra with these levels in turn, four frames (a window of 32 ms) each."""
    powers = np.resize(10 ** (np.array(decibels) / 10), count).repeat(4)
    return np.repeat(powers[:, np.newaxis], 129, axis=1).astype(np.float32)


def of_powers(*parts: Any) -> dict[str, float]:
    meter = BabbleMeter()
    for part in parts:
        meter.add(band_powers(part))
    return meter.measurements()


def test_a_steady_rise_and_fall_have_no_bend() -> None:
    """The level falls by 1 dB a window: its second difference is 0 but at the top."""
    found = of_powers(levels_of(*(-np.arange(40.0))))
    assert found["background_bend_db"] == pytest.approx(0, abs=0.01)


def test_the_bend_is_the_second_difference_of_the_level() -> None:
    """0, 0, ... and in the quiet part -30, -36, -30, -36: each window bends by 12 dB, in all bands alike."""
    found = of_powers(levels_of(*[0.0] * 80, *[-30.0, -36.0] * 10))
    assert found["background_bend_db"] == pytest.approx(12, abs=0.7)
    assert found["background_likeness"] == pytest.approx(1, abs=0.01)
    assert found["background_level_db"] == pytest.approx(-36, abs=0.1)


@pytest.mark.parametrize("gain", [1e-4, 1e3])
def test_the_background_is_relative_to_the_voice(gain: float) -> None:
    powers = levels_of(*[0.0] * 80, *[-30.0, -36.0] * 10)
    assert of_powers(gain * powers) == pytest.approx(of_powers(powers), abs=0.02)


def test_a_pause_lasts_at_least_0_4_s() -> None:
    """Windows of 64 ms every 32 ms: those of 0, 6, 0, 6 ... dB in pairs bend by twice their difference."""
    pauses = [-30.0, -30.0, -36.0, -36.0]
    bend = 2 * 10 * np.log10(2 / (1 + 10**-0.6))  # of the windows that hold one of each, 0; of the others, the whole
    long = of_powers(levels_of(*[0.0] * 60, *pauses * 6))
    assert 0 < long["pause_bend_db"] <= 12
    assert long["pause_bend_db"] > bend
    assert long["pause_likeness"] == pytest.approx(1, abs=0.01)
    assert "pause_bend_db" not in of_powers(levels_of(*[0.0] * 25, *pauses * 2))


def test_segments_are_summarized_by_their_median() -> None:
    """Three segments of 20 s, one of them with twice the bend."""
    usual, odd = (levels_of(*[0.0] * 80, *[-30.0, low] * 10, count=650) for low in (-33.0, -36.0))
    assert of_powers(usual, odd, usual)["background_bend_db"] == of_powers(usual)["background_bend_db"]


@pytest.mark.parametrize(("low_hz", "high_hz"), [(250, 4000), (0, 200), (4100, 8000)])
def test_the_bands_hold_the_power_between_250_and_4000_hz(low_hz: float, high_hz: float) -> None:
    frequencies = 62.5 * np.arange(129)
    powers = ((frequencies >= low_hz) & (frequencies < high_hz)).astype(np.float32)[np.newaxis]
    bands = band_powers(powers)
    assert bands.shape == (1, 7)
    inside = (frequencies >= 250) & (frequencies < 4000)
    assert bands.sum() == pytest.approx((powers[0] * inside).sum(), abs=1)


def test_each_frame_has_its_own_bands() -> None:
    powers = np.random.default_rng(1).random((5, 129), np.float32)
    assert band_powers(powers)[3] == pytest.approx(band_powers(powers[3:4])[0])
