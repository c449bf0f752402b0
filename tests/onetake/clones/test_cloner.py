"""One clone, with real storage and the stand-in endpoint: order of the steps, states in the ledger, and failures."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from client import CloneOptions, OutcomeUnknown, ServiceError
from onetake.clones.attempt import CloneContext
from onetake.clones.cloner import Cloner, make_cloner
from onetake.clones.prepare import prepare_request
from onetake.clones.request import CloneRequest
from onetake.config.settings import load
from onetake.errors import CloneInProgress, ConsentMissing, LedgerFailed, NotSettled, UsageError
from onetake.ledger import Ledger
from tests.onetake.clones.conftest import Recorder, request_for
from tests.support.processes import wait_until
from tests.support.scripted_service import Behaviour, ScriptedServer, answers, closes_after_reading
from tests.support.services import FIXTURES, Services, paid_calls
from uploader import StorageError


@contextlib.contextmanager
def cloner_for(behaviour: Behaviour, ledger: Ledger, recorder: Recorder) -> Iterator[tuple[Cloner, ScriptedServer]]:
    """A cloner whose service answers every call in the same way."""
    with ScriptedServer(behaviour) as server:
        yield make_cloner(load({"base_url": server.base_url}), ledger, recorder), server


def states(home: Path) -> list[str]:
    return [call["state"] for call in paid_calls(home)]


def test_the_steps_come_in_order(cloner: Cloner, recorder: Recorder, services: Services) -> None:
    cloned = cloner.clone(request_for(name="ann"), recorder)
    assert [name for name, _ in recorder.steps] == ["check", "upload", "verify", "clone", "clean up"]
    assert recorder.stages == ["check", "upload", "clone"]
    assert recorder.warnings == []
    assert (cloned.name, cloned.known, cloned.interrupted) == ("ann", False, False)
    assert [upload.deleted for upload in cloned.uploads] == [True]
    assert services.objects() == {}


def test_the_second_clone_sends_nothing(cloner: Cloner, recorder: Recorder, services: Services) -> None:
    first = cloner.clone(request_for(), recorder)
    requests = services.endpoint.account()["requests"]
    second = cloner.clone(request_for(name="other"), recorder)
    assert (second.voice_id, second.known) == (first.voice_id, True)
    assert services.endpoint.account()["requests"] == requests
    assert "onetake voices rename" in recorder.warnings[-1]


def test_complete_is_called_only_if_something_is_sent(cloner: Cloner, recorder: Recorder, ledger: Ledger) -> None:
    completed: list[CloneRequest] = []

    def complete(request: CloneRequest) -> CloneRequest:
        completed.append(request)
        return replace(request, consent="Ann Example, 2026-11-01")

    cloned = cloner.clone(request_for(), recorder, complete=complete)
    cloner.clone(request_for(), recorder, complete=complete)
    assert len(completed) == 1
    assert ledger.voices.find(cloned.voice_id).consent == "Ann Example, 2026-11-01"


def test_a_public_service_needs_consent(cloner: Cloner, recorder: Recorder, services: Services) -> None:
    strict = Cloner(cloner.context, needs_consent=True)
    for consent in (None, "", "   "):
        with pytest.raises(ConsentMissing):
            strict.clone(request_for(consent=consent), recorder)
    strict.require_ready(request_for(consent="Ann Example, 2026-11-01"))
    assert services.objects() == {}


def test_an_existing_preview_is_refused_before_the_upload(cloner: Cloner, recorder: Recorder, home: Path) -> None:
    Path("demo.mp3").write_bytes(b"old")
    options = CloneOptions(text="Hello.", model="speech-2.8-hd")
    with pytest.raises(UsageError, match="exists"):
        cloner.clone(request_for(demo=Path("demo.mp3"), options=options), recorder)
    assert recorder.steps == []
    assert states(home) == []


def test_stopping_before_the_call_pays_nothing(
    cloner: Cloner, recorder: Recorder, home: Path, tmp_path: Path, services: Services
) -> None:
    request = request_for()
    prepared = prepare_request(request, tmp_path, recorder)
    with pytest.raises(KeyboardInterrupt):
        cloner.send(request, prepared, recorder, lambda: True)
    asked = iter([False, True, True])  # stop while waiting for a slot, after the upload
    with pytest.raises(KeyboardInterrupt):
        cloner.send(request, prepared, recorder, lambda: next(asked))
    assert states(home) == []
    assert services.objects() == {}
    assert not cloner.send(request, prepared, recorder).known


def test_a_refusal_may_be_repeated(ledger: Ledger, recorder: Recorder, home: Path, cloner: Cloner) -> None:
    refusal = answers(402, {"code": 402, "reason": "NOT_ENOUGH_BALANCE"})
    with cloner_for(refusal, ledger, recorder) as (refused, server):
        for _ in range(2):
            with pytest.raises(ServiceError) as caught:
                refused.clone(request_for(), recorder)
            assert caught.value.state == "refused"
        assert server.connections == 2
    assert states(home) == ["refused", "refused"]


def test_a_lost_answer_is_never_repeated(
    ledger: Ledger,
    recorder: Recorder,
    home: Path,
    cloner: Cloner,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("onetake.clones.uploads._SETTLE_S", 0.0)
    with cloner_for(closes_after_reading, ledger, recorder) as (lost, server):
        with pytest.raises(OutcomeUnknown) as caught:
            lost.clone(request_for(), recorder)
        (attempt,) = ledger.attempts.unknown()
        assert f"onetake voices settle {attempt.id}" in caught.value.hint
        with Ledger(home / "onetake") as killed:  # a killed run leaves its upload, too, which the next one deletes
            storage = cloner.context.storage
            announce = partial(killed.uploads.add, storage.place)
            storage.upload(FIXTURES / "good.m4a", content_type="audio/mp4", suffix=".m4a", announce=announce)
        with pytest.raises(NotSettled):
            lost.clone(request_for(), recorder)
        with pytest.raises(NotSettled):  # not even with `again`: this run made the call
            lost.clone(request_for(again=True), recorder)
        assert server.connections == 1
    assert states(home) == ["unknown"]
    assert services.objects() == {}


def test_a_failing_storage_pays_nothing(cloner: Cloner, ledger: Ledger, recorder: Recorder, home: Path) -> None:
    context = cloner.context
    storage = load({"bucket": "missing-bucket"}).storage()
    broken = Cloner(CloneContext(storage, context.client, ledger, context.rate_limiter), needs_consent=False)
    with pytest.raises(StorageError):
        broken.clone(request_for(), recorder)
    assert states(home) == []


def test_a_closed_ledger_sends_nothing(cloner: Cloner, ledger: Ledger, recorder: Recorder, services: Services) -> None:
    requests = services.endpoint.account()["requests"]
    ledger.close()
    with pytest.raises(LedgerFailed, match="is closed"):
        cloner.clone(request_for(), recorder)
    assert services.endpoint.account()["requests"] == requests


def test_two_threads_clone_one_recording_once(cloner: Cloner, recorder: Recorder, services: Services) -> None:
    before = services.endpoint.account()["clones_charged"]
    voices: list[str] = []
    threads = [
        threading.Thread(target=lambda: voices.append(cloner.clone(request_for(), recorder).voice_id)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(voices) == 3
    assert len(set(voices)) == 1
    assert services.endpoint.account()["clones_charged"] == before + 1


def test_send_reports_another_attempt_in_progress(
    cloner: Cloner, recorder: Recorder, ledger: Ledger, tmp_path: Path
) -> None:
    request = request_for()
    prepared = prepare_request(request, tmp_path, recorder)
    holding, release = threading.Event(), threading.Event()

    def stopping() -> bool:
        holding.set()
        release.wait(60)
        return True

    def send() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            cloner.send(request, prepared, recorder, stopping)

    thread = threading.Thread(target=send)
    thread.start()
    wait_until(holding.is_set)
    with pytest.raises(CloneInProgress) as caught:
        cloner.send(request, prepared, recorder)
    assert ledger.attempts.is_active(caught.value.attempt)
    release.set()
    thread.join(60)
    assert not ledger.attempts.is_active(caught.value.attempt)


def test_keep_upload_leaves_the_object(cloner: Cloner, recorder: Recorder, services: Services) -> None:
    cloned = cloner.clone(request_for(keep_upload=True), recorder)
    assert [upload.key for upload in cloned.uploads] == list(services.objects())
    assert not cloned.uploads[0].deleted
    assert ("clean up", "uploaded copies kept") in recorder.steps
    services.empty()


def test_a_name_that_another_voice_has_is_a_warning(cloner: Cloner, recorder: Recorder) -> None:
    first = cloner.clone(request_for("good.wav", name="ann"), recorder)
    second = cloner.clone(request_for("good.m4a", name="ann"), recorder)
    assert (first.name, first.warnings) == ("ann", ())
    assert (second.name, second.warnings) == ("ann-2", ("another voice is named 'ann': this one is 'ann-2'",))


def test_the_recording_on_disk_is_not_changed(cloner: Cloner, recorder: Recorder) -> None:
    before = (FIXTURES / "voice-message.ogg").read_bytes()
    cloned = cloner.clone(request_for("voice-message.ogg"), recorder)
    assert cloned.changes
    assert (FIXTURES / "voice-message.ogg").read_bytes() == before
