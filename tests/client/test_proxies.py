"""Proxies are never used for this machine, and are named if they cause a failure."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from client import CloneClient, ServiceError, ServiceUnreachable
from tests.client.conftest import AUDIO_URL, KEY
from tests.support.scripted_service import ScriptedServer, answers, http, refusing_port, says

NAMES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h", "nonsense"])
def test_this_machine_is_reached_without_a_proxy(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    audio = says(http(200, b"ID3 audio", kind="audio/mpeg"))
    with ScriptedServer(answers(500, {})) as proxy, ScriptedServer(answers(200, {"voice_id": "v"}), audio) as server:
        for name in NAMES:
            monkeypatch.setenv(name, proxy.base_url.replace("http", scheme, 1))
        monkeypatch.setenv("NO_PROXY", "example.com")
        for host in ("127.0.0.1", "127.1", "localhost"):
            client = CloneClient(KEY, server.base_url.replace("127.0.0.1", host))
            if host == "127.0.0.1":
                assert client.clone(AUDIO_URL).voice_id == "v"
            target = io.BytesIO()
            client.download(f"{client.base_url}/demo.mp3", target, wait_s=0)
            assert target.getvalue() == b"ID3 audio"
        assert proxy.connections == 0


@pytest.mark.parametrize(
    ("status", "tries", "text"), [(407, 1, "user name and password"), (403, 1, "HTTP 403"), (503, 4, "HTTP 503")]
)
def test_the_status_of_a_proxy_that_refuses_is_reported(
    monkeypatch: pytest.MonkeyPatch, status: int, tries: int, text: str
) -> None:
    with ScriptedServer(says(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.base_url)
        with pytest.raises(ServiceUnreachable, match=text) as caught:
            CloneClient(KEY, "https://api.example").clone(AUDIO_URL)
        assert caught.value.state == "not-sent"
        assert f"HTTP {status}" in caught.value.message
        assert "HTTPS_PROXY" in caught.value.hint
        # not connections: on a busy machine another program may try a port that it used before
        assert sum(request.startswith(b"CONNECT api.example:443") for request in proxy.requests) == tries


def test_a_socks_proxy_without_pysocks_is_reported() -> None:
    script = """
import sys
sys.modules["socks"] = None  # as if PySocks were not installed
from client import CloneClient, ServiceError
try:
    CloneClient("k", "https://api.example").clone("https://h/a.wav")
except ServiceError as error:
    print(error.state, error.message, error.hint)
"""
    with refusing_port() as port:
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={"ALL_PROXY": f"socks5://127.0.0.1:{port}", "PATH": ""},
        )
    assert done.stdout.startswith("not-sent ")
    assert "PySocks" in done.stdout
    assert "pip install 'requests[socks]'" in done.stdout


def test_a_socks_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only its greeting is checked: no connection goes around the proxy."""
    pytest.importorskip("socks")
    with ScriptedServer(answers(200, {"voice_id": "v"})) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.base_url.replace("http", "socks5h"))
        with pytest.raises(ServiceError) as caught:
            CloneClient(KEY, "https://api.example", connect_timeout_s=1, retry_budget_s=0).clone(AUDIO_URL)
        assert caught.value.state == "not-sent"
        assert proxy.connections == 1


def test_a_missing_certificate_file_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file.pem")
    with pytest.raises(ServiceUnreachable, match="REQUESTS_CA_BUNDLE"):
        CloneClient(KEY, "https://api.example").clone(AUDIO_URL)
