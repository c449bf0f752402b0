"""The API key and the queries of URLs are in no message, log line, representation or traceback."""

from __future__ import annotations

import io
import logging
import traceback
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import CloneClient, ClonedVoice, CloneOptions, InvalidArgument, ServiceError, Speech
from client.redaction import LONGEST_SHOWN, redact, secrets_of_url
from tests.client.conftest import AUDIO_URL, KEY, QUERY, CloneFrom
from tests.support.scripted_service import (
    Behaviour,
    ScriptedServer,
    answers,
    closes_after_reading,
    closes_before_reading,
    http,
    says,
    stalls,
)

SIGNATURE = "feedfacefeedfacefeedface"
ECHO = f"bad call with Bearer {KEY} for {AUDIO_URL} and {unquote(QUERY)} and {SIGNATURE}"


def assert_clean(text: str) -> None:
    for secret in (KEY, QUERY, unquote(QUERY), SIGNATURE, "AKIAEXAMPLE"):
        assert secret not in text


def everything_about(error: BaseException) -> str:
    shown = [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
    for linked in (error.__cause__, error.__context__):
        if linked is not None:
            shown.append(everything_about(linked))
    return "\n".join(shown)


@pytest.mark.parametrize(
    "behaviour",
    [
        answers(200, {"message": ECHO}),
        answers(200, {"voice_id": ECHO + "\n"}),
        answers(200, {"base_resp": {"status_code": 2013, "status_msg": ECHO}}),
        answers(400, {"code": 400, "reason": ECHO, "message": ECHO, "metadata": {"trace_id": ECHO}}),
        answers(401, {"error": {"message": ECHO}}),
        answers(500, {"message": ECHO}),
        answers(502, {"message": ECHO}),
        answers(302, {}, f"Location: {AUDIO_URL}"),
        says(http(500, f"<html>{ECHO}</html>".encode(), kind="text/html")),
        says(f"{ECHO}\r\n\r\n".encode()),
        says(f"HTTP/1.1 200 OK\r\n{ECHO}\r\n\r\n{{}}".encode()),
        closes_before_reading,
        closes_after_reading,
        stalls,
    ],
)
def test_errors_and_debug_logs_hold_no_secret(
    clone_from: CloneFrom, behaviour: Behaviour, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        attempt = clone_from(behaviour, clone_timeout_s=0.4)
    assert attempt.error is not None
    assert_clean(everything_about(attempt.error) + attempt.error.hint)
    assert_clean("\n".join(f"{record.getMessage()} {record.exc_text}" for record in caplog.records))


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:1", "https://nonexistent.invalid"])
def test_unreachable_services_hold_no_secret(base_url: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(ServiceError) as caught:
        CloneClient(KEY, base_url, retry_budget_s=0).clone(AUDIO_URL)
    assert_clean(everything_about(caught.value) + caplog.text)


@pytest.mark.parametrize(
    "behaviour",
    [says(http(200, b"ID3 audio", kind="audio/mpeg")), says(http(403, ECHO.encode())), closes_after_reading, stalls],
)
def test_downloads_hold_no_secret_and_carry_no_key(behaviour: Behaviour, caplog: pytest.LogCaptureFixture) -> None:
    with ScriptedServer(behaviour) as server, caplog.at_level(logging.DEBUG):
        client = CloneClient(KEY, server.base_url)
        try:
            client.download(f"{server.base_url}/demo.mp3?{QUERY}", io.BytesIO(), timeout_s=0.4, wait_s=0)
        except ServiceError as error:
            assert_clean(everything_about(error))
        assert KEY.encode() not in server.requests[0]
        assert f"GET /demo.mp3?{QUERY} HTTP/1.1".encode() in server.requests[0]
    assert_clean(caplog.text)


def test_a_malformed_url_is_refused_without_its_query() -> None:
    for url in (f"https://[::1/a.mp3?{QUERY}", f"https://h:port/a.mp3?{QUERY}", f"https://h/a?{QUERY}"):
        with pytest.raises(InvalidArgument) as caught:
            CloneClient(KEY).clone_body(url, CloneOptions())
        assert_clean(everything_about(caught.value))


def test_representations_hold_no_secret() -> None:
    link = f"https://h/demo.mp3?{QUERY}"
    voice = ClonedVoice(voice_id="v", demo_audio_url=link, answered_at=datetime.now(UTC), raw={"demo_audio_url": link})
    speech = Speech(audio=None, audio_url=link, trace_id=None, raw={"audio": link}, extra={})
    assert_clean(f"{voice!r} {voice} {speech!r} {speech} {CloneClient(KEY)!r} {vars(CloneClient(KEY))['_retry']!r}")


def test_a_netrc_is_used_neither_for_calls_nor_for_downloads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login user password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    good = answers(200, {"voice_id": "v"})
    # A proxy for plain HTTP to a host that is not loopback, where requests would look into the file.
    with ScriptedServer(good) as proxy, ScriptedServer(good) as server:
        CloneClient(KEY, server.base_url).clone(AUDIO_URL)
        assert f"Authorization: Bearer {KEY}".encode() in server.requests[0]
        monkeypatch.setenv("HTTP_PROXY", proxy.base_url)
        with pytest.raises(ServiceError):
            CloneClient(KEY).download(f"http://storage.example/demo.mp3?{QUERY}", io.BytesIO())
        assert f"GET http://storage.example/demo.mp3?{QUERY} ".encode() in proxy.requests[0]
        assert b"uthorization" not in proxy.requests[0]


@given(st.text(max_size=50), st.text(max_size=50), st.text(alphabet="abcXYZ0189-_%=&", min_size=8, max_size=60))
def test_no_query_survives_redaction(before: str, after: str, query: str) -> None:
    secret = "q=" + query
    url = f"https://storage.example/take.mp3?{secret}"
    shown = redact(f"{before} {url} {after}", secrets_of_url(url))
    assert secret not in shown or secret in before or secret in after
    assert len(shown) <= LONGEST_SHOWN
    assert shown.isprintable()


def test_a_text_to_be_stored_keeps_links_but_no_secret_of_ours() -> None:
    ours = "https://s3.example/take.mp3?X-Amz-Signature=0123456789abcdef&X-Amz-Credential=AKIDEXAMPLE%2F2026"
    theirs = "https://cdn.example/demo.mp3?token=feedfacefeedface"
    text = f'{{"key": "secret-key-1", "got": "{ours}", "credential": "AKIDEXAMPLE/2026", "demo": "{theirs}"}}'
    stored = CloneClient("secret-key-1").without_secrets(text, ours, None)
    assert theirs in stored
    for secret in ("secret-key-1", "0123456789abcdef", "AKIDEXAMPLE"):
        assert secret not in stored


@pytest.mark.parametrize(
    "text",
    [
        r"https:\/\/h\/a.mp3?X-Amz-Signature=feedface&x=1",
        "https://h/my file.mp3?x=1&Signature=feedface",
        "//h/a.mp3?sig=feedface",
        "/a.mp3?security-token=feedface",
    ],
)
def test_signatures_are_hidden_in_links_of_any_form(text: str) -> None:
    assert "feedface" not in redact(f'{{"audio": "{text}"}}')
