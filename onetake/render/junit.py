"""JUnit XML, as Jenkins, GitLab and GitHub's test reporters read it: one suite, one case per recording.

It follows the schema that Jenkins publishes (``junit-10.xsd``). A case has one ``failure`` for all that is wrong with
a recording, because Jenkins reads only the first, and no ``properties``, which that schema allows only for suites: the
measurements are in ``system-out``. ``time`` is run time in seconds.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

import onetake
from onetake.console.terminal import safe
from onetake.render.formats import Form
from onetake.render.text import fails
from preflight.display.report_text import headline
from preflight.display.text import describe_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onetake.cli.output.dry_run import Plan
    from onetake.clones.batch import Outcome
    from onetake.errors import Failure
    from onetake.render.text import FailOn
    from preflight import Finding, Report

_CHECK: Final = "onetake check"
_CLONE: Final = "onetake clone"
_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 forbids, even as character references (section 2.2, production 2)."""


def junit_document(reports: Sequence[Report], fail_on: FailOn, seconds: Sequence[float]) -> bytes:
    """Render reports as a document.

    Args:
        reports: In order.
        fail_on: What makes a recording a failure.
        seconds: The run time of each.
    """
    suite = _Suite(_CHECK)
    for report, run_time in zip(reports, seconds, strict=True):
        case = suite.case(report.path, run_time)
        failures = [finding for finding in report.findings if fails(finding, fail_on)]
        if failures:
            suite.problem(case, "failure", failures[0].rule, failures[0].message, "\n".join(map(_line, failures)))
        output = [headline(report), describe_file(report.file)]
        output += [_line(finding) for finding in report.findings if finding not in failures]
        output += [f"{measurement} = {value}" for measurement, value in report.measurements.items()]
        suite.output(case, output)
    return suite.encoded()


def junit_outcomes(outcomes: Sequence[Outcome | Plan], seconds: Sequence[float]) -> bytes:
    """Render the outcomes, or the plans, of `onetake clone` as a document.

    A recording that is not fit or that the service refused is a failure; a call that failed or whose outcome is
    unknown is an error; one that was not started is skipped.
    """
    suite = _Suite(_CLONE)
    for outcome, run_time in zip(outcomes, seconds, strict=True):
        case = suite.case(outcome.path, run_time)
        output = [outcome.ending, *(f"warning: {warning}" for warning in outcome.warnings)]
        if outcome.cloned is not None:
            output[1:1] = [f"voice_id = {outcome.cloned.voice_id}", f"name = {outcome.cloned.name}"]
        elif outcome.failure is not None:
            element = {"refused": "failure", "not-started": "skipped"}.get(outcome.ending, "error")
            suite.problem(case, element, outcome.failure.kind, outcome.failure.message, outcome.failure.hint)
        suite.output(case, output)
    return suite.encoded()


def junit_failure(failure: Failure, suite_name: str = _CHECK) -> bytes:
    """Render a document with one case for a command that could not run, with the reason."""
    suite = _Suite(suite_name)
    case = suite.case(failure.kind, 0.0)
    case.set("classname", suite_name)
    text = "\n".join(part for part in (failure.message, *failure.details, failure.hint) if part)
    suite.problem(case, "error", failure.kind, failure.message, text)
    return suite.encoded()


class _Suite:
    """A document with one suite; its counts are computed from its cases."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._cases: list[ET.Element] = []
        self._seconds = 0.0

    def case(self, path: str, seconds: float) -> ET.Element:
        folder, name = _place(path, self._name)
        case = ET.Element("testcase", classname=_xml(safe(folder)), name=_xml(safe(name)), time=f"{seconds:.3f}")
        self._cases.append(case)
        self._seconds += seconds
        return case

    def problem(self, case: ET.Element, element: str, kind: str, message: str, text: str) -> None:
        ET.SubElement(case, element, type=_xml(kind), message=_xml(message)).text = _xml(text)

    def output(self, case: ET.Element, lines: Sequence[str]) -> None:
        ET.SubElement(case, "system-out").text = _xml("\n".join(lines))

    def encoded(self) -> bytes:
        numbers = {"tests": len(self._cases), "failures": self._count("failure"), "errors": self._count("error")}
        counts = {**{name: str(number) for name, number in numbers.items()}, "time": f"{self._seconds:.3f}"}
        root = ET.Element("testsuites", {"name": "onetake", **counts})
        skipped = str(self._count("skipped"))
        suite = ET.SubElement(root, "testsuite", {"name": self._name, **counts, "skipped": skipped})
        properties = ET.SubElement(suite, "properties")
        ET.SubElement(properties, "property", name="onetake_version", value=onetake.__version__)
        suite.extend(self._cases)
        ET.indent(root)
        document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
        return document

    def _count(self, element: str) -> int:
        return sum(case.find(element) is not None for case in self._cases)


def _place(path: str, suite_name: str) -> tuple[str, str]:
    """Split a path into folder (the "class" of the case) and name; some readers reject empty ones."""
    place = PurePath(path)
    folder = str(place.parent)
    return (suite_name if folder in {".", ""} else folder), place.name or path or "."


def _line(finding: Finding) -> str:
    return f"{finding.severity} {finding.rule}: {finding.message}"


def _xml(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)


FORM: Final = Form(
    end=lambda reports, fail_on, seconds: [junit_document(reports, fail_on, seconds)],
    failure=lambda failure: [junit_failure(failure)],
)
