"""`--json` on every command that prints data: one document with a schema_version."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest

from onetake.cli.main import COMMANDS, root
from onetake.config.ledger_location import home_path
from onetake.ledger import Claimed, CloneKey, Ledger
from tests.onetake.conftest import Say
from tests.support.services import FIXTURES

GOOD, SHORT = str(FIXTURES / "good.wav"), str(FIXTURES / "prompt.wav")
WITHOUT = {
    "studio": "opens a page",
    "completion": "prints a shell script",
    "sandbox": "runs until it is stopped",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_prints_data_has_json(name: str) -> None:
    context = click.Context(root)
    command = root.get_command(context, name)
    assert command is not None
    children = command.commands.values() if isinstance(command, click.Group) else []
    for each in [command, *children]:
        has_json = any("--json" in option.opts for option in each.params)
        groups_only = isinstance(each, click.Group) and not each.invoke_without_command
        assert has_json == (name not in WITHOUT and not groups_only), each.name


@pytest.fixture
def voice(home: Path) -> str:
    """A voice in the ledger, and an attempt whose outcome is unknown."""
    now = datetime.now(UTC)
    with Ledger(home_path()) as ledger:
        ids = []
        for number, name in enumerate(("ann", "ben")):
            clone_key_of = CloneKey(sha256=f"{number:064}", request="r", bytes=number, path=f"/takes/{name}.wav")
            claimed = ledger.attempts.claim(clone_key_of, base_url="http://127.0.0.1:9", options={}, name=name)
            assert isinstance(claimed, Claimed)
            ledger.attempts.called(claimed.attempt, now)
            ids.append(claimed.attempt)
        ledger.attempts.gave_voice(ids[0], "voice_1", now, now + timedelta(hours=168))
        ledger.attempts.ended(ids[1], "unknown", "outcome-unknown", "no answer")
    return ids[1]


def document(say: Say, *arguments: str, status: int = 0) -> dict[str, Any]:
    ran = say(*arguments)
    assert ran.status == status, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    assert found["schema_version"] == 1
    return found


def test_json_of_commands_for_recordings(say: Say, home: Path) -> None:
    assert document(say, "check", GOOD, "--json") == document(say, "check", GOOD, "--format", "json")
    assert document(say, "fix", GOOD, "-o", "out.wav", "--json")["path"] == "out.wav"
    assert document(say, "fix", GOOD, "--dry-run", "--json")["path"] is None
    assert document(say, "rule", "--json")["rules"]
    rule = document(say, "rule", "too-short", "--json")["rules"][0]
    assert (rule["name"], rule["severity"]) == ("too-short", "error")
    assert say("check", GOOD, "--json", "--format", "junit").status == 2
    assert json.loads(say("rule", "nonesuch", "--json").out)["error"]["kind"] == "usage"


def test_json_of_commands_for_voices(say: Say, voice: str) -> None:
    assert document(say, "voices", "--json")["unknown"] == 1
    assert document(say, "voices", "--unknown", "--json", status=5)["unknown"]
    settled = document(say, "voices", "settle", voice, "--voice", "voice_2", "--json")
    assert settled["attempt"] == voice
    assert settled["voice"]["voice_id"] == "voice_2"
    renamed = document(say, "voices", "rename", "ann", "anna", "--json")
    assert (renamed["previous_name"], renamed["name"]) == ("ann", "anna")
    exported, formatted = (
        [{**one, "seconds_left": None} for one in document(say, "voices", "export", *form)["voices"]]
        for form in (("--json",), ("--format", "json"))
    )
    assert exported == formatted
    assert len(exported) == 2
    assert document(say, "voices", "forget", "anna", "--yes", "--json")["forgotten"] == {
        "voice_id": "voice_1",
        "name": "anna",
    }


def test_cells_are_never_formulas(say: Say, voice: str) -> None:
    say("voices", "rename", "ann", '=HYPERLINK("https://x.example";"ann")')
    (row,) = (line for line in say("voices", "export").out.splitlines() if "HYPERLINK" in line)
    assert row.startswith("\"'=HYPERLINK(")


@pytest.mark.parametrize("words", [("check",), ("check", "--bogus"), ("bogus",), ("voices", "forget", "ann"), ("say",)])
def test_a_failure_is_one_document_too(say: Say, words: tuple[str, ...]) -> None:
    failed = document(say, *words, "--json", status=2)
    assert {"kind", "message", "hint"} <= set(failed["error"])


def test_a_value_of_the_flag_json_is_a_usage_error_in_one_document(say: Say) -> None:
    ran = say("check", "--json=1", "a.wav")
    assert ran.status == 2
    error = json.loads(ran.out)["error"]
    assert error["kind"] == "usage"
    assert (error["message"], error["hint"]) == ("option '--json' does not take a value", "see onetake check --help")
