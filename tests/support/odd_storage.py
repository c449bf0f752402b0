"""A front for a real S3 server that behaves like the providers, proxies and consoles in public bug reports.

Requests that no rule answers are forwarded to the real server, so signatures, ranges and deletions are real.
"""

from __future__ import annotations

import http.client
import http.server
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Self
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "accept-ranges", "expect"}


@dataclass
class Seen:
    """One request that the front received."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def is_object(self) -> bool:
        """Whether it is about an object, not about the bucket."""
        return "/" in self.target.partition("?")[0].strip("/")


@dataclass
class Reply:
    """A response of the front: its own, or a changed one of the real server."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunked: bool = False


Rule = Callable[[Seen], Reply | None]
"""Answers a request, or forwards it (None)."""
Change = Callable[[Seen, Reply], None]
"""Changes an answer of the real server."""


def error(status: int, code: str, message: str, **headers: str) -> Reply:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    return Reply(status, {"Content-Type": "application/xml", **headers}, body)


def page(status: int, title: str, **headers: str) -> Reply:
    html = f"<!doctype html><html><head><title>{title}</title></head><body><p>No.</p></body></html>"
    return Reply(status, {"Content-Type": "text/html; charset=UTF-8", **headers}, html.encode())


def always(reply: Reply) -> Rule:
    return lambda _: reply


def on(method: str, reply: Reply, *, objects: bool = True, times: int | None = None) -> Rule:
    """Answer requests of a method about objects (or buckets), the first `times` of them only."""
    left = [times]

    def rule(seen: Seen) -> Reply | None:
        if seen.method != method or seen.is_object is not objects or left[0] == 0:
            return None
        left[0] = None if left[0] is None else left[0] - 1
        return reply

    return rule


def to_https(status: int) -> Rule:
    """An ingress that forces https."""

    def rule(seen: Seen) -> Reply:
        host = seen.headers["host"].partition(":")[0]
        return page(status, "Moved", Location=f"https://{host}{seen.target}")

    return rule


def without(method: str, header: str, reply: Reply) -> Rule:
    """Refuse requests of a method that lack a header."""
    return lambda seen: reply if seen.method == method and header not in seen.headers else None


def with_header(method: str, header: str, reply: Reply) -> Rule:
    """Refuse requests of a method that have a header."""
    return lambda seen: reply if seen.method == method and header in seen.headers else None


class OddStorage:
    """The front, on a free port of 127.0.0.1; a context manager.

    Args:
        backend: URL of the real server.
        rules: Asked in turn; the first answer counts.
        change: Applied to the answers of the real server.
        ignore_ranges: Whether GET always gives the whole object, as some CDNs do.
    """

    def __init__(self, backend: str, *rules: Rule, change: Change | None = None, ignore_ranges: bool = False) -> None:
        self.seen: list[Seen] = []
        self._backend = urlsplit(backend)
        self._rules = rules
        self._change = change
        self._ignore_ranges = ignore_ranges
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def serve(self) -> None:
                owner._serve(self)

            do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = serve  # noqa: N815

        self.handler_class = Handler
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def asked(self, method: str, *, objects: bool = True) -> list[Seen]:
        return [seen for seen in self.seen if seen.method == method and seen.is_object is objects]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        body = handler.rfile.read(int(headers.get("content-length", 0)))
        seen = Seen(handler.command, handler.path, headers, body)
        self.seen.append(seen)
        reply = next((reply for rule in self._rules if (reply := rule(seen)) is not None), None)
        self._send(handler, reply or self._forward(seen))

    def _forward(self, seen: Seen) -> Reply:
        connection = http.client.HTTPConnection(self._backend.hostname or "", self._backend.port or 0, timeout=60)
        connection.putrequest(seen.method, seen.target, skip_host=True, skip_accept_encoding=True)
        dropped = _HOP_BY_HOP | ({"range"} if self._ignore_ranges else set())
        for name, value in seen.headers.items():
            if name not in dropped:
                connection.putheader(name, value)
        if seen.body or seen.method in {"PUT", "POST"}:
            connection.putheader("Content-Length", str(len(seen.body)))
        connection.endheaders(seen.body or None)
        answer = connection.getresponse()
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
        if seen.method == "HEAD":
            headers["Content-Length"] = answer.getheader("Content-Length") or "0"
        reply = Reply(answer.status, headers, answer.read())
        connection.close()
        if self._change is not None:
            self._change(seen, reply)
        return reply

    @staticmethod
    def _send(handler: http.server.BaseHTTPRequestHandler, reply: Reply) -> None:
        reason = HTTPStatus(reply.status).phrase
        headers = {"Date": formatdate(time.time(), usegmt=True), **reply.headers}
        if reply.chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif reply.status != 204 and "Content-Length" not in headers:
            headers["Content-Length"] = str(len(reply.body))
        handler.send_response_only(reply.status, reason)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command == "HEAD":
            return
        if reply.chunked:
            handler.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(reply.body), reply.body))
        else:
            handler.wfile.write(reply.body)
