"""T2A requests over HTTP: the path, the body, and both formats of the answer."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from client.speech import BITRATES, SAMPLE_RATES
from onetake.sandbox.endpoint.contract import parse_speech
from tests.client.conftest import KEY
from tests.support.scripted_service import Behaviour, ScriptedServer, answers, closes_after_reading, says, stalls


def speak_with(behaviour: Behaviour, *, timeout_s: float = 60, **fields: Any) -> Speech:
    with ScriptedServer(behaviour) as server:
        request = SpeechRequest(**({"voice_id": "v", "text": "Hi."} | fields))
        try:
            return CloneClient(KEY, server.base_url, speech_timeout_s=timeout_s, retry_budget_s=0).synthesize(request)
        finally:
            assert server.connections == 1


@pytest.mark.parametrize("model", SPEECH_MODELS)
def test_the_model_is_in_the_path_and_not_in_the_body(model: str) -> None:
    with ScriptedServer(answers(200, {"audio": "00ff", "status": 2})) as server:
        speech = CloneClient(KEY, server.base_url).synthesize(SpeechRequest(voice_id="v", text="Hi.", model=model))
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(f"POST /v3/minimax-{model} HTTP/1.1".encode())
    assert "model" not in json.loads(body)
    assert speech.audio == b"\x00\xff"
    assert speech.raw == {"status": 2}


def test_the_nested_answer() -> None:
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
def test_links_in_both_formats(body: dict[str, Any]) -> None:
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
def test_answers_without_audio_are_unknown(body: Any) -> None:
    with pytest.raises(NonsenseAnswer):
        speak_with(answers(200, body))


def test_an_expired_voice_in_both_formats() -> None:
    with pytest.raises(VoiceNotFound):
        speak_with(answers(200, {"data": None, "base_resp": {"status_code": 2054, "status_msg": "voice id not exist"}}))
    with pytest.raises(VoiceNotFound):
        speak_with(answers(400, {"code": 400, "reason": "INVALID_REQUEST_BODY", "message": "voice id not exist"}))


@pytest.mark.parametrize("behaviour", [closes_after_reading, stalls])
def test_a_lost_speech_leaves_the_outcome_unknown(behaviour: Behaviour) -> None:
    with pytest.raises(OutcomeUnknown):
        speak_with(behaviour, timeout_s=1)


@pytest.mark.parametrize("framing", [b"Content-Length: 9", b"Transfer-Encoding: chunked"])
def test_audio_is_found_despite_wrong_framing(framing: bytes) -> None:
    speech = speak_with(says(b"HTTP/1.1 200 OK\r\n" + framing + b'\r\n\r\n{"audio": "00ff"}'))
    assert speech.audio == b"\x00\xff"
    assert speech.warnings


@pytest.mark.parametrize(
    ("wrong", "argument"),
    [
        ({"text": ""}, "text"),
        ({"text": "a" * 10_000}, "text"),
        ({"text": "a\x07"}, "text"),
        ({"voice_id": ""}, "voice_id"),
        ({"model": "speech-9"}, "model"),
        ({"format": "ogg"}, "format"),
        ({"output_format": "base64"}, "output_format"),
        ({"speed": 0}, "speed"),
        ({"speed": 0.49}, "speed"),
        ({"speed": 99}, "speed"),
        ({"speed": 10**400}, "speed"),
        ({"vol": math.inf}, "vol"),
        ({"vol": 10.1}, "vol"),
        ({"pitch": 0.5}, "pitch"),
        ({"pitch": -13}, "pitch"),
        ({"channel": 3}, "channel"),
        ({"sample_rate": True}, "sample_rate"),
        ({"sample_rate": 11_025}, "sample_rate"),
        ({"sample_rate": 8_000.0}, "sample_rate"),
        ({"bitrate": 1}, "bitrate"),
        ({"emotion": ""}, "emotion"),
    ],
)
def test_an_invalid_field_of_a_speech_request_is_reported_by_name(wrong: dict[str, Any], argument: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^{argument}"):
        SpeechRequest(**({"voice_id": "v", "text": "Hi.\nThere."} | wrong))


SPEECH_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "speed": st.one_of(st.integers(), st.floats(), st.floats(0.4, 2.1)),
        "vol": st.one_of(st.integers(), st.floats(), st.floats(0, 11)),
        "pitch": st.one_of(st.integers(), st.integers(-14, 14)),
        "sample_rate": st.one_of(st.integers(), st.sampled_from(SAMPLE_RATES)),
        "bitrate": st.one_of(st.integers(), st.sampled_from(BITRATES)),
        "channel": st.integers(0, 3),
    },
)


@given(SPEECH_FIELDS)
def test_every_valid_speech_request_is_accepted_by_the_stand_in(fields: dict[str, Any]) -> None:
    try:
        request = SpeechRequest(voice_id="v", text="Hi.", **fields)
    except InvalidArgument:
        return
    order = parse_speech(request.body())
    assert (order.sample_rate, order.bitrate) == (fields.get("sample_rate", 32_000), fields.get("bitrate", 128_000))


def test_a_speech_body_has_no_model_and_only_the_fields_that_are_set() -> None:
    assert SpeechRequest(voice_id="v", text="Hi.", speed=1.5, channel=2, language_boost="auto").body() == {
        "text": "Hi.",
        "voice_setting": {"voice_id": "v", "speed": 1.5},
        "audio_setting": {"format": "mp3", "channel": 2},
        "output_format": "hex",
        "language_boost": "auto",
    }
