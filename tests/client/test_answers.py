"""Each answer without a result becomes its error class, with code, reason, trace id and hint."""

from __future__ import annotations

from typing import Any

import pytest

import client
from client import AudioRefused, NonsenseAnswer, OutcomeUnknown, RequestRefused, ServerFailed, ServiceError
from client.call_outcomes import CODES, REASONS
from tests.client.conftest import clone_error

PAGE = b"<html><body>Bad things</body></html>"


@pytest.mark.parametrize("code", sorted(CODES))
@pytest.mark.parametrize("status", [200, 400])
def test_each_code_becomes_its_error(code: int, status: int) -> None:
    body = {"base_resp": {"status_code": code, "status_msg": "some text"}, "trace_id": "t-1"}
    error = clone_error(status, body)
    assert type(error) is CODES[code].error
    assert (error.code, error.trace_id, error.http_status) == (code, "t-1", status)
    assert CODES[code].message in error.message
    assert "some text" in error.message
    assert error.hint


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_each_reason_becomes_its_error(reason: str) -> None:
    error = clone_error(400, {"code": 400, "reason": reason, "message": "no", "metadata": {}})
    assert type(error) is REASONS[reason].error
    assert (error.reason, error.code) == (reason, None)


@pytest.mark.parametrize(
    ("status", "body", "name"),
    [
        (400, {}, "RequestRefused"),
        (401, {}, "KeyRefused"),
        (402, {}, "BalanceTooLow"),
        (403, {}, "NotPermitted"),
        (404, {"code": 404, "reason": "API_NOT_FOUND"}, "RequestRefused"),
        (403, {"reason": "NOT_ENOUGH_BALANCE"}, "BalanceTooLow"),
        (418, {}, "OutcomeUnknown"),
        (429, {}, "RateLimited"),
        (429, {"code": 1008}, "RateLimited"),
        (500, {"code": 500, "reason": "BILLING_FAILED", "message": "m"}, "ServerFailed"),
        (500, {"message": "internal"}, "OutcomeUnknown"),  # a proxy may say so, too
        (500, {"message": "clone failed, code: 2037"}, "OutcomeUnknown"),
        (500, {}, "OutcomeUnknown"),
        (502, {"message": "bad gateway"}, "OutcomeUnknown"),
        (503, {"code": 503, "reason": "SERVICE_NOT_AVAILABLE", "message": "m"}, "ServerFailed"),
        (503, {}, "OutcomeUnknown"),
        (504, {"code": 504, "message": "gateway timeout"}, "ServerFailed"),
        (599, [], "OutcomeUnknown"),
        (200, {}, "NonsenseAnswer"),
        (200, [], "NonsenseAnswer"),
        (200, "voice", "NonsenseAnswer"),
        (200, {"message": "success", "code": 0}, "NonsenseAnswer"),
        (200, {"base_resp": {"status_code": 0, "status_msg": "success"}}, "NonsenseAnswer"),
        (200, {"base_resp": {"status_code": 9999, "status_msg": "new"}}, "ServerFailed"),
        (200, {"code": 401, "reason": "FAILED_TO_AUTH", "message": "m"}, "KeyRefused"),
        (200, {"code": 403, "message": "m"}, "ServerFailed"),
        (200, {"code": "2037", "message": "m"}, "AudioRefused"),
        (204, {}, "NonsenseAnswer"),
        (200, {"voice_id": ""}, "NonsenseAnswer"),
        (200, {"voice_id": None}, "NonsenseAnswer"),
        (200, {"voice_id": 1.5}, "NonsenseAnswer"),
        (200, {"voice_id": 0}, "NonsenseAnswer"),
        (200, {"voice_id": True}, "NonsenseAnswer"),
        (200, {"voice_id": "null", "base_resp": {"status_code": 2037}}, "AudioRefused"),
        (200, {"voice_id": "v" * 70_000}, "NonsenseAnswer"),
        (200, {"voice_id": "a\nb"}, "NonsenseAnswer"),
        (200, {"voice_id": "\x1b[31mred"}, "NonsenseAnswer"),
        (200, {"voice_id": "v" * 257}, "NonsenseAnswer"),
        (400, {"voice_id": "", "message": "m"}, "RequestRefused"),
    ],
)
def test_each_status_and_shape_becomes_its_error(status: int, body: Any, name: str) -> None:
    error = clone_error(status, body)
    assert type(error) is getattr(client, name), error
    assert error.message.isprintable()


@pytest.mark.parametrize(
    ("message", "code", "kind"),
    [
        ("invalid params, invalid file ext", None, AudioRefused),
        ("MiniMax error 2037: voice duration", 2037, AudioRefused),
        ("clone failed (2048)", 2048, AudioRefused),
        ("status_code=1044", 1044, AudioRefused),
        ("text must have at most 2048 characters", None, RequestRefused),
        ("at most 1000 characters", None, RequestRefused),
        ("took 12037 ms", None, RequestRefused),
        ("version 3.2037", None, RequestRefused),
    ],
)
def test_codes_and_phrases_in_a_gateways_message_explain_a_refusal(
    message: str, code: int | None, kind: type[ServiceError]
) -> None:
    error = clone_error(400, {"code": 400, "reason": "INVALID_REQUEST_BODY", "message": message})
    assert type(error) is kind
    assert error.code == code


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (1000, "unknown error", ServerFailed),
        (1000, "failed to decode audio", ServerFailed),
        (2013, "invalid params, invalid file ext", AudioRefused),
        (2013, "invalid params", RequestRefused),
    ],
)
def test_a_phrase_explains_a_vague_code(code: int, message: str, kind: type[ServiceError]) -> None:
    error = clone_error(200, {"base_resp": {"status_code": code, "status_msg": message}})
    assert type(error) is kind
    assert error.code == code


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (200, "NonsenseAnswer"),
        (401, "KeyRefused"),
        (403, "NotPermitted"),
        (429, "RateLimited"),
        (500, "OutcomeUnknown"),
        (502, "OutcomeUnknown"),
        (503, "OutcomeUnknown"),
        (504, "OutcomeUnknown"),
    ],
)
def test_web_pages_instead_of_json(status: int, name: str) -> None:
    error = clone_error(status, PAGE, content_type="text/html")
    assert type(error) is getattr(client, name)


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"[" * 100_000, b'{"voice_id": "\\ud800"}', b'{"voice_id":', b"null"]
)
def test_an_unreadable_answer_with_status_200(body: bytes) -> None:
    error = clone_error(200, body)
    assert type(error) is NonsenseAnswer
    assert isinstance(error, OutcomeUnknown)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_unknown(status: int) -> None:
    error = clone_error(status, {}, location="http://127.0.0.1:1/elsewhere")
    assert type(error) is OutcomeUnknown
    assert "base URL" in error.hint
    assert "charged" in error.hint


def test_a_long_string_is_shown_as_its_length() -> None:
    error = clone_error(200, {"audio": "0" * 70_000})
    assert '{"audio": "<70000 characters>"}' in error.message


def test_messages_are_bounded_and_without_escape_codes() -> None:
    error = clone_error(400, {"message": "\x1b[2J\u202e\r\n" + "long " * 10_000})
    assert len(error.message) < 500
    assert error.message.isprintable()
