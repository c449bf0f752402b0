"""Voices: list, keep, speak, rename, settle; and abandoned uploads."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sqlite3
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import preflight
from client import SPEECH_MODELS
from onetake.config.settings import load
from onetake.ledger import Ledger
from onetake.sandbox.endpoint import StandInEndpoint
from tests.onetake.conftest import Say
from tests.support.scripted_service import ScriptedServer, answers, closes_after_reading
from tests.support.selection import parametrize_some
from tests.support.services import FIXTURES, KEY, Services, ledger_dump, paid_calls

GOOD = str(FIXTURES / "good.wav")
OTHER = str(FIXTURES / "good.mp3")


class Clock:
    """The stand-in's clock, which a test can move."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock(services: Services, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """A stand-in of the test's own, to which the settings lead."""
    clock = Clock()
    with StandInEndpoint(KEY, now=clock) as endpoint:
        for name, value in services.settings(ONETAKE_BASE_URL=endpoint.base_url).items():
            monkeypatch.setenv(name, value)
        yield clock


def voices(say: Say) -> dict[str, dict[str, Any]]:
    listed = json.loads(say("voices", "--json").out)["voices"]
    return {voice["name"]: voice for voice in listed}


@pytest.mark.slow
def test_a_kept_voice_outlives_others(say: Say, home: Path, clock: Clock) -> None:
    assert say("clone", GOOD, "--name", "anna").status == 0
    assert say("clone", OTHER, "--name", "ben").status == 0
    assert say("voices", "--warn", "7d").status == 1
    assert say("voices", "--warn", "160h").status == 0
    assert say("keep", "--expiring", "48h").out == "no voices to keep\n"
    ran = say("keep", "anna", "--json")
    assert json.loads(ran.out)["voices"] == [
        {"voice_id": voices(say)["anna"]["voice_id"], "name": "anna", "kept": True, "error": None}
    ]
    assert voices(say)["anna"]["seconds_left"] is None
    assert 0 < voices(say)["ben"]["seconds_left"] <= 168 * 3600
    clock.ahead = timedelta(hours=169)
    assert say("say", "anna", "Still here.", "-o", "anna.mp3").status == 0
    gone = say("say", "ben", "Still here.", "-o", "ben.mp3", "--json")
    assert (gone.status, json.loads(gone.out)["error"]["kind"]) == (4, "voice-not-found")
    assert not Path("ben.mp3").exists()
    listed = voices(say)
    assert (listed["anna"]["lives"], listed["ben"]["lives"]) == (True, False)
    assert "gone" in say("voices").out
    assert json.loads(say("clone", GOOD, "--json").out)["known"]
    assert not json.loads(say("clone", OTHER, "--json").out)["known"]


def test_keep_expiring_keeps_all_voices_that_expire_soon(say: Say, home: Path, clock: Clock) -> None:
    assert say("clone", GOOD, OTHER).status == 0
    ran = say("keep", "--expiring", "170h")
    assert (ran.status, len(ran.out.splitlines())) == (0, 2)
    assert say("keep", "--all").out == "no voices to keep\n"
    assert all(voice["kept_at"] for voice in voices(say).values())


def test_a_deleted_voice_does_not_stop_the_others_from_being_kept(say: Say, home: Path, clock: Clock) -> None:
    assert say("clone", GOOD, "--name", "old").status == 0
    clock.ahead = timedelta(hours=169)
    assert say("clone", OTHER, "--name", "new").status == 0
    ran = say("keep", "old", "new")
    assert ran.status == 4
    assert "old was not kept" in ran.err
    assert ran.out.startswith("kept  new")


@parametrize_some(
    ("model", "ending", "more"),
    [
        *((model, ".mp3", ()) for model in SPEECH_MODELS),
        *((model, ".wav", ("--link",)) for model in SPEECH_MODELS[::7]),  # the oldest and the newest
        *((model, ".flac", ()) for model in SPEECH_MODELS[::7]),
    ],
    fast=1,
)
def test_every_model_speaks_in_every_format(
    say: Say, home: Path, clock: Clock, model: str, ending: str, more: tuple[str, ...]
) -> None:
    assert say("clone", GOOD).status == 0
    out = f"said{ending}"
    ran = say("say", "good", "A few words.", "-o", out, "--model", model, "--json", *more)
    assert ran.status == 0, ran.err
    spoken = json.loads(ran.out)
    assert (spoken["out"], spoken["bytes"]) == (out, Path(out).stat().st_size)
    assert preflight.check(out).file.duration_s
    assert stat.S_IMODE(Path(out).stat().st_mode) == 0o644
    assert list(Path.cwd().iterdir()) == [Path.cwd() / out]
    assert say("say", "good", "A few words.", "-o", out).status == 2
    assert say("say", "good", "A few words.", "-o", out, "--force").status == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nobody", "Text.", "-o", "a.mp3"), "has no voice 'nobody'"),
        (("good", "Text.", "-o", "a.ogg"), "no supported file extension"),
        (("good", "Text.", "-o", "nowhere/a.mp3"), "cannot be written"),
        (("good", "", "-o", "a.mp3"), "text"),
        (("good", "Text.", "-o", "a.mp3", "--model", "nonsense"), "model"),
        (("good", "Text.", "-o", "a.mp3", "--base-url", "http://127.0.0.1:9"), "was made by"),
    ],
)
def test_an_invalid_speech_request_is_refused_before_the_call(
    say: Say, home: Path, clock: Clock, arguments: tuple[str, ...], message: str
) -> None:
    assert say("clone", GOOD).status == 0
    ran = say("say", *arguments)
    assert ran.status == 2
    assert message in ran.err
    assert list(Path.cwd().iterdir()) == []


def test_a_lost_answer_is_listed_and_settled(
    say: Say, home: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer(closes_after_reading) as endpoint:
        for name, value in services.settings(ONETAKE_BASE_URL=endpoint.base_url).items():
            monkeypatch.setenv(name, value)
        assert say("clone", GOOD).status == 5
        (call,) = paid_calls(home)
        ran = say("voices", "--unknown")
        assert ran.status == 5
        assert call["id"] in ran.out
        again = json.loads(say("clone", GOOD, "--json").out)["error"]
        assert again["kind"] == "not-settled"
        assert call["id"] in again["hint"]
        assert json.loads(say("clone", GOOD, OTHER, "--format", "json").out)["summary"] == {"unknown": 2}
        assert endpoint.connections == 2
        for arguments in ((), ("--failed", "--voice", "v")):
            assert say("voices", "settle", call["id"], *arguments).status == 2
        assert say("voices", "settle", "nonsense", "--failed").status == 2
        assert say("voices", "settle", call["id"], "--voice", "voice_found").status == 0
        assert json.loads(say("clone", GOOD, "--json").out)["voice_id"] == "voice_found"
        assert endpoint.connections == 2


@pytest.mark.slow
def test_voices_are_exported_renamed_and_forgotten(say: Say, home: Path, clock: Clock) -> None:
    assert say("voices").out == "no voices yet\n"
    assert say("clone", GOOD, "--consent", 'Ann "A." Example, today').status == 0
    (row,) = csv.DictReader(io.StringIO(say("voices", "export").out))
    assert (row["name"], row["consent"], row["take"]) == ("good", 'Ann "A." Example, today', GOOD)
    (voice,) = json.loads(say("voices", "export", "--format", "json").out)["voices"]
    assert voice["voice_id"] == row["voice_id"]
    assert say("voices", "rename", "good", "anna").status == 0
    assert list(voices(say)) == ["anna"]
    assert say("voices", "forget", row["voice_id"], "--yes").status == 0
    assert voices(say) == {}
    assert not json.loads(say("clone", GOOD, "--json").out)["known"]


def leave_behind(ledger: Ledger) -> None:
    """Upload like a run that is killed before it deletes its upload."""
    storage = load({}).storage()
    reserve = partial(ledger.uploads.add, storage.place)
    storage.upload(GOOD, content_type="audio/wav", suffix=".wav", announce=reserve)


def long_ago(home: Path) -> None:
    """Backdate the uploads: a cleanup waits some seconds for recent ones to appear."""
    with contextlib.closing(sqlite3.connect(home / "onetake" / "ledger.sqlite3")) as connection, connection:
        connection.execute("UPDATE uploads SET reserved_at = '2026-01-01T00:00:00+00:00'")


@pytest.mark.slow
def test_clean_deletes_abandoned_uploads_only(say: Say, home: Path, services: Services, clock: Clock) -> None:
    assert say("upload", GOOD).status == 0
    (wanted,) = services.objects()
    assert say("clone", OTHER, "--keep-upload").status == 0
    kept = set(services.objects())
    with Ledger(home / "onetake") as ledger:
        leave_behind(ledger)
        ledger.uploads.add("https://elsewhere.example/bucket", "other.wav")
        assert "no leftover uploads" in say("storage", "clean").out  # its run is alive
    long_ago(home)
    left = set(services.objects()) - kept
    ran = say("storage", "clean", "--json")
    cleaned = json.loads(ran.out)
    assert (ran.status, set(cleaned["deleted"])) == (0, left)
    assert [upload["key"] for upload in cleaned["elsewhere"]] == ["other.wav"]
    assert set(services.objects()) == kept
    assert wanted in kept
    services.empty()


@pytest.mark.slow
def test_the_next_clone_deletes_abandoned_uploads(say: Say, home: Path, services: Services, clock: Clock) -> None:
    with Ledger(home / "onetake") as ledger:
        leave_behind(ledger)
    assert len(services.objects()) == 1
    assert say("clone", OTHER).status == 0
    assert services.objects() == {}
    assert "X-Amz" not in ledger_dump(home)


def test_the_policy_names_bucket_and_prefix(say: Say, home: Path) -> None:
    said = json.loads(say("storage", "policy", "--bucket", "takes", "--prefix", "in/", "--json").out)
    objects, bucket = said["policy"]["Statement"]
    assert (objects["Resource"], bucket["Resource"]) == ("arn:aws:s3:::takes/in/*", "arn:aws:s3:::takes")
    assert said["lifecycle"]["Rules"][0]["Filter"] == {"Prefix": "in/"}
    assert "# lifecycle" in say("storage", "policy").out


def test_undecodable_speech_keeps_the_voice_and_is_saved_under_another_name(
    say: Say, home: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    speech = answers(200, {"audio": b"no sound".hex(), "status": 2})
    with ScriptedServer(answers(200, {"voice_id": "voice_paid"}), speech) as endpoint:
        for name, value in services.settings(ONETAKE_BASE_URL=endpoint.base_url).items():
            monkeypatch.setenv(name, value)
        assert say("clone", GOOD).status == 0
        ran = say("say", "good", "Hello.", "-o", "out.mp3")
        assert ran.status == 4
        assert "'out.mp3.answer'" in ran.err
        assert [(path.name, path.read_bytes()) for path in Path.cwd().iterdir()] == [("out.mp3.answer", b"no sound")]
        assert voices(say)["good"]["kept_at"]
