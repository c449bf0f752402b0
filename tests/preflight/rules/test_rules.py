"""Each contract rule is reported for some recording, with a message of one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import preflight
from tests.support.make_audio import FIXTURES, m4a, mp3, talk, wav

RAISED_BY: dict[str, Callable[[], bytes] | str] = {
    "unreadable": "noise.m4a",
    "no-audio": "silent.m4a",
    "protected": "protected.m4a",
    "unsupported-format": "lossless.m4a",
    "extension-mismatch": "wrong-name.mp3",
    "too-many-channels": "surround.m4a",
    "too-short": "too-short.wav",
    "too-long": lambda: wav(talk(301)),
    "too-large": lambda: wav(np.stack([talk(60)] * 12, axis=1)),
    "truncated": "truncated.m4a",
    "damaged": "damaged.mp3",
    "float-scale": lambda: wav(talk(12) * np.float32(32768), subtype="FLOAT"),
    "above-full-scale": lambda: wav(talk(12) * np.float32(8), subtype="FLOAT"),
    "header-mismatch": "open-ended.wav",
}
RAISED_BY_PROMPTS: dict[str, Callable[[], bytes] | str] = {
    "prompt-too-long": "good.wav",
    "prompt-text-missing": "prompt.wav",
}


def recording(given: Callable[[], bytes] | str, folder: Path) -> Path:
    if isinstance(given, str):
        return FIXTURES / given
    path = folder / "take.wav"
    path.write_bytes(given())
    return path


def test_every_contract_rule_has_a_recording_that_breaks_it() -> None:
    contract = {name for name, rule in preflight.RULES.items() if rule.is_contract}
    # only a bug raises that one: tests/preflight/worker/test_worker.py
    assert contract - {"not-examined"} == set(RAISED_BY) | set(RAISED_BY_PROMPTS) | {"prompt-text-unfit"}


@pytest.mark.parametrize("rule", RAISED_BY)
def test_contract_rules_report_recordings(rule: str, tmp_path: Path) -> None:
    report = preflight.check(recording(RAISED_BY[rule], tmp_path))
    finding = next(finding for finding in report.findings if finding.rule == rule)
    assert finding.severity == "error"
    assert "\n" not in finding.message
    assert not finding.message.endswith(".")
    assert all(0 <= start <= end for start, end in finding.spans)


@pytest.mark.parametrize("rule", RAISED_BY_PROMPTS)
def test_contract_rules_report_prompts(rule: str) -> None:
    report = preflight.check(FIXTURES / str(RAISED_BY_PROMPTS[rule]), role="prompt")
    assert rule in [finding.rule for finding in report.errors]
    assert not {"too-short", "too-long"} & {finding.rule for finding in report.findings}


def test_a_prompt_text_must_end_with_punctuation() -> None:
    report = preflight.check(FIXTURES / "prompt.wav", role="prompt", prompt_text="The small brown dog slept")
    assert [(finding.rule, finding.severity) for finding in report.findings] == [("prompt-text-unfit", "error")]
    assert "must end with punctuation" in report.findings[0].message
    assert preflight.check(FIXTURES / "prompt.wav", role="prompt", prompt_text="It slept.").verdict == "ready"


def test_errors_come_first() -> None:
    report = preflight.check(FIXTURES / "damaged.mp3", role="prompt")
    assert [finding.severity for finding in report.findings] == sorted(
        (finding.severity for finding in report.findings), key=["error", "warning", "info"].index
    )


@pytest.mark.parametrize("make", [mp3, m4a])
def test_a_truncated_file_is_reported_with_its_end(make: Callable[..., bytes], tmp_path: Path) -> None:
    path = tmp_path / ("take.mp3" if make is mp3 else "take.m4a")
    data = make(talk(40))
    path.write_bytes(data[: len(data) // 2])
    finding = next(finding for finding in preflight.check(path).errors if finding.rule == "truncated")
    assert finding.value == pytest.approx(20, abs=1)
    assert finding.limit == pytest.approx(40, abs=0.2)
    assert finding.fix == "rewrite-header"
