"""A server on a raw socket whose behaviour a test defines byte by byte, also against the protocol."""

from __future__ import annotations

import contextlib
import json
import re
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

Behaviour = Callable[[socket.socket, "ScriptedServer"], None]


@contextlib.contextmanager
def refusing_port() -> Iterator[int]:
    """A port that nothing listens on, and that no other test gets meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


class ScriptedServer:
    """Serves each connection with the next behaviour; the last behaviour serves all further connections."""

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
                sock, _ = self._listener.accept()
            except OSError:
                return
            behaviour = self._behaviours[min(self.connections, len(self._behaviours) - 1)]
            self.connections += 1
            threading.Thread(target=self._handle, args=(sock, behaviour), daemon=True).start()

    def _handle(self, sock: socket.socket, behaviour: Behaviour) -> None:
        sock.settimeout(120)
        with sock, contextlib.suppress(OSError):
            behaviour(sock, self)

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leaving.set()
        self._listener.close()


def take_request(sock: socket.socket, server: ScriptedServer) -> bytes:
    """Read one complete request and record it."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += _receive(sock)
    head, _, body = got.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    while length and len(body) < int(length[1]):
        body += _receive(sock)
    server.requests.append(head + b"\r\n\r\n" + body)
    return server.requests[-1]


def _receive(sock: socket.socket) -> bytes:
    got = sock.recv(65536)
    if not got:
        raise ConnectionResetError
    return got


def says(content: bytes) -> Behaviour:
    """Read the request, send these bytes, and close."""

    def behave(sock: socket.socket, server: ScriptedServer) -> None:
        take_request(sock, server)
        sock.sendall(content)

    return behave


def http(status: int, body: bytes, *headers: str, kind: str = "application/json") -> bytes:
    """Build a valid response."""
    lines = [f"HTTP/1.1 {status} Status", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def answers(status: int, body: object, *headers: str) -> Behaviour:
    """Read the request, and respond with JSON."""
    return says(http(status, json.dumps(body).encode(), *headers))


def pages(status: int, *headers: str) -> Behaviour:
    """Read the request, and respond with a proxy's web page."""
    return says(http(status, b"<html><body>Bad things</body></html>", *headers, kind="text/html"))


def closes_before_reading(sock: socket.socket, server: ScriptedServer) -> None:
    """Reset the connection when the request begins to arrive."""
    select.select([sock], [], [], 120)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def closes_after_reading(sock: socket.socket, server: ScriptedServer) -> None:
    """Read the request, and close without a response."""
    take_request(sock, server)


def stalls(sock: socket.socket, server: ScriptedServer) -> None:
    """Read the request, and send nothing until the test ends."""
    take_request(sock, server)
    server.leaving.wait()


def never_reads(sock: socket.socket, server: ScriptedServer) -> None:
    """Accept the connection, and neither read nor write."""
    server.leaving.wait()


def repeats_forever(beginning: bytes, piece: bytes, pause_s: float = 0.0) -> Behaviour:
    """Read the request, send a beginning, then the same piece repeatedly."""

    def behave(sock: socket.socket, server: ScriptedServer) -> None:
        take_request(sock, server)
        sock.sendall(beginning)
        while not server.leaving.is_set():
            sock.sendall(piece)
            time.sleep(pause_s)

    return behave
