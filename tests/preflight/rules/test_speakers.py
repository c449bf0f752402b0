"""The rules about several speakers: on channels, on embeddings and on recordings."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from preflight import PROFILES, check, load_profile
from preflight.analysis.analysis import ChannelFacts
from preflight.errors import BadProfile
from preflight.report import Report
from tests.preflight.analysis.speakers.test_voices import ANN, BEN, voices
from tests.support.analyses import changed, finding, findings
from tests.support.voices import HIGH, LOW, write_voices

SPEAKERS = PROFILES["default"].with_speakers()


def rules_in(report: Report) -> set[str]:
    return {found.rule for found in report.findings}


def test_two_voices() -> None:
    found = finding("several-speakers", changed(voices=voices(*[ANN] * 9, *[BEN] * 3)))
    assert found.message.startswith(
        "two voices, the second in about 25 % of the speech, from about 0:18.0 (likeness 0."
    )
    assert found.quality == "poor"
    assert found.spans == ((18.0, 19.6), (20.0, 21.6), (22.0, 23.6))


def test_a_speaker_per_channel_is_reported_once() -> None:
    analysis = changed(
        voices=voices(*[ANN] * 6, *[BEN] * 6), channels=ChannelFacts((-20.0, -20.0), alone_s=(20.0, 20.0))
    )
    assert findings("several-speakers", analysis) == []
    assert len(findings("separate-speakers", analysis)) == 1


def test_two_voices_at_the_same_time() -> None:
    at_once = voices(*[ANN] * 12)
    found = finding("several-speakers", changed(voices=replace(at_once, second_pitch_percent=8.5)))
    assert found.message.startswith(
        "two voices at the same time: 8.5 % of the voiced sound has a second pitch, above 3"
    )
    assert found.quality == "poor"
    assert findings("several-speakers", changed(voices=replace(at_once, second_pitch_percent=3.0))) == []


def test_the_pitch_of_music_is_not_a_second_voice() -> None:
    analysis = changed({"held_tones": 5.0}, voices=replace(voices(*[ANN] * 12), second_pitch_percent=8.5))
    assert findings("several-speakers", analysis) == []
    assert findings("music", analysis)


def test_one_voice_or_none_compared() -> None:
    assert findings("several-speakers", changed(voices=voices(*[ANN] * 12))) == []
    assert findings("several-speakers", changed()) == []


def test_recordings(tmp_path: Path) -> None:
    one, two = write_voices(tmp_path / "one.wav", LOW), write_voices(tmp_path / "two.wav", LOW, HIGH)
    for path, is_found in ((one, False), (two, True)):
        report = check(path, profile=SPEAKERS)
        assert ("several-speakers" in rules_in(report)) is is_found
        assert report.not_checked == ()
        assert (report.measurements["second_voice_cosine"] < 0.75) is is_found
    report = check(two)
    assert report.not_checked == ("several-speakers",)
    assert "several-speakers" not in rules_in(report)
    assert "second_voice_cosine" not in report.measurements


def test_a_profile_asks_for_it(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("speakers = true\n", encoding="utf-8")
    profile = load_profile(path)
    assert profile.compares_voices
    assert not profile.changed(ignore=["several-speakers"]).compares_voices
    path.write_text("speakers = 1\n", encoding="utf-8")
    with pytest.raises(BadProfile, match="not true or false"):
        load_profile(path)


def test_separate_speakers() -> None:
    found = finding("separate-speakers", changed(channels=ChannelFacts((-20.0, -22.0), alone_s=(30.0, 12.0))))
    assert "channel 1 for 30 s, channel 2 for 12 s alone" in found.message
    assert found.value == 2.0


def test_one_channel_with_a_cough_is_not_another_speaker() -> None:
    channels = ChannelFacts((-20.0, -50.0), alone_s=(40.0, 1.0))
    assert findings("separate-speakers", changed(channels=channels)) == []
