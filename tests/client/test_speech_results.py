"""Paid audio is returned from every answer that contains it; an answer that cannot be read is kept."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from client import ServiceError, Speech
from client.answers import Answer
from client.results import speech_from
from tests.client.conftest import make_answer

MP3 = b"ID3\x04" + bytes(range(256)) * 4
LONG_MP3 = MP3 * 200  # beyond the length at which strings are no longer copied
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(40)


def read(body: object, status: int = 200, kind: str = "application/json", missing: str = "") -> Speech:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return speech_from(Answer(status, {"content-type": kind}, content, missing, ()))


def speech_error(body: object, status: int = 200, kind: str = "application/json", missing: str = "") -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        read(body, status, kind, missing)
    return caught.value


@pytest.mark.parametrize("audio", [MP3, LONG_MP3])
@pytest.mark.parametrize("escaped", [False, True])
@pytest.mark.parametrize(
    "encode",
    [
        lambda audio: base64.b64encode(audio).decode(),
        lambda audio: base64.urlsafe_b64encode(audio).decode().rstrip("="),
        lambda audio: base64.encodebytes(audio).decode(),
        lambda audio: "data:audio/mpeg;base64," + base64.b64encode(audio).decode(),
    ],
    ids=["base64", "url-safe", "lines", "data-uri"],
)
def test_base64_is_read_with_a_warning(audio: bytes, escaped: bool, encode: Any) -> None:
    for body in ({"audio": encode(audio)}, {"data": {"audio": encode(audio)}}):
        text = json.dumps(body)
        speech = read((text.replace("/", "\\/") if escaped else text).encode())
        assert speech.audio == audio
        assert "base64" in speech.warnings[0]


@pytest.mark.parametrize("audio", [MP3, LONG_MP3])
@pytest.mark.parametrize(
    ("place", "body"),
    [
        ("audio_file", lambda value: {"audio_file": value}),
        ("data.audio_file", lambda value: {"data": {"audio": None, "audio_file": value}}),
        ("data.audio_url", lambda value: {"data": {"audio_url": value}, "base_resp": {"status_code": 0}}),
        ("data", lambda value: {"data": value}),
        ("audios[0].audio_url", lambda value: {"audios": [{"audio_url": value}]}),
    ],
)
def test_audio_in_another_place_is_read_with_a_warning(place: str, body: Any, audio: bytes) -> None:
    speech = read(body(audio.hex()))
    assert speech.audio == audio
    assert place in speech.warnings[0]
    assert audio.hex() not in str(speech.raw)
    assert read(body("https://h/a.mp3?x=1")).audio_url == "https://h/a.mp3?x=1"


@pytest.mark.parametrize("audio", [MP3, WAV, b"fLaC" + bytes(9), b"\xff\xf3" + bytes(9), b"OggS" + bytes(9)])
@pytest.mark.parametrize("kind", ["audio/mpeg", "application/octet-stream", "application/json", ""])
def test_raw_audio_is_read_with_a_warning(audio: bytes, kind: str) -> None:
    speech = read(audio, kind=kind)
    assert speech.audio == audio
    assert "not JSON" in speech.warnings[0]


def test_raw_samples_need_an_audio_content_type() -> None:
    assert read(bytes(100), kind="audio/pcm").audio == bytes(100)
    assert speech_error(bytes(100), kind="application/octet-stream").answer_body == bytes(100)


@pytest.mark.parametrize(("code", "status"), [(1008, 200), (1001, 200), (None, 500), (None, 404)])
def test_audio_beside_an_error_is_delivered_with_a_warning(code: int | None, status: int) -> None:
    body: dict[str, Any] = {"data": {"audio": MP3.hex()}}
    if code is not None:
        body["base_resp"] = {"status_code": code, "status_msg": "some text"}
    speech = read(body, status)
    assert speech.audio == MP3
    assert str(code or status) in speech.warnings[0]


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"audio": "0g"}},
        {"audio": "abc"},
        {"data": {"audio": base64.b64encode(b"no known format").decode()}},
        {"data": {"speech": MP3.hex()}},
        {"data": None, "base_resp": {"status_code": 0, "status_msg": "success"}},
        b"\x01\x02\x03",
    ],
)
def test_an_answer_that_cannot_be_read_is_kept(body: object) -> None:
    error = speech_error(body)
    assert error.state == "unknown"
    assert error.answer_body == (body if isinstance(body, bytes) else json.dumps(body).encode())
    assert repr(error.answer_body) == f"<{len(error.answer_body)} bytes>"


@pytest.mark.parametrize("body", [MP3, b'{"data": {"audio": "' + MP3.hex().encode()])
def test_a_truncated_speech_is_unknown_and_kept(body: bytes) -> None:
    error = speech_error(body, kind="audio/mpeg", missing="the connection was closed")
    assert error.state == "unknown"
    assert error.answer_body == body


def test_a_refusal_is_a_refusal() -> None:
    assert speech_error({"data": None, "base_resp": {"status_code": 2054}}).state == "refused"
    assert speech_error({"data": {"audio": ""}, "base_resp": {"status_code": 1002}}).retryable


def test_pieces_of_a_stream_are_not_taken_for_the_speech() -> None:
    piece = json.dumps({"data": {"audio": MP3.hex(), "status": 1}}).encode()
    for body in (piece + b"\n" + piece, b"data: " + piece + b"\n\ndata: " + piece):
        error = speech_error(body)
        assert (error.state, error.answer_body) == ("unknown", body)


def test_raw_audio_has_the_trace_id_of_the_header() -> None:
    assert speech_from(make_answer(200, MP3, content_type="audio/mpeg", trace_id="t-1")).trace_id == "t-1"
