"""Profiles: severities, thresholds, validation."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

import preflight
from preflight import BadProfile, load_profile
from preflight.analysis.analysis import Analysis
from preflight.profile import DEFAULT, STRICT, Profile
from tests.support.make_audio import FIXTURES, RATE, talk, wav

GOOD = FIXTURES / "good.wav"


def rules(path: Path, profile: preflight.Profile) -> dict[str, str]:
    return {finding.rule: finding.severity for finding in preflight.check(path, profile=profile).findings}


def test_the_strict_profile_has_the_levels_of_audiobooks(tmp_path: Path) -> None:
    def take(gain: float) -> Path:
        path = tmp_path / f"{gain}.wav"
        path.write_bytes(wav(talk(20) * gain))
        return path

    assert rules(take(0.9), STRICT) == {}  # -19.6 dBFS RMS, peaks at -7
    assert rules(take(0.5), STRICT) == {"too-quiet": "error"}
    assert rules(take(1.6), STRICT)["too-loud"] == "error"
    assert rules(take(0.5), DEFAULT) == {}
    report = preflight.check(take(0.5), profile=STRICT)
    finding = report.findings[0]
    assert report.verdict == "rejected"
    assert finding.limit == -23.0
    assert finding.value == pytest.approx(report.measurements["rms_dbfs"], abs=0.01)


def test_a_custom_profile(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        'extends = "strict"\n[severity]\nnoisy = "info"\n[thresholds.noisy]\nmin_snr_db = 90\n', encoding="utf-8"
    )
    profile = load_profile(path)
    assert profile.severity("clipped") == "error"
    assert rules(GOOD, profile) == {"noisy": "info"}
    assert rules(GOOD, profile.changed(levels={"noisy": "error"})) == {"noisy": "error"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[severity]\nnosy = 'off'", "unknown rule 'nosy'"),
        ("[severity]\nnoisy = 'loud'", "unknown severity 'loud'"),
        ("severity = 3", "must be tables"),
        ("extends = 'lax'", "unknown profile 'lax'"),
        ("rules = 1", "unknown key 'rules'"),
        ("[thresholds.noisy]\nmax_noise = 3", "no threshold 'max_noise'"),
        ("[thresholds.too-long]\nmax_s = 400", "no threshold"),
        ("[thresholds.noisy]\nmin_snr_db = 'high'", "is 'high'"),
        ("[thresholds.noisy]\nmin_snr_db = nan", "is nan"),
        ("[thresholds.noisy]\nmin_snr_db = inf", "noisy.min_snr_db is out of range"),
        (f"[thresholds.noisy]\nmin_snr_db = -1{'0' * 400}", "noisy.min_snr_db is out of range"),
        ("[thresholds.noisy]\nmin_snr_db = true", "is True"),
        ("thresholds = {noisy = 3}", "must be a table"),
        ("= broken", "not valid TOML"),
        ("\x00", "not valid TOML"),
    ],
)
def test_an_invalid_profile_is_rejected(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadProfile, match=words) as caught:
        load_profile(path)
    assert str(path) in caught.value.message
    assert caught.value.hint
    assert "\n" not in caught.value.message


def test_an_unreadable_profile_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"extends = '\xff'")
    for name in ("missing.toml", ".", "latin.toml"):
        with pytest.raises(BadProfile):
            load_profile(tmp_path / name)


def test_selecting_and_ignoring() -> None:
    path = FIXTURES / "too-short.wav"
    assert rules(path, DEFAULT.changed(ignore=["too-short", "little-speech"])) == {}
    assert set(rules(path, DEFAULT.changed(select=["too-short"]))) == {"too-short"}
    assert rules(path, DEFAULT.changed(select=["too-short"], levels={"too-short": "info"})) == {"too-short": "info"}
    for changes in ({"select": ["nosy"]}, {"ignore": ["nosy"]}, {"levels": {"nosy": "off"}}):
        with pytest.raises(BadProfile, match="unknown rule 'nosy'"):
            DEFAULT.changed(**changes)


def test_contract_rules_cannot_be_overridden_for_a_fix(tmp_path: Path) -> None:
    for profile in (DEFAULT.changed(ignore=["too-short"]), DEFAULT.changed(levels={"too-short": "warning"})):
        with pytest.raises(BadProfile, match="too-short"):
            preflight.fix(FIXTURES / "too-short.wav", tmp_path / "out.wav", profile=profile)
    DEFAULT.changed(ignore=["no-speech"]).require_contract()
    assert {name for name, rule in preflight.RULES.items() if rule.is_contract} >= {"too-long", "unreadable", "damaged"}
    assert not preflight.RULES["no-speech"].is_contract


def test_a_finding_below_the_severity_of_its_rule_keeps_it() -> None:
    """A rule warns near its limit; a severity for its errors does not change that."""
    near = FIXTURES / "good.wav"
    assert rules(near, DEFAULT.changed(levels={"too-short": "error"})) == {}


@pytest.mark.parametrize("name", preflight.RULES)
def test_thresholds_are_data_with_a_source(name: str) -> None:
    rule = preflight.RULES[name]
    for threshold in rule.thresholds:
        assert threshold.name.startswith(("min_", "max_"))
        assert threshold.source
        profile = preflight.Profile("own", thresholds={name: {threshold.name: 123.0}})
        assert profile.apply(rule)[threshold.name] == 123.0
        assert rule[threshold.name] == threshold.value
    assert rule.source
    assert rule.fix_hint


@pytest.mark.slow
def test_a_long_recording_is_judged_by_the_part_that_is_kept(long_take: Path) -> None:
    report = preflight.check(long_take)
    assert report.file.duration_s == pytest.approx(320, abs=0.1)
    assert report.judged is not None
    start, end = report.judged
    assert 280 < end - start <= 300
    assert report.measurements["measured_s"] == pytest.approx(end - start, abs=0.1)
    everything = preflight.check(long_take, profile=DEFAULT.changed(ignore=["too-long"]))
    assert everything.judged is None
    assert everything.measurements["measured_s"] == pytest.approx(320, abs=0.1)


def test_multichannel_audio_is_not_measured(tmp_path: Path) -> None:
    path = tmp_path / "six.wav"
    path.write_bytes(wav(talk(12)[:, None].repeat(6, axis=1), RATE))
    report = preflight.check(path)
    assert set(report.measurements) == {"rms_dbfs", "sample_peak_dbfs"}
    assert {finding.rule for finding in report.findings} == {"too-many-channels"}


def test_a_profile_that_was_used_is_pickled_without_its_rules() -> None:
    profile = Profile("mine", levels={"hum": "off"}, thresholds={"noisy": {"min_snr_db": 35.0}})
    analysis = Analysis(name="a.wav", size=1)
    expected = profile.findings(analysis)
    state = pickle.dumps(profile)
    assert b"judge" not in state
    assert pickle.loads(state) == profile
    assert pickle.loads(state).findings(analysis) == expected
