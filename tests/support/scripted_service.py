"""A server on a raw socket that does exactly what a test tells it to, also what no proper server would."""

from __future__ import annotations

import contextlib
import json
import re
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from types import TracebackType

Behaviour = Callable[[socket.socket, "ScriptedServer"], None]


class ScriptedServer:
    """Takes connections one after another, each by the next behaviour; the last one serves all that follow."""

    def __init__(self, *behaviours: Behaviour, port: int = 0) -> None:
        self._behaviours = behaviours
        self.connections = 0
        self.requests: list[bytes] = []
        self.leaving = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while not self.leaving.is_set():
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            behaviour = self._behaviours[min(self.connections, len(self._behaviours) - 1)]
            self.connections += 1
            threading.Thread(target=self._meet, args=(line, behaviour), daemon=True).start()

    def _meet(self, line: socket.socket, behaviour: Behaviour) -> None:
        line.settimeout(120)
        with line, contextlib.suppress(OSError):
            behaviour(line, self)

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leaving.set()
        self._listener.close()


def take_request(line: socket.socket, server: ScriptedServer) -> bytes:
    """Read one whole request and remember it."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += _some(line)
    head, _, body = got.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    while length and len(body) < int(length[1]):
        body += _some(line)
    server.requests.append(head + b"\r\n\r\n" + body)
    return server.requests[-1]


def _some(line: socket.socket) -> bytes:
    got = line.recv(65536)
    if not got:
        raise ConnectionResetError
    return got


def says(content: bytes) -> Behaviour:
    """Take the request, then send these bytes and close."""

    def behave(line: socket.socket, server: ScriptedServer) -> None:
        take_request(line, server)
        line.sendall(content)

    return behave


def http(status: int, body: bytes, *headers: str, kind: str = "application/json") -> bytes:
    """Compose a proper answer."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def answers(status: int, body: object, *headers: str) -> Behaviour:
    """Take the request, then answer with JSON."""
    return says(http(status, json.dumps(body).encode(), *headers))


def pages(status: int, *headers: str) -> Behaviour:
    """Take the request, then answer with a proxy's web page."""
    return says(http(status, b"<html><body>Bad things</body></html>", *headers, kind="text/html"))


def closes_before_reading(line: socket.socket, server: ScriptedServer) -> None:
    """Reset the connection when the request begins to come: before that nothing would be lost."""
    select.select([line], [], [], 120)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def closes_after_reading(line: socket.socket, server: ScriptedServer) -> None:
    """Take the request, then close without a word."""
    take_request(line, server)


def stalls(line: socket.socket, server: ScriptedServer) -> None:
    """Take the request, then say nothing for as long as the test lasts."""
    take_request(line, server)
    server.leaving.wait()


def never_reads(line: socket.socket, server: ScriptedServer) -> None:
    """Accept, and then neither read nor write."""
    server.leaving.wait()


def repeats_forever(beginning: bytes, piece: bytes, pause_s: float = 0.0) -> Behaviour:
    """Take the request, send a beginning, then a piece again and again."""

    def behave(line: socket.socket, server: ScriptedServer) -> None:
        take_request(line, server)
        line.sendall(beginning)
        while not server.leaving.is_set():
            line.sendall(piece)
            time.sleep(pause_s)

    return behave
