"""The ledger: no paid call without an entry, and no entry of a paid call is lost."""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import socket
import sqlite3
from pathlib import Path

import pytest

from onetake.errors import LedgerFailed
from onetake.ledger import FILE_NAME, Claimed, Known, Ledger
from onetake.ledger.sqlite_schema import MIGRATIONS
from tests.onetake.conftest import Say
from tests.support.ledgers import NOW, WEEK, claim, clone_key_of, sqlite_of, start_attempt, store_voice
from tests.support.scripted_service import ScriptedServer, answers
from tests.support.selection import parametrize_some
from tests.support.services import FIXTURES, Services, paid_calls

GOOD = str(FIXTURES / "good.wav")


def test_the_ledger_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    with Ledger(tmp_path / "new" / "folder") as ledger:
        start_attempt(ledger)
        for path in [tmp_path / "new" / "folder", *(tmp_path / "new").rglob("*")]:
            assert path.stat().st_mode & 0o077 == 0, path


def test_a_ledger_of_the_previous_version_is_migrated(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as connection:
        MIGRATIONS[0](connection)
        connection.execute("PRAGMA user_version = 1")
        connection.execute("INSERT INTO takes VALUES (1, ?, 'r', 100, '/takes/take.wav')", ("take" * 8,))
        times = (NOW.isoformat(), (NOW + WEEK).isoformat())
        connection.execute(
            """INSERT INTO attempts (id, take, run, state, base_url, options, changes, claimed_at, called_at)
            VALUES ('a', 1, 'r', 'voice', 'https://service.example', '{}', '[]', ?, ?)""",
            (times[0], times[0]),
        )
        connection.execute(
            """INSERT INTO voices (base_url, voice_id, name, attempt, created_at, expires_at)
            VALUES ('https://service.example', 'voice_1', 'take', 'a', ?, ?)""",
            times,
        )
    with Ledger(tmp_path) as ledger:
        known = claim(ledger)
        assert isinstance(known, Known)
        assert known.voice.voice_id == "voice_1"


@pytest.mark.parametrize(
    "content", [b"no ledger at all, but a text of some length " * 40, b"SQLite format 3\0" + b"x" * 500]
)
def test_a_file_that_is_not_a_ledger_is_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(LedgerFailed, match="damaged or not a ledger"):
        Ledger(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == content


def test_a_locked_ledger_is_reported(tmp_path: Path) -> None:
    with Ledger(tmp_path, wait_s=0.3) as ledger, contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerFailed, match=r"locked by another process for 0\.3 s"):
            claim(ledger)
        other.rollback()
        assert isinstance(claim(ledger), Claimed)


def test_a_newer_ledger_is_left_alone(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerFailed, match="newer version"):
        Ledger(tmp_path)


def test_a_full_disk_is_reported_in_one_line(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        store_voice(ledger)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        size = max(path.stat().st_size for path in tmp_path.iterdir())
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            with pytest.raises(LedgerFailed, match="cannot be"):
                [start_attempt(ledger, f"more{number}") for number in range(2000)]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, handler)
        start_attempt(ledger, "after")
    with Ledger(tmp_path) as ledger:
        assert ledger.voices.find("take").voice_id == "voice_1"


@parametrize_some("obstacle", ["a file where the folder should be", "a folder where the file should be"], fast=1)
@pytest.mark.slow
def test_nothing_is_sent_without_a_ledger(
    say: Say, home: Path, services: Services, monkeypatch: pytest.MonkeyPatch, obstacle: str
) -> None:
    if obstacle.startswith("a file"):
        (home / "onetake").write_text("in the way")
    else:
        (home / "onetake" / FILE_NAME).mkdir(parents=True)
    with ScriptedServer(answers(200, {"voice_id": "store_voice"})) as endpoint:
        for name, value in services.settings(ONETAKE_BASE_URL=endpoint.base_url).items():
            monkeypatch.setenv(name, value)
        ran = say("clone", GOOD, "--json")
        assert endpoint.connections == 0
    assert (ran.status, json.loads(ran.out)["error"]["kind"]) == (2, "ledger-failed")
    assert "ONETAKE_HOME" in ran.err
    assert "upload" not in ran.err
    assert services.objects() == {}
    doctor = json.loads(say("doctor", "--json").out)
    assert {part["name"]: part["status"] for part in doctor["parts"]}["ledger"] == 2


def test_a_voice_that_cannot_be_stored_is_printed(
    say: Say, home: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills during the paid call."""
    ledger_file = home / "onetake" / FILE_NAME

    def answers_when_the_disk_is_full(line: socket.socket, server: ScriptedServer) -> None:
        with contextlib.closing(sqlite3.connect(ledger_file)) as connection:
            connection.execute(
                "CREATE TRIGGER full BEFORE INSERT ON voices BEGIN SELECT raise(ABORT, 'disk full'); END"
            )
        answers(200, {"voice_id": "voice_paid"})(line, server)

    with ScriptedServer(answers_when_the_disk_is_full) as endpoint:
        for name, value in services.settings(ONETAKE_BASE_URL=endpoint.base_url).items():
            monkeypatch.setenv(name, value)
        ran = say("clone", GOOD, "--json")
        (call,) = paid_calls(home)
        assert ran.status == 5
        document = json.loads(ran.out)
        assert (document["voice_id"], document["name"]) == ("voice_paid", None)
        assert "WRITE THIS DOWN: voice_id voice_paid" in ran.err
        assert f"onetake voices settle {call['id']} --voice voice_paid" in ran.err
        with sqlite3.connect(ledger_file) as connection:
            connection.execute("DROP TRIGGER full")
        assert say("clone", GOOD).status == 5  # never by itself a second time
        assert endpoint.connections == 1
        assert say("voices", "settle", call["id"], "--voice", "voice_paid").status == 0
        assert json.loads(say("clone", GOOD, "--json").out)["voice_id"] == "voice_paid"
        assert endpoint.connections == 1


def test_no_query_scans_a_table(tmp_path: Path) -> None:
    """With thousands of recordings each claim would take longer than the one before."""
    plans: list[str] = []
    with Ledger(tmp_path) as ledger:
        for number in range(3):
            store_voice(ledger, f"take{number}", f"voice_{number}")
        ledger.attempts.called(start_attempt(ledger, "unknown"), NOW)
        ledger.attempts.mark_interrupted()
        connection = sqlite_of(ledger)._connection
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        attempt = start_attempt(ledger, "new")
        ledger.attempts.called(attempt, NOW)
        ledger.attempts.gave_voice(attempt, "voice_new", NOW, NOW + WEEK)
        ledger.attempts.knows_size(100)
        ledger.attempts.find(clone_key_of("take1"))
        ledger.attempts.find(clone_key_of("unknown"))
        ledger.attempts.unknown()
        ledger.attempts.is_active(attempt)
        ledger.attempts.reconcile_crashed_runs()
        ledger.attempts.mark_interrupted()
        voice = ledger.voices.find("take1")
        ledger.voices.mark_kept(voice)
        ledger.voices.rename(voice, "renamed")
        ledger.speeches.ended(ledger.speeches.begin(voice, "keep", "Hi.", "model"), "unknown", "kind")
        ledger.speeches.unsettled(voice)
        connection.set_trace_callback(None)
        for statement in statements:
            if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "INSERT", "DELETE")):
                plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
                plans += [f"{row['detail']}: {statement}" for row in plan]
    assert len(plans) > 20
    # a scan of a partial index reads only calls that are under way or unknown
    partial = ("attempts_by_run", "one_attempt_at_a_time", "unknown_attempts")
    scans = [plan for plan in plans if plan.startswith("SCAN") and not any(name in plan for name in partial)]
    assert scans == []
