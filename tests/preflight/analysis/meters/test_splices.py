"""A splice is a jump between two sounds; onsets, pulses, clicks, silence and clipping are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from preflight.analysis.meters.dropouts import DropoutMeter
from tests.support import defects, processing
from tests.support import make_audio as making
from tests.support.chunks import measured_by, sine, white_noise

RATE = 48_000
CHUNK = 38_400


def splices(sound: Any, rate: int = RATE) -> list[int]:
    return [round(start * rate) for start, _ in measured_by(DropoutMeter, sound, rate).splices()]


def voice(rate: int = RATE) -> Any:
    """Two seconds of vowel: harmonics that fall by 12 dB an octave, and some noise."""
    parts = [sine(120 * n * 1.003, 2, rate, 0.3 / n**2) for n in range(1, 25)]
    return np.sum(parts, axis=0) + white_noise(0.0003, 2 * rate)


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("at_s", [0.1, 0.7, 0.7999, 0.8, 0.80001, 0.9, 1.9])
def test_a_jump_is_found_to_the_sample(at_s: float, rate: int) -> None:
    sound, at = voice(rate), round(at_s * rate)
    sound[at:] += 0.15
    assert splices(sound, rate) == [at]


def test_jumps_in_either_channel() -> None:
    left, right = voice(), 0.9 * voice()
    left[30_000:] += 0.15
    right[60_000:] -= 0.15
    assert splices(np.stack((left, right), axis=1)) == [30_000, 60_000]


def test_the_edges_of_swapped_buffers_are_found() -> None:
    sound, size = voice(), 1024
    start = 40_000
    order = [*range(start + size, start + 2 * size), *range(start, start + size)]
    sound[start : start + 2 * size] = sound[order]
    assert set(splices(sound)) & {start, start + size, start + 2 * size}


def muted(sound: Any) -> Any:
    sound[30_000:50_000] = 0
    return sound


def pulsed(sound: Any) -> Any:
    """Pulses as sharp as a cut, 100 times a second, as of a creaky or synthetic voice."""
    sound[:: RATE // 100] += 0.1
    return sound


def clicked(sound: Any) -> Any:
    sound[30_000] += 0.3
    return sound


@pytest.mark.parametrize(
    "change", [lambda sound: sound, muted, pulsed, clicked, lambda sound: np.clip(sound, -0.3, 0.3)]
)
def test_what_is_not_a_splice(change: Any) -> None:
    assert splices(change(voice())) == []


@pytest.mark.parametrize("sound", [white_noise(0.1, RATE), np.zeros(RATE), voice()[:200], np.repeat(0.5, RATE)])
def test_sound_without_a_voice(sound: Any) -> None:
    assert splices(sound) == []


def test_edited_speech() -> None:
    speech = defects.clean(making.talk(14), making.RATE)
    assert splices(speech.sound, speech.rate) == []
    for defect in processing.spliced(speech):
        assert splices(defect.sound, speech.rate), defect.kind


def test_codecs_smear_splices_and_make_none() -> None:
    sound, rate = processing.coded(making.talk(12), making.RATE, "mp3", 32_000)
    assert splices(sound, rate) == []


@pytest.mark.parametrize("gain", [0.05, -1.0, 2.0])
def test_splices_are_relative_to_the_voice(gain: float) -> None:
    sound = voice()
    sound[30_000:] += 0.15
    assert splices(gain * sound) == splices(sound) == [30_000]


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_below_16_khz_consonants_look_like_splices(rate: int) -> None:
    sound = voice(rate)
    sound[rate:] += 0.15
    assert splices(sound, rate) == ([rate] if rate == 16_000 else [])


@pytest.mark.parametrize("at", [0, 1, 5, 2 * RATE - 5, 2 * RATE - 1])
def test_a_jump_at_the_very_edge_of_a_recording_has_too_little_sound_beside_it(at: int) -> None:
    sound = voice()
    sound[at:] += 0.15
    assert splices(sound) == []
