"""A voice is returned from every answer that contains it, and so is its preview."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client import ClonedVoice, ServiceError, Speech
from client.results import speech_from, voice_from
from tests.client.conftest import clone_error, make_answer

STATUSES = [200, 201, 204, 302, 400, 401, 404, 408, 429, 500, 503, 524]


@pytest.mark.parametrize("status", STATUSES)
def test_a_voice_is_cloned_with_any_status(status: int) -> None:
    for code in (None, 1008, 1001, 9999):
        body: dict[str, Any] = {"voice_id": "voice_1"}
        if code is not None:
            body["base_resp"] = {"status_code": code, "status_msg": "insufficient"}
        voice = voice_from(make_answer(status, body, trace_id="t-1"))
        assert (voice.voice_id, voice.trace_id, voice.raw) == ("voice_1", "t-1", body)
        warned = " ".join(voice.warnings)
        assert ("HTTP" in warned) == (not 200 <= status < 300)
        assert (str(code) in warned) == (code is not None)
        assert ("insufficient" in warned) == (code is not None)
        assert bool(voice.warnings) == (code is not None or not 200 <= status < 300)
        if code == 1008:
            assert "the balance is too low" in warned


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf{"voice_id": "v"}',
        b'\x00\x00{"voice_id": "v"}\x00\x00',
        b'\r\n\r\n{"voice_id": "v"}',
        b'{"voice_id": "v", "message": "\xb3\xc9\xb9\xa6"}',
        '{"message": "誠誠\\n", "voice_id": "v"}'.encode("gbk"),
        '{"message": "功功", "voice_id": "v"}'.encode("big5"),
        b'{"message": "caf\xe9", "voice_id": "v"}',
        b'{"message": "\xf0\x9f\x98", "voice_id": "v"}',
        b'{"message": "\\ud83d", "voice_id": "v"}',
        b'{"message": "a\x00b\x01", "voice_id": "v"}',
        b'{"score": NaN, "other": -Infinity, "big": 1e999, "voice_id": "v"}',
        b"{\"voice_id\": 'v' }",
        b'{"long": ' + b"9" * 10_000 + b', "voice_id": "v"}',
        b'{"deep": ' + b"[" * 100_000 + b"]" * 100_000 + b', "voice_id": "v"}',
        b'{"voice_id": "v", "deep": ' + b"[" * 100_000,
        b'{"deep": ' + b'{"a":' * 400 + b"1" + b"}" * 400 + b', "voice_id": "v"}',
        b'{"bad": "\\x41", "voice_id": "v"}',
        b'{"bad": tru, "voice_id": "v"}',
        b'{"voice_id": "v",}',
        b'{"voice_id": "v"} trailing',
        b'{"voice_id": "v"}{"voice_id": null}',
        b'{"voice_id": "v", "voice_id": null}',
        b'{"voice_id": "", "voice_id": "v"}',
        b'{"voice_id": "v", "demo_audio_url": "https://h/a',
        b'{"voice_id": "v"',
        b'{"voice_id": " v\\n"}',
        b"\n" * 300_000 + b'{"voice_id": "v"}',
        b'{"demo": "' + b"00" * 1_000_000 + b'", "voice_id": "v"}',
    ],
)
def test_a_voice_is_cloned_from_damaged_bytes(body: bytes) -> None:
    voice = voice_from(make_answer(200, body))
    assert voice.voice_id == "v"
    assert msgspec.json.decode(msgspec.json.encode(voice.raw)) == voice.raw


def test_a_number_is_a_voice_with_a_warning() -> None:
    voice = voice_from(make_answer(200, {"voice_id": 17}))
    assert voice.voice_id == "17"
    assert "is a number" in voice.warnings[0]


def test_what_follows_the_answer_is_in_a_warning() -> None:
    voice = voice_from(make_answer(200, b'{"voice_id": "v"}\n{"base_resp": {"status_code": 1008}}'))
    assert "1008" in voice.warnings[0]


def test_of_two_voices_both_are_reported() -> None:
    voice = voice_from(make_answer(200, b'{"voice_id": "first", "voice_id": "second"}'))
    assert voice.voice_id == "second"
    assert "first" in voice.warnings[0]


def test_a_truncated_answer_with_a_voice_has_a_warning() -> None:
    voice = voice_from(
        make_answer(200, b'{"voice_id": "v", "demo_audio_url": "https://h', missing="the connection closed")
    )
    assert "the connection closed" in voice.warnings[0]
    assert voice.demo_audio_url is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": {"voice_id": "voice_1"}}',
        b'{"result": [{"voiceId": "voice_1"}]}',
        b'[{"voice_id": "voice_1"}]',
        b'{"voice_id": "voice_1',
        b'{"voice_id": ["voice_1"]}',
        b'data: {"voice_id": "voice_1"}',
        b"<html>voice_id: voice_1</html>",
        b"<answer><voice_id>voice_1</voice_id></answer>",
        b"voice_id=voice_1&code=0",
        b'"{\\"voice_id\\": \\"voice_1\\"}"',
        b'callback({"voice_id": "voice_1"});',
        b'{"status": "processing"}\n{"voice_id": "voice_1"}',
        b'{"voice_id": {"value": "voice_1"}}',
        b'{"text": "{\\"voice_id\\": \\"voice_1\\"}"}',
    ],
)
def test_a_voice_in_another_place_is_unknown_and_in_the_message(body: bytes) -> None:
    error = clone_error(200, body)
    assert error.state == "unknown"
    assert "voice_1" in error.message.split(": ")[0] + str(error)
    assert error.answer_body == body


@pytest.mark.parametrize(
    ("status", "body", "missing"),
    [
        (400, {"data": {"voice_id": "voice_1"}, "base_resp": {"status_code": 2013}}, ""),
        (400, {"body": '{"voice_id": "voice_1"}'}, ""),
        (401, b'data: {"voice_id": "voice_1"}', ""),
        (429, b'{"data": {"voice_id": "voice_1', "the answer ended early"),
    ],
)
def test_a_refusal_with_a_voice_in_another_place_is_unknown(status: int, body: object, missing: str) -> None:
    error = clone_error(status, body, missing=missing)
    assert (error.state, error.retryable) == ("unknown", False)
    assert "voice_1" in error.message


@given(
    before=st.binary(max_size=30).filter(lambda data: b'"' not in data and b"\\" not in data), cut=st.integers(0, 30)
)
def test_a_complete_voice_survives_damage_after_it(before: bytes, cut: int) -> None:
    whole = b'{"voice_id": "voice_1", "message": "' + before + b'", "more": [1, 2, {"a": null}]}'
    assert voice_from(make_answer(200, whole[: len(whole) - cut] if cut else whole)).voice_id == "voice_1"


@settings(max_examples=60)
@given(
    body=st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
    | st.recursive(
        st.none() | st.integers() | st.floats() | st.text(max_size=10),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["code", "data", "error", "a"]), inner),
    ).map(lambda value: json.dumps(value).encode()),
    status=st.sampled_from(STATUSES),
)
def test_any_body_is_settled(body: bytes, status: int) -> None:
    for read in (voice_from, speech_from):
        result: ClonedVoice | Speech | ServiceError
        try:
            result = read(make_answer(status, body))
        except ServiceError as error:
            result = error
        if isinstance(result, ServiceError):
            assert result.message.isprintable()
            assert result.state == "unknown" or status == 200 or 400 <= status < 500
        else:
            msgspec.json.encode(result.raw)


def test_a_voice_after_a_value_with_too_many_tokens_is_unknown_and_kept() -> None:
    body = b'{"a": [' + b"[1]," * 300_000 + b'1], "voice_id": "voice_1"}'
    error = clone_error(200, body)
    assert (error.state, error.answer_body) == ("unknown", body)
    few = b'{"a": [' + b"[1]," * 1_000 + b'1], "voice_id": "voice_1"}'
    assert voice_from(make_answer(200, few)).voice_id == "voice_1"


_MP3 = b"\xff\xfb\x90\x00" + bytes(100)
_BASE64 = base64.b64encode(_MP3).decode()


@pytest.mark.parametrize(
    "members",
    [
        {"demo_audio_url": f"data:audio/mpeg;base64,{_BASE64}"},
        {"demo_audio_url": f"data:audio/x-unknown;base64,{_BASE64}"},
        {"demo_audio": _BASE64},
        {"demo_audio": _MP3.hex()},
        {"demo_audio_url": "", "demo_audio": _MP3.hex()},
        {"data": {"demo_audio": _MP3.hex()}},
        {"demo_audio": {"url": None, "base64": _BASE64}},
    ],
)
def test_a_preview_in_the_answer_is_decoded(members: dict[str, object]) -> None:
    voice = voice_from(make_answer(200, {"voice_id": "v", **members}), "https://api.example/v3/clone")
    assert (voice.voice_id, voice.demo_audio, voice.demo_audio_url) == ("v", _MP3, None)
    assert "is in the answer" in voice.warnings[0]


def test_a_long_preview_in_an_unknown_encoding_is_kept() -> None:
    encoded = "x_-" * 40_000
    voice = voice_from(make_answer(200, {"voice_id": "v", "demo_audio": encoded}))
    assert voice.demo_audio == encoded.encode()
    assert "unknown encoding" in voice.warnings[0]


@pytest.mark.parametrize(
    ("link", "resolved"),
    [
        ("/files/demo.mp3?sign=1", "https://api.example:8443/files/demo.mp3?sign=1"),
        ("/files/my demo.mp3", "https://api.example:8443/files/my%20demo.mp3"),
        ("//cdn.example/demo.wav", "https://cdn.example/demo.wav"),
        ("https://cdn.example/demo", "https://cdn.example/demo"),
    ],
)
def test_a_link_without_a_host_is_relative_to_the_service(link: str, resolved: str) -> None:
    requested = "https://api.example:8443/v3/minimax-voice-cloning"
    assert voice_from(make_answer(200, {"voice_id": "v", "demo_audio_url": link}), requested).demo_audio_url == resolved
    assert speech_from(make_answer(200, {"audio": link}), requested).audio_url == resolved


@pytest.mark.parametrize("value", ["file:///etc/passwd", "ftp://h/demo.mp3", "pending"])
def test_a_preview_that_is_neither_link_nor_audio_is_a_warning(value: str) -> None:
    voice = voice_from(make_answer(200, {"voice_id": "v", "demo_audio_url": value}), "https://api.example/v3/clone")
    assert (voice.demo_audio, voice.demo_audio_url) == (None, None)
    assert voice.warnings == (f"the preview is neither a link nor audio: {value}",)
