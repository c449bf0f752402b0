"""An answer whose head or framing the HTTP library refuses, read from its bytes as they arrived.

http.client and urllib3 return nothing of an answer with a status line of another protocol version (``HTTP/2 200``,
``ICY 200 OK``), more than 100 headers, a header above 64 KiB, or a damaged chunk. The result of a paid call may be in
it.
"""

from __future__ import annotations

import re
from email.parser import BytesParser
from typing import Final

from msgspec import Struct

# RFC 9112, 4. Other spellings and protocol versions of it, too; blank lines before it (2.2).
_STATUS_LINE: Final = re.compile(rb"\s*[A-Za-z]{3,10}(?:/[0-9.]{1,8})?[ \t]+(?:([0-9]{3})(?![0-9]))?[^\r\n]*\r?\n")
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
# RFC 9112, 7.1: the size of a chunk in hexadecimal, and extensions.
_CHUNK: Final = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]{0,1000})?\r?\n")
# A line in the place of a size that is not one. JSON does not begin like this.
_DAMAGED_SIZE: Final = re.compile(rb"[^\r\n{\"\[]{0,40}\r?\n")


class RawAnswer(Struct, frozen=True):
    """What could be read of an answer.

    Attributes:
        status: HTTP status; 0 if the answer does not begin with a status line.
        headers: Headers, with names in lower case.
        body: What follows the heads, without the framing of chunks.
    """

    status: int
    headers: dict[str, str]
    body: bytearray


def read_raw(received: bytes) -> RawAnswer:
    r"""Separate heads and body, skipping interim responses; without a status line, everything is body.

    >>> read_raw(b'HTTP/2 200 OK\r\nA: b\r\n\r\n{}')
    RawAnswer(status=200, headers={'a': 'b'}, body=bytearray(b'{}'))
    """
    status, headers = 0, dict[str, str]()
    while found := _STATUS_LINE.match(received):
        end = _HEAD_END.search(received, found.end() - 2)
        if end is None:
            break
        head, received = received[found.end() : end.start()], received[end.end() :]
        status = int(found[1] or 0)
        headers = {name.lower(): str(value) for name, value in BytesParser().parsebytes(head, headersonly=True).items()}
        if not 100 <= status < 200:
            break
    if not 200 <= status < 600:
        status = 0  # RFC 9110, 15: interim responses only, or a status that has no meaning
    is_chunked = "chunked" in headers.get("transfer-encoding", "").lower()
    return RawAnswer(status, headers, _without_chunks(received) if is_chunked else bytearray(received))


def _without_chunks(received: bytes) -> bytearray:
    """Join chunks; after a damaged size, take everything up to the next size."""
    body, at = bytearray(), 0
    while at < len(received):
        size = _CHUNK.match(received, at)
        if size is None:
            damaged = _DAMAGED_SIZE.match(received, at)
            body += received[damaged.end() if damaged else at :]
            break
        at, length = size.end(), int(size[1], 16)
        if length == 0:
            break
        body += received[at : at + length]
        behind = re.compile(rb"\r?\n").match(received, at + length)
        at = behind.end() if behind else at + length
    return body
