"""The HTTP server of the stand-in: threads, on loopback."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlsplit

from onetake.loopback import claim_port
from onetake.sandbox.endpoint.contract import Refusal, gateway_error, unknown_path
from onetake.sandbox.endpoint.service import Service

_LARGEST_BODY: Final = 1_000_000
_SOCKET_S: Final = 30.0
_HOSTS: Final = frozenset({"127.0.0.1", "localhost"})
_AUDIO: Final = "/sandbox/audio/"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class StandInEndpoint:
    """A stand-in for the service, on 127.0.0.1; a context manager.

    Args:
        api_key: The only key that it accepts.
        port: Where to listen; 0 for a free port.
        answer_delay_s: Seconds between carrying out a call and answering it, to rehearse lost answers.
        log: Called with each log line; each says that this is a sandbox, and contains neither keys nor query strings.
        now: The clock that decides when voices expire.
    """

    def __init__(
        self,
        api_key: str,
        port: int = 0,
        answer_delay_s: float = 0.0,
        log: Callable[[str], None] | None = None,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._service = Service(api_key, now)
        self._stopping = threading.Event()
        self._server = _Server(self._service, port, answer_delay_s, log, self._stopping)
        self._service.base_url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        """Where the stand-in listens, from its construction on."""
        return self._service.base_url

    def start(self) -> None:
        """Answer requests in a thread, until `stop`."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="stand-in", daemon=True
        )
        self._thread.start()
        self._server.say(f"stand-in endpoint at {self.base_url}: nothing here is real, nothing is charged")

    def stop(self) -> None:
        """Stop answering, and free the port."""
        self._stopping.set()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join(timeout=5)
            self._thread = None
        self._server.server_close()

    def account(self) -> dict[str, Any]:
        """Return the document of ``GET /sandbox/account``."""
        return self._service.account.statement()

    def __enter__(self) -> StandInEndpoint:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    # where a restarted server must not wait until old connections are forgotten; on Windows it means another thing
    allow_reuse_address = sys.platform != "win32"

    def __init__(
        self,
        service: Service,
        port: int,
        answer_delay_s: float,
        log: Callable[[str], None] | None,
        stopping: threading.Event,
    ) -> None:
        self.service = service
        self.answer_delay_s = answer_delay_s
        self.stopping = stopping
        self._log = log
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        claim_port(self.socket)
        super().server_bind()

    def say(self, line: str) -> None:
        if self._log is not None:
            self._log(f"[sandbox] {line}")

    def handle_error(
        self,
        request: socket.socket | tuple[bytes, socket.socket],
        client_address: Any,
    ) -> None:
        # the default implementation prints a traceback to stderr
        fault = sys.exc_info()[0]
        if fault is None or issubclass(fault, OSError):
            self.say("a connection ended early")
        else:
            self.say(f"the stand-in itself failed ({fault.__name__}): please report this")


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _SOCKET_S

    def do_POST(self) -> None:
        service = self.server.service
        path = urlsplit(self.path).path
        service.account.count_request()
        try:
            self._require_loopback_host()
            content = self._content()
            answer = service.answer(
                path, self.headers.get("Authorization"), self.headers.get("Content-Type", ""), content
            )
            status, outcome = 200, "done"
        except Refusal as refusal:
            service.account.count_refusal()
            status, answer, outcome = refusal.status, refusal.body, f"refused ({refusal.summary()})"
        self.server.say(f"POST {path}: HTTP {status}, {outcome}")
        self.server.stopping.wait(self.server.answer_delay_s)
        self._send_json(status, answer)

    def do_GET(self) -> None:
        service = self.server.service
        path = urlsplit(self.path).path
        try:
            self._require_loopback_host()
            # no key: as with a presigned URL, the 128 random bits of the path are the permission
            recording = service.recording(path.removeprefix(_AUDIO)) if path.startswith(_AUDIO) else None
            if recording is not None:
                self._send(200, *recording)
                return
            service.require_key(self.headers.get("Authorization"))
            if path != "/sandbox/account":
                raise unknown_path()
            self._send_json(200, service.account.statement())
        except Refusal as refusal:
            self._send_json(refusal.status, refusal.body)

    def _require_loopback_host(self) -> None:
        """Refuse requests of web pages whose own host name resolves to this machine (DNS rebinding).

        The port does not matter: a request may come through a forwarded one.
        """
        hosts = self.headers.get_all("Host") or [""]
        if len(hosts) != 1 or hosts[0].partition(":")[0].lower() not in _HOSTS:
            self.close_connection = True
            raise gateway_error(403, "FORBIDDEN_HOST", "the sandbox answers requests to 127.0.0.1 and localhost only")

    def _send_json(self, status: int, body: dict[str, Any]) -> None:
        self._send(status, json.dumps(body).encode(), "application/json")

    def _content(self) -> bytes:
        announced = self.headers.get("Content-Length", "")
        if not (announced.isascii() and announced.isdigit() and len(announced) < 10):
            self.close_connection = True
            raise gateway_error(400, "INVALID_REQUEST_BODY", "Content-Length is needed")
        if int(announced) > _LARGEST_BODY:
            self.close_connection = True
            raise gateway_error(400, "INVALID_REQUEST_BODY", "the body is larger than 1 MB")
        return self.rfile.read(int(announced))

    def _send(self, status: int, content: bytes, content_type: str) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:  # the client disconnected
            self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing: the default line contains the target with its query."""
