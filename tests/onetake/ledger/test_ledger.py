"""The ledger: no paid call without an entry, and no entry of a paid call is lost."""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from onetake.errors import LedgerFailed, UsageError
from onetake.ledger import FILE_NAME, Claimed, CloneKey, InProgress, Known, Ledger, Unsettled
from onetake.ledger.schema import MIGRATIONS
from tests.onetake.conftest import Say
from tests.support.scripted_service import ScriptedServer, answers
from tests.support.services import FIXTURES, Services, paid_calls

GOOD = str(FIXTURES / "good.wav")
NOW = datetime.now(UTC)
WEEK = timedelta(hours=168)


def clone_key_of(name: str = "take") -> CloneKey:
    return CloneKey(sha256=name * 8, request="r", bytes=100, path=f"/takes/{name}.wav")


def claim(ledger: Ledger, name: str = "take", *, again: bool = False) -> Claimed | Known | Unsettled | InProgress:
    return ledger.attempts.claim(clone_key_of(name), base_url="https://service.example", options={}, again=again)


def start_attempt(ledger: Ledger, name: str = "take") -> str:
    claimed = claim(ledger, name)
    assert isinstance(claimed, Claimed)
    return claimed.attempt


def store_voice(ledger: Ledger, name: str = "take", voice_id: str = "voice_1", age: timedelta = timedelta()) -> str:
    attempt = start_attempt(ledger, name)
    ledger.attempts.called(attempt, NOW)
    ledger.attempts.gave_voice(attempt, voice_id, NOW - age, NOW - age + WEEK)
    return attempt


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "new" / "folder") as opened:
        yield opened


def test_the_ledger_is_readable_by_its_owner_only(ledger: Ledger) -> None:
    start_attempt(ledger)
    for path in [ledger.path.parent, *ledger.path.parent.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_recording_has_one_attempt_at_a_time_and_then_a_voice(ledger: Ledger) -> None:
    attempt = start_attempt(ledger)
    assert claim(ledger) == InProgress(attempt)
    assert claim(ledger, again=True) == InProgress(attempt)
    ledger.attempts.called(attempt, NOW)
    assert claim(ledger) == InProgress(attempt)
    assert ledger.attempts.gave_voice(attempt, "voice_1", NOW, NOW + WEEK) == "take"
    known = claim(ledger)
    assert isinstance(known, Known)
    assert (known.voice.voice_id, known.voice.name, known.voice.take) == ("voice_1", "take", "/takes/take.wav")
    assert isinstance(claim(ledger, again=True), Claimed)


def test_an_attempt_that_was_ended_cannot_be_called(ledger: Ledger) -> None:
    attempt = start_attempt(ledger)
    ledger.attempts.mark_interrupted()
    with pytest.raises(LedgerFailed, match="was ended before it was sent"):
        ledger.attempts.called(attempt, NOW)
    ledger.attempts.called(sent := start_attempt(ledger), NOW)
    with pytest.raises(LedgerFailed):
        ledger.attempts.called(sent, NOW)


@pytest.mark.parametrize("state", ["refused", "given-up"])
def test_a_refused_attempt_may_be_repeated(ledger: Ledger, state: str) -> None:
    ledger.attempts.ended(start_attempt(ledger), state, "some-kind")
    assert isinstance(claim(ledger), Claimed)


def test_an_unknown_attempt_is_not_repeated_until_it_is_settled(ledger: Ledger) -> None:
    attempt = start_attempt(ledger)
    ledger.attempts.called(attempt, NOW)
    ledger.attempts.ended(attempt, "unknown", "outcome-unknown", "lost")
    unsettled = claim(ledger)
    assert isinstance(unsettled, Unsettled)
    assert (unsettled.attempt.id, unsettled.attempt.message) == (attempt, "lost")
    assert [known.id for known in ledger.attempts.unknown()] == [attempt]
    assert ledger.voices.settle(attempt, None) is None
    assert ledger.attempts.unknown() == []
    assert isinstance(claim(ledger), Claimed)
    with pytest.raises(UsageError):
        ledger.voices.settle(attempt, None)


def test_a_settled_voice_expires_a_week_after_the_call(ledger: Ledger) -> None:
    attempt = start_attempt(ledger)
    ledger.attempts.called(attempt, NOW)
    ledger.attempts.ended(attempt, "unknown", "outcome-unknown")
    voice = ledger.voices.settle(attempt, "voice_9")
    assert voice is not None
    assert voice.expires_at - voice.created_at == WEEK
    assert abs(voice.created_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert isinstance(claim(ledger), Known)


def test_a_voice_belongs_to_one_call(ledger: Ledger) -> None:
    store_voice(ledger, "first", "voice_1")
    attempt = start_attempt(ledger, "second")
    ledger.attempts.called(attempt, NOW)
    ledger.attempts.ended(attempt, "unknown", "outcome-unknown")
    with pytest.raises(UsageError, match=r"voice_1 is first, made from /takes/first\.wav"):
        ledger.voices.settle(attempt, "voice_1")
    for nonsense in ("", "a\nb", "\x1b[31mred", "two words"):
        with pytest.raises(UsageError, match="not a valid voice_id"):
            ledger.voices.settle(attempt, nonsense)
    assert [known.id for known in ledger.attempts.unknown()] == [attempt]
    assert isinstance(claim(ledger, "first"), Known)
    store_voice(ledger, "third", "voice_3")
    with pytest.raises(UsageError, match="another voice has the name"):
        ledger.voices.rename(ledger.voices.find("third"), "voice_1")


def test_a_voice_that_is_returned_twice_belongs_to_both_recordings(ledger: Ledger) -> None:
    store_voice(ledger, "first", "voice_1")
    store_voice(ledger, "second", "voice_1")
    for name in ("first", "second"):
        known = claim(ledger, name)
        assert isinstance(known, Known)
        assert (known.voice.name, known.voice.take) == ("first", "/takes/first.wav")
    ledger.voices.forget(ledger.voices.find("first"))
    assert isinstance(claim(ledger, "second"), Claimed)


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


def test_an_expired_or_deleted_voice_is_cloned_again_a_kept_one_is_not(ledger: Ledger) -> None:
    store_voice(ledger, "expired", "voice_1", age=timedelta(hours=169))
    assert isinstance(claim(ledger, "expired"), Claimed)
    store_voice(ledger, "kept", "voice_2", age=timedelta(hours=169))
    ledger.voices.mark_kept(ledger.voices.find("voice_2"))
    assert isinstance(claim(ledger, "kept"), Known)
    ledger.voices.mark_gone(ledger.voices.find("kept"))
    assert isinstance(claim(ledger, "kept"), Claimed)


def test_voices_are_listed_by_expiry(ledger: Ledger) -> None:
    for name, hours in (("late", 10), ("soon", 160), ("over", 200), ("kept", 165)):
        store_voice(ledger, name, f"voice_{name}", age=timedelta(hours=hours))
    ledger.voices.mark_kept(ledger.voices.find("kept"))
    assert [voice.name for voice in ledger.voices.all()] == ["soon", "late", "kept", "over"]


def test_names_are_unique_and_can_be_changed(ledger: Ledger) -> None:
    store_voice(ledger, "a/take", "voice_1")
    store_voice(ledger, "b/take", "voice_2")
    assert [voice.name for voice in ledger.voices.all()] == ["take", "take-2"]
    ledger.voices.rename(ledger.voices.find("take-2"), "anna")
    assert ledger.voices.find("anna").voice_id == "voice_2"
    for name in ("take", "", " ", "x" * 101, "two\nlines"):
        with pytest.raises(UsageError):
            ledger.voices.rename(ledger.voices.find("anna"), name)
    ledger.voices.forget(ledger.voices.find("anna"))
    with pytest.raises(UsageError, match="has no voice"):
        ledger.voices.find("anna")


def test_uploads_of_an_ended_run_are_abandoned(tmp_path: Path) -> None:
    with Ledger(tmp_path) as first, Ledger(tmp_path) as beside:
        sent, unsent = start_attempt(first, "sent"), start_attempt(first, "unsent")
        first.attempts.called(sent, NOW)
        first.uploads.add("place", "key")
        assert beside.uploads.abandoned() == []
        assert claim(beside, "unsent") == InProgress(unsent)
        first.close()
        assert [left.key for left in beside.uploads.abandoned()] == ["key"]
        assert isinstance(claim(beside, "unsent"), Claimed)
        assert isinstance(claim(beside, "sent"), Unsettled)


def test_a_killed_process_leaves_an_intact_ledger_and_an_unknown_call(tmp_path: Path) -> None:
    script = (
        "import sys, time, pathlib\nfrom tests.onetake.ledger.test_ledger import *\n"
        f"ledger = Ledger(pathlib.Path({str(tmp_path)!r}))\n"
        "ledger.attempts.called(start_attempt(ledger), NOW)\nstart_attempt(ledger, 'other')\n"
        "print('ready', flush=True)\n"
        "ledger.attempts._database._connection.execute('BEGIN IMMEDIATE')\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
    with Ledger(tmp_path) as ledger:
        assert [(attempt.take, attempt.kind) for attempt in ledger.attempts.unknown()] == [
            ("/takes/take.wav", "process-ended")
        ]
        assert isinstance(claim(ledger, "other"), Claimed)
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_threads_and_processes_claim_each_recording_once(tmp_path: Path) -> None:
    with Ledger(tmp_path) as one, Ledger(tmp_path) as other:
        claimed: list[str] = []

        def claim_all(ledger: Ledger) -> None:
            for number in range(40):
                if isinstance(claim(ledger, f"take{number}"), Claimed):
                    claimed.append(f"take{number}")

        threads = [threading.Thread(target=claim_all, args=(ledger,)) for ledger in (one, other) * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(claimed) == sorted(f"take{number}" for number in range(40))


class LedgerMachine(RuleBasedStateMachine):
    """In any order of events: a call that was not refused is never claimed again without `again`."""

    names = st.sampled_from(["a", "b"])

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.ledger = Ledger(self.folder)
        self.attempts: dict[str, str] = {}
        self.states = {"a": "free", "b": "free"}  # or claimed, called: of the attempt that is under way
        self.known = {"a": "free", "b": "free"}  # or voice, unknown: of those that ended
        self.unknown_here: set[str] = set()  # calls of this run, which `again` does not repeat

    def teardown(self) -> None:
        self.ledger.close()
        with contextlib.closing(sqlite3.connect(self.folder / FILE_NAME)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        shutil.rmtree(self.folder)

    @rule(name=names, again=st.booleans())
    def claim(self, name: str, again: bool) -> None:
        found = claim(self.ledger, name, again=again)
        expected: type = Claimed if self.states[name] == "free" else InProgress
        if again and name in self.unknown_here:
            expected = Unsettled
        if not again:
            expected = {"unknown": Unsettled, "voice": Known}.get(self.known[name], expected)
        assert isinstance(found, expected)
        if isinstance(found, Claimed):
            self.attempts[name], self.states[name] = found.attempt, "claimed"

    @rule(name=names)
    def call(self, name: str) -> None:
        if self.states[name] == "claimed":
            self.ledger.attempts.called(self.attempts[name], NOW)
            self.states[name] = "called"

    @rule(name=names, ending=st.sampled_from(["voice", "refused", "unknown"]))
    def answer(self, name: str, ending: str) -> None:
        if self.states[name] == "called":
            attempt = self.attempts[name]
            if ending == "voice":
                self.ledger.attempts.gave_voice(attempt, f"voice_{attempt}", NOW, NOW + WEEK)
            else:
                self.ledger.attempts.ended(attempt, ending, "kind")
                self.unknown_here |= {name} if ending == "unknown" else set()
            self.look(name)

    @rule(killed=st.booleans())
    def stop(self, killed: bool) -> None:
        called = [name for name, state in self.states.items() if state == "called"]
        if killed:
            self.ledger.close()
            self.ledger = Ledger(self.folder)
            self.unknown_here.clear()
        else:
            self.ledger.attempts.mark_interrupted()
            self.unknown_here.update(called)
        for name in self.states:
            self.look(name)
            assert name not in called or self.known[name] in {"unknown", "voice"}

    @rule(name=names)
    def settle(self, name: str) -> None:
        if self.known[name] == "unknown":
            for attempt in self.ledger.attempts.unknown():
                if attempt.sha256 == clone_key_of(name).sha256:
                    self.ledger.voices.settle(attempt.id, None)
            self.unknown_here.discard(name)
            under_way = self.states[name]
            self.look(name)
            self.states[name] = under_way
            assert self.known[name] == "free"

    def look(self, name: str) -> None:
        """The attempt ended; there may also be an older voice, or an older unknown attempt."""
        found = self.ledger.attempts.find(clone_key_of(name))
        self.states[name] = "free"
        self.known[name] = {Known: "voice", Unsettled: "unknown", type(None): "free"}[type(found)]


LedgerMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=20)
TestLedgerMachine = LedgerMachine.TestCase


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


@pytest.mark.parametrize("obstacle", ["a file where the folder should be", "a folder where the file should be"])
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
        connection = ledger._database._connection
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


def test_voices_of_equally_named_files_get_numbers(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        for number in range(20):
            store_voice(ledger, f"{number}/take", f"voice_{number}")
        names = ["take", *(f"take-{number}" for number in range(2, 21))]
        assert sorted(voice.name for voice in ledger.voices.all()) == sorted(names)
