"""One HTTP exchange with a deadline, and the answer to the question that decides about money: was the body sent?

::

    caller                  exchange thread           requests, urllib3, http.client       server
      | start ------------------>|                                |                          |
      |                          | session.request -------------->| connect, proxy, TLS ---->|
      |                          |                                | request line, headers -->|
      |                          |        TrackedBody.read() <----|                          |
      |                          |        returns the body ------>| body ------------------->|
      |                          |                                |<------ 1xx (skipped) ----|
      |<---- ResponseHead -------|<-------------------------------|<------ status, headers --|
      |<---- bytes, _End --------|<-------------------------------|<------ body -------------|
      |
      | deadline, error or exit: TrackedBody.cancel(), then shut the socket

    body read?   what failed                                         outcome     repeated
    no           DNS, connect, proxy, TLS, cancelled before          not sent    yes
    yes          anything, also a timeout or a reset                 unknown     never

The exchange runs in a daemon thread because neither socket timeouts nor the HTTP libraries limit a whole call: a
timeout applies to each `recv`, so a server that sends one header byte a minute blocks both for hours.
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
from client.answers import Answer
from client.connection import BearerAuth, SingleUseAdapter, TrackedBody, read_raw
from client.encoding import decompress
from client.errors import OutcomeUnknown, ServiceError, ServiceUnreachable
from client.transport_errors import Cause, explain

_log = logging.getLogger("client")
_CHUNK_BYTES = 65536


def post(
    url: str,
    key: str,
    content: bytes,
    timeouts_s: tuple[float, float],
    max_bytes: int,
    secrets: tuple[str, ...] = (),
) -> Answer:
    """Send a JSON body once and return the answer with any status.

    Args:
        url: The endpoint.
        key: The API key.
        content: The JSON body.
        timeouts_s: Seconds for connecting, and for the whole call.
        max_bytes: The most bytes of the answer to read.
        secrets: What else, besides the key, must not be shown if the server echoes it.

    Returns:
        The answer. Its status is 0 if what was received does not begin with a status line.

    Raises:
        ServiceUnreachable: The request was not sent.
        OutcomeUnknown: It was or may have been sent, and nothing was received.
    """
    connect_s, total_s = timeouts_s
    failure: ServiceError
    with Exchange(
        Request(url, BearerAuth(key), content), connect_timeout_s=connect_s, total_timeout_s=total_s
    ) as exchange:
        try:
            head = exchange.head()
        except ExchangeFailed as failed:
            if failed.sent and (received := exchange.received()):
                raw = read_raw(received)
                body, problem = decompress(raw.body, raw.headers.get("content-encoding", ""), max_bytes)
                problem = problem or ("its head is not valid HTTP" if raw.status else failed.reason)
                return Answer(raw.status, raw.headers, body, problem, (key, *secrets))
            failure = _without_answer(failed)
        else:
            arrived, missing = _read(exchange, max_bytes)
            # Not in the HTTP library: it returns nothing of a compressed body that is damaged or wrongly declared.
            body, problem = decompress(arrived, head.headers.get("content-encoding", ""), max_bytes)
            unframed = bytearray()
            if body is arrived:  # not compressed, or in a way that its framing hides
                raw = read_raw(exchange.received())
                unframed, _ = decompress(raw.body, raw.headers.get("content-encoding", ""), max_bytes)
            return Answer(head.status, head.headers, body, missing or problem, (key, *secrets), unframed)
    # Raised outside of `except`, so that the library's errors, which contain URLs, are not its context.
    raise failure


def _read(exchange: Exchange, max_bytes: int) -> tuple[bytearray, str]:
    # Grows in place: a list of pieces, joined at the end, would need twice the memory.
    body = bytearray()
    try:
        for chunk in exchange.chunks():
            body += chunk
            if len(body) > max_bytes:
                del body[max_bytes:]
                return body, f"the answer is larger than {max_bytes:,} bytes"
    except ExchangeFailed as failed:
        return body, failed.reason
    return body, ""


def _without_answer(failed: ExchangeFailed) -> ServiceError:
    if failed.sent:
        return OutcomeUnknown(f"the request was or may have been sent, and {failed.reason}")
    unreachable = ServiceUnreachable(
        f"the service was not reached: {failed.reason}; nothing was sent", hint=failed.hint
    )
    unreachable.retryable = failed.transient
    return unreachable


class ExchangeFailed(Exception):
    """The answer is missing or incomplete.

    Attributes:
        reason: What happened, as a clause.
        sent: Whether the request was, or may have been, sent.
        transient: Whether the cause may disappear within seconds.
        hint: What to do, if the cause is known that well.
    """

    def __init__(self, reason: str, *, sent: bool, transient: bool = False, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent
        self.transient = transient
        self.hint = hint


class Request(Struct, frozen=True):
    """A request to send; ``content`` is the body of a POST, None for a GET."""

    url: str
    auth: AuthBase
    content: bytes | None = None

    @property
    def method(self) -> str:
        """``GET`` or ``POST``."""
        return "GET" if self.content is None else "POST"

    def __repr__(self) -> str:
        # The query may contain a signature.
        parts = urlsplit(self.url)
        return f"{self.method} {parts.hostname}{parts.path}"


class ResponseHead(Struct, frozen=True):
    """Status and headers of an answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]


class _End(Struct, frozen=True):
    """The answer is complete."""


_Event = ResponseHead | bytes | Cause | _End


class Exchange:
    """One request and its answer. A context manager: call `head`, then iterate over `chunks`."""

    def __init__(self, request: Request, *, connect_timeout_s: float, total_timeout_s: float) -> None:
        self._request = request
        # The deadline ends the call. The socket's own timeout, 5 s later, ends the thread if shutting the socket fails.
        self._timeouts = (min(connect_timeout_s, total_timeout_s), total_timeout_s + 5)
        self._total_s = total_timeout_s
        self._body = None if request.content is None else TrackedBody(request.content)
        # Bounded, so that a fast server cannot fill memory while a slow disk is written to.
        self._events: queue.Queue[_Event] = queue.Queue(maxsize=16)
        self._closed = threading.Event()
        self._adapter = SingleUseAdapter()
        self._deadline = 0.0

    def __enter__(self) -> Exchange:
        self._deadline = time.monotonic() + self._total_s
        threading.Thread(target=self._run, name="client-exchange", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        if self._body is not None:
            self._body.cancel()
        self._adapter.shut_down()

    def head(self) -> ResponseHead:
        """Wait for status and headers; raise `ExchangeFailed` if they do not arrive."""
        event = self._next(before_head=True)
        if not isinstance(event, ResponseHead):
            raise ExchangeFailed("the answer has no status line", sent=True)
        elapsed_s = self._total_s - (self._deadline - time.monotonic())
        _log.debug("%r: %d, %.2f s", self._request, event.status, elapsed_s)
        return event

    def received(self) -> bytes:
        """Return the first bytes of the answer as they arrived, heads and framing included."""
        return bytes(self._adapter.received)

    def chunks(self) -> Iterator[bytes]:
        """Yield the answer's body as it arrives; raise `ExchangeFailed` if it stays incomplete."""
        while isinstance(event := self._next(before_head=False), bytes):
            yield event

    def _next(self, *, before_head: bool) -> _Event:
        try:
            event = self._events.get(timeout=max(0.0, self._deadline - time.monotonic()))
        except queue.Empty:
            event = Cause(f"there was no complete answer within {self._total_s:g} s")
        if isinstance(event, Cause):
            # Cancelling and asking is one step under the body's lock: the thread cannot send it in between.
            unsent = before_head and (self._body.cancel() if self._body is not None else event.while_connecting)
            raise ExchangeFailed(
                event.reason, sent=not unsent, transient=event.transient, hint=event.hint if unsent else ""
            )
        return event

    def _run(self) -> None:
        try:
            with requests.Session() as session:
                if is_loopback(urlsplit(self._request.url).hostname):
                    # A proxy cannot reach this machine's loopback interface. trust_env turns off the proxies of the
                    # environment, but also its CA bundles, which are therefore set again.
                    session.trust_env = False
                    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
                session.mount("http://", self._adapter)
                session.mount("https://", self._adapter)
                self._relay(session)
        except (OSError, ValueError, HTTPException, HTTPError) as error:
            # requests does not wrap all of them: http.client's and urllib3's own reach the caller in some versions.
            self._put(explain(error))
        finally:
            # Read only if an exception of another type ended the thread.
            self._put(Cause("the exchange ended with an error"))

    def _relay(self, session: requests.Session) -> None:
        # Identity (RFC 9110, 12.5.3): a small compressed answer could expand into a large one.
        headers = {"Connection": "close", "Accept-Encoding": "identity"}
        settings: dict[str, Any] = {}
        if self._body is not None:
            headers["Content-Type"] = "application/json"
            settings["data"] = self._body
        with session.request(
            self._request.method,
            self._request.url,
            headers=headers,
            auth=self._request.auth,
            timeout=self._timeouts,
            stream=True,
            # RFC 9110, 15.4: a redirected POST may become a GET, or be carried out a second time elsewhere.
            allow_redirects=False,
            **settings,
        ) as answer:
            names = {name.lower(): value for name, value in answer.headers.items()}
            self._put(ResponseHead(answer.status_code, names))
            # read1 returns what has arrived; iter_content returns nothing of an answer that ends early. The answer to
            # a POST is decompressed later, because a damaged one may still contain a result.
            while chunk := answer.raw.read1(_CHUNK_BYTES, decode_content=self._body is None):
                if not self._put(chunk):
                    return
            self._put(_End())

    def _put(self, event: _Event) -> bool:
        while not self._closed.is_set():
            try:
                self._events.put(event, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False
