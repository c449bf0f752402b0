"""The HTTP server of the stand-in endpoint: keys, hosts, bodies, log lines, and callers that disconnect."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator

import pytest
import requests

from onetake.sandbox.endpoint import StandInEndpoint
from tests.support.file_server import FileServer, sound_file
from tests.support.stand_in import AUTHORIZED, CLONE, KEY, post


@pytest.fixture(scope="module")
def good() -> Iterator[str]:
    with FileServer({"/good.wav": (sound_file("WAV", 10.0), "audio/wav")}) as server:
        yield f"{server.base_url}/good.wav"


def test_keys_and_paths_are_checked(stand_in: StandInEndpoint) -> None:
    assert post(stand_in, CLONE, {}, key="wrong")[1]["reason"] == "FAILED_TO_AUTH"
    bare = requests.post(stand_in.base_url + CLONE, json={}, timeout=60)
    assert (bare.status_code, bare.json()["reason"]) == (400, "MISSING_API_KEY")
    for path in ("/", "/v3/minimax-speech-9", "/v3/nothing", "/v3/minimax-speech-2.8-hd/x"):
        assert post(stand_in, path, {})[0] == 404
    for path in ("/sandbox/audio/none.mp3", "/", "/sandbox"):
        assert requests.get(stand_in.base_url + path, headers=AUTHORIZED, timeout=60).status_code == 404


@pytest.mark.parametrize("key", [None, "Bearer wrong", f"Basic {KEY}"])
@pytest.mark.parametrize("path", ["/", "/sandbox/account", "/sandbox/audio/none.mp3", "/v3/nothing", CLONE])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_no_route_answers_without_the_key(stand_in: StandInEndpoint, method: str, path: str, key: str | None) -> None:
    headers = {"Authorization": key} if key else {}
    answer = requests.request(method, stand_in.base_url + path, json={}, headers=headers, timeout=60)
    wanted = ((401,) if key else (400,)) if method in {"GET", "POST"} else (501,)
    assert answer.status_code in wanted
    assert not any(name.lower().startswith("access-control-") for name in answer.headers)


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        (["127.0.0.1"], 200),
        (["LOCALHOST:8080"], 200),
        (["evil.example:8080"], 403),
        (["127.0.0.1.evil.example"], 403),
        (["localhost", "evil.example"], 403),
        (["0.0.0.0"], 403),
        ([""], 403),
        ([], 403),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_host_name_is_refused(stand_in: StandInEndpoint, method: str, hosts: list[str], status: int) -> None:
    """A web page may let its own name resolve to 127.0.0.1: then its browser sends that name."""
    path, body = ("/sandbox/account", b"") if method == "GET" else (CLONE, b"{}")
    lines = [f"{method} {path} HTTP/1.1", *(f"Host: {host}" for host in hosts), f"Authorization: Bearer {KEY}"]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close", "", ""]
    with socket.create_connection(("127.0.0.1", int(stand_in.base_url.rpartition(":")[2])), timeout=60) as line:
        line.sendall("\r\n".join(lines).encode() + body)
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    wanted = 400 if status == 200 and method == "POST" else status  # an empty order names no recording
    assert answer.startswith(f"HTTP/1.1 {wanted} ".encode())


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'{"accuracy": NaN}', "application/json"),
        (b"\xff", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"{}", "text/plain"),
        (b"x" * 1_000_001, "application/json"),
    ],
)
def test_bodies_must_be_json_objects(stand_in: StandInEndpoint, content: bytes, kind: str) -> None:
    headers = {**AUTHORIZED, "Host": "localhost", "Content-Type": kind, "Connection": "close"}
    with socket.create_connection(("127.0.0.1", int(stand_in.base_url.rpartition(":")[2])), timeout=60) as line:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        line.sendall(f"POST {CLONE} HTTP/1.1\r\n{head}Content-Length: {len(content)}\r\n\r\n".encode())
        if len(content) <= 1_000_000:
            line.sendall(content)
        got = b""
        while piece := line.recv(65536):
            got += piece
    assert got.startswith(b"HTTP/1.1 400")
    assert json.loads(got.partition(b"\r\n\r\n")[2])["reason"] == "INVALID_REQUEST_BODY"


def test_every_log_line_says_sandbox_and_contains_no_secret(good: str, capfd: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    with StandInEndpoint(KEY, log=lines.append) as endpoint:
        post(endpoint, f"{CLONE}?token=hidden-query", {"audio_url": f"{good}?X-Sig=hidden-query"})
        post(endpoint, CLONE, {}, key="hidden-query")
    assert len(lines) == 3
    assert all(line.startswith("[sandbox] ") for line in lines)
    assert not any(secret in line for line in lines for secret in (KEY, "hidden-query"))
    assert capfd.readouterr() == ("", "")


def test_callers_that_disconnect_early_cause_no_traceback(good: str, capfd: pytest.CaptureFixture[str]) -> None:
    with StandInEndpoint(KEY, answer_delay_s=0.2) as endpoint:
        port = int(endpoint.base_url.rpartition(":")[2])
        for words in (
            b"",
            b"POST",
            b"POST " + CLONE.encode() + b" HTTP/1.1\r\nContent-Length: 50\r\n\r\n{",
            b"\x16\x03\x01",
        ):
            with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
                line.sendall(words)
        with contextlib.suppress(requests.Timeout):  # on a busy machine the answer may be quicker
            requests.get(endpoint.base_url + "/sandbox/account", timeout=0.0001)
        assert post(endpoint, CLONE, {"audio_url": f"{good}"})[0] == 200
    assert capfd.readouterr() == ("", "")


def test_the_port_is_free_after_stop() -> None:
    endpoint = StandInEndpoint(KEY)
    endpoint.start()
    port = int(endpoint.base_url.rpartition(":")[2])
    endpoint.stop()
    with StandInEndpoint(KEY, port=port) as again:
        assert again.account()["requests"] == 0
