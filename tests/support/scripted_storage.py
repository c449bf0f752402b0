"""A small S3-like HTTP server on loopback with scripted failures. Sockets and HTTP are real."""

from __future__ import annotations

import hashlib
import socket
import socketserver
import ssl
import struct
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Self


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        """Method, and whether it is about the bucket or an object: `HEAD bucket`, `PUT object`."""
        path = self.target.partition("?")[0].strip("/")
        return f"{self.method} {'object' if '/' in path else 'bucket'}"


@dataclass(frozen=True)
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    wait_s: float = 0.0
    reset: bool = False
    clock_offset_s: float = 0.0


def refusal(status: int, code: str, **more: float) -> Answer:
    body = f"<Error><Code>{code}</Code><Message>scripted</Message></Error>".encode()
    return Answer(status, {"Content-Type": "application/xml"}, body, clock_offset_s=more.get("clock_offset_s", 0))


class ScriptedServer:
    """Stores objects, unless `script[kind]` has answers for the next requests of that kind."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.script: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self.objects: dict[str, tuple[bytes, str]] = {}
        self._tls = tls
        owner = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                owner._serve(self.request)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def endpoint(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def asked(self, kind: str) -> list[Request]:
        return [request for request in self.requests if request.kind == kind]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(20)
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while (request := self._read(stream, connection)) is not None:
                    if not self._reply(connection, request):
                        return
        except (OSError, ValueError):
            return  # the client has disconnected

    def _read(self, stream: socket.SocketIO | object, connection: socket.socket) -> Request | None:
        line = stream.readline().decode()  # type: ignore[union-attr]
        if not line:
            return None
        method, target, _ = line.split()
        headers: dict[str, str] = {}
        while header := stream.readline().decode().strip():  # type: ignore[union-attr]
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("expect") == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body: bytes = stream.read(int(headers.get("content-length", 0)))  # type: ignore[union-attr]
        request = Request(method, target, headers, body)
        self.requests.append(request)
        return request

    def _reply(self, connection: socket.socket, request: Request) -> bool:
        scripted = self.script[request.kind]
        answer = scripted.popleft() if scripted else self._behave(request)
        time.sleep(answer.wait_s)
        if answer.reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            return False
        headers = {
            "Date": formatdate(time.time() + answer.clock_offset_s, usegmt=True),
            "Content-Length": str(len(answer.body)),
            **answer.headers,
        }
        lines = [f"HTTP/1.1 {answer.status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
        body = b"" if request.method == "HEAD" else answer.body
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        return True

    def _behave(self, request: Request) -> Answer:
        key = request.target.partition("?")[0]
        if request.kind == "HEAD bucket":
            return Answer()
        if request.kind == "GET bucket":
            return refusal(501, "NotImplemented")  # a provider that does not list versions
        if request.method == "PUT":
            self.objects[key] = request.body, request.headers.get("content-type", "")
            return Answer(headers={"ETag": f'"{hashlib.md5(request.body).hexdigest()}"'})
        if request.method == "DELETE":
            self.objects.pop(key, None)
            return Answer(204)
        return self._serve_object(request, key)

    def _serve_object(self, request: Request, key: str) -> Answer:
        if key not in self.objects:
            return refusal(404, "NoSuchKey")
        body, content_type = self.objects[key]
        headers = {"Content-Type": content_type}
        if request.method == "GET" and "range" in request.headers:
            last = min(int(request.headers["range"].partition("-")[2]), len(body) - 1)
            headers["Content-Range"] = f"bytes 0-{last}/{len(body)}"
            return Answer(206, headers, body[: last + 1])
        return Answer(200, headers, body)
