"""JUnit XML follows the schema of Jenkins (junit-10.xsd), which is restated here."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onetake.errors import Failure
from onetake.exit_status import Status
from onetake.render.junit import junit_document, junit_failure
from preflight import Finding, Report, check_many
from preflight.report import FileFacts
from tests.onetake.conftest import Say
from tests.support.services import FIXTURES, onetake

GOOD, SHORT = str(FIXTURES / "good.wav"), str(FIXTURES / "too-short.wav")
PROBLEM = ((), (), ("type", "message"))
SCHEMA: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]]] = {
    # element: what may stand in it, the attributes that it must have, and those that it may have
    "testsuites": (("testsuite",), (), ("name", "time", "tests", "failures", "errors")),
    "testsuite": (
        ("testsuite", "properties", "testcase", "system-out", "system-err"),
        ("name", "tests", "failures", "errors"),
        ("group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"),
    ),
    "properties": (("property",), (), ()),
    "property": ((), ("name", "value"), ()),
    "testcase": (
        ("skipped", "error", "failure", "system-out", "system-err"),
        ("name",),
        ("time", "classname", "group"),
    ),
    "failure": PROBLEM,
    "error": PROBLEM,
    "skipped": PROBLEM,
    "system-out": ((), (), ()),
    "system-err": ((), (), ()),
}
MAY_HOLD_TEXT = {"failure", "error", "skipped", "system-out", "system-err"}


def valid(document: str | bytes) -> ET.Element:
    """Validate a document and return its suite."""
    root = ET.fromstring(document)
    assert root.tag == "testsuites"
    for element in root.iter():
        children, needed, allowed = SCHEMA[element.tag]
        assert {child.tag for child in element} <= set(children)
        assert set(needed) <= set(element.attrib) <= {*needed, *allowed}
        assert element.tag in MAY_HOLD_TEXT or not (element.text or "").strip()
        if element.tag in {"testsuite", "testsuites"}:
            assert re.fullmatch(r"[0-9]+\.[0-9]*", element.get("time", "0."))
    (suite,) = root
    cases = suite.findall("testcase")
    assert suite.get("tests") == str(len(cases))
    for kind in ("failure", "error"):
        assert suite.get(f"{kind}s") == str(sum(case.find(kind) is not None for case in cases))
    return suite


@pytest.mark.slow
def test_the_document_of_all_fixtures_is_valid(say: Say) -> None:
    """Each fixture is a case; one with errors has a single failure that lists all of them."""
    names = sorted(str(path) for path in FIXTURES.iterdir() if path.suffix not in {".py", ".txt"})
    began = time.monotonic()
    ran = say("check", *names, "--format", "junit")
    run_time = time.monotonic() - began
    assert ran.status == 1
    suite = valid(ran.out)
    assert_run_time(suite, run_time)
    for name, case, report in zip(names, suite.findall("testcase"), check_many(names), strict=True):
        assert (case.get("classname"), case.get("name")) == (str(FIXTURES), Path(name).name)
        failures = case.findall("failure")
        assert len(failures) == bool(report.errors)
        if report.errors:
            assert failures[0].get("type") == report.errors[0].rule
            assert all(error.message in (failures[0].text or "") for error in report.errors)
        output = case.findtext("system-out") or ""
        assert all(f.message in output for f in report.findings if f.severity != "error")
        assert all(f"{what} = {value}" in output.splitlines() for what, value in report.measurements.items())


def assert_run_time(suite: ET.Element, most_s: float) -> None:
    """Times are run times, not durations of recordings: their sum is at most the run time of the command."""
    times = [float(case.get("time", "")) for case in suite.findall("testcase")]
    total = float(suite.get("time", ""))
    assert abs(sum(times) - total) <= 0.001 * (len(times) + 1)
    assert 0 < total <= most_s


def test_failures_are_what_sets_the_status(say: Say) -> None:
    warned = say("check", SHORT, "--severity", "too-short=warning", "--format", "junit")
    assert (warned.status, valid(warned.out).get("failures")) == (0, "0")
    strict = say("check", SHORT, "--severity", "too-short=warning", "--format", "junit", "--fail-on", "warning")
    assert (strict.status, valid(strict.out).get("failures")) == (1, "1")


@pytest.mark.parametrize("arguments", [(), (GOOD, "--nope"), ("--profile", "none.toml", GOOD), (GOOD, "--jobs", "x")])
def test_a_failure_of_the_command_is_a_document_too(say: Say, arguments: tuple[str, ...]) -> None:
    ran = say("check", *arguments, "--format=junit")
    assert ran.status == 2
    suite = valid(ran.out)
    (error,) = suite.iter("error")
    assert (error.get("message") or "-") in ran.err


def test_a_name_without_folder_has_a_classname(home: Path) -> None:
    ran = onetake(b"check", b"gone\xff\x01.wav", b"--format", b"junit")
    (case,) = valid(ran.out).iter("testcase")
    assert case.get("classname") == "onetake check"
    assert case.get("name") == "gone\\xff\\x01.wav"


def a_report(path: str, message: str) -> Report:
    facts = FileFacts(
        container="wav", codec="", bytes=1, duration_s=1e9, sample_rate_hz=1, channels=1, bit_rate_bps=None, sha256=None
    )
    findings = (Finding(rule="too-long", severity="error", message=message),)
    return Report(
        path=path, role="recording", verdict="fixable", method="headers", file=facts, measurements={}, findings=findings
    )


@given(path=st.text(), message=st.text())
def test_any_text_gives_a_valid_document(path: str, message: str) -> None:
    suite = valid(junit_document([a_report(path, message)], "error", [0.25]))
    (failure,) = suite.iter("failure")
    assert replaced(failure.get("message", "")) == replaced(message)
    failed = Failure("usage", message, path, Status.USAGE)
    (error,) = valid(junit_failure(failed)).iter("error")
    assert replaced(error.get("message", "")) == replaced(message)


def replaced(text: str) -> str:
    """`text` with characters replaced that XML 1.0 forbids (production 2)."""
    ranges = ((0x9, 0xA), (0xD, 0xD), (0x20, 0xD7FF), (0xE000, 0xFFFD), (0x10000, 0x10FFFF))
    kept = (any(low <= ord(char) <= high for low, high in ranges) for char in text)
    return "".join(char if keep else "\N{REPLACEMENT CHARACTER}" for char, keep in zip(text, kept, strict=True))
