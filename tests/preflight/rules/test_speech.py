"""The rules about speech and pauses."""

from __future__ import annotations

import pytest

from tests.support.analyses import changed, finding, findings

NO_SPEECH = {"speech_s": 0.2, "speech_percent": 0.3, "speech_of_sound_percent": 1.0, "voice_like_s": 0.0}
UNSURE = {"speech_s": 3.0, "speech_percent": 5.0, "speech_of_sound_percent": 10.0, "voice_like_s": 20.0}


def test_no_speech() -> None:
    found = finding("no-speech", changed(NO_SPEECH))
    assert found.message.startswith("0.2 s of speech, below 0.5 s, and nothing else that resembles a voice")
    assert (found.severity, found.value, found.limit) == ("error", 0.2, 0.5)


def test_unsure_voice() -> None:
    found = finding("unsure-voice", changed(UNSURE))
    assert "only 5.0 % is detected as speech, below 15 %" in found.message
    assert (found.severity, found.value, found.limit) == ("warning", 5.0, 15.0)


@pytest.mark.parametrize("measurements", [{}, {"speech_percent": 10.0}])
def test_speech_is_neither_missing_nor_unsure(measurements: dict[str, float]) -> None:
    """A little speech is enough if most of the audible time is speech."""
    for rule in ("no-speech", "unsure-voice"):
        assert findings(rule, changed(measurements)) == []


def test_no_two_rules_report_missing_speech() -> None:
    for measurements in (NO_SPEECH, UNSURE):
        rules = ("no-speech", "unsure-voice", "little-speech")
        assert sum(len(findings(rule, changed(measurements))) for rule in rules) == 1


def test_little_speech() -> None:
    found = finding("little-speech", changed({"speech_s": 4.0}))
    assert found.message == "4.0 s of speech, below 5 s: record more; one to two minutes work best"
    found = finding("little-speech", changed({"speech_percent": 20.0}))
    assert found.message.startswith("speech in 20.0 % of the recording, below 35 %")
    assert findings("little-speech", changed({"speech_s": 4.0}, role="prompt")) == []
    assert findings("little-speech", changed({"speech_s": 5.0, "speech_percent": 35.0})) == []


def test_edge_silence() -> None:
    analysis = changed({"leading_silence_s": 3.5, "trailing_silence_s": 6.0}, speech=((3.5, 54.0),))
    found = finding("edge-silence", analysis)
    assert found.message.startswith("the recording starts with 3.5 s and ends with 6.0 s without speech, above 2 s")
    assert (found.value, found.spans) == (6.0, ((0.0, 3.5), (54.0, 60.0)))
    assert findings("edge-silence", changed({"leading_silence_s": 2.0, "trailing_silence_s": 2.0})) == []


def test_the_end_of_a_partly_measured_recording_is_unknown() -> None:
    analysis = changed({"trailing_silence_s": 6.0, "measured_s": 30.0}, measured_s=30.0)
    assert findings("edge-silence", analysis) == []


def test_long_pause() -> None:
    found = finding("long-pause", changed(speech=((0.0, 10.0), (12.0, 20.0), (23.5, 60.0))))
    assert found.message == (
        "2 pauses of up to 3.5 s, above 1.5 s, first at 0:10.0: the clone will imitate pauses this long; shorten them "
        "(onetake fix --edit shorten-pauses)"
    )
    assert (found.value, found.limit, found.spans) == (3.5, 1.5, ((10.0, 12.0), (20.0, 23.5)))
    one = finding("long-pause", changed(speech=((0.0, 10.0), (12.0, 60.0))))
    assert one.message.startswith("a pause of 2.0 s, above 1.5 s, at 0:10.0: the clone will imitate")
    assert findings("long-pause", changed(speech=((0.0, 10.0), (11.5, 60.0)))) == []


@pytest.mark.parametrize("rule", ["no-speech", "unsure-voice", "little-speech"])
def test_silence_is_not_judged(rule: str) -> None:
    assert findings(rule, changed({**NO_SPEECH, "sample_peak_dbfs": -120.0})) == []


def test_a_rounded_value_never_equals_its_limit() -> None:
    assert finding("little-speech", changed({"speech_s": 4.98})).message.startswith("4.98 s of speech, below 5 s")
