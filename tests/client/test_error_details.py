"""The service's own message and trace id, in every format that services are known to use."""

from __future__ import annotations

import json
from typing import Any

import pytest

from client.answers import Answer
from client.encoding import decode
from client.error_details import error_details
from client.tolerant_json import read

PAGE = "<html><head><title>Blocked</title><style>b {}</style></head><body><h1>Your IP&#39;s blocked</h1></body></html>"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"base_resp": {"status_code": 1, "status_msg": "invalid params"}}, "invalid params"),
        ({"message": "no"}, "no"),
        ({"msg": "no"}, "no"),
        ({"error": "no"}, "no"),
        ({"error": {"message": "no", "type": "t"}}, "no"),
        ({"error": {"code": "voice_limit"}}, "voice_limit"),
        ({"error": "invalid_grant", "error_description": "the key expired"}, "the key expired; invalid_grant"),
        ({"detail": "Not Found"}, "Not Found"),
        ({"detail": {"status": "limit_reached", "message": "no more voices"}}, "no more voices"),
        ({"detail": {"status": "limit_reached"}}, "limit_reached"),
        (
            {"detail": [{"loc": ["body", "text"], "msg": "field required"}, {"loc": ["body", 0], "msg": "too long"}]},
            "body.text: field required; body.0: too long",
        ),
        ({"errors": ["first", {"message": "second"}]}, "first; second"),
        ({"errors": [{"title": "Bad", "detail": "very bad"}]}, "Bad; very bad"),
        ({"type": "about:blank", "title": "Forbidden", "status": 403, "detail": "no credit"}, "Forbidden; no credit"),
        ({"message": "success", "base_resp": {"status_msg": "sensitive"}}, "sensitive"),
        ({"data": {"message": "inner"}}, "inner"),
        ([{"message": "in a list"}], "in a list"),
        ("a JSON string", "a JSON string"),
        ({}, ""),
        ({"message": 5, "detail": None, "error": []}, ""),
    ],
)
def test_message_in_json(body: Any, message: str) -> None:
    assert error_details(read(json.dumps(body).encode(), "application/json"), {}).message == message


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b"failed to download audio_url: 403\n", "text/plain", "failed to download audio_url: 403"),
        (b"upstream connect error", "application/json", "upstream connect error"),
        (PAGE.encode(), "text/html", "Blocked Your IP's blocked"),
        (PAGE.encode(), "", "Blocked Your IP's blocked"),
        (b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>", "application/xml", "AccessDenied no"),
        ("请求过多".encode("gbk"), "text/plain", "请求过多"),
        ("zu groß".encode("latin-1"), "text/plain; charset=iso-8859-1", "zu groß"),
        ("zu groß".encode(), "text/plain; charset=iso-8859-1", "zu groß"),
        (bytes(range(256)) * 4, "application/octet-stream", ""),
        (b"", "", ""),
    ],
)
def test_message_in_other_text(body: bytes, kind: str, message: str) -> None:
    headers = {"content-type": kind}
    assert " ".join(error_details(read(body, kind), headers).message.split()) == message


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ({"trace_id": "t-1"}, {}),
        ({"traceId": "t-1"}, {"x-request-id": "another"}),
        ({"metadata": {"trace_id": "t-1"}}, {}),
        ({"error": {"request_id": "t-1"}}, {}),
        *(({}, {name: "t-1"}) for name in ("trace-id", "x-trace-id", "x-request-id", "request-id")),
    ],
)
def test_trace_ids(body: Any, headers: dict[str, str]) -> None:
    assert Answer(500, headers, json.dumps(body).encode(), "", ()).trace_id == "t-1"


def test_a_refused_key_is_explained_in_a_header() -> None:
    headers = {"www-authenticate": 'Bearer error="invalid_token", error_description="The token expired"'}
    assert Answer(401, headers, b"", "", ()).service_message == "The token expired"


def test_the_message_has_no_control_sequences_and_secrets() -> None:
    body = json.dumps({"message": "\x1b[31mred\x1b[0m \x1b]0;title\x07\x9b2Jkey s3cr3t-key\u202e\r\nend"}).encode()
    assert Answer(400, {}, body, "", ("s3cr3t-key",)).service_message == "red key *** end"


@pytest.mark.parametrize("charset", ["unicode_escape", "idna", "base64", "rot13", "no-such", "utf-7", "punycode"])
def test_a_declared_charset_cannot_select_any_codec(charset: str) -> None:
    assert decode(b"a\\x41", f"text/plain; charset={charset}") == "a\\x41"
