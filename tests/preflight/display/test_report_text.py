"""The headline, the next step and the figures of a report in plain words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.checks import report_of
from preflight.display.report_text import badness, headline, next_step, plain_message, sound_in_words
from preflight.report import Finding, Report
from tests.support.analyses import GOOD, changed, finding, headers_only, seconds
from tests.support.reports import make_report

CLIPPED = changed({"clipped_percent": 16.2}, clipped=((1.0, 2.0),), name="my take.wav")
TEXT = "The train was late."
FORMAT = Finding(
    rule="unsupported-format",
    severity="error",
    message="it is: convert it",
    fix="convert",
    summary="format not accepted",
)
SHORT = Finding(rule="too-short", severity="error", message="4.1 s: record more", summary="too short (4.1 s)")
UNSURE = Finding(
    rule="unsure-voice",
    severity="warning",
    message="only 3.4 % is detected as speech: listen to it",
    quality="fair",
    summary="perhaps not a voice",
)
POOR = Finding(
    rule="clipped",
    severity="warning",
    message="9 % are clipped: lower the input gain",
    quality="poor",
    summary="clipped (9 % of the samples)",
)


@pytest.mark.parametrize(
    ("report", "first", "then"),
    [
        (report_of(GOOD), "ready, good", "onetake clone ''"),
        (
            report_of(CLIPPED),
            "ready, but poor: clipped (16 % of the samples)",
            "lower the input gain and record again",
        ),
        (
            report_of(changed({"snr_db": 18.2}, name="a.wav")),
            "ready, fair: background noise",
            "onetake clone a.wav",
        ),
        (
            make_report("a.wav", UNSURE),
            "ready, fair: perhaps not a voice",
            "listen to it",
        ),
        (
            report_of(seconds(20.0, name="a.wav")),
            "ready, good",
            "onetake clone a.wav (one to two minutes of speech work best: onetake join adds takes)",
        ),
        (
            report_of(seconds(4.1, name="a.wav")),
            "rejected, good otherwise: too short (4.1 s)",
            "record more, or join several takes: onetake join a.wav OTHER... -o joined.wav",
        ),
        (
            make_report("it's.ogg", FORMAT),
            "fixable, good otherwise: format not accepted",
            "onetake fix 'it'\"'\"'s.ogg'",
        ),
        (
            make_report("a.ogg", FORMAT, POOR),
            "fixable, but poor: format not accepted; clipped (9 % of the samples)",
            "lower the input gain",
        ),
        (
            report_of(changed({"speech_s": 0.0, "speech_percent": 0.0, "voice_like_s": 0.0})),
            "rejected, and poor: no voice found",
            "check that this is the right file",
        ),
        (
            report_of(changed(decoded_s=5.0, role="prompt", prompt_text=TEXT, name="clip.wav")),
            "ready, good",
            "onetake clone TAKE --prompt clip.wav",
        ),
        (
            make_report("-a.flac", FORMAT, SHORT),
            "rejected, good otherwise: too short (4.1 s)",
            "record more, or join several takes: onetake join ./-a.flac OTHER... -o joined.wav",
        ),
        (
            make_report("<stdin>", FORMAT),
            "fixable, good otherwise: format not accepted",
            "onetake fix TAKE",
        ),
        (
            make_report("a.wav", Finding(rule="of-a-plugin", severity="error", message="wrong: do this")),
            "rejected, good otherwise: of-a-plugin",
            "do this",
        ),
    ],
)
def test_headline_and_next_step(report: Report, first: str, then: str) -> None:
    assert (headline(report), next_step(report)) == (first, then)


def test_headers_only() -> None:
    assert GOOD.probe is not None
    report = report_of(headers_only(GOOD.probe, name="a.wav"))
    assert headline(report) == "ready (headers only)"
    assert next_step(report) == "onetake check a.wav (measures the sound as well)"
    assert sound_in_words(report) == "1:00.0"


@pytest.mark.parametrize(
    ("measurements", "words"),
    [
        ({}, "1:00.0, quiet room, good level, not clipped, clear"),
        ({"snr_db": 30.0}, ", a little noisy"),
        ({"snr_db": 19.9}, ", noisy"),
        ({"snr_db": 5.0}, ", very noisy"),
        ({"speech_level_dbfs": -33.0}, ", a little quiet"),
        ({"speech_level_dbfs": -40.0}, ", very quiet"),
        ({"speech_level_dbfs": -12.0}, ", a little loud"),
        ({"rms_dbfs": -9.0}, "too loud"),
        (
            {"digital_silence_percent": 99.0, "snr_db": 102.0},
            "1:00.0, room noise unknown (the pauses are silenced), good level",
        ),
        (
            {"gate_steps_per_minute": 9.0, "gate_step_db": 25.0, "snr_db": 70.0},
            "1:00.0, room noise unknown (a gate turns the pauses down), good level",
        ),
        ({"bandwidth_hz": 6500.0}, ", a little dull"),
        ({"bandwidth_hz": 4500.0}, ", dull"),
        ({"bandwidth_hz": 3400.0}, ", like a telephone"),
    ],
)
def test_figures_have_words(measurements: dict[str, float], words: str) -> None:
    assert words in sound_in_words(report_of(changed(measurements)))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            finding("noisy", changed({"snr_db": 18.2})),
            "background noise: record in a quieter room, closer to the microphone",
        ),
        (finding("clipped", CLIPPED), finding("clipped", CLIPPED).message),
        (Finding(rule="x", severity="info", message="at -3 dB: go to -6 dB"), "at -3 dB: go to -6 dB"),
        (
            Finding(
                rule="x",
                severity="info",
                message="9.5 dB: move back",
                summary="it pops (9.5 dB)",
                spans=((61.0, 61.1),),
            ),
            "it pops, first at 1:01.0: move back",
        ),
    ],
)
def test_findings_without_decibels(found: Finding, words: str) -> None:
    assert plain_message(found) == words


def test_a_duration_is_never_rounded_up_to_a_limit() -> None:
    assert sound_in_words(report_of(seconds(9.99))).startswith("9.9 s, ")


@pytest.mark.parametrize(
    ("decay", "word"), [(0.2, "no echo"), (0.4, "little echo"), (0.5, "echo"), (0.9, "strong echo")]
)
def test_the_room_has_a_word(decay: float, word: str) -> None:
    assert f", {word}, " in sound_in_words(report_of(changed({"room_decay_s": decay})))


def test_clipping_has_a_figure_only_if_there_is_any() -> None:
    assert "16 % clipped" in sound_in_words(report_of(CLIPPED))
    assert "not clipped" in sound_in_words(report_of(GOOD))


def test_peaks_far_above_full_scale_are_not_called_unclipped() -> None:
    assert "peaks 6 dB above full scale" in sound_in_words(report_of(changed({"sample_peak_dbfs": 6.2})))
    assert "not clipped" in sound_in_words(report_of(changed({"sample_peak_dbfs": 0.9})))


@given(st.dictionaries(st.sampled_from(sorted(GOOD.measurements)), st.floats(-130, 130)))
def test_any_figures_have_a_headline_a_next_step_and_words(measurements: dict[str, float]) -> None:
    report = report_of(changed(measurements, clipped=((1.0, 2.0),)))
    assert headline(report).startswith(report.verdict)
    assert next_step(report)
    assert "\n" not in headline(report) + next_step(report) + sound_in_words(report)


def test_the_worst_come_first() -> None:
    reports = [report_of(GOOD), report_of(CLIPPED), report_of(seconds(4.0)), report_of(changed({"snr_db": 18.0}))]
    assert [headline(report).split(":")[0] for report in sorted(reports, key=badness)] == [
        "rejected, good otherwise",
        "ready, but poor",
        "ready, fair",
        "ready, good",
    ]
