"""Every answer is settled by one table; the expectations here are written down independently of it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client import ClonedVoice, OutcomeUnknown, ServiceError, Speech
from client.answers import Answer
from client.clone_answer import voice_in
from client.speech_answer import speech_in
from tests.client.conftest import Met
from tests.support.scripted_service import Behaviour, answers, http, says

CloneFrom = Callable[..., Met]

# --- the expected table ---------------------------------------------------------------------------------------------

REFUSING_STATUSES = {400, 401, 402, 403, 404, 413, 415, 422}
SILENT_STATUSES = [201, 202, 204, 206, 300, 301, 302, 304, 307, 308, 405, 406, 408, 409, 410, 418, 421, 423, 425, 451]
SILENT_STATUSES += [460, 499, 500, 501, 502, 503, 504, 507, 520, 522, 524, 529, 530, 599]
LIMITS = {1002, 1039, 1041, 2045}
DOUBTS = {1000, 1001, 1024, 1033}
REFUSALS = {1004, 1008, 1026, 1027, 1042, 1043, 1044, 2013, 20132, 2037, 2038, 2039, 2042, 2048, 2049, 2054, 2056}
UNLISTED = {-1, 7, 999, 1003, 9999, 30001}
EVERY_STATUS = [200, 429, *sorted(REFUSING_STATUSES), *SILENT_STATUSES]


def expected(status: int, code: int | None) -> tuple[str, bool]:
    """The state, and whether the call may be repeated."""
    may_refuse = status == 200 or 400 <= status < 500
    if code in DOUBTS or not may_refuse:
        return "unknown", False
    if status == 429 or code in LIMITS:
        return "refused", True
    if status in REFUSING_STATUSES or (status == 200 and code in REFUSALS):
        return "refused", False
    return "unknown", False


SHAPES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "base_resp": lambda code: {"base_resp": {"status_code": code, "status_msg": "words"}},
    "base_resp in data": lambda code: {"data": {"base_resp": {"status_code": code, "status_msg": "words"}}},
    "status_code": lambda code: {"status_code": code, "message": "words"},
    "code": lambda code: {"code": code, "message": "words", "data": None},
    "error.code": lambda code: {"error": {"code": code, "message": "words", "type": None}},
    "errors[].code": lambda code: {"errors": [{"code": code, "message": "words"}]},
    "detail.code": lambda code: {"detail": {"code": code, "message": "words"}},
    "camel case": lambda code: {"baseResp": {"statusCode": code, "statusMsg": "words"}},
    "error_code": lambda code: {"error_code": code, "error_msg": "words"},
}
WRITTEN: dict[str, Callable[[int], Any]] = {"number": int, "text": str, "float": float, "padded": lambda c: f" {c} "}
ENCODINGS = ["utf-8", "utf-8-sig", "gbk", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]


def answer(status: int, body: object, encoding: str = "utf-8", missing: str = "", **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode(encoding)
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, content, missing, ())


def failure(given_answer: Answer) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        voice_in(given_answer)
    return caught.value


# --- the matrix -----------------------------------------------------------------------------------------------------


def check(status: int, code: int | None, shape: str, written: str) -> None:
    body = {"message": "words"} if code is None else SHAPES[shape](WRITTEN[written](code))
    error = failure(answer(status, body))
    case = (status, code, shape, written)
    assert (error.state, error.retryable) == expected(status, code), case
    assert isinstance(error, OutcomeUnknown) == (error.state == "unknown"), case
    assert error.service_message == "words", case
    assert error.code == code, case
    if error.state == "unknown":
        assert "not charged" not in f"{error.message} {error.hint}", case
        assert "nothing was" not in f"{error.message} {error.hint}", case


EVERY_CODE = [None, *sorted(LIMITS | DOUBTS | REFUSALS | UNLISTED)]


@pytest.mark.parametrize("status", EVERY_STATUS)
def test_every_status_with_every_code(status: int) -> None:
    ways = itertools.cycle(itertools.product(SHAPES, WRITTEN))
    for code in EVERY_CODE:
        check(status, code, *next(ways))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("written", WRITTEN)
def test_every_shape_of_a_code(shape: str, written: str) -> None:
    for status, code in itertools.product((200, 400, 429, 500), (1002, 2045, 1001, 2037, 9999, -1)):
        check(status, code, shape, written)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_encoding_changes_nothing(encoding: str) -> None:
    words = "音频时长不符合要求"
    for status, code in itertools.product((200, 400, 408, 500), (1002, 1001, 2037, 9999)):
        body = {"base_resp": {"status_code": code, "status_msg": words}}
        error = failure(answer(status, body, encoding))
        assert (error.state, error.retryable) == expected(status, code), (status, code)
        assert error.service_message == words


@pytest.mark.parametrize("number", [1002, 1039, 2037, 1008])
@pytest.mark.parametrize("words", ["error {} happened", "code: {}", "({})", "rate limit exceeded, status_code={}"])
def test_a_number_in_prose_settles_nothing(number: int, words: str) -> None:
    for body in ({"message": words.format(number)}, {"detail": words.format(number)}, words.format(number).encode()):
        assert failure(answer(200, body)).state == "unknown"
        error = failure(answer(400, body))
        assert (error.state, error.retryable) == ("refused", False)


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        # gateways that repeat an HTTP status of their upstream
        (400, {"code": 408, "message": "m"}, "unknown"),
        (400, {"error": {"code": "504", "message": "m"}}, "unknown"),
        (400, {"title": "Bad Gateway", "status": 502}, "unknown"),
        (400, {"code": 400, "message": "m"}, "refused"),
        (200, {"code": 400, "message": "m"}, "unknown"),
        (200, {"code": 200, "message": "success"}, "unknown"),
        # several codes: any doubt wins, then a limit
        (400, {"code": 2013, "base_resp": {"status_code": 1001}}, "unknown"),
        (200, {"code": 2013, "base_resp": {"status_code": 9999}}, "unknown"),
        (200, {"code": 400, "base_resp": {"status_code": 2013}}, "refused"),
        # reasons
        (200, {"code": 403, "reason": "NOT_ENOUGH_BALANCE"}, "refused"),
        (200, {"error": {"code": "invalid_api_key"}}, "refused"),
        (200, {"code": 403, "reason": "SOMETHING_NEW"}, "unknown"),
        (403, {"code": 403, "reason": "SOMETHING_NEW"}, "refused"),
        (400, {"reason": "INTERNAL_SERVER_ERROR"}, "unknown"),
        (422, {"error": {"code": "deadline_exceeded"}}, "unknown"),
        # a task, and answers that say nothing
        (202, {"task_id": "t-1"}, "unknown"),
        (200, {"task_id": "t-1"}, "unknown"),
        (200, {"base_resp": {"status_code": 0, "status_msg": "success"}}, "unknown"),
        (200, b"", "unknown"),
        (200, b"null", "unknown"),
        (200, b'"voice"', "unknown"),
        (200, b"<html>ok</html>", "unknown"),
        (403, b"<html>Request blocked</html>", "refused"),
        (200, [{"code": 2013}], "refused"),
    ],
)
def test_odd_answers(status: int, body: object, state: str) -> None:
    assert failure(answer(status, body)).state == state


def test_a_cut_answer_is_unknown_unless_its_status_refuses() -> None:
    body = b'{"base_resp": {"status_code": 2013}, "mess'
    assert failure(answer(200, body, missing="it was cut")).state == "unknown"
    assert failure(answer(200, b'{"code": 1002', missing="it was cut")).state == "unknown"
    assert failure(answer(413, b"", missing="it was cut")).state == "refused"


# --- a voice is never lost ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", EVERY_STATUS)
def test_a_voice_is_cloned_whatever_the_status(status: int) -> None:
    for code in (None, 1008, 1001, 9999):
        body: dict[str, Any] = {"voice_id": "voice_1"}
        if code is not None:
            body["base_resp"] = {"status_code": code, "status_msg": "so they say"}
        voice = voice_in(answer(status, body, trace_id="t-1"))
        assert (voice.voice_id, voice.trace_id, voice.raw) == ("voice_1", "t-1", body)
        warned = " ".join(voice.warnings)
        assert ("HTTP" in warned) == (not 200 <= status < 300)
        assert (str(code) in warned) == (code is not None)
        assert ("so they say" in warned) == (code is not None)
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
    ],
)
def test_a_voice_is_cloned_whatever_the_bytes(body: bytes) -> None:
    voice = voice_in(answer(200, body))
    assert voice.voice_id == "v"
    assert msgspec.json.decode(msgspec.json.encode(voice.raw)) == voice.raw


def test_two_voices_are_both_named() -> None:
    voice = voice_in(answer(200, b'{"voice_id": "first", "voice_id": "second"}'))
    assert voice.voice_id == "second"
    assert "first" in voice.warnings[0]


def test_a_cut_answer_with_a_voice_says_so() -> None:
    voice = voice_in(answer(200, b'{"voice_id": "v", "demo_audio_url": "https://h', missing="the connection closed"))
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
        b'{"text": "{\\"voice_id\\": \\"voice_1\\"}"}',
    ],
)
def test_a_voice_in_another_place_is_unknown_and_shown(body: bytes) -> None:
    error = failure(answer(200, body))
    assert error.state == "unknown"
    assert "voice_1" in error.message.split(": ")[0] + str(error)
    assert error.answer_body == body


def test_a_refusal_that_has_a_voice_somewhere_is_not_believed() -> None:
    error = failure(answer(400, {"data": {"voice_id": "voice_1"}, "base_resp": {"status_code": 2013}}))
    assert (error.state, error.retryable) == ("unknown", False)
    assert "voice_1" in error.message


@settings(max_examples=60)
@given(
    body=st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
    | st.recursive(
        st.none() | st.integers() | st.floats() | st.text(max_size=10),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["code", "data", "error", "a"]), inner),
    ).map(lambda value: json.dumps(value).encode()),
    status=st.sampled_from(EVERY_STATUS),
)
def test_any_body_is_settled(body: bytes, status: int) -> None:
    for read in (voice_in, speech_in):
        result: ClonedVoice | Speech | ServiceError
        try:
            result = read(answer(status, body))
        except ServiceError as error:
            result = error
        if isinstance(result, ServiceError):
            assert result.message.isprintable()
            assert result.state == "unknown" or status == 200 or 400 <= status < 500
        else:
            msgspec.json.encode(result.raw)


@given(
    before=st.binary(max_size=30).filter(lambda data: b'"' not in data and b"\\" not in data), cut=st.integers(0, 30)
)
def test_a_complete_voice_survives_damage_behind_it(before: bytes, cut: int) -> None:
    whole = b'{"voice_id": "voice_1", "message": "' + before + b'", "more": [1, 2, {"a": null}]}'
    assert voice_in(answer(200, whole[: len(whole) - cut] if cut else whole)).voice_id == "voice_1"


# --- the same over HTTP, with the requests counted -------------------------------------------------------------------

GBK_ERROR = '{"base_resp":{"status_code":2037,"status_msg":"音频时长不符合要求"}}'.encode("gbk")
GBK_VOICE = '{"voice_id":"voice_0","message":"成功"}'.encode("gbk")
VOICE_AND_ERROR = {"voice_id": "voice_0", "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}
TIMED_OUT = {"error": {"message": "litellm.Timeout: Request timed out.", "type": None, "code": "408"}}
DETAIL = {"detail": {"status": "voice_limit_reached", "message": "You have reached your maximum amount of voices."}}


def interim(*statuses: int) -> Behaviour:
    heads = b"".join(b"HTTP/1.1 %d Interim\r\nLink: </style.css>\r\n\r\n" % status for status in statuses)
    return says(heads + http(200, b'{"voice_id": "voice_0"}'))


@pytest.mark.parametrize(
    ("behaviour", "state", "posts", "shown"),
    [
        (answers(200, SHAPES["base_resp"](1001)), "unknown", 1, "timed out"),
        (answers(200, SHAPES["base_resp"](1002), "Retry-After: 0"), "refused", 4, "too many calls"),
        (answers(429, {}, "Retry-After: 0"), "refused", 4, ""),
        (answers(200, VOICE_AND_ERROR), "cloned", 1, "insufficient balance"),
        (answers(408, TIMED_OUT), "unknown", 1, "litellm.Timeout"),
        (answers(500, {"code": 500, "reason": "INTERNAL_SERVER_ERROR", "message": "late"}), "unknown", 1, "late"),
        (answers(503, {"code": 503, "reason": "SERVICE_NOT_AVAILABLE", "message": "late"}), "unknown", 1, "late"),
        (answers(500, SHAPES["base_resp"](1002), "Retry-After: 0"), "unknown", 1, "words"),
        (answers(400, DETAIL), "refused", 1, "You have reached your maximum amount of voices."),
        (says(http(200, GBK_ERROR)), "refused", 1, "音频时长不符合要求"),
        (says(http(200, GBK_VOICE)), "cloned", 1, ""),
        (says(http(400, b"failed to download audio_url: 403", kind="text/plain")), "refused", 1, "audio_url: 403"),
        (answers(200, SHAPES["base_resp"](1000), "Trace-Id: 04b2e15f0bbb"), "unknown", 1, "04b2e15f0bbb"),
        *((interim(*statuses), "cloned", 1, "") for statuses in [(100,), (102,), (103,), (100, 102, 103, 103), (199,)]),
        (says(b"HTTP/1.1 103 Early Hints\r\n\r\n"), "unknown", 1, ""),
        (says(http(500, GBK_VOICE)), "cloned", 1, "HTTP 500"),
    ],
)
def test_each_answer_over_http(clone_from: CloneFrom, behaviour: Behaviour, state: str, posts: int, shown: str) -> None:
    met = clone_from(behaviour, retry_budget_s=30)
    assert (met.error.state if met.error else "cloned") == state
    assert len(met.server.requests) == posts
    assert shown in (met.error.message if met.error else " ".join(met.voice.warnings if met.voice else ()))
