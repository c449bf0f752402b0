"""Speech calls: none is paid for twice without `--again`, and no paid audio is lost."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from onetake.ledger import Claimed, CloneKey, Ledger
from tests.onetake.conftest import Say
from tests.support.scripted_service import (
    Behaviour,
    ScriptedServer,
    answers,
    closes_after_reading,
    http,
    says,
    take_request,
)
from tests.support.services import FIXTURES, KEY

SOUND = (FIXTURES / "good.mp3").read_bytes()
SPOKEN = answers(200, {"audio": SOUND.hex(), "status": 2})
LOST = closes_after_reading
Serving = Callable[..., ScriptedServer]


@pytest.fixture
def serving(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    """A scripted service, and its voice anna in the ledger."""
    opened: list[ScriptedServer] = []

    def serve(*behaviours: Behaviour) -> ScriptedServer:
        server = ScriptedServer(*behaviours)
        opened.append(server)
        server.__enter__()
        monkeypatch.setenv("ONETAKE_API_KEY", KEY)
        monkeypatch.setenv("ONETAKE_BASE_URL", server.base_url)
        now = datetime.now(UTC)
        with Ledger(home / "onetake") as ledger:
            clone_key_of = CloneKey(sha256="a", request="r", bytes=1, path="/anna.wav")
            claimed = ledger.attempts.claim(clone_key_of, base_url=server.base_url, options={})
            assert isinstance(claimed, Claimed)
            ledger.attempts.called(claimed.attempt, now)
            ledger.attempts.gave_voice(claimed.attempt, "voice_anna", now, now + timedelta(hours=168))
        return server

    yield serve
    for server in opened:
        server.__exit__(None, None, None)


def anna(say: Say) -> dict[str, Any]:
    (voice,) = json.loads(say("voices", "--json").out)["voices"]
    return dict(voice)


UNKNOWN = {
    "lost": LOST,
    "500": answers(500, {"code": 500, "reason": "INTERNAL", "message": "deadline"}, "Trace-Id: trace-500"),
    "1001": answers(200, {"base_resp": {"status_code": 1001, "status_msg": "timeout"}}),
    "408": answers(408, {"error": {"message": "timeout"}}),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_keep_does_not_pay_again_after_an_unknown_outcome(say: Say, serving: Serving, name: str) -> None:
    server = serving(UNKNOWN[name], SPOKEN)
    first = say("keep", "anna", "--json")
    (voice,) = json.loads(first.out)["voices"]
    assert (first.status, voice["kept"], server.connections) == (5, False, 1)
    second = say("keep", "--all")
    assert (second.status, server.connections) == (5, 1)
    assert "--again" in second.err
    listed = say("voices", "--unknown", "--json")
    (call,) = json.loads(listed.out)["unknown_speeches"]
    assert (listed.status, call["purpose"], call["name"]) == (5, "keep", "anna")
    assert call["trace_id"] == ("trace-500" if name == "500" else None)
    assert f"settle {call['id']} --kept" in say("voices", "--unknown").out
    assert anna(say)["kept_at"] is None
    assert say("keep", "anna", "--again").status == 0
    assert server.connections == 2
    assert anna(say)["kept_at"]


def test_an_unknown_call_is_settled(say: Say, serving: Serving) -> None:
    server = serving(LOST, SPOKEN)
    assert say("keep", "anna").status == 5
    (call,) = json.loads(say("voices", "--unknown", "--json").out)["unknown_speeches"]
    for arguments in ((), ("--kept", "--failed"), ("--voice", "v")):
        assert say("voices", "settle", call["id"], *arguments).status == 2
    settled = json.loads(say("voices", "settle", call["id"], "--kept", "--json").out)
    assert (settled["name"], settled["kept"]) == ("anna", True)
    assert anna(say)["kept_at"]
    assert say("voices", "--unknown").status == 0
    assert (say("keep", "anna").status, server.connections) == (0, 1)


def test_say_does_not_pay_again_for_the_same_text(say: Say, serving: Serving) -> None:
    server = serving(LOST, SPOKEN)
    assert say("say", "anna", "Hello.", "-o", "a.mp3").status == 5
    again = say("say", "anna", "Hello.", "-o", "b.mp3", "--json")
    error = json.loads(again.out)["error"]
    assert (again.status, error["kind"], server.connections) == (5, "not-settled", 1)
    assert "--again" in error["hint"]
    assert say("say", "anna", "Another text.", "-o", "c.mp3").status == 0
    assert say("say", "anna", "Hello.", "-o", "b.mp3", "--again").status == 0
    assert (server.connections, Path("b.mp3").read_bytes()) == (3, SOUND)


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (answers(401, {"code": 401, "reason": "FAILED_TO_AUTH", "message": "no"}), "key-refused"),
        (answers(200, {"base_resp": {"status_code": 2054, "status_msg": "voice id not exist"}}), "voice-not-found"),
    ],
)
def test_a_refused_call_does_not_block_the_next(say: Say, serving: Serving, behaviour: Behaviour, kind: str) -> None:
    server = serving(behaviour, SPOKEN)
    ran = say("keep", "anna", "--json")
    (voice,) = json.loads(ran.out)["voices"]
    assert (ran.status, voice["error"]["kind"]) == (4, kind)
    assert say("voices", "--unknown").status == 0
    assert (say("keep", "anna").status, server.connections) == (0, 2)


def test_keep_needs_no_audio(say: Say, serving: Serving) -> None:
    server = serving(answers(200, {"data": None, "base_resp": {"status_code": 0, "status_msg": "success"}}))
    assert say("keep", "anna").status == 0
    assert anna(say)["kept_at"]
    assert server.connections == 1


def test_say_reports_a_success_without_audio(say: Say, serving: Serving) -> None:
    serving(answers(200, {"data": None, "base_resp": {"status_code": 0, "status_msg": "success"}}))
    ran = say("say", "anna", "Hello.", "-o", "a.mp3", "--json")
    assert (ran.status, json.loads(ran.out)["error"]["kind"]) == (4, "no-audio")
    assert anna(say)["kept_at"]


@pytest.mark.parametrize(
    ("behaviour", "saved", "status"),
    [
        (answers(200, {"audio": b"no sound at all".hex(), "status": 2}), b"no sound at all", 4),
        (says(http(200, b"<html>" + b"x" * 100, kind="text/html")), b"<html>" + b"x" * 100, 5),
    ],
)
def test_an_answer_that_is_not_audio_is_saved_under_another_name(
    say: Say, serving: Serving, behaviour: Behaviour, saved: bytes, status: int
) -> None:
    serving(behaviour)
    Path("a.mp3.answer").write_bytes(b"of an earlier run")
    ran = say("say", "anna", "Hello.", "-o", "a.mp3")
    assert ran.status == status
    assert "a.mp3.2.answer" in ran.err
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["a.mp3.2.answer", "a.mp3.answer"]
    assert Path("a.mp3.2.answer").read_bytes() == saved
    assert Path("a.mp3.answer").read_bytes() == b"of an earlier run"


@pytest.mark.parametrize(
    "behaviour",
    [
        says(http(200, SOUND, kind="audio/mpeg")),
        answers(200, {"audio_file": SOUND.hex()}),
    ],
)
def test_audio_in_another_format_is_saved(say: Say, serving: Serving, behaviour: Behaviour) -> None:
    serving(behaviour)
    ran = say("say", "anna", "Hello.", "-o", "a.mp3", "--json")
    spoken = json.loads(ran.out)
    assert (ran.status, Path("a.mp3").read_bytes()) == (0, SOUND)
    assert spoken["warnings"]
    assert spoken["warnings"][0] in ran.err


def test_the_audio_is_not_lost_if_the_folder_disappears(say: Say, serving: Serving, home: Path) -> None:
    Path("out").mkdir()

    def speak_and_remove(line: Any, server: ScriptedServer) -> None:
        take_request(line, server)
        for path in Path("out").iterdir():
            path.unlink()
        Path("out").rmdir()
        line.sendall(http(200, json.dumps({"audio": SOUND.hex(), "status": 2}).encode()))

    serving(speak_and_remove)
    ran = say("say", "anna", "Hello.", "-o", "out/a.mp3", "--json")
    error = json.loads(ran.out)["error"]
    (saved,) = (home / "onetake").glob("speech-*.mp3")
    assert (ran.status, error["kind"]) == (2, "saved-elsewhere")
    assert str(saved) in error["message"]
    assert saved.read_bytes() == SOUND
    assert saved.stat().st_mode & 0o077 == 0
    assert anna(say)["kept_at"]


def test_a_linked_speech_is_downloaded_later(say: Say, serving: Serving) -> None:
    page = says(http(200, b"<html></html>", kind="text/html"))
    with ScriptedServer(page, says(http(200, SOUND, kind="audio/mpeg"))) as audio:
        server = serving(answers(200, {"audio": f"{audio.base_url}/speech.mp3?token=feedface", "status": 2}))
        ran = say("say", "anna", "Hello.", "-o", "a.mp3", "--link", "--json")
        error = json.loads(ran.out)["error"]
        assert ran.status == 4
        assert "onetake voices speech anna -o OUT" in error["hint"]
        assert "feedface" not in ran.out + ran.err
        assert say("voices", "speech", "anna", "-o", "a.mp3").status == 0
    assert Path("a.mp3").read_bytes() == SOUND
    assert server.connections == 1
    assert anna(say)["kept_at"]


def test_an_unwritable_file_is_refused_before_the_call(say: Say, serving: Serving) -> None:
    server = serving(SPOKEN)
    os.mkfifo("a.mp3")
    Path("b.mp3").write_bytes(b"old")
    for out in ("a.mp3", "b.mp3", "missing/c.mp3"):
        assert say("say", "anna", "Hello.", "-o", out).status == 2, out
    assert say("say", "anna", "Hello.", "-o", "a.mp3", "--force").status == 2
    assert server.connections == 0


def test_a_speech_that_was_not_saved_is_not_paid_for_again(say: Say, serving: Serving) -> None:
    def answers_with_a_link(sock: socket.socket, server: ScriptedServer) -> None:
        answers(200, {"audio": f"{server.base_url}/my speech.mp3"})(sock, server)

    audio = says(http(200, SOUND, kind="audio/mpeg"))
    server = serving(answers_with_a_link, answers(410, {}), audio, SPOKEN)
    command = ("say", "anna", "Hello.", "-o", "out.mp3")
    assert say(*command).status == 4
    second = say(*command, "--json")
    assert (second.status, json.loads(second.out)["error"]["kind"]) == (4, "speech-not-saved")
    assert "voices speech anna" in second.err
    assert server.connections == 2  # the call, and its link
    assert say("voices", "speech", "anna", "-o", "first.mp3").status == 0
    assert say(*command).status == 0  # it was saved: the same text may be read once more
    assert server.connections == 4


def test_a_success_without_audio_is_not_paid_for_again_without_again(say: Say, serving: Serving) -> None:
    server = serving(answers(200, {"data": None, "base_resp": {"status_code": 0}}), SPOKEN)
    command = ("say", "anna", "Hello.", "-o", "out.mp3")
    assert [say(*command).status for _ in range(2)] == [4, 4]
    assert server.connections == 1
    assert say(*command, "--again").status == 0
    assert say(*command, "--force").status == 0
    assert server.connections == 3
