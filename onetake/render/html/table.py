"""The table of all recordings, which the page's script sorts and filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

from onetake.render.html.drawing import number
from preflight.display.text import clock
from preflight.report import Quality, Verdict
from preflight.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from onetake.render.html.report_page import Entry

_MEASURED: Final = (
    ("Loudness", "integrated_loudness_lufs", "LUFS"),
    ("True peak", "true_peak_dbtp", "dBTP"),
    ("Speech", "speech_percent", "%"),
    ("SNR", "snr_db", "dB"),
)
_WEIGHTS: Final = {"error": 10_000, "warning": 100, "info": 1}
"""An error sorts above any number of warnings, a warning above any number of notes."""
VERDICTS: Final = get_args(Verdict)
QUALITIES: Final = get_args(Quality)


def label_of(rule: str) -> str:
    """The readable name of a rule."""
    return RULES[rule].label if rule in RULES else rule


def table_context(entries: Sequence[Entry], names: Sequence[str]) -> dict[str, Any]:
    """The template's variables: one row per entry."""
    return {
        "verdicts": VERDICTS,
        "measured": [(title, unit) for title, _, unit in _MEASURED],
        "rows": [_row(entry, name) for entry, name in zip(entries, names, strict=True)],
    }


def _row(entry: Entry, name: str) -> dict[str, Any]:
    report = entry.report
    folder, slash, own = name.rpartition("/")
    return {
        "folder": folder + slash,
        "name": own,
        "verdict": report.verdict,
        "verdict_key": VERDICTS.index(report.verdict),
        "quality": report.quality,
        "quality_key": "" if report.quality is None else QUALITIES.index(report.quality),
        "numbers": [
            _cell(report.file.duration_s, clock),
            *(_cell(report.measurements.get(key), _to_a_tenth) for _, key, _ in _MEASURED),
        ],
        "weight": sum(_WEIGHTS[finding.severity] for finding in report.findings),
        "findings": [
            {"severity": finding.severity, "rule": finding.rule, "label": label_of(finding.rule)}
            for finding in report.findings
        ],
    }


def _cell(value: float | None, form: Callable[[float], str]) -> tuple[str, str]:
    """The sort key and the text."""
    return ("", "-") if value is None else (number(value, 3), form(value))


def _to_a_tenth(value: float) -> str:
    return f"{round(value, 1) + 0.0:.1f}"  # + 0.0: never "-0.0"
