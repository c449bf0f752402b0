"""Outcomes of a batch are printed as they come, and none is lost with standard output."""

from __future__ import annotations

import csv
import io
import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from onetake.cli.output.batch_output import BatchOutput
from onetake.clones.batch import Outcome
from onetake.clones.request import Cloned
from onetake.errors import Failure, OutputLost
from onetake.exit_status import Status
from tests.onetake.render.test_junit import valid
from tests.support.reports import make_report

EXPIRES = datetime(2026, 11, 8, 12, tzinfo=UTC)


def cloned(path: str, name: str | None = "anna") -> Outcome:
    voice = Cloned(voice_id=f"voice-{path}", name=name, expires_at=EXPIRES, take=make_report(path))
    return Outcome(path=path, ending="cloned", cloned=voice)


def failed(path: str, status: Status, ending: str = "failed") -> Outcome:
    return Outcome(path=path, ending=ending, failure=Failure("kind", "it failed", "try again", status))  # type: ignore[arg-type]


def printed(form: str, capsys: pytest.CaptureFixture[str], *outcomes: Outcome) -> tuple[BatchOutput, str]:
    output = BatchOutput(form)
    for outcome in outcomes:
        output.add(outcome)
    output.end(None)
    return output, capsys.readouterr().out


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ((), Status.DONE),
        ((cloned("a.wav"),), Status.DONE),
        ((cloned("a.wav"), failed("b.wav", Status.NOT_FIT, "refused")), Status.NOT_FIT),
        ((failed("a.wav", Status.STORAGE), failed("b.wav", Status.UNKNOWN, "unknown")), Status.UNKNOWN),
        ((cloned("a.wav", name=None),), Status.UNKNOWN),  # not in the ledger: it could be paid for again
    ],
)
def test_the_status_is_that_of_the_most_severe_outcome(
    capsys: pytest.CaptureFixture[str], outcomes: tuple[Outcome, ...], status: Status
) -> None:
    assert printed("text", capsys, *outcomes)[0].status == status


def test_csv_has_a_header_and_a_row_per_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    _, out = printed("csv", capsys, cloned("a,b.wav"), failed("c.wav", Status.SERVICE))
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["path"], row["ending"], row["voice_id"]) for row in rows] == [
        ("a,b.wav", "cloned", "voice-a,b.wav"),
        ("c.wav", "failed", ""),
    ]


def test_json_is_one_document_with_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    _, out = printed("json", capsys, cloned("a.wav"), cloned("b.wav"), failed("c.wav", Status.SERVICE))
    document = json.loads(out)
    assert document["summary"] == {"cloned": 2, "failed": 1}
    assert [take["path"] for take in document["takes"]] == ["a.wav", "b.wav", "c.wav"]


def test_json_lines_are_printed_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    output = BatchOutput("jsonl")
    output.add(cloned("a.wav"))
    assert json.loads(capsys.readouterr().out)["voice_id"] == "voice-a.wav"


def test_junit_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    _, out = printed("junit", capsys, cloned("a.wav"), failed("b.wav", Status.NOT_FIT, "refused"))
    suite = valid(out)
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_rehearsal_promises_neither_a_voice_nor_a_bill(capsys: pytest.CaptureFixture[str]) -> None:
    output = BatchOutput("text", sandbox=True)
    output.add(cloned("a.wav"))
    output.end(Decimal("9.9"))
    shown = capsys.readouterr()
    assert "until" not in shown.out
    assert shown.out.splitlines()[-1].startswith("rehearsal: no real voice was made, and nothing was paid")
    assert shown.err == "1 cloned; about 9.9 would be paid without --sandbox\n"


def test_a_run_with_the_real_service_shows_when_a_voice_expires(capsys: pytest.CaptureFixture[str]) -> None:
    output = BatchOutput("text")
    output.add(cloned("a.wav"))
    output.end(Decimal("9.9"))
    shown = capsys.readouterr()
    assert "until 2026-11-08" in shown.out
    assert "rehearsal" not in shown.out
    assert shown.err == "1 cloned; about 9.9 to pay\n"


def test_a_full_standard_output_is_raised_only_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    output = BatchOutput("jsonl")
    with Path("/dev/full").open("w", buffering=1) as full:
        monkeypatch.setattr(sys, "stdout", full)
        output.add(cloned("a.wav"))
        output.add(cloned("b.wav"))
        monkeypatch.undo()
        assert output.lost_output is not None
        assert output.has_paid
        with pytest.raises(OutputLost):
            output.end(None)
        with pytest.raises(OSError, match="No space left"):
            full.close()
