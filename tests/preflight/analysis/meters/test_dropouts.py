"""Digital gaps of gates, synthesizers and few bits are not dropouts; sound that is cut in its middle is one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support import defects
from tests.support import make_audio as making
from tests.support.audio_measures import judged
from tests.support.make_audio import RATE, story

SPEECH = defects.clean(making.talk(12), RATE)


def gated(threshold_dbfs: float, fade: int) -> Any:
    """The story with everything below the threshold set to zero, in frames of 10 ms."""
    sound = story()[: len(story()) // 160 * 160]
    is_open = np.repeat((sound.reshape(-1, 160) ** 2).mean(axis=1) > 10 ** (threshold_dbfs / 10), 160).astype(float)
    if fade:
        is_open = np.convolve(is_open, np.ones(fade) / fade, "same")
    return sound * is_open


@pytest.mark.parametrize("fade", [0, 40, 160])
@pytest.mark.parametrize("threshold", [-45, -38])
def test_a_gate_is_no_dropout(threshold: float, fade: int) -> None:
    assert "dropouts" not in judged(gated(threshold, fade), RATE)[1]


@pytest.mark.parametrize("bits", [5, 6, 8])
def test_few_bits_are_no_dropouts(bits: int) -> None:
    steps = 2.0 ** (bits - 1)
    sound = np.round(story() / np.abs(story()).max() * 0.7 * steps) / steps
    assert "dropouts" not in judged(sound, RATE)[1]


@pytest.mark.parametrize("frequency", [150, 220])
def test_synthetic_words_that_begin_and_end_at_zero(frequency: int) -> None:
    time = np.arange(RATE // 4) / RATE
    word = 0.3 * np.sin(2 * np.pi * frequency * time) * np.hanning(len(time))
    gap = np.zeros(RATE // 20)
    assert judged(np.tile(np.concatenate((word, gap)), 40), RATE)[0].measurements["dropouts"] == 0


@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize("milliseconds", [6, 30])
def test_a_dropout_of_one_channel_of_a_gated_take(milliseconds: int, channel: int) -> None:
    sound = np.stack((SPEECH.sound, 0.8 * SPEECH.sound), axis=1)
    for moment in SPEECH.voiced[1:]:
        start = round(moment * RATE)
        sound[start : start + milliseconds * RATE // 1000, channel] = 0
    _, findings = judged(sound, RATE)
    assert len(findings["dropouts"].spans) == len(SPEECH.voiced) - 1


def test_a_buffer_repeated_in_the_second_channel_only() -> None:
    sound = np.stack((SPEECH.sound, 0.8 * SPEECH.sound), axis=1)
    start = round(SPEECH.voiced[0] * RATE)
    sound[start : start + 512, 1] = sound[start - 512 : start, 1]
    decoded, _ = judged(sound, RATE)
    assert decoded.measurements["dropouts"] == 1
