"""Steps of a noise gate, and what looks like them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.analysis.meters.gate import GateMeter
from tests.support import backgrounds, defects, processing, rooms
from tests.support import make_audio as making
from tests.support.audio_measures import judged

RATE = making.RATE
SPEECH = defects.clean(making.talk(14), RATE)
ROOM = processing.in_a_room(SPEECH)
VOICE, NOISE, GATED = 0.0, -40.0, -65.0
TILT = np.array([0, -2, -4, -6, -8, -10, -12])


def frames(*parts: tuple[float, int], tilt: Any = TILT) -> Any:
    """Band powers: for each part its level in dB, and how many frames of 8 ms."""
    levels = np.concatenate([np.full(count, level) for level, count in parts])
    return (10 ** ((levels[:, np.newaxis] + tilt) / 10)).astype(np.float32)


def found(*pieces: Any) -> dict[str, float]:
    meter = GateMeter()
    for piece in pieces:
        meter.add(piece)
    return meter.measurements()


WORD = ((VOICE, 100), (NOISE, 12), (GATED, 50))


def test_steps_from_noise_to_silence() -> None:
    """Three in 3 * 162 frames of 8 ms."""
    result = found(frames(*WORD * 3))
    assert result == {"gate_steps_per_minute": pytest.approx(3 / (486 * 0.008 / 60), abs=0.1), "gate_step_db": 25.0}


def test_a_gate_that_opens_before_the_voice() -> None:
    assert found(frames(*WORD[::-1] * 3))["gate_step_db"] == 25.0


def test_a_release_of_a_few_frames() -> None:
    release = ((NOISE - 8, 1), (NOISE - 16, 1), (NOISE - 24, 1))
    assert found(frames(*(*WORD[:2], *release, WORD[2]) * 3))["gate_step_db"] == 25.0


@pytest.mark.parametrize(
    "powers",
    [
        frames(*WORD, (VOICE, 300)),  # once
        frames(*((VOICE, 100), (GATED, 50)) * 3),  # a voice that ends at once
        frames(*((VOICE, 100), *((NOISE - step, 1) for step in range(26)), (GATED, 50)) * 3),  # a room
        frames(*((VOICE, 100), (NOISE, 12), (NOISE - 8, 50)) * 3),  # a breath
        frames(*((VOICE, 100), (-20.0, 12), (GATED, 50)) * 3),  # a consonant
        np.concatenate([frames(*WORD, tilt=TILT * slope) for slope in (0.5, 1.5, 3)]),  # never the same noise
        frames((VOICE, 1000)),
        np.zeros((1000, 7), np.float32),
        np.zeros((0, 7), np.float32),
    ],
    ids=["once", "voice", "room", "breath", "consonant", "others", "even", "silence", "empty"],
)
def test_nothing_else_has_such_steps(powers: Any) -> None:
    assert found(powers) == {}


def test_steps_that_differ_from_band_to_band() -> None:
    """A consonant that is as loud in the treble as in the bass, before the noise of a room."""
    words = [(frames((VOICE, 100)), frames((NOISE, 12), tilt=TILT * 0), frames((GATED, 50))) for _ in range(3)]
    assert found(np.concatenate([part for word in words for part in word])) == {}


def test_the_rate_is_that_of_the_whole_recording() -> None:
    gated, voice = frames(*WORD * 3, (VOICE, 2014)), frames((VOICE, 2500))
    assert found(gated, *[voice] * 9)["gate_steps_per_minute"] == pytest.approx(0.9, abs=0.05)


def test_the_result_does_not_depend_on_the_level() -> None:
    powers = frames(*WORD * 3)
    assert found(np.float32(1e-3) * powers) == found(powers)


@given(cuts=st.lists(st.integers(0, 486), max_size=12))
def test_the_result_does_not_depend_on_the_pieces(cuts: list[int]) -> None:
    powers = frames(*WORD * 3)
    assert found(*np.split(powers, sorted(cuts))) == found(powers)


@given(depth_db=st.integers(13, 40))
def test_the_size_of_the_steps_is_measured(depth_db: int) -> None:
    words = ((VOICE, 100), (NOISE, 12), (NOISE - depth_db, 50)) * 3
    assert found(frames(*words))["gate_step_db"] == pytest.approx(depth_db, abs=0.1)


def test_two_gates_have_the_median_of_their_steps() -> None:
    """Segments of 20 s: in two the noise falls by 25 dB at each pause, in one by 15 dB."""
    deep = frames(*WORD * 15, (VOICE, 70))
    shallow = frames(*((VOICE, 100), (NOISE, 12), (NOISE - 15, 50)) * 15, (VOICE, 70))
    assert found(deep, shallow, deep)["gate_step_db"] == 25.0
    assert found(shallow, deep, shallow)["gate_step_db"] == 15.0


def test_one_step_in_each_segment_is_no_gate() -> None:
    assert found(*[frames(*WORD, (VOICE, 2338))] * 3) == {}


@pytest.mark.parametrize("count", [249, 250])
def test_less_than_two_seconds_have_no_steps(count: int) -> None:
    words = frames((VOICE, 40), (NOISE, 12), (GATED, 40), (NOISE, 12), (VOICE, 40), (NOISE, 12), (GATED, 94))
    assert len(words) == 250
    assert bool(found(words[:count])) is (count == 250)


@pytest.mark.parametrize("reduction_db", [15, 25])
def test_a_gate_is_named(reduction_db: int) -> None:
    analysis, findings = judged(processing.gate(ROOM, RATE, -35, reduction_db), RATE)
    assert findings["gated"].value == analysis.measurements["gate_steps_per_minute"]
    assert analysis.measurements["gate_step_db"] == pytest.approx(reduction_db, abs=2)
    assert set(findings) == {"gated"}


@pytest.mark.parametrize(
    "sound",
    [
        SPEECH.sound,
        ROOM,
        rooms.convolved(SPEECH.sound, rooms.impulse_response(RATE, 0.4, 0)),
        backgrounds.below(SPEECH, backgrounds.babble(SPEECH), 12),
        processing.subtracted(backgrounds.below(SPEECH, defects.noise(len(SPEECH.sound), "pink"), 15), RATE),
    ],
    ids=["clean", "room noise", "a room", "babble", "reduced noise"],
)
def test_recordings_without_a_gate_have_no_steps(sound: Any) -> None:
    assert "gate_steps_per_minute" not in judged(sound, RATE)[0].measurements
