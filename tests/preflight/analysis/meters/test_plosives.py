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
