"""One fresh connection per call, which can be cut from outside and keeps URL queries out of log lines."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import requests
import urllib3.connection
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


class _QuietAnswer(http.client.HTTPResponse):
    """An answer whose malformed headers are passed over: urllib3 writes them, with what they echo, to its log."""

    def begin(self) -> None:
        super().begin()
        self.headers.defects.clear()
        self.headers.set_payload("")


class _Observed:
    """What both kinds of connection add: they make themselves known, and put the query back."""

    def __init__(self, *arguments: Any, wire: Wire, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._wire = wire
        wire.connection = self

    def putrequest(self, method: str, url: str, *arguments: Any, **settings: Any) -> None:
        target = f"{url}?{self._wire.query}" if self._wire.query else url
        super().putrequest(method, target, *arguments, **settings)  # type: ignore[misc]


class _PlainConnection(_Observed, urllib3.connection.HTTPConnection):
    response_class = _QuietAnswer


class _TlsConnection(_Observed, urllib3.connection.HTTPSConnection):
    response_class = _QuietAnswer


class Wire(HTTPAdapter):
    """A transport for one request: no pool to speak of, no repeats, and the connection in reach.

    The pool writes each target to the debug log and into its exceptions, so it never learns the query.
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
        pool.ConnectionCls = _TlsConnection if pool.scheme == "https" else _PlainConnection
        pool.conn_kw["wire"] = self
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
