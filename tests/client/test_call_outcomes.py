"""One table settles every answer. The expectations here are written independently of it.

The matrix runs on answers without HTTP; representative rows run over HTTP at the end.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from client import OutcomeUnknown
from tests.client.conftest import CloneFrom, clone_error
from tests.support.scripted_service import Behaviour, answers, http, pages, says

# --- the expected table ---------------------------------------------------------------------------------------------

REFUSING_STATUSES = {400, 401, 402, 403, 404, 413, 415, 422}
UNDECIDED_STATUSES = [201, 202, 204, 206, 300, 301, 302, 304, 307, 308, 405, 406, 408, 409, 410, 418, 421, 423]
UNDECIDED_STATUSES += [425, 451, 460, 499, 500, 501, 502, 503, 504, 507, 520, 522, 524, 529, 530, 599]
LIMITS = {1002, 1039, 1041, 2045}
DOUBTFUL = {1000, 1001, 1024, 1033}
REFUSALS = {1004, 1008, 1026, 1027, 1042, 1043, 1044, 2013, 20132, 2037, 2038, 2039, 2042, 2048, 2049, 2054, 2056}
UNLISTED = {-1, 7, 999, 1003, 9999, 30001}
EVERY_STATUS = [200, 429, *sorted(REFUSING_STATUSES), *UNDECIDED_STATUSES]


def expected(status: int, code: int | None) -> tuple[str, bool]:
    """The state, and whether the call may be repeated."""
    may_refuse = status == 200 or 400 <= status < 500
    if code in DOUBTFUL or not may_refuse:
        return "unknown", False
    if status == 429 or code in LIMITS:
        return "refused", True
    if status in REFUSING_STATUSES or (status == 200 and code in REFUSALS):
        return "refused", False
    return "unknown", False


SHAPES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "base_resp": lambda code: {"base_resp": {"status_code": code, "status_msg": "some text"}},
    "base_resp in data": lambda code: {"data": {"base_resp": {"status_code": code, "status_msg": "some text"}}},
    "status_code": lambda code: {"status_code": code, "message": "some text"},
    "code": lambda code: {"code": code, "message": "some text", "data": None},
    "error.code": lambda code: {"error": {"code": code, "message": "some text", "type": None}},
    "errors[].code": lambda code: {"errors": [{"code": code, "message": "some text"}]},
    "detail.code": lambda code: {"detail": {"code": code, "message": "some text"}},
    "camel case": lambda code: {"baseResp": {"statusCode": code, "statusMsg": "some text"}},
    "error_code": lambda code: {"error_code": code, "error_msg": "some text"},
}
FORMS: dict[str, Callable[[int], Any]] = {
    "number": int,
    "text": str,
    "float": float,
    "padded": lambda c: f" {c} ",
    "text of a float": lambda c: f"{c}.0",
}
ENCODINGS = ["utf-8", "utf-8-sig", "gbk", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]


# --- the matrix -----------------------------------------------------------------------------------------------------


def check(status: int, code: int | None, shape: str, form: str) -> None:
    body = {"message": "some text"} if code is None else SHAPES[shape](FORMS[form](code))
    error = clone_error(status, body)
    case = (status, code, shape, form)
    assert (error.state, error.retryable) == expected(status, code), case
    assert isinstance(error, OutcomeUnknown) == (error.state == "unknown"), case
    assert error.service_message == "some text", case
    assert error.code == code, case
    if error.state == "unknown":
        assert "not charged" not in f"{error.message} {error.hint}", case
        assert "nothing was" not in f"{error.message} {error.hint}", case


EVERY_CODE = [None, *sorted(LIMITS | DOUBTFUL | REFUSALS | UNLISTED)]


@pytest.mark.parametrize("status", EVERY_STATUS)
def test_every_status_with_every_code(status: int) -> None:
    shapes_and_forms = itertools.cycle(itertools.product(SHAPES, FORMS))
    for code in EVERY_CODE:
        check(status, code, *next(shapes_and_forms))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", FORMS)
def test_every_shape_of_a_code(shape: str, form: str) -> None:
    for status, code in itertools.product((200, 400, 429, 500), (1002, 2045, 1001, 2037, 9999, -1)):
        check(status, code, shape, form)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_encoding_changes_nothing(encoding: str) -> None:
    message = "音频时长不符合要求"
    for status, code in itertools.product((200, 400, 408, 500), (1002, 1001, 2037, 9999)):
        body = {"base_resp": {"status_code": code, "status_msg": message}}
        error = clone_error(status, body, encoding)
        assert (error.state, error.retryable) == expected(status, code), (status, code)
        assert error.service_message == message


@pytest.mark.parametrize("number", [1002, 1039, 2037, 1008])
@pytest.mark.parametrize("text", ["error {} happened", "code: {}", "({})", "rate limit exceeded, status_code={}"])
def test_a_number_in_prose_settles_nothing(number: int, text: str) -> None:
    for body in ({"message": text.format(number)}, {"detail": text.format(number)}, text.format(number).encode()):
        assert clone_error(200, body).state == "unknown"
        error = clone_error(400, body)
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
        # several codes: a doubtful code wins, then a limit
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
        # names of failures that are not listed, joined in other ways
        (400, {"reason": "CLONE_TIMEOUT"}, "unknown"),
        (400, {"error": {"code": "UpstreamTimeoutError"}}, "unknown"),
        (422, {"code": "RequestTimedOut"}, "unknown"),
        (400, {"code": "InternalServerError"}, "unknown"),
        (400, {"code": "service-temporarily-unavailable"}, "unknown"),
        (200, {"error": {"code": "InvalidApiKeyError"}}, "refused"),
        (400, {"reason": "INTERNATIONAL_NUMBER"}, "refused"),
        # types and states
        (400, {"error": {"type": "timeout_error", "message": "m"}}, "unknown"),
        (400, {"type": "server_error", "message": "m"}, "unknown"),
        (400, {"error": {"code": 400, "status": "DEADLINE_EXCEEDED"}}, "unknown"),
        (400, {"state": "UNAVAILABLE"}, "unknown"),
        (400, {"error": {"type": "invalid_request_error", "message": "m"}}, "refused"),
        (400, {"error": {"code": 400, "status": "INVALID_ARGUMENT"}}, "refused"),
        (400, {"status": "failed", "message": "m"}, "refused"),
        (200, {"type": "invalid_api_key"}, "unknown"),  # only a field for codes settles
        # HTTP statuses in other fields
        (400, {"http_status": 504, "message": "m"}, "unknown"),
        (400, {"message": "m", "upstreamStatusCode": "502"}, "unknown"),
        (400, {"http_status": 400, "message": "m"}, "refused"),
        # the answer of the service behind a gateway, quoted in a message
        (400, {"message": '{"base_resp": {"status_code": 1001}}'}, "unknown"),
        (400, {"detail": 'MinimaxException - {"code": 504, "message": "timeout"}'}, "unknown"),
        (400, {"message": '{"base_resp": {"status_code": 2037}}'}, "refused"),
        (200, {"message": '{"base_resp": {"status_code": 2037}}'}, "unknown"),
        (429, {"message": '{"base_resp": {"status_code": 1002}}'}, "refused"),
        # a task, and answers without any information
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
def test_unusual_answers(status: int, body: object, state: str) -> None:
    assert clone_error(status, body).state == state


def test_a_truncated_answer_is_unknown_unless_its_status_refuses() -> None:
    body = b'{"base_resp": {"status_code": 2013}, "mess'
    assert clone_error(200, body, missing="it was truncated").state == "unknown"
    assert clone_error(200, b'{"code": 1002', missing="it was truncated").state == "unknown"
    assert clone_error(413, b"", missing="it was truncated").state == "refused"


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
    ("behaviour", "state", "posts", "text"),
    [
        (answers(200, SHAPES["base_resp"](1001)), "unknown", 1, "timed out"),
        (answers(200, SHAPES["base_resp"](1002), "Retry-After: 0"), "refused", 4, "too many calls"),
        (answers(429, {}, "Retry-After: 0"), "refused", 4, ""),
        (answers(200, VOICE_AND_ERROR), "cloned", 1, "insufficient balance"),
        (answers(408, TIMED_OUT), "unknown", 1, "litellm.Timeout"),
        (answers(500, {"code": 500, "reason": "INTERNAL_SERVER_ERROR", "message": "late"}), "unknown", 1, "late"),
        (answers(503, {"code": 503, "reason": "SERVICE_NOT_AVAILABLE", "message": "late"}), "unknown", 1, "late"),
        (answers(500, SHAPES["base_resp"](1002), "Retry-After: 0"), "unknown", 1, "some text"),
        (answers(400, DETAIL), "refused", 1, "You have reached your maximum amount of voices."),
        (says(http(200, GBK_ERROR)), "refused", 1, "音频时长不符合要求"),
        (says(http(200, GBK_VOICE)), "cloned", 1, ""),
        (says(http(400, b"failed to download audio_url", kind="text/plain")), "refused", 1, "could not download the"),
        (answers(200, SHAPES["base_resp"](1000), "Trace-Id: 04b2e15f0bbb"), "unknown", 1, "04b2e15f0bbb"),
        *((interim(*statuses), "cloned", 1, "") for statuses in [(100,), (102,), (103,), (100, 102, 103, 103), (199,)]),
        (says(b"HTTP/1.1 103 Early Hints\r\n\r\n"), "unknown", 1, ""),
        (says(http(500, GBK_VOICE)), "cloned", 1, "HTTP 500"),
        (answers(302, {}, "Location: http://127.0.0.1:1/elsewhere"), "unknown", 1, "redirect"),
        (pages(502, "Retry-After: 0"), "unknown", 1, "Bad things"),
    ],
)
def test_each_answer_over_http(clone_from: CloneFrom, behaviour: Behaviour, state: str, posts: int, text: str) -> None:
    attempt = clone_from(behaviour, retry_budget_s=30)
    assert (attempt.error.state if attempt.error else "cloned") == state
    assert len(attempt.server.requests) == posts
    assert text in (
        attempt.error.message if attempt.error else " ".join(attempt.voice.warnings if attempt.voice else ())
    )
