"""One paid clone when something fails around the call: the ledger, the preview, an interruption. The voice is kept."""

from __future__ import annotations

import socket
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from client import CloneOptions, OutcomeUnknown
from onetake.clones.cloner import Cloner, make_cloner
from onetake.clones.request import CloneRequest
from onetake.config.settings import load
from onetake.ledger import Ledger
from tests.onetake.clones.conftest import Recorder, request_for
from tests.support.scripted_service import Behaviour, ScriptedServer, answers
from tests.support.services import FIXTURES, Services, paid_calls

VOICE = {"voice_id": "voice_paid"}
PREVIEW = CloneOptions(text="Hello.", model="speech-2.8-hd")


def after(action: Callable[[], None], answer: Behaviour) -> Behaviour:
    """Run `action` when the call has arrived, and then answer it."""

    def behave(sock: socket.socket, server: ScriptedServer) -> None:
        action()
        answer(sock, server)

    return behave


def cloner_at(server: ScriptedServer, ledger: Ledger, recorder: Recorder) -> Cloner:
    return make_cloner(load({"base_url": server.base_url}), ledger, recorder)


def with_preview(tmp_path: Path, **changes: object) -> CloneRequest:
    return replace(request_for(options=PREVIEW), demo=tmp_path / "demo.mp3", **changes)  # type: ignore[arg-type]


def refuse(home: Path, table: str, event: str) -> None:
    """Let the database refuse one kind of change, as it does on a full or damaged disk."""
    with sqlite3.connect(next(home.rglob("ledger.sqlite3"))) as connection:
        connection.execute(
            f"CREATE TRIGGER broken BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"
        )


def test_a_voice_that_cannot_be_stored_is_printed_with_the_command_that_stores_it(
    cloner: Cloner, ledger: Ledger, recorder: Recorder, home: Path
) -> None:
    with ScriptedServer(after(lambda: refuse(home, "voices", "INSERT"), answers(200, VOICE))) as server:
        cloned = cloner_at(server, ledger, recorder).clone(request_for(name="ann"), recorder)
    (call,) = paid_calls(home)
    assert (cloned.voice_id, cloned.name) == ("voice_paid", None)
    (warning,) = [text for text in recorder.warnings if "WRITE THIS DOWN" in text]
    assert f"onetake voices settle {call['id']} --voice voice_paid" in warning
    assert call["state"] == "called", "the next run finds that this call was never settled"


def test_an_outcome_that_cannot_be_stored_is_a_warning_beside_the_error(
    cloner: Cloner, ledger: Ledger, recorder: Recorder, home: Path
) -> None:
    lost = after(lambda: refuse(home, "attempts", "UPDATE"), answers(504, {"message": "upstream timed out"}))
    with ScriptedServer(lost) as server, pytest.raises(OutcomeUnknown, match="upstream timed out"):
        cloner_at(server, ledger, recorder).clone(request_for(), recorder)
    (call,) = paid_calls(home)
    assert call["state"] == "called"
    assert any(f"attempt {call['id']} could not be stored as unknown" in text for text in recorder.warnings)


def test_a_voice_that_belongs_to_another_recording_is_a_warning(
    cloner: Cloner, ledger: Ledger, recorder: Recorder
) -> None:
    with ScriptedServer(answers(200, VOICE)) as server:
        shared = cloner_at(server, ledger, recorder)
        shared.clone(request_for("good.m4a"), recorder)
        assert recorder.warnings == []
        shared.clone(request_for("good.mp3"), recorder)
    assert any("the service returned the voice that it made for" in text for text in recorder.warnings)
    assert any("good.m4a" in text for text in recorder.warnings)


def test_an_answer_without_a_preview_is_a_warning_and_the_voice_counts(
    cloner: Cloner, ledger: Ledger, recorder: Recorder, home: Path, tmp_path: Path
) -> None:
    request = with_preview(tmp_path)
    with ScriptedServer(answers(200, VOICE)) as server:
        cloned = cloner_at(server, ledger, recorder).clone(request, recorder)
    assert (cloned.voice_id, cloned.demo, cloned.likeness) == ("voice_paid", None, None)
    assert any("the service sent no preview" in text for text in recorder.warnings)
    assert [call["state"] for call in paid_calls(home)] == ["voice"]
    assert not (tmp_path / "demo.mp3").exists()


def test_a_preview_inside_the_answer_that_is_not_audio_is_kept(
    cloner: Cloner, ledger: Ledger, recorder: Recorder, tmp_path: Path
) -> None:
    request = with_preview(tmp_path)
    with ScriptedServer(answers(200, {**VOICE, "demo_audio": b"no sound at all".hex()})) as server:
        cloned = cloner_at(server, ledger, recorder).clone(request, recorder)
    assert cloned.voice_id == "voice_paid"
    assert any(b"no sound at all" in path.read_bytes() for path in tmp_path.iterdir() if path.is_file())


def test_the_preview_is_compared_with_the_recording(
    cloner: Cloner, ledger: Ledger, recorder: Recorder, tmp_path: Path
) -> None:
    preview = (FIXTURES / "good.mp3").read_bytes()
    with ScriptedServer(answers(200, {**VOICE, "demo_audio": preview.hex()})) as server:
        cloned = cloner_at(server, ledger, recorder).clone(with_preview(tmp_path), recorder)
    assert (tmp_path / "demo.mp3").read_bytes() == preview
    assert cloned.likeness == pytest.approx(1, abs=0.02), "the preview is the recording itself, in another format"
    assert ledger.voices.find(cloned.voice_id).likeness == cloned.likeness


def test_a_kept_upload_of_a_failed_call_is_deleted_all_the_same(
    cloner: Cloner, ledger: Ledger, recorder: Recorder, services: Services
) -> None:
    with ScriptedServer(answers(400, {"message": "audio_url cannot be read"})) as server:
        refused = cloner_at(server, ledger, recorder)
        with pytest.raises(Exception, match="audio_url cannot be read"):
            refused.clone(request_for(keep_upload=True), recorder)
    assert services.objects() == {}


def test_two_recordings_at_once_get_a_voice_each(cloner: Cloner, ledger: Ledger, recorder: Recorder) -> None:
    names = ("good.m4a", "good.mp3", "good.wav")
    found: dict[str, str] = {}

    def clone(name: str) -> None:
        found[name] = cloner.clone(request_for(name), Recorder()).voice_id

    threads = [threading.Thread(target=clone, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({found[name] for name in names}) == len(names)
    assert {ledger.voices.find(voice).voice_id for voice in found.values()} == set(found.values())
