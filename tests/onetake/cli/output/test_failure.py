"""A failed command: one message for people, and one document for machines."""

from __future__ import annotations

import json

import pytest

from onetake.cli.output.failure import print_failure, print_failure_document, requested_format
from onetake.errors import Failure
from onetake.exit_status import Status
from tests.onetake.render.test_junit import valid

FAILURE = Failure(
    kind="invalid-manifest",
    message="30 errors in \x1b[2Jmanifest.csv",
    hint="correct them",
    status=Status.USAGE,
    details=tuple(f"line {number}: no file" for number in range(30)),
    service_message="audio too short",
    trace_id="trace-1",
)


@pytest.mark.parametrize(
    ("arguments", "form"),
    [
        ((), None),
        (("check", "a.wav"), None),
        (("check", "a.wav", "--json"), "json"),
        (("check", "--format", "jsonl"), "jsonl"),
        (("check", "--format=junit", "a.wav"), "junit"),
        (("check", "--format", "html"), None),
        (("check", "--format"), None),
        (("fix", "--", "--json"), None),
        (("nonesuch", "--format", "nonesuch", "--json"), "json"),
    ],
)
def test_the_requested_format_is_found_without_parsing(arguments: tuple[str, ...], form: str | None) -> None:
    assert requested_format(arguments) == form


def test_the_message_lists_twenty_details_and_is_sanitized(capsys: pytest.CaptureFixture[str]) -> None:
    print_failure(FAILURE)
    out, err = capsys.readouterr()
    head, *lines = err.splitlines()
    assert (out, head) == ("", "onetake: 30 errors in \\x1b[2Jmanifest.csv")
    assert [line for line in lines if "no file" in line] == [f"  line {number}: no file" for number in range(20)]
    assert lines[20:] == [
        "  the service says: audio too short",
        "  trace id, for the service's support: trace-1",
        "  and 10 more",
        "  correct them",
    ]


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_json_has_all_details(capsys: pytest.CaptureFixture[str], form: str) -> None:
    print_failure_document(FAILURE, form)
    out = capsys.readouterr().out
    assert len(json.loads(out)["error"]["details"]) == 30
    assert (len(out.splitlines()) == 1) == (form == "jsonl")


def test_junit_is_one_error(capsys: pytest.CaptureFixture[str]) -> None:
    print_failure_document(FAILURE, "junit")
    assert valid(capsys.readouterr().out).get("errors") == "1"
