"""Whether `fix` can do what a report says it can."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import msgspec

from preflight.errors import CannotFix
from preflight.fixes.options import SMALLEST
from preflight.fixes.plan import decide
from preflight.report import verdict_of

if TYPE_CHECKING:
    from preflight.checks import Examination


def without_impossible_fixes(examination: Examination) -> Examination:
    """The same, but rejected and with the reason where `fix` would refuse."""
    report = examination.report
    try:
        decide(examination, SMALLEST)
    except CannotFix as problem:
        findings = tuple(
            msgspec.structs.replace(
                finding, fix=None, message=f"{finding.message} (fix cannot help: {problem.message})"
            )
            if finding.severity == "error" and finding.fix
            else finding
            for finding in report.findings
        )
        changed = msgspec.structs.replace(report, findings=findings, verdict=verdict_of(findings))
        return dataclasses.replace(examination, report=changed)
    return examination
