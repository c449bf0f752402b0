"""The reverberation time, from decays of known slope and from speech in rooms that are computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from preflight.analysis.meters.room_decay import RoomDecayMeter
from tests.support import defects, rooms
from tests.support import make_audio as making
from tests.support.audio_measures import judged, measured

FRAME_S = 0.008
SPEECH = defects.clean(making.talk(14), making.RATE)


def ringing(decay_s: float, seconds: float = 30, floor: float = 1e-9) -> Any:
    """Power spectra of a burst every second that decays by 60 dB in `decay_s`."""
    since = np.arange(round(seconds / FRAME_S)) * FRAME_S % 1.0
    power = 10 ** (-6 * since / decay_s) + floor
    return np.repeat(power[:, np.newaxis], 129, axis=1).astype(np.float32)


@pytest.mark.parametrize("decay_s", [0.2, 0.4, 0.6, 1.0, 2.0])
def test_exponential_decays_have_their_own_slope(decay_s: float) -> None:
    meter = RoomDecayMeter(FRAME_S)
    meter.add(ringing(decay_s))
    assert meter.decay_s() == pytest.approx(decay_s, rel=0.05)


def test_the_result_does_not_depend_on_the_blocks() -> None:
    powers = ringing(0.5, 50)
    whole, parts = RoomDecayMeter(FRAME_S), RoomDecayMeter(FRAME_S)
    for start in range(0, len(powers), 250):
        whole.add(powers[start : start + 250])
    for start in range(0, len(powers), 50):
        parts.add(powers[start : start + 50])
    assert whole.decay_s() == parts.decay_s()


@pytest.mark.parametrize("powers", [np.zeros((1000, 129)), np.ones((1000, 129)), np.zeros((0, 129)), ringing(0.5, 0.9)])
def test_without_enough_decays_nothing_is_measured(powers: Any) -> None:
    meter = RoomDecayMeter(FRAME_S)
    meter.add(powers.astype(np.float32))
    assert meter.decay_s() is None


@pytest.mark.parametrize("decay_s", [0.3, 1.5])
def test_decays_that_beat_are_measured_where_they_are_slow(decay_s: float) -> None:
    """Beats of 3 dB every 64 ms end fast decays; slow ones are smoothed over 72 ms."""
    powers = ringing(decay_s)
    powers *= 10 ** (0.15 * np.cos(2 * np.pi * np.arange(len(powers)) / 8))[:, np.newaxis].astype(np.float32)
    meter = RoomDecayMeter(FRAME_S)
    meter.add(powers)
    found = meter.decay_s()
    assert found == pytest.approx(1.5, rel=0.1) if decay_s > 1 else found is None or found < 0.5


@pytest.mark.parametrize(("seconds", "expected_s"), [(1, None), (3, 2.0)])
def test_few_slow_decays_are_enough_where_they_are_long(seconds: float, expected_s: float | None) -> None:
    """One in each of four bands a second, with the beats that end fast ones."""
    powers = ringing(2.0, seconds)
    powers *= 10 ** (0.15 * np.cos(2 * np.pi * np.arange(len(powers)) / 8))[:, np.newaxis].astype(np.float32)
    assert decay(powers) == (None if expected_s is None else pytest.approx(expected_s, rel=0.1))


@pytest.mark.parametrize("gain", [1.0, 0.03])
def test_dry_speech_decays_fast_at_any_level(gain: float) -> None:
    assert measured(SPEECH.sound * np.float32(gain), SPEECH.rate)["room_decay_s"] < 0.3


@pytest.mark.parametrize(("decay_s", "direct_db"), [(0.6, 0), (1.0, -6), (1.5, -6), (2.0, -3)])
def test_speech_in_a_room_is_reverberant(decay_s: float, direct_db: float) -> None:
    response = rooms.impulse_response(SPEECH.rate, decay_s, direct_db)
    analysis, findings = judged(rooms.convolved(SPEECH.sound, response), SPEECH.rate)
    assert findings["reverberant"].value == analysis.measurements["room_decay_s"]
    assert findings["reverberant"].value == pytest.approx(decay_s, rel=0.35)


def test_a_furnished_room_is_not() -> None:
    response = rooms.impulse_response(SPEECH.rate, 0.2, 0)
    assert not judged(rooms.convolved(SPEECH.sound, response), SPEECH.rate)[1]


def decay(powers: Any) -> float | None:
    meter = RoomDecayMeter(FRAME_S)
    meter.add(np.asarray(powers, np.float32))
    return meter.decay_s()


@pytest.mark.parametrize("gain", [1e-6, 1e-3, 1e3])
def test_the_slope_does_not_depend_on_the_level(gain: float) -> None:
    powers = ringing(0.5, floor=0)
    assert decay(gain * powers) == pytest.approx(decay(powers), rel=0.02)


def test_the_median_of_fast_and_slow_decays_is_that_of_the_more_frequent_ones() -> None:
    """Two rooms: twenty decays of 0.3 s and ten of 0.9 s."""
    both = np.concatenate((ringing(0.3, 20), ringing(0.9, 10)))
    assert decay(both) == pytest.approx(0.3, rel=0.1)


@pytest.mark.parametrize("fall_db", [9.0, 30.0])
def test_a_decay_falls_by_at_least_12_db(fall_db: float) -> None:
    """Bursts that fall to a floor of that level below them."""
    floor = 10 ** (-fall_db / 10)
    since = np.arange(3750) * FRAME_S % 1.0
    powers = np.maximum(10 ** (-6 * since / 0.5), floor)
    found = decay(np.repeat(powers[:, np.newaxis], 129, axis=1))
    assert (found is None) if fall_db < 12 else found == pytest.approx(0.5, rel=0.1)


def test_one_band_that_rings_longer_is_outvoted_by_three() -> None:
    powers = ringing(0.3)
    powers[:, 45:90] = ringing(1.2)[:, 45:90]  # 2.8 to 5.6 kHz
    assert decay(powers) == pytest.approx(0.3, rel=0.1)
