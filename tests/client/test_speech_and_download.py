from __future__ import annotations

import io
import json
from typing import Any

import pytest

import client
from client import (
    SPEECH_MODELS,
    CloneClient,
    InvalidArgument,
    NonsenseAnswer,
    OutcomeUnknown,
    Speech,
    SpeechRequest,
    VoiceNotFound,
)
from tests.client.conftest import KEY
from tests.support.scripted_service import (
    Behaviour,
    ScriptedServer,
    answers,
    closes_after_reading,
    http,
    repeats_forever,
    says,
    stalls,
)


def speak_with(behaviour: Behaviour, **fields: Any) -> Speech:
    with ScriptedServer(behaviour) as server:
        request = SpeechRequest(**({"voice_id": "v", "text": "Hi."} | fields))
        try:
            return CloneClient(KEY, server.base_url, speech_timeout_s=2, retry_budget_s=0).synthesize(request)
        finally:
            assert server.connections == 1


@pytest.mark.parametrize("model", SPEECH_MODELS)
def test_the_model_stands_in_the_path_and_not_in_the_body(model: str) -> None:
    with ScriptedServer(answers(200, {"audio": "00ff", "status": 2})) as server:
        speech = CloneClient(KEY, server.base_url).synthesize(SpeechRequest(voice_id="v", text="Hi.", model=model))
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(f"POST /v3/minimax-{model} HTTP/1.1".encode())
    assert "model" not in json.loads(body)
    assert speech.audio == b"\x00\xff"
    assert speech.raw == {"status": 2}


def test_the_nested_answer_is_understood() -> None:
    speech = speak_with(
        answers(
            200,
            {
                "data": {"audio": "00FF"},
                "trace_id": "t",
                "base_resp": {"status_code": 0, "status_msg": "success"},
                "extra_info": {"audio_size": 2},
            },
        )
    )
    assert (speech.audio, speech.audio_url, speech.trace_id, speech.extra) == (
        b"\x00\xff",
        None,
        "t",
        {"audio_size": 2},
    )


@pytest.mark.parametrize("body", [{"audio": "https://h/a.mp3?x=1"}, {"data": {"audio": "https://h/a.mp3?x=1"}}])
def test_links_are_understood_in_both_shapes(body: dict[str, Any]) -> None:
    speech = speak_with(answers(200, body), output_format="url")
    assert (speech.audio, speech.audio_url) == (None, "https://h/a.mp3?x=1")


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"audio": ""},
        {"audio": "xyz"},
        {"audio": "abc"},
        {"audio": 5},
        {"data": None},
        {"data": {"audio": None}},
    ],
)
def test_answers_without_audio_are_nonsense(body: Any) -> None:
    with pytest.raises(NonsenseAnswer):
        speak_with(answers(200, body))


def test_a_voice_that_is_gone_is_not_found_in_both_shapes() -> None:
    with pytest.raises(VoiceNotFound):
        speak_with(answers(200, {"data": None, "base_resp": {"status_code": 2054, "status_msg": "voice id not exist"}}))
    with pytest.raises(VoiceNotFound):
        speak_with(answers(400, {"code": 400, "reason": "INVALID_REQUEST_BODY", "message": "voice id not exist"}))


@pytest.mark.parametrize("behaviour", [closes_after_reading, stalls])
def test_a_lost_speech_leaves_the_outcome_unknown(behaviour: Behaviour) -> None:
    with pytest.raises(OutcomeUnknown):
        speak_with(behaviour)


def download_from(behaviour: Behaviour, *more: Behaviour, **settings: Any) -> bytes:
    with ScriptedServer(behaviour, *more) as server:
        target = io.BytesIO()
        settings = {"timeout_s": 3, "wait_s": 0} | settings
        written = CloneClient(KEY, server.base_url).download(f"{server.base_url}/demo.mp3", target, **settings)
        assert written == len(target.getvalue())
        return target.getvalue()


def test_a_download_arrives_whole() -> None:
    audio = b"ID3" + bytes(range(256)) * 2000
    assert download_from(says(http(200, audio, kind="audio/mpeg"))) == audio


def test_the_progress_of_a_download() -> None:
    audio = b"ID3" + bytes(range(256)) * 2000
    seen: list[tuple[int, int | None]] = []

    def told(done: int, total: int | None) -> None:
        seen.append((done, total))

    download_from(says(http(200, audio, kind="audio/mpeg")), progress=told)
    assert seen == sorted(set(seen))
    assert seen[-1] == (len(audio), len(audio))
    seen.clear()
    download_from(says(b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n" + audio), progress=told)
    assert {total for _, total in seen} == {None}
    with pytest.raises(ZeroDivisionError):
        download_from(says(http(200, audio, kind="audio/mpeg")), progress=lambda done, _: done // 0)


def test_a_download_follows_redirects() -> None:
    moved = says(http(302, b"", "Location: /other.mp3"))
    assert download_from(moved, says(http(200, b"ID3", kind="audio/mpeg"))) == b"ID3"


@pytest.mark.parametrize(
    ("behaviour", "name"),
    [
        (says(http(200, b"", kind="audio/mpeg")), "DownloadFailed"),
        (says(http(200, b"<html></html>", kind="text/html; charset=utf-8")), "DownloadFailed"),
        (says(http(200, b"\n<!DOCTYPE html><html>", kind="audio/mpeg")), "DownloadFailed"),
        (says(http(200, b'{"error": 1}', kind="audio/mpeg")), "DownloadFailed"),
        (answers(200, {"code": 404}), "DownloadFailed"),
        (says(http(200, b"ID3" + b"x" * 2000, kind="audio/mpeg")), "DownloadFailed"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nID3"), "DownloadFailed"),
        (repeats_forever(b"HTTP/1.1 200 OK\r\n\r\nID3", b"y", 0.05), "DownloadFailed"),
        (says(http(403, b"<Error>expired</Error>", kind="application/xml")), "DownloadFailed"),
        (says(http(404, b"", kind="text/plain")), "DownloadFailed"),
        (says(http(503, b"", kind="text/plain")), "DownloadFailed"),
        (says(http(302, b"", "Location: /again.mp3")), "DownloadFailed"),
        (says(http(302, b"", "Location: ftp://h/x")), "InvalidArgument"),
        (says(http(302, b"", "Location: file:///etc/hostname")), "InvalidArgument"),
        (closes_after_reading, "DownloadFailed"),
        (stalls, "DownloadFailed"),
    ],
)
def test_what_is_no_audio_is_an_error(behaviour: Behaviour, name: str) -> None:
    with pytest.raises(client.ServiceError) as caught:
        download_from(behaviour, max_bytes=1000, timeout_s=0.6)
    assert type(caught.value) is getattr(client, name), caught.value


@pytest.mark.parametrize("url", ["ftp://h/a.mp3", "file:///a.mp3", "a.mp3", "https://", "data:audio/mp3,x"])
def test_only_http_is_downloaded(url: str) -> None:
    with pytest.raises(InvalidArgument):
        CloneClient(KEY).download(url, io.BytesIO())


def test_a_file_that_cannot_be_written_is_said_as_it_is(tmp_path: Any) -> None:
    (tmp_path / "demo.mp3").write_bytes(b"")
    with (
        ScriptedServer(says(http(200, b"ID3", kind="audio/mpeg"))) as server,
        (tmp_path / "demo.mp3").open("rb") as unwritable,
        pytest.raises(OSError, match=r"write|not writable"),
    ):
        CloneClient(KEY, server.base_url).download(f"{server.base_url}/demo.mp3", unwritable)
