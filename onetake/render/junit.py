"""JUnit XML, as Jenkins, GitLab and GitHub's test reporters read it: one suite, one case a take.

It keeps to the schema that Jenkins publishes (``junit-10.xsd``). A case has one ``failure`` for all that is wrong with
a take, because Jenkins reads only the first, and no ``properties``, which that schema has only for suites: the
measurements stand in ``system-out``.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

import onetake
from onetake.render.forms import Form
from preflight.wording import describe_file

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from onetake.errors import Failure
    from preflight import Finding, Report

_SUITE: Final = "onetake check"
_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even as a reference (section 2.2, production 2)."""


def junit_document(reports: Sequence[Report], failing: Collection[str]) -> bytes:
    """The reports as a document.

    Args:
        reports: Of the takes, in order.
        failing: The severities of which a finding makes a take a failure.
    """
    heard = sum(report.file.duration_s or 0.0 for report in reports)
    failures = sum(any(finding.severity in failing for finding in report.findings) for report in reports)
    root, suite = _suite(tests=len(reports), failures=failures, errors=0, time=heard)
    for report in reports:
        _add_case(suite, report, failing)
    return _encoded(root)


def junit_failure(failure: Failure) -> bytes:
    """A document with one case that could not be tried, and why."""
    root, suite = _suite(tests=1, failures=0, errors=1, time=0.0)
    case = ET.SubElement(suite, "testcase", classname=_SUITE, name=_xml(failure.kind), time="0.000")
    text = _xml("\n".join(part for part in (failure.message, failure.hint) if part))
    ET.SubElement(case, "error", type=_xml(failure.kind), message=_xml(failure.message)).text = text
    return _encoded(root)


def _suite(*, tests: int, failures: int, errors: int, time: float) -> tuple[ET.Element, ET.Element]:
    counts = {"tests": str(tests), "failures": str(failures), "errors": str(errors), "time": f"{time:.3f}"}
    root = ET.Element("testsuites", {"name": "onetake", **counts})
    suite = ET.SubElement(root, "testsuite", {"name": _SUITE, **counts, "skipped": "0"})
    properties = ET.SubElement(suite, "properties")
    ET.SubElement(properties, "property", name="onetake_version", value=onetake.__version__)
    return root, suite


def _add_case(suite: ET.Element, report: Report, failing: Collection[str]) -> None:
    folder, name = _place(report.path)
    case = ET.SubElement(suite, "testcase", classname=_xml(folder), name=_xml(name))
    if report.file.duration_s is not None:
        case.set("time", f"{report.file.duration_s:.3f}")
    failures = [finding for finding in report.findings if finding.severity in failing]
    if failures:
        failure = ET.SubElement(case, "failure", type=failures[0].rule, message=_xml(failures[0].message))
        failure.text = _xml("\n".join(map(_line, failures)))
    told = [f"{report.verdict}: {describe_file(report.file)}"]
    told += [_line(finding) for finding in report.findings if finding not in failures]
    told += [f"{measurement} = {value}" for measurement, value in report.measurements.items()]
    ET.SubElement(case, "system-out").text = _xml("\n".join(told))


def _place(path: str) -> tuple[str, str]:
    """The folder, which readers take for a class, and the name; neither is ever empty, which some of them refuse."""
    place = PurePath(path)
    folder = str(place.parent)
    return (_SUITE if folder in {".", ""} else folder), place.name or path or "."


def _line(finding: Finding) -> str:
    return f"{finding.severity} {finding.rule}: {finding.message}"


def _xml(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)


def _encoded(root: ET.Element) -> bytes:
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


FORM: Final = Form(
    end=lambda reports, failing: [junit_document(reports, failing)],
    failure=lambda failure: [junit_failure(failure)],
)
