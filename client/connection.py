"""One new connection per request: it can be shut from another thread, and it keeps URL queries out of log lines.

It also keeps what arrives as it is, and reads answers from it that the HTTP library refuses.

Everything that is overridden or set here is public: `request_url` and `get_connection_with_tls_context` of requests'
adapter, `ConnectionCls` of urllib3's pool, `response_class`, `putrequest` and `sock` of http.client. pyproject.toml
bounds the versions of both libraries, and the tests of the client pass with both ends of those ranges.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from email.parser import BytesParser
from typing import Any, Final

import requests
from msgspec import Struct
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

_MOST_RECEIVED: Final = 300_000
"""How many bytes of an answer are kept as they arrived."""


class Cancelled(OSError):
    """The caller gave up before the body was sent."""


class TrackedBody:
    """A request body that records whether it was read, and that can be cancelled until then.

    http.client writes the request line and the headers first, and reads the body only after the connection, the
    proxy's tunnel and TLS are established. A body that was never read was therefore never sent, whichever exception
    the library raises. The server cannot have acted on the request either: without ``Content-Length`` bytes the
    message is incomplete (RFC 9112, section 8).
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._lock = threading.Lock()
        self._was_read = False
        self._is_cancelled = False

    def __len__(self) -> int:
        # requests takes the length for the header Content-Length; without it, it would send chunks.
        return len(self._content)

    def __iter__(self) -> Iterator[bytes]:
        # requests streams only what is iterable; urllib3 then prefers `read`.
        while piece := self.read():
            yield piece

    def read(self, _size: int = -1) -> bytes:
        """Return the whole body the first time, then nothing; raise `Cancelled` after `cancel`."""
        with self._lock:
            if self._is_cancelled:
                raise Cancelled("the call was cancelled")
            piece, self._content = self._content, b""
            self._was_read = True
        return piece

    def cancel(self) -> bool:
        """Prevent the body from being sent from now on; return True if it was not sent before either."""
        with self._lock:
            self._is_cancelled = True
            return not self._was_read


class BearerAuth(AuthBase):
    """The API key as an auth object: without one, requests lets a ``.netrc`` replace the Authorization header."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the header."""
        prepared.headers["Authorization"] = f"Bearer {self._key}"
        return prepared


class NoAuth(AuthBase):
    """No credentials, not even those that a ``.netrc`` has for the host."""

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        """Change nothing."""
        return prepared


class _Copy(io.RawIOBase):
    """A socket's stream that keeps a copy of the first bytes that it reads."""

    def __init__(self, stream: io.RawIOBase, received: bytearray) -> None:
        super().__init__()
        self._stream = stream
        self._received = received

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        """Read what has arrived."""
        count = self._stream.readinto(buffer)
        if count and len(self._received) < _MOST_RECEIVED:
            self._received += memoryview(buffer)[:count]
        return count

    def close(self) -> None:
        """Close the socket's stream too."""
        self._stream.close()
        super().close()


class _FinalResponse(http.client.HTTPResponse):
    """A response that skips interim responses, and whose malformed headers are not logged."""

    received: bytearray

    def __init__(self, sock: socket.socket, *arguments: Any, **settings: Any) -> None:
        super().__init__(sock, *arguments, **settings)
        self._socket = sock
        # http.client and urllib3 return nothing of an answer whose status line, headers or chunks are not valid HTTP.
        self.received.clear()
        self.fp = io.BufferedReader(_Copy(self.fp.detach(), self.received))

    def begin(self) -> None:
        """Read the status line and the headers of the final response.

        RFC 9110, 15.2: a client must be able to parse one or more 1xx responses before the final one. http.client
        skips 100 only, and returns 102 (Processing) or 103 (Early Hints) as if it were the answer, which would lose
        the result of a paid call. `begin` reads the next head only while `headers` is None.
        """
        try:
            super().begin()
            while self.headers is not None and 100 <= self.status < 200:
                self.headers = None  # type: ignore[assignment]
                super().begin()
        except http.client.HTTPException:
            self._receive_rest()
            raise
        # urllib3 logs the defects and the unparsed rest of malformed headers, which may repeat the API key.
        self.headers.defects.clear()
        self.headers.set_payload("")

    def _receive_rest(self) -> None:
        """Receive what follows a head that http.client refuses: `received` keeps it, and it may contain a result."""
        with contextlib.suppress(OSError):  # what http.client raised is the cause
            # From the socket: http.client has closed its stream of it.
            while len(self.received) < _MOST_RECEIVED and (piece := self._socket.recv(65536)):
                self.received += piece


def _tracked(kind: type[Any], adapter: SingleUseAdapter) -> type[Any]:
    """Derive from a connection class (plain, TLS, SOCKS) one that registers itself and appends the query."""

    class Response(_FinalResponse):
        received = adapter.received

    class Tracked(kind):  # type: ignore[misc]
        response_class = Response

        def __init__(self, *arguments: Any, **settings: Any) -> None:
            super().__init__(*arguments, **settings)
            adapter.connection = self

        def putrequest(self, method: str, url: str, *arguments: Any, **settings: Any) -> None:
            """Write the request line with the query, which the pool does not have."""
            super().putrequest(method, f"{url}?{adapter.query}" if adapter.query else url, *arguments, **settings)

    return Tracked


class SingleUseAdapter(HTTPAdapter):
    """A transport for one request: no retries of its own, and its connection is accessible.

    urllib3's pool writes each target to its debug log and into its exceptions, so it never sees the query.

    Attributes:
        received: The first bytes of the answer as they arrived, heads and framing included.
    """

    def __init__(self) -> None:
        # max_retries=0: urllib3 would otherwise repeat a request whose connection was refused.
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)
        self.query = ""
        self.connection: Any = None
        self.received = bytearray()

    def request_url(self, request: requests.PreparedRequest, proxies: Mapping[str, str] | None) -> str:
        """Return the target without its query, and keep the query for the connection."""
        target, _, self.query = super().request_url(request, proxies).partition("?")
        return target

    def get_connection_with_tls_context(self, *arguments: Any, **settings: Any) -> Any:
        """Return the usual pool, with connections that can be shut."""
        pool: Any = super().get_connection_with_tls_context(*arguments, **settings)
        pool.ConnectionCls = _tracked(type(pool).ConnectionCls, self)
        return pool

    def shut_down(self) -> None:
        """Shut the socket, which wakes up a thread that waits for it."""
        sock = getattr(self.connection, "sock", None)
        if isinstance(sock, socket.socket):
            try:
                # Not SSLSocket.shutdown: it discards the TLS object that the other thread is reading from.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            except OSError:
                return  # closed already


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

    For an answer whose head or framing the HTTP library refuses: http.client and urllib3 return nothing of one with a
    status line of another protocol version (``HTTP/2 200``, ``ICY 200 OK``), more than 100 headers, a header above
    64 KiB, or a damaged chunk. The result of a paid call may be in it.

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
