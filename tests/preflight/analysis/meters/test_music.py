"""Held tones: of notes, of a voice, and of sound that is neither."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from preflight.analysis.frames_and_spectra import ChunkCutter, Grid
from preflight.analysis.meters.music import MusicMeter
from tests.support import backgrounds, defects
from tests.support import make_audio as making
from tests.support.audio_measures import judged, measured
from tests.support.chunks import measured_by, white_noise

RATE = 16_000
SPEECH = defects.clean(making.talk(14), making.RATE)


def held(sound: Any, rate: int = RATE, block: int = 4096, mains_hz: float | None = None) -> float | None:
    grid = Grid.at(rate, 1)
    meter, cutter = MusicMeter(grid), ChunkCutter(grid)
    sound = np.asarray(sound, np.float32)[:, np.newaxis]
    for start in range(0, len(sound), block):
        for chunk in cutter.add(sound[start : start + block]):
            meter.add(chunk)
    for chunk in cutter.end():
        meter.add(chunk)
    meter.end()
    return meter.measurements(mains_hz).get("held_tones")


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
def test_chords_are_held(rate: int) -> None:
    found = held(0.1 * backgrounds.chords(12, rate), rate)
    assert found is not None
    assert found > 4


@pytest.mark.parametrize("gain", [0.5, 3.0])
def test_the_result_hardly_depends_on_the_level(gain: float) -> None:
    sound = backgrounds.below(SPEECH, backgrounds.arpeggio(20, RATE)[: len(SPEECH.sound)], 10)
    assert held(gain * sound) == pytest.approx(held(sound), abs=0.15)


@pytest.mark.parametrize("polarity", [1, -1])
def test_two_channels_are_measured_as_their_mix(polarity: int) -> None:
    sound = 0.1 * backgrounds.chords(12, RATE)
    grid = Grid.at(RATE, 2)
    meter, cutter = MusicMeter(grid), ChunkCutter(grid)
    stereo = np.stack((sound, polarity * sound), axis=1).astype(np.float32)
    for chunk in [*cutter.add(stereo), *cutter.end()]:
        meter.add(chunk)
    meter.end()
    assert meter.measurements(None)["held_tones"] == pytest.approx(held(sound), abs=0.01)


def test_neither_noise_nor_a_steady_tone_nor_a_glide_is_music() -> None:
    time = np.arange(12 * RATE) / RATE
    glide = np.sin(2 * np.pi * (800 * time + 150 * np.sin(2 * np.pi * 0.5 * time)))
    for sound in (defects.noise(12 * RATE, "pink"), np.sin(2 * np.pi * 1000 * time), glide):
        assert held(0.1 * sound) == pytest.approx(0, abs=0.2)


def test_harmonics_of_hum_that_swells_do_not_count() -> None:
    time = np.arange(12 * RATE) / RATE
    # each harmonic sounds for a third of the time
    lines = sum(np.sin(2 * np.pi * 50 * n * time) * (time // 0.8 % 3 == n % 3) for n in range(10, 60, 4))
    sound = 0.01 * lines + 1e-4 * defects.noise(len(time), "white")
    assert (held(sound) or 0) > 1
    assert held(sound, mains_hz=50.0) == pytest.approx(0, abs=0.2)


def test_the_result_does_not_depend_on_the_blocks() -> None:
    sound = backgrounds.below(SPEECH, backgrounds.arpeggio(20, RATE)[: len(SPEECH.sound)], 10)
    assert len({held(sound, block=block) for block in (100_000, 12_800, 777)}) == 1


@pytest.mark.parametrize("sound", [np.zeros(0), np.zeros(100), np.zeros(5 * RATE), backgrounds.chords(1.5, RATE)])
def test_what_is_too_short_or_silent_has_no_value_or_no_tones(sound: Any) -> None:
    assert not held(sound)


def test_a_sample_rate_without_room_for_music_has_no_value() -> None:
    assert held(np.ones(20_000), 1_000) is None


@pytest.mark.parametrize("name", backgrounds.PIECES)
def test_music_under_the_voice_is_named(name: str) -> None:
    piece = backgrounds.PIECES[name](20, SPEECH.rate)[: len(SPEECH.sound)]
    analysis, findings = judged(backgrounds.below(SPEECH, piece, 15), SPEECH.rate)
    assert findings["music"].value in {analysis.measurements["held_tones"], analysis.measurements["fading_tones"]}


@pytest.mark.parametrize(("db_per_s", "is_held", "is_fading"), [(5, True, True), (35, False, True), (60, False, False)])
def test_tones_that_fall(db_per_s: float, is_held: bool, is_fading: bool) -> None:
    """A row is 0.2 s: 35 dB/s are 7 dB from one to the next, 60 dB/s are 12 dB."""
    time = np.arange(12 * RATE) / RATE
    notes = sum(
        np.sin(2 * np.pi * hz * time) * (time // 1.0 % 3 == at) for at, hz in enumerate((700, 900, 1100))
    ) * 10 ** (-db_per_s * (time % 1.0) / 20)
    meter = measured_by(MusicMeter, 0.1 * notes + white_noise(1e-6, len(time)), RATE)
    meter.end()
    found = meter.measurements(None)
    assert (found["held_tones"] > 0.5, found["fading_tones"] > 0.5) == (is_held, is_fading), found


@pytest.mark.parametrize("name", backgrounds.PIECES)
def test_music_alone_is_named(name: str) -> None:
    assert "music" in judged(0.1 * backgrounds.PIECES[name](12, RATE), RATE)[1]


def test_speech_alone_is_not_music() -> None:
    found = measured(SPEECH.sound, SPEECH.rate)
    assert found["held_tones"] <= found["fading_tones"] < 1.2


@pytest.mark.parametrize(("hz", "dbfs"), [(1000, -45), (2500, -60)])
def test_a_steady_tone_is_a_whine(hz: float, dbfs: float) -> None:
    time = np.arange(len(SPEECH.sound)) / SPEECH.rate
    tone = np.sin(2 * np.pi * hz * time).astype(np.float32) * np.float32(np.sqrt(2) * 10 ** (dbfs / 20))
    analysis, findings = judged(SPEECH.sound + tone, SPEECH.rate)
    assert analysis.measurements["whine_hz"] == pytest.approx(hz, abs=10)
    assert findings["whine"].value == pytest.approx(dbfs, abs=2.5)
    assert "music" not in findings


@pytest.mark.parametrize("hz", [1_000, 2_500])
@pytest.mark.parametrize("amplitude", [0.1, 0.003])
def test_a_tone_that_never_changes_has_its_frequency_and_level(hz: float, amplitude: float) -> None:
    """A sine of amplitude A has the power A² / 2."""
    sound = amplitude * np.sin(2 * np.pi * hz * np.arange(12 * RATE) / RATE)
    meter = measured_by(MusicMeter, sound + white_noise(1e-5, len(sound)), RATE)
    meter.end()
    found = meter.measurements(None)
    assert found["whine_hz"] == pytest.approx(hz, abs=10)
    assert found["whine_dbfs"] == pytest.approx(20 * np.log10(amplitude) - 3.01, abs=0.5)
    assert "whine_hz" not in meter.measurements(50.0)  # a harmonic of the mains


@pytest.mark.parametrize("seconds", [0.01, 0.5, 1.9])
def test_less_than_two_seconds_have_no_held_tones(seconds: float) -> None:
    assert held(0.1 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)) is None
