"""Bursts of air are found with their places; rumble, hum, offsets and the voice itself are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from preflight.analysis.meters.plosives import PlosiveMeter
from tests.support import backgrounds, defects, processing
from tests.support import make_audio as making
from tests.support.chunks import measured_by, sine

RATE = making.RATE
SPEECH = defects.clean(making.talk(24), RATE)


def plosives(sound: Any, rate: int = RATE) -> Any:
    return measured_by(PlosiveMeter, sound, rate).spans()


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_each_burst_is_found_in_its_place(rate: int, strength: float) -> None:
    speech = defects.clean(defects.resampled(SPEECH.sound, RATE, rate), rate)
    (defect,) = processing.popping(speech)
    found = plosives(speech.sound + strength * (defect.sound - speech.sound), rate)
    assert len(found) == len(defect.spans)
    for (start, _), (begin, end) in zip(defect.spans, found, strict=True):
        assert begin == pytest.approx(start, abs=0.03)
        assert end - begin == pytest.approx(0.08, abs=0.05)


def test_a_burst_in_one_channel() -> None:
    (defect,) = processing.popping(SPEECH)
    assert len(plosives(np.stack((SPEECH.sound, -defect.sound), axis=1))) == len(defect.spans)


def offset() -> Any:
    return np.concatenate((np.zeros(2 * RATE), SPEECH.sound + 0.02))


def rumble() -> Any:
    return next(iter(backgrounds.rumbling(SPEECH))).sound


def hum() -> Any:
    return next(iter(defects.humming(SPEECH))).sound


@pytest.mark.parametrize("make", [lambda: SPEECH.sound, offset, rumble, hum])
def test_what_is_not_a_burst(make: Any) -> None:
    assert plosives(make()) == ()


@pytest.mark.parametrize("sound", [np.zeros(1), np.zeros(5 * RATE), sine(20, 30, RATE, 0.5), sine(20, 1, RATE, 0.5)])
def test_sound_without_a_voice(sound: Any) -> None:
    assert plosives(sound) == ()


def with_bursts(*at_s: float, seconds: float = 44, strength: float = 0.3) -> Any:
    """A steady voice, and a period of 20 Hz at each place."""
    sound = sine(200, seconds, RATE, 0.2)
    for start_s in at_s:
        start = round(start_s * RATE)
        sound[start : start + RATE // 20] += sine(20, 0.05, RATE, strength)
    return sound


@pytest.mark.parametrize("at_s", [19.96, 19.97, 19.98, 20.0, 20.15, 20.46, 20.475, 20.48, 20.5])
def test_a_burst_where_one_segment_ends_is_found_once(at_s: float) -> None:
    ((start, end),) = plosives(with_bursts(at_s))
    assert start == pytest.approx(at_s, abs=0.03)
    assert end == pytest.approx(at_s + 0.05, abs=0.03)


def test_bursts_of_a_sentence_are_counted_one_by_one() -> None:
    places = [3.0, 3.4, 5.0, 30.25]
    meter = measured_by(PlosiveMeter, with_bursts(*places), RATE)
    assert meter.measurements() == {"plosives": 4}
    assert [start for start, _ in meter.spans()] == pytest.approx(places, abs=0.03)


@pytest.mark.parametrize("gain", [0.01, 3.0, -1.0])
def test_bursts_are_relative_to_the_voice(gain: float) -> None:
    sound = with_bursts(3.0, 5.0, seconds=8)
    assert plosives(gain * sound) == plosives(sound)


@pytest.mark.parametrize(("strength", "count"), [(0.03, 0), (0.6, 1)])
def test_a_burst_is_as_strong_as_the_voice(strength: float, count: int) -> None:
    assert len(plosives(with_bursts(4.0, seconds=8, strength=strength))) == count
