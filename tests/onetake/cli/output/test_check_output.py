"""Each format of `onetake check` prints each report as soon as it is ready, or one document at the end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from onetake.cli.output.check_output import CheckOutput
from onetake.console.terminal import Verbosity, set_verbosity
from onetake.errors import UsageError
from onetake.render.text import FailOn
from preflight import Finding
from preflight.profile import DEFAULT
from tests.support.reports import make_report

GOOD = make_report("good.wav")
CLIPPED = make_report("clipped.wav", Finding(rule="clipped", severity="warning", message="it clips", quality="poor"))
SHORT = make_report("short.wav", Finding(rule="too-short", severity="error", message="4.1 s long"))


def output(form: str, out: str | None = None, fail_on: FailOn = "error") -> CheckOutput:
    return CheckOutput(form, out, DEFAULT, fail_on, takes=["good.wav", "clipped.wav", "short.wav"])


def printed_by(form: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is printed after each of three reports, and at the end."""
    checks = output(form)
    parts = []
    for report in (GOOD, CLIPPED, SHORT):
        checks.add(report.path, report, None)
        parts.append(capsys.readouterr().out)
    checks.end()
    assert checks.reports == [GOOD, CLIPPED, SHORT]
    return [*parts, capsys.readouterr().out]


def test_text_is_printed_take_by_take(capsys: pytest.CaptureFixture[str]) -> None:
    good, clipped, short, end = printed_by("text", capsys)
    assert good.startswith("good.wav: ready, good\n")
    assert clipped.splitlines()[-1] == "  warning clipped: it clips"
    assert short.startswith("short.wav: rejected, good otherwise: ")
    assert end == ""


def test_json_lines_are_printed_take_by_take(capsys: pytest.CaptureFixture[str]) -> None:
    *lines, end = printed_by("jsonl", capsys)
    assert [json.loads(line)["path"] for line in lines] == ["good.wav", "clipped.wav", "short.wav"]
    assert end == ""


@pytest.mark.parametrize(("form", "start"), [("json", "{"), ("junit", "<?xml")])
def test_a_document_is_printed_at_the_end(capsys: pytest.CaptureFixture[str], form: str, start: str) -> None:
    *parts, end = printed_by(form, capsys)
    assert parts == ["", "", ""]
    assert end.startswith(start)
    assert "short.wav" in end


@pytest.mark.parametrize(
    ("fail_on", "shown"),
    [
        ("error", ["short.wav"]),
        ("poor", ["clipped.wav", "short.wav"]),
        ("warning", ["clipped.wav", "short.wav"]),
    ],
)
def test_quiet_shows_only_what_fails(capsys: pytest.CaptureFixture[str], fail_on: FailOn, shown: list[str]) -> None:
    set_verbosity(Verbosity.QUIET)
    try:
        checks = output("text", fail_on=fail_on)
        for report in (GOOD, CLIPPED, SHORT):
            checks.add(report.path, report, None)
        checks.end()
    finally:
        set_verbosity(Verbosity.NORMAL)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines if not line.startswith(" ")] == shown


@pytest.mark.parametrize("form", ["text", "json", "jsonl", "junit", "github"])
def test_an_output_file_is_for_the_page_only(form: str) -> None:
    with pytest.raises(UsageError, match="standard output"):
        output(form, "report.html")


@pytest.mark.parametrize("out", [None, "report.txt", "nowhere/report.html", "folder.html"])
def test_the_page_needs_a_valid_output_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str | None) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.html").mkdir()
    with pytest.raises(UsageError):
        output("html", out)


def test_the_page_does_not_replace_an_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("take.html").write_bytes(b"RIFF")
    with pytest.raises(UsageError, match="is an input"):
        CheckOutput("html", "take.html", DEFAULT, "error", takes=["take.html"])
    with pytest.raises(UsageError, match="is an input"):
        CheckOutput("html", "take.html", DEFAULT, "error", takes=["a.wav"], prompt="take.html")
