"""The form of a put over TLS, where boto3's default is aws-chunked trailers, and untrusted certificates."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.scripted_storage import ScriptedServer
from tests.uploader.conftest import MakeScripted
from uploader import TlsFailed

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    key = path.with_suffix(".key")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        ["openssl", "req", "-x509", *curve, *names, "-keyout", str(key), "-out", str(path)],
        check=True,
        capture_output=True,
    )
    return path


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[ScriptedServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    with ScriptedServer(context) as server:
        yield server


def test_the_put_is_plain_over_tls_too(
    tls_server: ScriptedServer,
    make_scripted: MakeScripted,
    take: Path,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    storage = make_scripted(tls_server)
    upload = storage.upload(take, content_type="audio/mp4", suffix=".m4a")
    (put,) = tls_server.asked("PUT object")
    assert put.body == take.read_bytes()
    assert put.headers["content-length"] == "300000"
    assert "content-md5" in put.headers
    assert not {"x-amz-trailer", "content-encoding", "transfer-encoding"} & put.headers.keys()
    assert not [name for name in put.headers if "checksum" in name]
    storage.verify_link(storage.presign(upload), upload)
    storage.delete(upload)


def test_an_untrusted_certificate(tls_server: ScriptedServer, make_scripted: MakeScripted, take: Path) -> None:
    with pytest.raises(TlsFailed, match="not trusted"):
        make_scripted(tls_server).upload(take, content_type="audio/mp4", suffix=".m4a")
    assert not tls_server.requests
