"""Which calls are repeated, when, and how often."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import CloneClient, RateLimited, ServiceError
from client.answers import retry_after_s
from client.retry import _SILENT
from tests.client.conftest import AUDIO_URL, KEY, CloneFrom, clone_error
from tests.support.scripted_service import Behaviour, ScriptedServer, answers, http, pages, refusing_port, take_request

GOOD = answers(200, {"voice_id": "v"})


@pytest.mark.parametrize(
    "limited",
    [
        answers(429, {}, "Retry-After: 0"),
        pages(429, "Retry-After: 0"),
        *(answers(200, {"base_resp": {"status_code": code}}, "Retry-After: 0") for code in (1002, 1039, 1041, 2045)),
    ],
)
def test_a_rate_limited_call_is_repeated(clone_from: CloneFrom, limited: Behaviour) -> None:
    attempt = clone_from(limited, limited, GOOD, retry_budget_s=10)
    assert attempt.voice is not None
    assert len(attempt.server.requests) == 3


def test_retry_after_in_seconds(clone_from: CloneFrom) -> None:
    seen: list[tuple[float, ServiceError]] = []
    begun = time.monotonic()
    attempt = clone_from(
        answers(429, {}, "Retry-After: 1"),
        GOOD,
        retry_budget_s=10,
        on_retry=lambda pause, error: seen.append((pause, error)),
    )
    assert attempt.voice is not None
    assert time.monotonic() - begun >= 1
    assert seen[0][0] == 1.0
    assert isinstance(seen[0][1], RateLimited)


def test_retry_after_as_a_date(clone_from: CloneFrom) -> None:
    pauses: list[float] = []
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    attempt = clone_from(
        answers(429, {}, f"Retry-After: {when}"),
        GOOD,
        retry_budget_s=10,
        on_retry=lambda pause, error: pauses.append(pause),
    )
    assert attempt.voice is not None
    assert 0.1 <= pauses[0] <= 2


def test_a_date_counts_from_the_services_own_time() -> None:
    error = clone_error(429, {}, retry_after="Sun, 06 Nov 1994 08:49:37 GMT", date="Sun, 06 Nov 1994 08:49:07 GMT")
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 30


def test_a_limit_without_retry_after_backs_off(clone_from: CloneFrom) -> None:
    pauses: list[float] = []
    attempt = clone_from(answers(429, {}), GOOD, retry_budget_s=10, on_retry=lambda pause, error: pauses.append(pause))
    assert attempt.voice is not None
    assert 0.7 <= pauses[0] <= 1.3


def test_a_pause_beyond_the_budget_fails_at_once(clone_from: CloneFrom) -> None:
    attempt = clone_from(answers(429, {}, "Retry-After: 3600"), retry_budget_s=10)
    assert isinstance(attempt.error, RateLimited)
    assert attempt.error.retry_after_s == 3600
    assert len(attempt.server.requests) == 1


def test_retry_after_zero_causes_no_flood(clone_from: CloneFrom) -> None:
    attempt = clone_from(answers(429, {}, "Retry-After: 0"), retry_budget_s=30)
    assert isinstance(attempt.error, RateLimited)
    assert len(attempt.server.requests) == 4


@pytest.mark.parametrize(
    "failing",
    [
        answers(500, {"code": 500, "reason": "TASK_FAILED", "message": "m"}, "Retry-After: 0"),
        answers(500, {"base_resp": {"status_code": 1002}}, "Retry-After: 0"),
        answers(503, {"code": 503, "reason": "SERVICE_NOT_AVAILABLE", "message": "m"}, "Retry-After: 0"),
        pages(502, "Retry-After: 0"),
        pages(200),
        answers(401, {}),
        answers(200, {"base_resp": {"status_code": 1001, "status_msg": "timeout"}}),
    ],
)
def test_no_other_call_is_repeated(clone_from: CloneFrom, failing: Behaviour) -> None:
    attempt = clone_from(failing, GOOD, retry_budget_s=30)
    assert attempt.error is not None
    assert len(attempt.server.requests) == 1


@given(st.text(max_size=40))
def test_any_retry_after_header_is_parsed_or_ignored(header: str) -> None:
    seconds = retry_after_s(header, datetime.now(UTC))
    assert seconds is None or 0 <= seconds < 1e12


@pytest.mark.parametrize("header", ["", "soon", "-5", "1e9", "9" * 400, "nan", "Mon, 99 Foo 2026 00:00:00 GMT"])
def test_invalid_retry_after_headers(header: str) -> None:
    assert retry_after_s(header, datetime.now(UTC)) is None


def test_a_rate_limit_pauses_every_call_of_the_client() -> None:
    limited_at: list[float] = []
    arrived: list[float] = []

    def limits_once(sock: socket.socket, server: ScriptedServer) -> None:
        take_request(sock, server)
        limited_at.append(time.monotonic())
        sock.sendall(http(429, b"{}", "Retry-After: 0.6"))

    def counts(sock: socket.socket, server: ScriptedServer) -> None:
        take_request(sock, server)
        arrived.append(time.monotonic())
        sock.sendall(http(200, b'{"voice_id": "v"}'))

    paused = threading.Event()
    with ScriptedServer(limits_once, counts) as server:
        client = CloneClient(KEY, server.base_url, on_limit=lambda pause, error: paused.set())
        with ThreadPoolExecutor(3) as pool:
            first = pool.submit(client.clone, AUDIO_URL)
            assert paused.wait(30)
            others = [pool.submit(client.clone, AUDIO_URL) for _ in range(2)]
            assert [call.result().voice_id for call in (first, *others)] == ["v"] * 3
    assert len(arrived) == 3
    assert all(moment - limited_at[0] >= 0.6 for moment in arrived)


def test_every_rate_limit_is_reported() -> None:
    reported: list[float] = []
    with ScriptedServer(answers(429, {}, "Retry-After: 0.2")) as server:
        client = CloneClient(KEY, server.base_url, on_limit=lambda pause, error: reported.append(pause))
        with pytest.raises(RateLimited):
            client.clone(AUDIO_URL)
        assert server.connections == 4
    assert reported == [0.2] * 4


def test_a_rate_limit_beyond_the_budget_is_reported_at_once() -> None:
    reported: list[float] = []
    with ScriptedServer(answers(429, {}, "Retry-After: 3600")) as server:
        client = CloneClient(
            KEY, server.base_url, retry_budget_s=0, on_limit=lambda pause, error: reported.append(pause)
        )
        for _ in range(2):
            with pytest.raises(RateLimited):
                client.clone(AUDIO_URL)
    assert reported == [3600, 3600]


def test_retries_print_nothing() -> None:
    script = """
import sys
from client import CloneClient, ServiceError
try:
    CloneClient("k", f"http://127.0.0.1:{sys.argv[1]}").clone("https://h/a.wav")
except ServiceError as error:
    print(error.kind)
"""
    with refusing_port() as port:
        command = [sys.executable, "-c", script, str(port)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("service-unreachable\n", "")


def test_retries_add_one_handler_to_the_logger_of_stamina(clone_from: CloneFrom) -> None:
    before = len(logging.getLogger("stamina").handlers)
    for _ in range(3):
        assert clone_from(GOOD).voice is not None
    assert len(logging.getLogger("stamina").handlers) <= before + 1
    assert logging.getLogger("stamina").handlers.count(_SILENT) == 1
