"""One exchange: a request, its answer, one deadline over everything, and whether the request was sent.

The exchange runs in a daemon thread, since neither socket timeouts nor the HTTP library bound the whole of a
call: a server that sends one byte of header a minute keeps both content for hours. The caller waits with a
deadline; when it leaves, whatever the reason, the body is withdrawn and the connection is cut.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import requests
from msgspec import Struct
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from client.addresses import is_loopback
from client.connection import WatchedBody, Wire
from client.transport_errors import Cause, explain

_log = logging.getLogger("client")
_CHUNK_BYTES = 65536


class NoAnswer(Exception):
    """There is no answer, or not all of it.

    Attributes:
        why: What happened, as a clause.
        sent: Whether the request was, or may have been, sent.
        may_pass: Whether the cause may pass by itself in seconds.
        hint: What to do, if it is anything special.
    """

    def __init__(self, why: str, *, sent: bool, may_pass: bool = False, hint: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.sent = sent
        self.may_pass = may_pass
        self.hint = hint


class Outgoing(Struct, frozen=True):
    """A request to be sent; ``content`` is the body of a POST, None for a GET."""

    url: str
    auth: AuthBase
    content: bytes | None = None

    @property
    def shown(self) -> str:
        """Method, host and path: the query may hold a signature."""
        parts = urlsplit(self.url)
        return f"{'GET' if self.content is None else 'POST'} {parts.hostname}{parts.path}"

    def __repr__(self) -> str:
        return f"Outgoing({'GET' if self.content is None else 'POST'})"


class Head(Struct, frozen=True):
    """The beginning of an answer. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]


class _End(Struct, frozen=True):
    pass


_Event = Head | bytes | Cause | _End


class Exchange:
    """One request and its answer: a context manager; call `head`, then iterate over `chunks`."""

    def __init__(self, outgoing: Outgoing, *, connect_timeout_s: float, total_timeout_s: float) -> None:
        self._outgoing = outgoing
        # The deadline ends a call; the socket's own timeout, somewhat later, ends the thread if cutting should fail.
        self._timeouts = (min(connect_timeout_s, total_timeout_s), total_timeout_s + 5)
        self._total_s = total_timeout_s
        self._body = None if outgoing.content is None else WatchedBody(outgoing.content)
        self._events: queue.Queue[_Event] = queue.Queue(maxsize=16)
        self._left = threading.Event()
        self._wire = Wire()
        self._deadline = 0.0

    def __enter__(self) -> Exchange:
        self._deadline = time.monotonic() + self._total_s
        threading.Thread(target=self._run, name="client-exchange", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        if self._body is not None:
            self._body.withdraw()
        self._wire.cut()

    def head(self) -> Head:
        """Wait for status and headers; raises `NoAnswer`."""
        event = self._next(before_head=True)
        if not isinstance(event, Head):
            raise NoAnswer("the answer has no beginning", sent=True)
        elapsed = self._total_s - (self._deadline - time.monotonic())
        _log.debug("%s: %d, %.2f s", self._outgoing.shown, event.status, elapsed)
        return event

    def chunks(self) -> Iterator[bytes]:
        """Yield the answer's body as it comes; raises `NoAnswer` when it stays incomplete."""
        while isinstance(event := self._next(before_head=False), bytes):
            yield event

    def _next(self, *, before_head: bool) -> _Event:
        try:
            event = self._events.get(timeout=max(0.0, self._deadline - time.monotonic()))
        except queue.Empty:
            event = Cause(f"there was no complete answer within {self._total_s:g} s")
        if isinstance(event, Cause):
            unsent = before_head and (self._body.withdraw() if self._body is not None else event.connecting)
            raise NoAnswer(event.why, sent=not unsent, may_pass=event.may_pass, hint=event.hint if unsent else "")
        return event

    def _run(self) -> None:
        try:
            with requests.Session() as session:
                if is_loopback(urlsplit(self._outgoing.url).hostname):
                    # A proxy cannot reach this machine's loopback, whatever the environment says.
                    session.trust_env = False
                    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
                session.mount("http://", self._wire)
                session.mount("https://", self._wire)
                self._relay(session)
        except (OSError, ValueError, HTTPException, HTTPError) as error:
            self._put(explain(error))
        finally:
            # Nobody reads this, unless an exception that is none of the above ended the thread.
            self._put(Cause("the exchange ended with an error"))

    def _relay(self, session: requests.Session) -> None:
        # Identity, so that a small answer cannot decompress into a large one.
        headers = {"Connection": "close", "Accept-Encoding": "identity"}
        settings: dict[str, Any] = {}
        if self._body is not None:
            headers["Content-Type"] = "application/json"
            settings["data"] = self._body
        with session.request(
            "GET" if self._body is None else "POST",
            self._outgoing.url,
            headers=headers,
            auth=self._outgoing.auth,
            timeout=self._timeouts,
            stream=True,
            allow_redirects=False,
            **settings,
        ) as answer:
            self._put(Head(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}))
            # Piece by piece as it comes: of an answer that ends early, iter_content gives nothing at all. The answer
            # to a POST is decompressed later, since a damaged one may still hold a result.
            while chunk := answer.raw.read1(_CHUNK_BYTES, decode_content=self._body is None):
                if not self._put(chunk):
                    return
            self._put(_End())

    def _put(self, event: _Event) -> bool:
        # The queue is short, so that a fast server cannot fill memory while a slow disk is written.
        while not self._left.is_set():
            try:
                self._events.put(event, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False
