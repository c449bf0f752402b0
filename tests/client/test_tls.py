"""TLS through a proxy, with a certificate authority from the environment: as in many companies."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from client import CloneClient, OutcomeUnknown, ServiceUnreachable
from tests.client.conftest import AUDIO_URL, KEY
from tests.support.scripted_service import Behaviour, ScriptedServer, answers, closes_after_reading, take_request


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for api.example with its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    key, made = folder / "key.pem", folder / "made.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", str(key), "-out", str(made), "-days", "2", "-subj", "/CN=api.example"),
            *("-addext", "subjectAltName=DNS:api.example"),
        ],
        check=True,
        capture_output=True,
    )
    made.write_text(made.read_text() + key.read_text())
    return made


def tunnels_to(inner: Behaviour, certificate: Path) -> Behaviour:
    """Accept a CONNECT, then act as the TLS server behind it."""

    def behave(sock: socket.socket, server: ScriptedServer) -> None:
        take_request(sock, server)
        sock.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        with context.wrap_socket(sock, server_side=True) as secure:
            inner(secure, server)

    return behave


def test_a_clone_through_a_tunnel(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(tunnels_to(answers(200, {"voice_id": "v"}), certificate)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.base_url)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert CloneClient(KEY, "https://api.example", clone_timeout_s=60).clone(AUDIO_URL).voice_id == "v"
        assert proxy.requests[0].startswith(b"CONNECT api.example:443")
        assert KEY.encode() not in proxy.requests[0]
        assert f"Authorization: Bearer {KEY}".encode() in proxy.requests[1]


def test_an_answer_lost_in_the_tunnel_leaves_the_outcome_unknown(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer(tunnels_to(closes_after_reading, certificate)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.base_url)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with pytest.raises(OutcomeUnknown):
            CloneClient(KEY, "https://api.example", clone_timeout_s=60).clone(AUDIO_URL)
        assert proxy.connections == 1


def test_an_untrusted_certificate_is_refused_before_anything_is_sent(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer(tunnels_to(answers(200, {"voice_id": "v"}), certificate)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.base_url)
        with pytest.raises(ServiceUnreachable, match="certificate") as caught:
            CloneClient(KEY, "https://api.example", clone_timeout_s=60).clone(AUDIO_URL)
        assert not caught.value.retryable
        assert "REQUESTS_CA_BUNDLE" in caught.value.hint
        assert len(proxy.requests) == 1
