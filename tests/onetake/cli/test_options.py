"""Options that select rules, and what a check says about the sound."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from tests.onetake.conftest import Say
from tests.support.services import FIXTURES

GOOD = str(FIXTURES / "good.wav")
SHORT = str(FIXTURES / "too-short.wav")


@pytest.fixture
def tone(home: Path) -> str:
    """Twelve seconds without speech."""
    soundfile.write("tone.wav", 0.1 * np.sin(np.arange(12 * 16_000) * 0.4), 16_000)
    return "tone.wav"


@pytest.fixture
def clipped(home: Path) -> str:
    """Speech that was recorded far too loud."""
    sound, rate = soundfile.read(GOOD)
    soundfile.write("clipped.wav", np.clip(3 * sound, -1, 1), rate)
    return "clipped.wav"


def findings(say: Say, *words: str) -> dict[str, str]:
    take = json.loads(say("check", *words, "--format", "json").out)["takes"][0]
    return {finding["rule"]: finding["severity"] for finding in take["findings"]}


def test_a_warning_says_what_to_do_and_where(say: Say, clipped: str) -> None:
    ran = say("check", clipped)
    assert ran.status == 0
    line = next(line for line in ran.out.splitlines() if "clipped:" in line)
    assert "warning" in line
    assert "lower the input gain" in line
    assert "first at 0:00" in line
    take = json.loads(say("check", clipped, "--format", "json").out)["takes"][0]
    finding = next(finding for finding in take["findings"] if finding["rule"] == "clipped")
    assert all(0 <= start <= end <= 12 for start, end in finding["spans"])
    assert take["measurements"]["clipped_percent"] == pytest.approx(finding["value"], abs=1e-3)
    assert take["speech"]


def test_the_sound_in_words_and_in_figures(say: Say) -> None:
    headline, then, words, unchecked = say("check", GOOD).out.splitlines()
    assert (headline, then.split()[0]) == (f"{GOOD}: ready, good", "next:")
    for part in ("quiet room", "good level", "not clipped", "clear"):
        assert part in words
    assert unchecked == f"not checked: whether several people speak (onetake check --speakers {GOOD})"
    assert len(say("check", GOOD, "--speakers").out.splitlines()) == 3
    sound = say("check", GOOD, "-v").out.splitlines()[4]
    for part in ("LUFS", "true peak", "dBTP", "speech", "noise floor", "SNR", "Hz"):
        assert part in sound
    assert say("check", GOOD, "--quick").out.splitlines()[0] == f"{GOOD}: ready (headers only)"


def test_severities_are_the_user_s(say: Say, clipped: str) -> None:
    assert findings(say, clipped)["clipped"] == "warning"
    assert findings(say, clipped, "--severity", "clipped=error,too-loud=off")["clipped"] == "error"
    assert findings(say, clipped, "--severity", "clipped=error", "--ignore", "too-loud") == {"clipped": "error"}
    assert findings(say, clipped, "--select", "clipped") == {"clipped": "warning"}
    assert findings(say, clipped, "--select", "noisy,hum") == {}
    assert findings(say, clipped, "--profile", "strict")["clipped"] == "error"
    assert say("check", clipped, "--profile", "strict").status == 1
    assert say("check", clipped, "--fail-on", "warning").status == 1
    assert say("check", clipped, "--fail-on", "poor").status == 0  # it is fair


def test_poor_quality_fails_the_run_on_request(say: Say, clipped: str) -> None:
    Path("own.toml").write_text("[poor.clipped]\nmax_clipped_percent = 0.5\n", encoding="utf-8")
    poor = ("check", clipped, "--profile", "own.toml")
    assert [say(*poor, "--fail-on", how).status for how in ("error", "poor", "warning")] == [0, 1, 1]
    (take,) = json.loads(say(*poor, "--json").out)["takes"]
    assert (take["verdict"], take["quality"]) == ("ready", "poor")
    suite = ElementTree.fromstring(say(*poor, "--fail-on", "poor", "--format", "junit").out)
    assert [failure.get("type") for failure in suite.iter("failure")] == ["clipped"]
    assert "(poor quality)" in say(*poor, "--format", "github").out


def test_a_profile_in_a_file(say: Say, clipped: str) -> None:
    Path("own.toml").write_text('[severity]\nclipped = "info"\ntoo-loud = "off"\n', encoding="utf-8")
    assert findings(say, clipped, "--profile", "own.toml") == {"clipped": "info"}
    assert findings(say, clipped, "--profile", "own.toml", "--severity", "clipped=error") == {"clipped": "error"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--profile", "lax"), "no profile 'lax'"),
        (("--profile", "missing.toml"), "cannot be read"),
        (("--ignore", "nosy"), "unknown rule 'nosy'"),
        (("--select", "nosy"), "unknown rule 'nosy'"),
        (("--severity", "noisy"), "names no severity"),
        (("--severity", "noisy=loud"), "severity 'loud'"),
    ],
)
def test_what_does_not_exist_is_a_usage_error(say: Say, words: tuple[str, ...], expected: str) -> None:
    ran = say("check", GOOD, *words)
    assert (ran.status, ran.out) == (2, "")
    assert expected in ran.err
    assert len(ran.err.splitlines()) == 2
    error = json.loads(say("check", GOOD, *words, "--format", "json").out)["error"]
    assert error["kind"] == "bad-profile"


def test_a_take_without_a_voice_is_not_paid_for_unless_requested(say: Say, tone: str) -> None:
    for words in (("check", tone), ("fix", tone, "-o", "out.wav"), ("clone", tone, "--dry-run", "--sandbox")):
        assert say(*words).status == 1
        assert say(*words, "--severity", "no-speech=warning").status == 0
        Path("out.wav").unlink(missing_ok=True)


def test_what_the_service_asks_for_cannot_be_overruled_for_what_is_sent(say: Say) -> None:
    assert say("check", SHORT, "--ignore", "too-short").status == 0
    for words in (("fix", SHORT, "-o", "out.wav"), ("clone", SHORT, "--dry-run", "--sandbox")):
        ran = say(*words, "--ignore", "too-short")
        assert (ran.status, ran.out) == (2, "")
        assert "too-short is a requirement of the service" in ran.err
    assert not Path("out.wav").exists()


def test_warnings_are_shown_before_anything_is_sent(say: Say, clipped: str) -> None:
    ran = say("clone", clipped, "--dry-run", "--sandbox")
    assert ran.status == 0
    assert "of the samples are clipped" in ran.err
    assert ran.err.endswith("without --dry-run, this rehearses the clone\n")


def test_a_clone_of_an_unfit_take_does_not_repeat_advice(say: Say) -> None:
    ran = say("clone", "nope.wav", "--dry-run", "--sandbox")
    assert ran.status == 1
    assert ran.err.endswith("nope.wav: there is no such file\n  check the name and the folder\n")


def test_a_rule_shows_its_thresholds(say: Say) -> None:
    expected = say("rule", "noisy").out
    assert "min_snr_db = 20" in expected
    assert "max_noise_floor_dbfs = -30" in expected


@pytest.mark.parametrize(
    "words", [("check", "-take.wav"), ("check", "-qtake.wav"), ("fix", "-take.wav", "-o", "a.wav")]
)
def test_the_hint_for_a_file_name_that_starts_with_a_hyphen(say: Say, words: tuple[str, ...]) -> None:
    Path(words[1]).write_bytes(Path(GOOD).read_bytes())
    ran = say(*words)
    assert (ran.status, ran.out) == (2, "")
    message, hint = ran.err.splitlines()
    assert "no such option '-t'" in message
    assert f"write ./{words[1]}, or -- before it" in hint
    assert say("check", f"./{words[1]}").status == 0
    assert say("check", "--", words[1]).status == 0


def test_the_hint_for_a_file_with_the_name_of_an_unknown_option(say: Say) -> None:
    assert "./--take.wav" not in say("check", "--take.wav").err
    Path("--take.wav").write_bytes(b"")
    assert "write ./--take.wav, or -- before it" in say("check", "--take.wav").err
    assert "./" not in say("rule", "-clipped").err  # which takes no file
