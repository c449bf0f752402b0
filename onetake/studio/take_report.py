"""What the page shows about a take: its report, drawn by the HTML report's own templates, and the next step."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from onetake.render.html.report_page import Entry, environment, target_db
from onetake.render.html.take import take_context
from preflight.checks import analyze, report_of
from preflight.display.report_text import headline, sound_in_words
from preflight.profile import DEFAULT, PROFILES

if TYPE_CHECKING:
    from onetake.studio.take import Take
    from preflight import Finding, Report
    from preflight.analysis.analysis import Analysis
    from preflight.report import Role

_KEPT: Final = 12
"""Analyses that stay in memory: each holds a power for every 10 ms, and the pictures."""
_JOINABLE: Final = frozenset({"too-short"})


@dataclass(frozen=True)
class Examined:
    """A take that was checked.

    Attributes:
        analysis: Everything that was measured, with pictures.
        report: Its report.
    """

    analysis: Analysis
    report: Report


class Examiner:
    """Checks takes as `onetake check` does, one at a time, and remembers the results."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, int, int], Examined] = OrderedDict()

    def examine(self, take: Take) -> Examined:
        """Return the analysis and the report of a take; a file that has changed is checked again."""
        with self._lock:
            key = _identity(take)
            if key not in self._known:
                self._known[key] = self._check(take)
                while len(self._known) > _KEPT:
                    self._known.popitem(last=False)
            self._known.move_to_end(key)
            return self._known[key]

    def _check(self, take: Take) -> Examined:
        role: Role = "prompt" if take.origin == "prompt" else "room" if take.purpose == "room" else "recording"
        analysis = analyze(take.file, role=role, prompt_text=take.text, to_end=True, pictures=True)
        analysis = msgspec.structs.replace(analysis, name=take.name)
        return Examined(analysis, report_of(analysis, DEFAULT))


def findings_view(take: Take, examined: Examined) -> dict[str, Any]:
    """Return what the page shows of a take: headline, worst reason, next step, and the section with its pictures."""
    report = examined.report
    worst = report.worst_finding
    return {
        "take": take.id,
        "verdict": report.verdict,
        "quality": report.quality,
        "headline": headline(report),
        "sound": sound_in_words(report),
        "worst": None if worst is None else worst.message,
        "next": _next_step(report),
        "seconds": report.file.duration_s,
        "loudness_lufs": report.measurements.get("integrated_loudness_lufs"),
        "findings": [_finding(finding) for finding in report.findings],
        "html": _section(take, examined),
    }


def room_view(examined: Examined) -> dict[str, Any]:
    """Return what the page shows of the room check: each measured property, its limit, and whether it is good."""
    measured, findings = examined.report.measurements, examined.report.findings
    rows = [
        {
            "name": name,
            "value": None if value is None else f"{value:.{digits}f} {unit}",
            "problem": next((found.message for found in findings if found.rule in rules), None),
        }
        for name, value, unit, digits, rules in (
            ("Noise floor", measured.get("noise_floor_dbfs"), "dBFS", 0, ("noisy", "gated")),
            ("Hum", measured.get("hum_db"), "dB above the noise", 0, ("hum",)),
            ("Echo", measured.get("room_decay_s"), "s", 2, ("reverberant",)),
            ("Speech level", measured.get("speech_level_dbfs"), "dBFS", 0, ("too-quiet", "too-loud")),
            ("Peak", measured.get("sample_peak_dbfs"), "dBFS", 0, ("clipped",)),
        )
    ]
    shown = {row["problem"] for row in rows}
    others = [finding.message for finding in findings if finding.severity != "info" and finding.message not in shown]
    problems = [row for row in rows if row["problem"]]
    return {"state": "noisy" if problems or others else "good", "rows": rows, "others": others}


@cache
def level_targets() -> dict[str, float]:
    """Return the levels that the strict profile requires: the zones of the level meter."""
    from preflight import RULES

    strict = PROFILES["strict"]
    low, high = target_db(strict)
    return {"low_dbfs": low, "high_dbfs": high, "peak_dbfs": strict.apply(RULES["too-loud"])["max_peak_dbfs"]}


def _identity(take: Take) -> tuple[str, int, int]:
    try:
        found = Path(take.file).stat()
    except OSError:
        return (take.id, 0, 0)  # the check reports that it cannot be read
    return (take.id, found.st_size, found.st_mtime_ns)


def _next_step(report: Report) -> str:
    if report.verdict != "rejected" and report.quality == "poor":
        return "record"
    if report.verdict == "ready":
        return "clone"
    if report.verdict == "fixable":
        return "fix"
    return "join" if {finding.rule for finding in report.errors} <= _JOINABLE else "record"


def _finding(finding: Finding) -> dict[str, Any]:
    from preflight import RULES

    rule = RULES[finding.rule]
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "message": finding.message,
        "why": rule.why,
        "advice": rule.fix_hint,
    }


class _Address:
    """Where the page's player gets the audio of a take."""

    def __init__(self, take: Take) -> None:
        self._take = take

    def source(self, entry: Entry) -> str | None:
        return f"/takes/{self._take.id}/audio" if entry.duration_s else None


def _section(take: Take, examined: Examined) -> str:
    entry = Entry(take.file, examined.report, examined.analysis.pictures)
    context = take_context(entry, take.name, 1, _Address(take), target_db(DEFAULT), is_open=True)
    return environment().get_template("take.html").render(take=context)
