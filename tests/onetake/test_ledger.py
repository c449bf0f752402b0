"""The journal: nothing is paid for that cannot be written down."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest

from onetake.errors import JournalFailed
from onetake.journal import Journal
from tests.client.scripted_server import ScriptedServer, answers
from tests.onetake.conftest import Say
from tests.onetake.services import FIXTURES, Services

GOOD = str(FIXTURES / "good.wav")


def test_lines_are_added_and_only_the_owner_reads_them(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new" / "folder")
    journal.require_writable()
    assert journal.path.read_bytes() == b""
    first = journal.attempt(take="a.wav")
    journal.outcome(first, "voice", voice_id="v")
    second = Journal(tmp_path / "new" / "folder").attempt(take="b.wav")
    entries = [json.loads(line) for line in journal.path.read_text().splitlines()]
    assert [entry["event"] for entry in entries] == ["attempt", "voice", "attempt"]
    assert [entry["attempt"] for entry in entries] == [first, first, second]
    assert all(entry["at"].endswith("Z") for entry in entries)
    assert journal.path.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.attempt(take="a.wav")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.path.stat().st_size + 10, hard))
    try:
        with pytest.raises(JournalFailed, match="cannot be written"):
            journal.attempt(take="b.wav")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    # what did not fit whole is not there in part: the next entry stands on a line of its own
    journal.attempt(take="c.wav")
    entries = [json.loads(line) for line in journal.path.read_text().splitlines()]
    assert [entry["take"] for entry in entries] == ["a.wav", "c.wav"]


@pytest.mark.parametrize("obstacle", ["a file where the folder should be", "a folder where the file should be"])
def test_without_a_journal_nothing_is_sent(
    say: Say, home: Path, services: Services, monkeypatch: pytest.MonkeyPatch, obstacle: str
) -> None:
    if obstacle.startswith("a file"):
        (home / "onetake").write_text("in the way")
    else:
        (home / "onetake" / "clones.jsonl").mkdir(parents=True)
    with ScriptedServer(answers(200, {"voice_id": "bought"})) as endpoint:
        for name, value in services.settings(ONETAKE_BASE_URL=endpoint.base_url).items():
            monkeypatch.setenv(name, value)
        ran = say("clone", GOOD, "--json")
        assert endpoint.connections == 0
    assert (ran.status, json.loads(ran.out)["error"]["kind"]) == (2, "journal-failed")
    assert "ONETAKE_HOME" in ran.err
    assert "upload" not in ran.err
    assert services.objects() == {}
    doctor = json.loads(say("doctor", "--json").out)
    assert {part["name"]: part["status"] for part in doctor["parts"]}["journal"] == 2
