"""A ledger in PostgreSQL: lost connections, poolers, the server's clock, shared rate limits, and copies."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from onetake.clones.rate_limit import RateLimiter
from onetake.errors import LedgerFailed, UsageError
from onetake.ledger import Claimed, InProgress, Known, Ledger, Unsettled
from tests.onetake.conftest import Say
from tests.support.ledgers import NOW, WEEK, claim, postgres_of, start_attempt, store_voice
from tests.support.postgres import PostgresServer, binary, owned_folder, unprivileged
from tests.support.services import FIXTURES, Services

pytestmark = pytest.mark.slow  # real servers and processes


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.new_database()


def test_a_lost_connection_stops_paid_calls_but_the_call_under_way_is_stored(
    postgres: PostgresServer, url: str
) -> None:
    warnings: list[str] = []
    with Ledger(url, warn=warnings.append) as here, contextlib.ExitStack() as stack:
        called, claimed = start_attempt(here, "called"), start_attempt(here, "claimed")
        here.attempts.called(called, NOW)
        here.uploads.add("storage", "key")
        postgres.cut()
        # another machine settles what the server counts as abandoned
        there = stack.enter_context(Ledger(url))
        assert isinstance(claim(there, "called"), Unsettled)
        assert isinstance(claim(there, "claimed"), Claimed)
        for write in (
            lambda: claim(here, "new"),
            lambda: here.attempts.called(claimed, NOW),
            lambda: here.uploads.add("storage", "second"),
        ):
            with pytest.raises(LedgerFailed, match=r"was lost|terminating connection") as raised:
                write()
            assert "run the command again" in raised.value.hint
        assert here.attempts.gave_voice(called, "voice_1", NOW, NOW + WEEK) == "called"
        assert here.voices.find("called").voice_id == "voice_1"
        assert isinstance(claim(there, "called"), Known)
        with pytest.raises(LedgerFailed, match="was lost"):  # still, although it is connected again
            claim(here, "new")
    assert len(warnings) == 1
    assert "restored" in warnings[0]


def test_what_a_standby_lacks_is_stored_again(postgres: PostgresServer, url: str) -> None:
    with Ledger(url, warn=lambda _: None) as ledger:
        attempt = start_attempt(ledger)
        ledger.attempts.called(attempt, NOW)
        postgres.run("DELETE FROM onetake.attempts; DELETE FROM onetake.takes", url)
        postgres.cut()
        ledger.attempts.gave_voice(attempt, "voice_1", NOW, NOW + WEEK)
        assert ledger.voices.find("voice_1").take == "/takes/take.wav"


def test_another_ledger_behind_the_same_url_is_refused(postgres: PostgresServer, url: str) -> None:
    with Ledger(url, warn=lambda _: None) as ledger:
        attempt = start_attempt(ledger)
        ledger.attempts.called(attempt, NOW)
        postgres.run("UPDATE onetake.ledger SET id = replace(gen_random_uuid()::text, '-', '')", url)
        with pytest.raises(LedgerFailed, match="was replaced"):
            ledger.require_in_place()
        postgres.cut()
        with pytest.raises(LedgerFailed, match="was replaced"):
            ledger.attempts.gave_voice(attempt, "voice_1", NOW, NOW + WEEK)


def test_a_server_that_is_away_is_reported_without_the_password(tmp_path: Path) -> None:
    url = f"postgresql://anna:s3cr3t@/takes?host={tmp_path}"
    with pytest.raises(LedgerFailed, match="cannot be used") as raised:
        Ledger(url)
    assert "s3cr3t" not in f"{raised.value.message} {raised.value.hint}"
    with pytest.raises(LedgerFailed, match="not valid") as raised:
        Ledger("postgresql://anna:s3cr3t@host/takes?passwort=s3cr3t")
    assert "s3cr3t" not in f"{raised.value.message} {raised.value.hint} {raised.value.__context__}"


def test_a_wrong_encoding_and_a_newer_version_are_refused(postgres: PostgresServer, url: str) -> None:
    with pytest.raises(LedgerFailed, match="encoding SQL_ASCII"):
        Ledger(postgres.new_database("ENCODING SQL_ASCII TEMPLATE template0"))
    Ledger(url).close()
    postgres.run("UPDATE onetake.ledger SET version = 99", url)
    with pytest.raises(LedgerFailed, match="newer version"):
        Ledger(url)


def test_a_missing_driver_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(LedgerFailed, match="psycopg") as raised:
        Ledger("postgresql://host/takes")
    assert 'pip install "onetake[postgres]"' in raised.value.hint


def test_times_are_those_of_the_server(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's clock is three hours slow: a voice must not expire three hours early."""
    slow = timedelta(hours=3)

    class SlowClock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) - slow

    monkeypatch.setattr("onetake.ledger.postgres.datetime", SlowClock)
    with Ledger(url) as ledger:
        store_voice(ledger, age=slow)  # answered at NOW, which this machine takes for three hours earlier
        voice = ledger.voices.find("take")
        assert abs(voice.created_at - NOW) < timedelta(seconds=2)
        assert voice.expires_at - voice.created_at == WEEK
        assert abs(ledger.now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_dry_run_writes_nothing(postgres: PostgresServer, url: str) -> None:
    with pytest.raises(LedgerFailed):  # the tables are not there, and are not created
        Ledger(url, read_only=True)
    with Ledger(url) as ledger:
        store_voice(ledger)
    with Ledger(url, read_only=True) as copy:
        assert copy.voices.find("take").voice_id == "voice_1"
    assert postgres.run("SELECT count(*) FROM onetake.attempts", url) == [(1,)]


def test_a_suspended_machine_in_a_transaction_is_reported(url: str) -> None:
    with (
        Ledger(url) as still,
        Ledger(url, wait_s=0.2) as waiting,
        postgres_of(still).transaction(),
        pytest.raises(LedgerFailed, match=r"locked by another run for 0\.2 s"),
    ):
        claim(waiting)


def test_a_nul_in_an_answer_is_stored(url: str) -> None:
    with Ledger(url) as ledger:
        ledger.attempts.ended(start_attempt(ledger), "unknown", "kind", "an\0swer")
        assert ledger.attempts.unknown()[0].message == "an\ufffdswer"


def test_a_rate_limit_and_its_pauses_are_shared(url: str) -> None:
    starts: list[float] = []
    with Ledger(url) as one, Ledger(url) as two:
        limiters = [RateLimiter(4, per_minute=600), RateLimiter(4, per_minute=600)]
        for limiter, ledger in zip(limiters, (one, two), strict=True):
            limiter.share(ledger, "https://service.example")
        limiters[0].pause(0.3)
        begun = time.monotonic()

        def call(limiter: RateLimiter) -> None:
            for _ in range(3):
                with limiter.slot(lambda: False):
                    starts.append(time.monotonic())

        threads = [threading.Thread(target=call, args=(limiter,)) for limiter in limiters]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    starts.sort()
    assert len(starts) == 6
    assert starts[-1] - begun >= 0.3 + 5 * 0.1 - 0.05  # the pause, then one call each tenth of a second


@contextlib.contextmanager
def pgbouncer(postgres: PostgresServer, mode: str) -> Iterator[str]:
    """Run a pooler in front of the server, and yield the host part of its URL."""
    program = binary("pgbouncer") or "/usr/sbin/pgbouncer"
    if not Path(program).exists():
        pytest.skip("needs pgbouncer (Debian: apt install pgbouncer)")
    folder = owned_folder()
    (folder / "users").write_text('"onetake" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={postgres.folder}\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\n"
        f"unix_socket_dir = {folder}\nauth_type = trust\nauth_file = {folder}/users\n"
        f"pool_mode = {mode}\nignore_startup_parameters = extra_float_digits\n"
    )
    command = [program, "-q", str(folder / "pgbouncer.ini")]
    with subprocess.Popen(command, cwd="/", stderr=subprocess.DEVNULL, **unprivileged()) as process:
        try:
            deadline = time.monotonic() + 30
            while not (folder / ".s.PGSQL.6432").exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            yield f"?host={folder}&port=6432"
        finally:
            process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_pooler_in_transaction_mode_is_refused(postgres: PostgresServer, url: str, mode: str) -> None:
    with pgbouncer(postgres, mode) as where:
        pooled = f"{url.partition('?')[0]}{where}&user=onetake"
        if mode == "session":
            with Ledger(pooled) as ledger, Ledger(pooled) as beside:
                attempt = start_attempt(ledger)
                assert claim(beside) == InProgress(attempt)
        else:
            with pytest.raises(LedgerFailed, match="transaction mode") as raised:
                Ledger(pooled)
            assert "session mode" in raised.value.hint


def test_a_ledger_is_copied_there_and_back(url: str, tmp_path: Path, say: Say) -> None:
    with Ledger(tmp_path / "old") as old:
        store_voice(old, "first", "voice_1")
        voice = old.voices.find("first")
        old.voices.add_consent(voice, "Anna, 2026-11-01")
        old.speeches.ended(old.speeches.begin(voice, "keep", "Hello.", "model"), "unknown", "kind")
        old.attempts.called(lost := start_attempt(old, "lost"), NOW)
        old.attempts.ended(lost, "unknown", "outcome-unknown", "no answer")
        old.uploads.add("storage", "key")
    for source, target in ((str(tmp_path / "old"), url), (url, str(tmp_path / "new"))):
        ran = say("ledger", "copy", source, target, "--json")
        assert json.loads(ran.out)["copied"] == {"takes": 2, "attempts": 2, "voices": 1, "speeches": 1, "uploads": 1}
        with Ledger(Path(target) if target != url else target) as new:
            assert isinstance(known := claim(new, "first"), Known)
            assert known.voice.consent == "Anna, 2026-11-01"
            assert isinstance(claim(new, "lost"), Unsettled)
            assert [attempt.message for attempt in new.attempts.unknown()] == ["no answer"]
            assert [speech.text for speech in new.speeches.unknown()] == ["Hello."]
            assert [upload.key for upload in new.uploads.abandoned()] == ["key"]
            with contextlib.suppress(UsageError):
                new.attempts.ended(start_attempt(new, "third"), "given-up", "kind")
            new.voices.forget_recording("/takes/third.wav")
    assert say("ledger", "copy", str(tmp_path / "old"), url).status == 2
    assert "is not empty" in say("ledger", "copy", str(tmp_path / "old"), url).err


def test_a_ledger_in_use_is_not_copied(url: str, tmp_path: Path) -> None:
    with Ledger(tmp_path) as old, Ledger(url) as new:
        start_attempt(old)
        with pytest.raises(UsageError, match="a run is using"):
            old.copy_to(new)
        with pytest.raises(UsageError, match="same ledger"):
            new.copy_to(new)


def test_machines_with_one_ledger_pay_once(
    say: Say, services: Services, postgres: PostgresServer, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in services.settings(ONETAKE_LEDGER=url).items():
        monkeypatch.setenv(name, value)
    voices = []
    for machine in ("one", "two"):
        monkeypatch.setenv("ONETAKE_HOME", str(tmp_path / machine))
        voices.append(json.loads(say("clone", str(FIXTURES / "good.wav"), "--json").out))
        assert not (tmp_path / machine / "ledger.sqlite3").exists()
    assert voices[0]["voice_id"] == voices[1]["voice_id"]
    assert [voice["known"] for voice in voices] == [False, True]
    assert postgres.run("SELECT count(*) FROM onetake.attempts", url) == [(1,)]
    assert json.loads(say("voices", "--json").out)["voices"][0]["voice_id"] == voices[0]["voice_id"]
    plan = json.loads(say("clone", str(FIXTURES / "good.wav"), "--dry-run", "--json").out)
    assert plan["known"] is True


def test_the_settings_never_show_the_password(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONETAKE_LEDGER", "postgresql://anna:s3cr3t@db.example/takes?sslpassword=s3cr3t")
    shown = say("config", "--json")
    assert json.loads(shown.out)["settings"]["ledger"]["value"] == "postgresql://***@db.example/takes?***"
    monkeypatch.setenv("ONETAKE_LEDGER", "mysql://anna:s3cr3t@db.example/takes")
    refused = say("voices")
    assert refused.status == 2
    assert "begins with postgresql://" in refused.err
    assert "s3cr3t" not in shown.out + shown.err + refused.err


def test_a_ledger_of_the_first_version_is_migrated(postgres: PostgresServer, url: str) -> None:
    with Ledger(url) as ledger:
        store_voice(ledger)
    postgres.run("ALTER TABLE onetake.voices DROP COLUMN likeness; UPDATE onetake.ledger SET version = 1", url)
    with Ledger(url) as ledger:
        (voice,) = ledger.voices.all()
        ledger.voices.set_likeness(voice, 0.5)
        assert ledger.voices.find("take").likeness == 0.5
