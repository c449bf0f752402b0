"""An HTTP proxy in front of one server that resets, stalls, truncates, delays or refuses requests, or loses answers."""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import struct
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import urlsplit

FAULTS = ("reset", "stall", "truncate", "delay", "429", "500", "503", "page", "lose")
"""``lose`` delivers the request and drops the answer; ``page`` answers with HTML and a good status."""


class FaultyProxy:
    """Forward requests to one server, except a share of them; a context manager.

    Args:
        upstream: The server's base URL.
        share: Share of the requests that meet a fault, 0 to 1.
        seed: Seed of the random choice.
        faults: The faults to choose from.

    Attributes:
        met: Number of requests by fault, with ``none``.
    """

    def __init__(self, upstream: str, share: float, seed: int, faults: tuple[str, ...] = FAULTS) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.met: Counter[str] = Counter()
        self._share = share
        self._faults = faults
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def choose(self) -> str:
        """Return the fault for the next request."""
        with self._lock:
            fault = self._chance.choice(self._faults) if self._chance.random() < self._share else "none"
            self.met[fault] += 1
            return fault

    def __enter__(self) -> FaultyProxy:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    proxy: FaultyProxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: connections are reset on purpose."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 60

    def _pass_on(self) -> None:
        fault = self.server.proxy.choose()
        if fault == "reset":
            self._reset()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if fault == "stall":
            time.sleep(1.5)
            self._reset()
        elif fault in {"429", "500", "503", "page"}:
            page = b"<html><body>something went wrong</body></html>"
            self._answer(200 if fault == "page" else int(fault), [("Content-Type", "text/html")], page)
        else:
            if fault == "delay":
                time.sleep(0.4)
            self._deliver(body, fault)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on  # noqa: N815 - the names that the server calls

    def _deliver(self, body: bytes, fault: str) -> None:
        connection = http.client.HTTPConnection(self.server.proxy.upstream, timeout=60)
        with contextlib.closing(connection):
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in {"expect", "connection"}:
                    connection.putheader(name, value)
            connection.endheaders(body or None)
            answer = connection.getresponse()
            content = answer.read()
        if fault == "lose":
            self._reset()
            return
        dropped = {"transfer-encoding", "connection", "content-length"}
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in dropped]
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self._answer(answer.status, [*headers, ("Content-Length", length or "0")], content, cut=fault == "truncate")

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes, *, cut: bool = False) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name == "Content-Length" for name, _ in headers):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.wfile.flush()
            self._reset()

    def _reset(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing."""
