"""Sent or not, answered or not: the difference between a free failure and one that may have cost money."""

from __future__ import annotations

import contextlib
import gzip
import socket
import time

import pytest

from client import CloneClient, KeyRefused, OutcomeUnknown, ServiceUnreachable
from tests.client.conftest import AUDIO_URL, KEY, CloneFrom
from tests.support.processes import wait_until
from tests.support.scripted_service import (
    Behaviour,
    ScriptedServer,
    closes_after_reading,
    closes_before_reading,
    never_reads,
    refusing_port,
    repeats_forever,
    says,
    stalls,
    take_request,
)


@pytest.mark.parametrize(
    "behaviour",
    [
        closes_before_reading,
        closes_after_reading,
        says(b"SSH-2.0-OpenSSH\r\n"),
        says(b"HTTP/1.1 200"),
        says(b"HTTP/1.1 abc\r\n\r\n"),
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"),
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"),
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        says(b"HTTP/1.1 500 Oops\r\nContent-Length: 50\r\n\r\n{"),
        says(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnot gzip"),
        repeats_forever(b"HTTP/1.1 200 OK\r\n\r\n", b"y" * 65536),
        repeats_forever(b"HTTP/1.1 200 OK\r\n", b"X-More: more\r\n"),
        repeats_forever(b"HTTP/1.1 200 OK\r\nX-Long: ", b"y" * 65536),
    ],
)
def test_a_lost_answer_is_unknown_and_not_repeated(clone_from: CloneFrom, behaviour: Behaviour) -> None:
    attempt = clone_from(behaviour, retry_budget_s=60)
    assert isinstance(attempt.error, OutcomeUnknown), attempt.error
    assert attempt.server.connections == 1


VOICE = b'{"voice_id": "voice_paid"}'
COMPRESSED = gzip.compress(VOICE, mtime=0)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + VOICE,  # counted in characters, sent in bytes
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + VOICE,
        b"HTTP/1.1 204 No Content\r\n\r\n" + VOICE,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + VOICE,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n" + VOICE,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n" + VOICE[:5] + b"\r\n!\r\n" + VOICE[5:],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
        % (len(COMPRESSED), COMPRESSED),
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + VOICE,
        VOICE,
    ],
)
def test_a_voice_is_found_despite_wrong_framing(clone_from: CloneFrom, answer: bytes) -> None:
    attempt = clone_from(says(answer))
    assert attempt.voice is not None, attempt.error
    assert attempt.voice.voice_id == "voice_paid"
    assert attempt.voice.warnings


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/2 200\r\n\r\n" + VOICE, 200),
        (b"ICY 200 OK\r\nContent-Type: text/plain\r\n\r\n" + VOICE, 200),
        (b"http/1.1 200 OK\n\n" + VOICE, 200),
        (b"HTTP/1.1 2000 OK\r\n\r\n" + VOICE, 0),
        (b"HTTP/1.1 OK\r\n\r\n" + VOICE, 0),
        (b"HTTP/1.1 502 Bad\r\n" + b"X-More: more\r\n" * 150 + b"\r\n" + VOICE, 502),
        (b"HTTP/1.1 200 OK\r\nX-Long: " + b"y" * 70_000 + b"\r\n\r\n" + VOICE, 200),
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n" + VOICE, 200),
        (b"HTTP/2 103\r\n\r\nHTTP/2 200\r\nContent-Encoding: gzip\r\n\r\n" + COMPRESSED, 200),
    ],
)
def test_a_voice_is_found_after_an_invalid_head(clone_from: CloneFrom, answer: bytes, status: int) -> None:
    attempt = clone_from(says(answer))
    assert attempt.voice is not None, attempt.error
    assert attempt.voice.voice_id == "voice_paid"
    warned = " ".join(attempt.voice.warnings)
    assert "not valid HTTP" in warned
    assert ("HTTP 502" in warned) == (status == 502)


def test_an_answer_that_follows_an_invalid_head_later_is_received(clone_from: CloneFrom) -> None:
    def behave(sock: socket.socket, server: ScriptedServer) -> None:
        take_request(sock, server)
        for piece in (b"HTTP/2 200\r\n", b"\r\n", VOICE[:10], VOICE[10:]):
            sock.sendall(piece)
            time.sleep(0.02)

    attempt = clone_from(behave)
    assert attempt.voice is not None, attempt.error
    assert attempt.voice.voice_id == "voice_paid"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/2 401\r\n\r\n",
        b"HTTP/1.1 401 No\r\n" + b"X-More: more\r\n" * 150 + b"\r\n",
    ],
)
def test_a_refusal_with_an_invalid_head_is_refused(clone_from: CloneFrom, answer: bytes) -> None:
    attempt = clone_from(says(answer))
    assert isinstance(attempt.error, KeyRefused), attempt.error
    assert attempt.server.connections == 1


def test_an_unreadable_answer_is_kept_without_its_framing(clone_from: CloneFrom) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    attempt = clone_from(says(chunked))
    assert attempt.error is not None
    assert attempt.error.answer_body == b"{}"


@pytest.mark.parametrize(
    "behaviour",
    [
        stalls,
        never_reads,
        repeats_forever(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"y", 0.02),
        repeats_forever(b"HTTP/1.1 200 OK\r\n\r\n{", b" ", 0.02),
        repeats_forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.02),
    ],
)
def test_an_endless_answer_ends_at_the_deadline(clone_from: CloneFrom, behaviour: Behaviour) -> None:
    attempt = clone_from(behaviour, clone_timeout_s=0.4, retry_budget_s=60)
    assert type(attempt.error) is OutcomeUnknown
    assert "0.4 s" in attempt.error.message
    assert attempt.server.connections == 1


def test_the_connection_is_shut_at_the_deadline() -> None:
    shut: list[float] = []

    def trickles_until_shut(sock: socket.socket, server: ScriptedServer) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        try:
            while not server.leaving.is_set():
                sock.sendall(b"y")
                time.sleep(0.02)
        except OSError:
            shut.append(time.monotonic())

    with ScriptedServer(trickles_until_shut) as server:
        with pytest.raises(OutcomeUnknown):
            CloneClient(KEY, server.base_url, clone_timeout_s=0.3).clone(AUDIO_URL)
        wait_until(lambda: shut)


@pytest.mark.parametrize(
    ("base_url", "why"),
    [
        ("http://127.0.0.1:{port}", "refused"),
        ("https://nonexistent.invalid", "resolved"),
    ],
    ids=["refused", "no-such-host"],
)
def test_a_failed_connection_is_not_sent_and_repeated_three_times(base_url: str, why: str) -> None:
    pauses: list[float] = []
    with refusing_port() as port:
        client = CloneClient(
            KEY, base_url.format(port=port), retry_budget_s=30, on_retry=lambda pause, error: pauses.append(pause)
        )
        with pytest.raises(ServiceUnreachable, match=why) as caught:
            client.clone(AUDIO_URL)
    assert "nothing was sent" in caught.value.message
    assert len(pauses) == 3


def test_a_service_that_restarts_is_reached() -> None:
    servers: list[ScriptedServer] = []
    held = contextlib.ExitStack()
    port = held.enter_context(refusing_port())

    def bring_up(pause: float, error: Exception) -> None:
        held.close()
        revived = ScriptedServer(says(b'HTTP/1.1 200 OK\r\n\r\n{"voice_id": "v"}'), port=port)
        servers.append(revived.__enter__())

    client = CloneClient(KEY, f"http://127.0.0.1:{port}", on_retry=bring_up)
    assert client.clone(AUDIO_URL).voice_id == "v"
    servers[0].__exit__(None, None, None)


def speaks_plain_http(sock: socket.socket, server: ScriptedServer) -> None:
    sock.recv(1000)
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def says_nothing(sock: socket.socket, server: ScriptedServer) -> None:
    server.leaving.wait(10)


@pytest.mark.parametrize("behaviour", [speaks_plain_http, says_nothing, closes_before_reading])
def test_a_failed_tls_handshake_is_not_sent(behaviour: Behaviour) -> None:
    with ScriptedServer(behaviour) as server:
        client = CloneClient(KEY, server.base_url.replace("http:", "https:"), connect_timeout_s=0.4)
        with pytest.raises(ServiceUnreachable) as caught:
            client.clone(AUDIO_URL)
        assert "nothing was sent" in caught.value.message
        assert KEY.encode() not in b"".join(server.requests)


def test_a_refusal_by_the_proxy_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(says(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.base_url)
        with pytest.raises(ServiceUnreachable, match="proxy"):
            CloneClient(KEY, "https://api.example", retry_budget_s=0).clone(AUDIO_URL)
        assert proxy.requests[0].startswith(b"CONNECT api.example:443")
        assert KEY.encode() not in proxy.requests[0]


def test_loopback_is_reached_without_the_proxy(clone_from: CloneFrom, monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing_port() as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{port}")
        assert clone_from(says(b'HTTP/1.1 200 OK\r\n\r\n{"voice_id": "v"}')).voice is not None


def test_a_refusal_before_the_body_was_read_is_reported(clone_from: CloneFrom) -> None:
    def refuses_at_once(sock: socket.socket, server: ScriptedServer) -> None:
        sock.sendall(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
        sock.recv(65536)

    attempt = clone_from(refuses_at_once)
    assert attempt.error is not None
    assert attempt.error.kind == "key-refused"
