"""Previews and downloads: an unwritable file is refused early, and a failed download never loses the voice."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.onetake.conftest import Say
from tests.support.scripted_service import Behaviour, ScriptedServer, answers, closes_after_reading, http, pages, says
from tests.support.selection import parametrize_some
from tests.support.services import FIXTURES, Services, ledger_dump, paid_calls

GOOD = str(FIXTURES / "good.wav")
PREVIEW = ("--text", "Hello.", "--model", "speech-2.8-hd")


@pytest.fixture(autouse=True)
def _real(services: Services, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in services.settings().items():
        monkeypatch.setenv(name, value)


def test_an_existing_preview_is_replaced_only_with_force(say: Say, home: Path) -> None:
    Path("demo.mp3").write_bytes(b"old")
    for more in ((), ("--dry-run",)):
        refused = say("clone", GOOD, *PREVIEW, "--demo", "demo.mp3", *more)
        assert refused.status == 2
        assert "'demo.mp3' exists" in refused.err
    assert paid_calls(home) == []
    assert Path("demo.mp3").read_bytes() == b"old"
    assert say("clone", GOOD, *PREVIEW, "--demo", "demo.mp3", "--force").status == 0
    assert len(Path("demo.mp3").read_bytes()) > 1000
    assert [path.name for path in Path.cwd().iterdir()] == ["demo.mp3"]


@parametrize_some("name", [b"new\nline.mp3", b"latin-\xff.mp3", b"-x.mp3"], fast=1)
def test_a_preview_with_any_name_does_not_lose_the_voice(say: Say, name: bytes) -> None:
    ran = say("clone", GOOD, *PREVIEW, "--json", "--demo", f"./{os.fsdecode(name)}")
    assert ran.status == 0
    assert json.loads(ran.out)["demo"] == name.decode("utf-8", "backslashreplace")
    assert (Path.cwd() / os.fsdecode(name)).stat().st_size > 1000


def test_the_likeness_of_the_preview_is_kept_with_the_voice(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = http(200, (FIXTURES / "good.mp3").read_bytes(), kind="audio/mpeg")
    with ScriptedServer(says(recording)) as demos:
        answer = {"voice_id": "voice_paid", "demo_audio_url": f"{demos.base_url}/demo.mp3"}
        with ScriptedServer(answers(200, answer)) as endpoint:
            monkeypatch.setenv("ONETAKE_BASE_URL", endpoint.base_url)
            cloned = json.loads(say("clone", GOOD, *PREVIEW, "--json", "--demo", "demo.mp3").out)
    assert 0.9 < cloned["likeness"] <= 1
    (voice,) = json.loads(say("voices", "--json").out)["voices"]
    assert voice["likeness"] == cloned["likeness"]
    assert f"likeness {cloned['likeness']:.2f}" in say("voices").out


def test_an_unwritable_preview_is_refused_before_anything_is_sent(say: Say, services: Services) -> None:
    before = services.endpoint.account()["requests"]
    Path("folder").mkdir()
    os.mkfifo("pipe")
    Path("take.wav").write_bytes(Path(GOOD).read_bytes())
    Path("link.wav").symlink_to("take.wav")
    for place in ("folder", "missing/demo.mp3", "pipe", "/dev/null", "take.wav", "link.wav", "take.wav/demo.mp3"):
        ran = say("clone", "take.wav", *PREVIEW, "--demo", place)
        assert (ran.status, ran.out) == (2, ""), place
        assert place in ran.err
        assert len(ran.err.splitlines()) == 2
    assert services.endpoint.account()["requests"] == before
    assert Path("take.wav").read_bytes() == Path(GOOD).read_bytes()


@parametrize_some(
    ("link", "left"),
    [
        (pages(200), []),
        (says(http(200, b"RIFFnonsense" * 100, kind="audio/mpeg")), ["demo.mp3.answer"]),
        (None, []),
    ],
    fast=1,
)
def test_a_preview_that_cannot_be_fetched_is_a_warning(
    say: Say,
    home: Path,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    link: Behaviour | None,
    left: list[str],
) -> None:
    with ScriptedServer(link or closes_after_reading) as demos:
        url = f"{demos.base_url}/demo.mp3?X-Amz-Signature=feedfacefeedface"
        answer = {"voice_id": "voice_paid", **({"demo_audio_url": url} if link else {})}
        with ScriptedServer(answers(200, answer)) as endpoint:
            monkeypatch.setenv("ONETAKE_BASE_URL", endpoint.base_url)
            ran = say("clone", GOOD, *PREVIEW, "--demo", "demo.mp3", "--json")
    said = json.loads(ran.out)
    assert (ran.status, said["voice_id"], said["demo"]) == (0, "voice_paid", None)
    assert len(said["warnings"]) == 1
    assert said["warnings"][0] in ran.err
    assert [path.name for path in Path.cwd().iterdir()] == left
    assert services.objects() == {}
    assert "feedface" not in ran.out + ran.err
    assert ("onetake voices demo good -o demo.mp3" in said["warnings"][0]) == (link is not None)
    assert (url in ledger_dump(home)) == (link is not None)


def test_a_preview_can_be_downloaded_later(say: Say, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = http(200, (FIXTURES / "good.mp3").read_bytes(), kind="audio/mpeg")
    with ScriptedServer(pages(200), says(recording)) as demos:
        answer = {"voice_id": "voice_paid", "demo_audio_url": f"{demos.base_url}/demo.mp3?token=feedface"}
        with ScriptedServer(answers(200, answer)) as endpoint:
            monkeypatch.setenv("ONETAKE_BASE_URL", endpoint.base_url)
            assert say("clone", GOOD, *PREVIEW, "--demo", "demo.mp3").status == 0
            monkeypatch.delenv("ONETAKE_API_KEY")
            fetched = say("voices", "demo", "good", "-o", "demo.mp3", "--json")
            assert endpoint.connections == 1
        assert b"Authorization" not in b"".join(demos.requests)
    size = (FIXTURES / "good.mp3").stat().st_size
    expected = {"schema_version": 1, "voice_id": "voice_paid", "name": "good", "out": "demo.mp3", "bytes": size}
    assert (fetched.status, json.loads(fetched.out)) == (0, expected)
    assert Path("demo.mp3").read_bytes() == (FIXTURES / "good.mp3").read_bytes()
    again = say("voices", "demo", "good", "-o", "demo.mp3")
    assert (again.status, "exists" in again.err) == (2, True)


def test_an_expired_link_is_reported_with_an_alternative(say: Say, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(answers(403, {})) as demos:
        answer = {"voice_id": "voice_paid", "demo_audio_url": f"{demos.base_url}/demo.mp3?token=feedface"}
        with ScriptedServer(answers(200, answer)) as endpoint:
            monkeypatch.setenv("ONETAKE_BASE_URL", endpoint.base_url)
            assert say("clone", GOOD).status == 0
        long_ago(home)
        ran = say("voices", "demo", "good", "-o", "demo.mp3", "--json")
        assert demos.connections == 1  # an old link that is refused is not retried
    error = json.loads(ran.out)["error"]
    assert (ran.status, error["kind"]) == (4, "link-expired")
    assert "onetake say good" in error["hint"]
    assert "charged" in error["hint"]
    assert not Path("demo.mp3").exists()


def test_a_voice_without_a_link_has_no_preview(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(answers(200, {"voice_id": "voice_paid"})) as endpoint:
        monkeypatch.setenv("ONETAKE_BASE_URL", endpoint.base_url)
        assert say("clone", GOOD).status == 0
    for what in ("demo", "speech"):
        ran = say("voices", what, "good", "-o", "demo.mp3", "--json")
        error = json.loads(ran.out)["error"]
        assert (ran.status, error["kind"]) == (2, "link-missing")
        assert "onetake say good" in error["hint"]


def long_ago(home: Path) -> None:
    """Make the voices of the ledger a day older."""
    with contextlib.closing(sqlite3.connect(home / "onetake" / "ledger.sqlite3")) as connection, connection:
        yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        connection.execute("UPDATE voices SET created_at = ?", (yesterday,))


@pytest.mark.slow
def test_an_invalid_link_is_a_warning(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    for link in ("ftp://x/demo.mp3", "nonsense", "http://[", "file:///etc/passwd"):
        with ScriptedServer(answers(200, {"voice_id": "voice_paid", "demo_audio_url": link})) as endpoint:
            monkeypatch.setenv("ONETAKE_BASE_URL", endpoint.base_url)
            ran = say("clone", GOOD, *PREVIEW, "--demo", "demo.mp3", "--json")
        assert (ran.status, json.loads(ran.out)["voice_id"]) == (0, "voice_paid"), link
        assert "bug" not in ran.err


def test_a_preview_in_the_answer_is_saved(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = (FIXTURES / "good.mp3").read_bytes()
    uri = "data:audio/mpeg;base64," + base64.b64encode(recording).decode()
    with ScriptedServer(answers(200, {"voice_id": "voice_paid", "demo_audio_url": uri})) as endpoint:
        monkeypatch.setenv("ONETAKE_BASE_URL", endpoint.base_url)
        said = json.loads(say("clone", GOOD, *PREVIEW, "--demo", "demo.mp3", "--json").out)
    assert (said["voice_id"], said["demo"]) == ("voice_paid", "demo.mp3")
    assert Path("demo.mp3").read_bytes() == recording


def test_a_preview_in_the_answer_is_saved_elsewhere_if_its_folder_is_gone(
    say: Say, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = (FIXTURES / "good.mp3").read_bytes()
    Path("previews").mkdir()

    def answer_after_removing(sock: socket.socket, server: ScriptedServer) -> None:
        Path("previews").rmdir()
        answers(200, {"voice_id": "voice_paid", "demo_audio": recording.hex()})(sock, server)

    with ScriptedServer(answer_after_removing) as endpoint:
        monkeypatch.setenv("ONETAKE_BASE_URL", endpoint.base_url)
        said = json.loads(say("clone", GOOD, *PREVIEW, "--demo", "previews/demo.mp3", "--json").out)
    assert (said["voice_id"], said["demo"]) == ("voice_paid", None)
    (saved,) = home.rglob("speech-*.mp3")
    assert saved.read_bytes() == recording
    assert str(saved) in said["warnings"][-1]
    assert "onetake voices demo" not in said["warnings"][-1]
