"""Annotations follow GitHub's syntax of workflow commands; they are parsed here like GitHub's runner does."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onetake.console.terminal import safe
from onetake.errors import Failure
from onetake.exit_status import Status
from onetake.render.github import annotation_lines, failure_line, summary_line
from preflight import Finding, check
from preflight.report import Report
from tests.onetake.conftest import Say
from tests.onetake.render.test_junit import a_report
from tests.support.services import FIXTURES

GOOD, SHORT = str(FIXTURES / "good.wav"), str(FIXTURES / "too-short.wav")


def understood(line: str) -> tuple[str, dict[str, str], str]:
    """A command as (name, properties, message)."""
    parts = re.fullmatch(r"::(error|warning|notice) ((?:\w+=[^:,\r\n]+,?)+)::([^\r\n]*)", line)
    assert parts, line
    name, properties, message = parts.groups()
    pairs = dict(pair.split("=", 1) for pair in properties.split(","))
    assert set(pairs) <= {"file", "title", "line", "endLine", "col", "endColumn"}
    return name, {key: unescaped(value, ":,") for key, value in pairs.items()}, unescaped(message, "")


def unescaped(text: str, more: str) -> str:
    for char in f"\r\n{more}%":  # the sign of escaping comes last, or it would escape once more
        text = text.replace(f"%{ord(char):02X}", char)
    return text


def test_ready_takes_are_only_in_the_summary(say: Say) -> None:
    ran = say("check", GOOD, "--format", "github")
    assert ran.status == 0
    assert understood(ran.out.rstrip("\n")) == ("notice", {"title": "onetake check"}, "1 ready")


def test_each_finding_is_an_annotation(say: Say) -> None:
    names = [str(FIXTURES / name) for name in ("good.wav", "too-short.wav", "telephone.wav", "damaged.mp3")]
    *lines, last = say("check", *names, "--format", "github").out.splitlines()
    expected = [(report.path, finding) for report in map(check, names) for finding in report.findings]
    for line, (path, finding) in zip(lines, expected, strict=True):
        name, properties, message = understood(line)
        assert name == {"error": "error", "warning": "warning", "info": "notice"}[finding.severity]
        assert properties == {"file": path, "title": finding.rule}
        assert message.startswith(f"{path}: {finding.message}")
    assert understood(last)[0] == "notice"


@pytest.mark.parametrize("arguments", [(), (GOOD, "--nope")])
def test_a_failure_of_the_command_is_an_annotation_too(say: Say, arguments: tuple[str, ...]) -> None:
    ran = say("check", *arguments, "--format", "github")
    assert ran.status == 2
    assert understood(ran.out.rstrip("\n"))[:2] == ("error", {"title": "onetake: usage"})


def found(report: Report, spans: tuple[tuple[float, float], ...]) -> Report:
    (finding,) = report.findings
    changed = Finding(rule=finding.rule, severity="warning", message=finding.message, spans=spans)
    return Report(
        **{name: getattr(report, name) for name in report.__struct_fields__ if name != "findings"}, findings=(changed,)
    )


def test_spans_are_in_the_message() -> None:
    (line,) = annotation_lines(found(a_report("a.wav", "clipped"), tuple((65.0 + n, 66.5 + n) for n in range(5))))
    assert understood(line)[2] == "a.wav: clipped [1:05.0-1:06.5, 1:06.0-1:07.5, 1:07.0-1:08.5 and 2 more]"


@given(path=st.text(min_size=1), message=st.text())
def test_any_text_survives_the_escapes(path: str, message: str) -> None:
    """Except for control characters, which are escaped."""
    report = a_report(path, message)
    (line,) = annotation_lines(report)
    shown_path, shown = (re.sub(r"[^\r\n]+", lambda part: safe(part.group()), text) for text in (path, message))
    assert understood(line) == ("error", {"file": shown_path, "title": "too-long"}, f"{shown_path}: {shown}")
    understood(failure_line(Failure("usage", message, path, Status.USAGE)))
    understood(summary_line([report]))
