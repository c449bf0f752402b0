"""Two limits per threshold: beyond the first the quality is fair, beyond the second poor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import preflight
from preflight import load_profile
from preflight.analysis.analysis import Analysis, ChannelFacts
from preflight.checks import report_of
from preflight.report import Finding
from preflight.rules import RULES, Threshold
from preflight.rules.model import worst
from tests.preflight.analysis.speakers.test_voices import ANN, BEN, voices
from tests.support.analyses import GOOD, changed, finding, findings, headers_only
from tests.support.make_audio import FIXTURES

SPOTS = tuple((float(at), at + 0.1) for at in range(1, 7))
BABBLE = {"background_bend_db": 5.0, "background_likeness": 0.5, "background_spread_db": 3.0}
GRADED: dict[str, tuple[Analysis | None, Analysis | None]] = {
    "no-speech": (None, changed({"speech_s": 0.0, "speech_percent": 0.0, "voice_like_s": 0.0})),
    "unsure-voice": (changed({"speech_s": 6.0, "speech_percent": 10.0, "speech_of_sound_percent": 12.0}), None),
    "little-speech": (changed({"speech_percent": 30.0}), changed({"speech_percent": 10.0})),
    "clipped": (
        changed({"clipped_percent": 0.3}, clipped=SPOTS[:1]),
        changed({"clipped_percent": 16.0}, clipped=SPOTS),
    ),
    "too-quiet": (changed({"speech_level_dbfs": -40.0}), changed({"speech_level_dbfs": -51.0})),
    "too-loud": (changed({"rms_dbfs": -8.0}), changed({"rms_dbfs": -8.0, "sample_peak_dbfs": 7.0})),
    "plosives": (changed(plosives=SPOTS), None),
    "noisy": (changed({"snr_db": 19.0}), changed({"snr_db": 12.0})),
    "reverberant": (changed({"room_decay_s": 0.5}), changed({"room_decay_s": 0.9})),
    "rumble": (changed({"rumble_db": 20.0, "snr_db": 18.0}), None),
    "whine": (changed({"whine_dbfs": -50.0, "whine_hz": 1000.0}), None),
    "music": (changed({"held_tones": 3.0}), changed({"held_tones": 6.0})),
    "babble": (
        changed({**BABBLE, "background_level_db": -25.0}),
        changed({**BABBLE, "background_level_db": -15.0}),
    ),
    "denoised": (changed({**BABBLE, "background_likeness": 0.1, "background_level_db": -35.0}), None),
    "gated": (changed({"digital_silence_percent": 99.0}), None),
    "hum": (
        changed({"hum_db": 20.0, "hum_dbfs": -50.0}),
        changed({"hum_db": 20.0, "hum_dbfs": -40.0}),
    ),
    "narrow-band": (changed({"bandwidth_hz": 4500.0}), changed({"bandwidth_hz": 3400.0})),
    "dropouts": (changed(dropouts=SPOTS[:1], clicks=SPOTS[:1]), changed(dropouts=SPOTS[:1], clicks=SPOTS)),
    "splices": (changed(splices=SPOTS[:1]), changed(splices=SPOTS)),
    "dc-offset": (changed({"dc_offset_percent": -3.0}), changed({"dc_offset_percent": -12.0})),
    "dead-channel": (changed({"channel_difference_db": 60.0}), None),
    "out-of-phase": (changed({"fold_down_loss_db": 7.0}), changed({"fold_down_loss_db": 30.0})),
    "separate-speakers": (None, changed(channels=ChannelFacts((-20.0, -20.0), alone_s=(20.0, 20.0)))),
    "several-speakers": (
        changed(voices=voices(*[ANN] * 8, *[BEN] * 4, spread=0.8)),
        changed(voices=voices(*[ANN] * 8, *[BEN] * 4)),
    ),
    "edge-silence": (changed({"leading_silence_s": 40.0}), None),
    "long-pause": (changed(speech=((0.0, 10.0), (30.0, 60.0))), None),
}
"""For each rule about the sound, a recording of fair and one of poor quality."""
UNGRADED = {"false-stereo", "prompt-text-differs"}
"""They say nothing about the sound of the voice."""


def test_every_rule_about_the_sound_grades_it() -> None:
    assert {name for name, rule in RULES.items() if not rule.is_contract} == set(GRADED) | UNGRADED


@pytest.mark.parametrize("rule", GRADED)
def test_a_recording_beyond_each_limit(rule: str) -> None:
    for analysis, quality in zip(GRADED[rule], ("fair", "poor"), strict=True):
        if analysis is not None:
            found = finding(rule, analysis)
            assert (found.quality, report_of(analysis).quality) == (quality, quality)
            assert found.summary.startswith(RULES[rule].label)


def test_a_good_recording() -> None:
    report = report_of(GOOD)
    assert (report.verdict, report.quality, report.worst_finding) == ("ready", "good", None)


def test_the_verdict_does_not_depend_on_the_quality() -> None:
    report = report_of(changed({"clipped_percent": 16.0}, clipped=SPOTS))
    assert (report.verdict, report.quality) == ("ready", "poor")
    assert report.worst_finding is not None
    assert report.worst_finding.summary == "clipped (16 % of the samples)"


def test_without_decoding_the_quality_is_unknown() -> None:
    assert GOOD.probe is not None
    assert report_of(headers_only(GOOD.probe)).quality is None
    assert preflight.check(FIXTURES / "silent.m4a").quality is None
    assert preflight.check(FIXTURES / "empty.wav").quality is None


def test_contract_rules_have_no_quality() -> None:
    report = preflight.check(FIXTURES / "wrong-name.mp3")
    assert [(one.rule, one.quality) for one in report.findings] == [("extension-mismatch", None)]
    assert (report.verdict, report.quality) == ("fixable", "good")
    assert report.worst_finding == report.findings[0]


@pytest.mark.parametrize("name", RULES)
def test_the_second_limit_is_beyond_the_first_and_has_a_source(name: str) -> None:
    for threshold in RULES[name].thresholds:
        if threshold.poor is not None:
            assert threshold.poor_source
            assert (threshold.poor < threshold.value) == (threshold.side == "below")
    assert RULES[name].label
    assert len(RULES[name].label) < 30


@given(limit=st.floats(-100, 100), beyond=st.floats(0, 100), value=st.floats(-300, 300))
def test_a_worse_value_never_gets_a_better_grade(limit: float, beyond: float, value: float) -> None:
    for name, sign in ("max_x_db", 1), ("min_x_db", -1):
        threshold = Threshold(name, limit, "", limit + sign * beyond, "")
        order = ["fair", "poor"]
        assert order.index(threshold.grade(value + sign)) >= order.index(threshold.grade(value))
        assert replace(threshold, poor=None).grade(value) == "fair"


def test_a_rule_with_several_limits_reports_the_worst() -> None:
    fair, poor = (Finding(rule="x", severity="info", message="", quality=each) for each in ("fair", "poor"))
    assert worst([fair, poor, poor]) == (poor,)
    assert worst([fair]) == (fair,)
    assert worst([]) == ()
    found = finding("noisy", changed({"snr_db": 19.0, "noise_floor_dbfs": -24.0}))
    assert (found.quality, found.limit) == ("poor", -30.0)


def test_a_profile_changes_both_limits(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[thresholds.noisy]\nmin_snr_db = 50\n[poor.noisy]\nmin_snr_db = 46\n", encoding="utf-8")
    profile = load_profile(path)
    assert findings("noisy", changed({"snr_db": 48.0}), profile)[0].quality == "fair"
    assert findings("noisy", GOOD, profile)[0].quality == "poor"
    path.write_text("[poor.noisy]\nmax_snr_db = 46\n", encoding="utf-8")
    with pytest.raises(preflight.BadProfile, match="noisy has no threshold 'max_snr_db'"):
        load_profile(path)
    path.write_text("[poor]\nnoisy = 46\n", encoding="utf-8")
    with pytest.raises(preflight.BadProfile, match=r"poor\.noisy must be a table"):
        load_profile(path)
