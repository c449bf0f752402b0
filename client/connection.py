"""One new connection per call, which can be cut from outside and keeps URL queries out of log lines."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase


class Withdrawn(OSError):
    """The caller gave up before the body went out."""


class WatchedBody:
    """A request body that knows whether anybody began to send it, and that can be withdrawn until then.

    The HTTP library asks for the body after the connection stands and the headers are written. A request
    whose body was never asked for cannot have been carried out: the server still waits for ``Content-Length``
    bytes. That holds whatever exception the library raises, with TLS and through proxies.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._lock = threading.Lock()
        self._begun = False
        self._withdrawn = False

    def __len__(self) -> int:
        return len(self._content)

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read():
            yield piece

    def read(self, _size: int = -1) -> bytes:
        """Hand out the whole body the first time, then nothing; raises `Withdrawn` after `withdraw`."""
        with self._lock:
            if self._withdrawn:
                raise Withdrawn("the call was given up")
            piece, self._content = self._content, b""
            self._begun = True
        return piece

    def withdraw(self) -> bool:
        """See to it that the body is not sent from now on; True if it surely was not sent before."""
        with self._lock:
            self._withdrawn = True
            return not self._begun


class Bearer(AuthBase):
    """The API key as an auth object, so that a ``.netrc`` cannot take the header's place."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the header."""
        prepared.headers["Authorization"] = f"Bearer {self._key}"
        return prepared


class Anonymous(AuthBase):
    """No credentials at all, not even those that a ``.netrc`` holds for the host."""

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        """Change nothing."""
        return prepared


class _Response(http.client.HTTPResponse):
    """An answer behind any interim ones, and without a log of its malformed headers."""

    def begin(self) -> None:
        """Read the status line and headers of the final answer.

        http.client itself reads past 100 only. Others (102 Processing, 103 Early Hints, and any 1xx: RFC 9110,
        15.2) may come before the answer as well; `begin` reads the next head when there are no headers yet.
        """
        super().begin()
        while self.headers is not None and 100 <= self.status < 200:
            self.headers = None  # type: ignore[assignment]
            super().begin()
        # urllib3 writes malformed headers, with the secrets that they may repeat, to its log.
        self.headers.defects.clear()
        self.headers.set_payload("")


def _observed(kind: type[Any], wire: Wire) -> type[Any]:
    """Derive from a class of connections (plain, TLS, SOCKS) one that makes itself known and adds the query."""

    class Observed(kind):  # type: ignore[misc]
        response_class = _Response

        def __init__(self, *arguments: Any, **settings: Any) -> None:
            super().__init__(*arguments, **settings)
            wire.connection = self

        def putrequest(self, method: str, url: str, *arguments: Any, **settings: Any) -> None:
            """Write the request line with the query that the pool does not know."""
            super().putrequest(method, f"{url}?{wire.query}" if wire.query else url, *arguments, **settings)

    return Observed


class Wire(HTTPAdapter):
    """A transport for one request: no repeats, interim answers skipped, and the connection within reach.

    The pool writes each target to the debug log and into its exceptions, so it never learns the query.

    Everything that is overridden or set here is public: `request_url` and `get_connection_with_tls_context` of
    requests' adapter, `ConnectionCls` of urllib3's pool, `response_class`, `putrequest` and `sock` of http.client.
    pyproject.toml bounds the versions of both libraries; the tests of the client pass with both ends.
    """

    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)
        self.query = ""
        self.connection: Any = None

    def request_url(self, request: requests.PreparedRequest, proxies: Mapping[str, str] | None) -> str:
        """Give the pool the target without its query, and keep the query for the connection."""
        target, _, self.query = super().request_url(request, proxies).partition("?")
        return target

    def get_connection_with_tls_context(self, *arguments: Any, **settings: Any) -> Any:
        """Take the usual pool, but have it make connections that can be cut."""
        pool: Any = super().get_connection_with_tls_context(*arguments, **settings)
        pool.ConnectionCls = _observed(type(pool).ConnectionCls, self)
        return pool

    def cut(self) -> None:
        """Shut the socket, so that a thread that waits on it wakes up."""
        line = getattr(self.connection, "sock", None)
        if isinstance(line, socket.socket):
            try:
                # Not the TLS socket's own shutdown, which takes the session from under the reading thread.
                socket.socket.shutdown(line, socket.SHUT_RDWR)
            except OSError:
                return  # closed already
