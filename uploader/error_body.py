"""The service's own message in the body of an error response: S3's XML, JSON, a web page's title, or plain text."""

from __future__ import annotations

import html
import json
import re
from typing import NamedTuple

from uploader.redaction import one_line

MOST_BYTES = 16_384
"""How much of a body is read."""
_CODE = re.compile(r"<Code>\s*([A-Za-z0-9_.:-]{1,64})\s*</Code>")
_MESSAGE = re.compile(r"<Message>(.*?)</Message>", re.DOTALL)
_TITLE = re.compile(r"<(title|h1)\b[^>]*>(.*?)</\1>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
_JSON_MESSAGES = ("message", "Message", "error_description", "error", "detail")


class ErrorBody(NamedTuple):
    """Code and message of an error response.

    Attributes:
        code: S3's code; empty if the body is not an S3 error.
        message: One line without the queries of URLs; may be empty.
    """

    code: str
    message: str


def read_error_body(body: bytes, content_type: str = "") -> ErrorBody:
    """Read code and message from the body of an error response; bytes that are not UTF-8 are replaced.

    Args:
        body: The first bytes of the body; only `MOST_BYTES` are read.
        content_type: The header of the response.

    >>> read_error_body(b"<Error><Code>NoSuchKey</Code><Message>Not here</Message></Error>")
    ErrorBody(code='NoSuchKey', message='Not here')
    >>> read_error_body(b"<html><head><title>Request blocked</title></head></html>", "text/html").message
    'Request blocked'
    """
    text = body[:MOST_BYTES].decode("utf-8", errors="replace").strip()
    # Not an XML parser: a truncated or malformed body still has its code, and entities cannot do harm.
    if code := _CODE.search(text):
        message = _MESSAGE.search(text)
        return ErrorBody(code[1], one_line(html.unescape(message[1])) if message else "")
    if text.startswith("{"):
        return _from_json(text)
    if title := _TITLE.search(text):
        return ErrorBody("", one_line(html.unescape(_TAG.sub(" ", title[2]))))
    if text.startswith("<") or "html" in content_type.lower():
        return ErrorBody("", one_line(html.unescape(_TAG.sub(" ", text))))
    return ErrorBody("", one_line(text))


def _from_json(text: str) -> ErrorBody:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return ErrorBody("", one_line(text))
    inner = answer.get("error") if isinstance(answer.get("error"), dict) else answer
    code = inner.get("code") or inner.get("Code") or ""
    message = next((inner[name] for name in _JSON_MESSAGES if isinstance(inner.get(name), str)), text)
    is_code = isinstance(code, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}", code)
    return ErrorBody(code if is_code else "", one_line(message))
