"""The service's own message in the body of an error response: S3's XML, JSON, a web page's title, or plain text."""

from __future__ import annotations

import codecs
import html
import json
import re
import zlib
from typing import NamedTuple

from uploader.redaction import one_line

MOST_BYTES = 16_384
"""How much of a body is read."""
_CODE = re.compile(r"<Code>\s*([A-Za-z0-9_.:-]{1,64})\s*</Code>")
_MESSAGE = re.compile(r"<Message>(.*?)(?:</Message>|\Z)", re.DOTALL)  # it may be cut
_TITLE = re.compile(r"<(title|h1)\b[^>]*>(.*?)</\1>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
# In the Content-Type header, or in the XML declaration.
_CHARSET = re.compile(r"(?:charset|encoding)\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_CHARSETS = frozenset({"gbk", "gb2312", "gb18030", "big5", "shift_jis", "cp932", "euc_jp", "euc_kr", "cp949"})
_SINGLE_BYTE = re.compile(r"iso8859-\d+|cp125\d|koi8-[ru]")
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
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
    """Read code and message from the body of an error response; bytes that cannot be decoded are replaced.

    Args:
        body: The first bytes of the body; only `MOST_BYTES` are read.
        content_type: The header of the response.

    >>> read_error_body(b"<Error><Code>NoSuchKey</Code><Message>Not here</Message></Error>")
    ErrorBody(code='NoSuchKey', message='Not here')
    >>> read_error_body(b"<html><head><title>Request blocked</title></head></html>", "text/html").message
    'Request blocked'
    """
    text = _decode(_decompress(body)[:MOST_BYTES], content_type).strip()
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


def is_s3_document(body: bytes) -> bool:
    """Return whether a body may be XML of the S3 API: neither a web page nor anything else."""
    text = _decode(body[:200], "").lstrip("\ufeff \t\r\n").lower()
    return not text or (text.startswith("<") and not text.startswith(("<!doctype", "<html", "<head", "<body")))


def _decompress(body: bytes) -> bytes:
    """Decompress gzip (RFC 1952): botocore does not, and some gateways compress without being asked."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    try:
        return zlib.decompressobj(31).decompress(body, MOST_BYTES)
    except zlib.error:
        return body


def _decode(body: bytes, content_type: str) -> str:
    """Decode text: by its byte order mark, its zero bytes, UTF-8, the declared charset, or GB18030 (a superset of GBK).

    GB18030 is what Chinese services send without declaring it; it is used only if all bytes are valid.
    """
    for mark, codec in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(codec, "replace")
    zeros = [byte == 0 for byte in body[:4]]
    if zeros in ([False, True] * 2, [True, False] * 2):  # ASCII characters in UTF-16
        return body.decode("utf-16-le" if zeros[1] else "utf-16-be", "replace")
    declared = _CHARSET.search(content_type) or _CHARSET.search(body[:200].decode("latin-1"))
    for name in ("utf-8", declared[1] if declared else "utf-8", "gb18030"):
        try:
            codec = codecs.lookup(name).name
            if codec in _CHARSETS or codec == "utf-8" or _SINGLE_BYTE.fullmatch(codec):
                # incremental: the body may be cut within a character
                return codecs.getincrementaldecoder(codec)().decode(body)
        except (LookupError, UnicodeDecodeError):
            continue
    return body.decode("utf-8", "replace")


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
