"""Reports as lines of text."""

from __future__ import annotations

import pytest

from onetake.render.text import is_unfit, report_lines
from preflight import Finding
from tests.support.reports import make_report


def test_a_report_is_verdict_then_findings_then_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    finding = Finding(
        rule="clipped", severity="warning", message="9 %: clips\x1b[2J at 1 s", quality="fair", summary="it clips"
    )
    lines = report_lines(make_report("a\n.wav", finding, snr_db=30.0))
    assert lines[0] == "a\\n.wav: ready, fair: it clips"
    assert lines[1] == "  next: onetake clone $'a\\x0a.wav'"
    assert lines[2] == "  12.0 s, a little noisy"
    assert lines[-1] == "  warning clipped: 9 %: clips\\x1b[2J at 1 s"
    assert not any("snr_db" in line for line in lines)
    assert any("snr_db" in line for line in report_lines(make_report("a.wav", snr_db=30.0), with_measurements=True))


def test_what_fails_a_run() -> None:
    fair = make_report("a.wav", Finding(rule="clipped", severity="warning", message="", quality="fair"))
    poor = make_report("a.wav", Finding(rule="clipped", severity="info", message="", quality="poor"))
    error = make_report("a.wav", Finding(rule="too-short", severity="error", message=""))
    assert [is_unfit(fair, fail_on) for fail_on in ("error", "poor", "warning")] == [False, False, True]
    assert [is_unfit(poor, fail_on) for fail_on in ("error", "poor", "warning")] == [False, True, False]
    assert all(is_unfit(error, fail_on) for fail_on in ("error", "poor", "warning"))
