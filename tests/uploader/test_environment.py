"""Proxies, certificate authorities and keys of the environment."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.odd_storage import OddStorage, Reply, always
from tests.uploader.conftest import M4A, MakeStorage
from tests.uploader.test_settings import UPLOAD, storage_for
from uploader import SettingsError, Storage, Unreachable
from uploader.addresses import is_loopback

LOOPBACK = (
    """127.0.0.1 127.8.9.10 localhost LOCALHOST. a.localhost ::1 [::1] ::ffff:127.0.0.1 127.1 0x7f000001 2130706433"""
)
OTHER_HOSTS = """127.evil.example localhost.evil.example evil-localhost 127.0.0.1.evil.example 128.0.0.1 10.0.0.1 ::2
::ffff:10.0.0.1 0.0.0.0 example.com"""
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@pytest.mark.parametrize("host", LOOPBACK.split())
def test_loopback_hosts(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", [*OTHER_HOSTS.split(), ""])
def test_other_hosts(host: str) -> None:
    assert not is_loopback(host)


def through(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    for name in PROXIES:
        monkeypatch.setenv(name, proxy)


def test_loopback_never_goes_through_a_proxy(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    with OddStorage("http://127.0.0.1:1", always(Reply(403))) as proxy:
        through(monkeypatch, proxy.endpoint)
        storage.round_trip()
        assert proxy.seen == []
    through(monkeypatch, "socks5://127.0.0.1:1")
    storage.round_trip()


def test_a_proxy_that_refuses_gets_no_recording(make_storage: MakeStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A HEAD that the proxy refuses says nothing about a key's permissions."""
    for status, hint in ((403, "HTTP_PROXY"), (407, "user name and a password")):
        with OddStorage("http://127.0.0.1:1", always(Reply(status))) as proxy:
            through(monkeypatch, proxy.endpoint)
            storage = make_storage(endpoint="http://storage.example.com")
            with pytest.raises(Exception, match=str(status)) as caught:
                storage.upload(b"a recording", **M4A)
            assert hint in getattr(caught.value, "hint", "")
            assert not proxy.asked("PUT")


@pytest.mark.parametrize(("status", "hint"), [(407, "user name and a password"), (403, "does not allow")])
def test_a_proxy_that_refuses_a_tunnel(
    make_storage: MakeStorage, monkeypatch: pytest.MonkeyPatch, status: int, hint: str
) -> None:
    with OddStorage("http://127.0.0.1:1") as proxy:
        # CONNECT is refused by the server's own answer to methods that it does not know
        through(monkeypatch, proxy.endpoint.replace("http://", "http://user:hidden@"))
        _refuse_tunnels(proxy, status)
        storage = make_storage(endpoint="https://storage.example.com")
        with pytest.raises(Unreachable, match=str(status)) as caught:
            storage.upload(b"a recording", **M4A)
        assert hint in caught.value.hint
        with pytest.raises(Unreachable, match=str(status)) as caught:
            storage.verify_link(storage.presign(UPLOAD), UPLOAD)
        assert hint in caught.value.hint
        assert "hidden" not in f"{caught.value} {caught.value.hint}"


def _refuse_tunnels(proxy: OddStorage, status: int) -> None:
    def refuse(handler: object) -> None:
        handler.send_response(status)  # type: ignore[attr-defined]
        handler.send_header("Content-Length", "0")  # type: ignore[attr-defined]
        handler.end_headers()  # type: ignore[attr-defined]

    proxy.handler_class.do_CONNECT = refuse  # type: ignore[attr-defined]


def test_a_socks_proxy_is_reported(make_storage: MakeStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(Unreachable, match="HTTPS_PROXY name a SOCKS proxy, which boto3 cannot use"):
        make_storage(endpoint="https://storage.example.com").upload(b"a recording", **M4A)


def test_a_socks_proxy_without_pysocks_is_reported(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['socks'] = None\n"
        "from uploader import Upload, Unreachable\n"
        "from uploader.link_check import fetch_publicly\n"
        "upload = Upload('k', 1, '', '', None, 'audio/mp4', b'x')\n"
        "try:\n    fetch_publicly('https://storage.example.com/k', upload, trust_own_authorities=False)\n"
        "except Unreachable as error:\n    print(error, error.hint)\n"
    )
    environment = {"ALL_PROXY": "socks5://127.0.0.1:1", "HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert "ALL_PROXY name a SOCKS proxy, for which requests needs PySocks" in done.stdout


def test_a_missing_ca_bundle_is_reported(
    make_storage: MakeStorage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    with pytest.raises(SettingsError, match="AWS_CA_BUNDLE"):
        make_storage(endpoint="https://storage.example.com").upload(b"a recording", **M4A)
    monkeypatch.delenv("AWS_CA_BUNDLE")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    storage = make_storage(endpoint="https://storage.example.com")
    with pytest.raises(SettingsError, match="REQUESTS_CA_BUNDLE"):
        storage.verify_link(storage.presign(UPLOAD), UPLOAD)


@pytest.mark.parametrize(("minutes", "warned"), [(20, True), (600, False)])
def test_keys_of_a_process_that_expire_before_the_link(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, minutes: int, warned: bool
) -> None:
    expiry = datetime.now(UTC) + timedelta(minutes=minutes)
    keys = {"Version": 1, "AccessKeyId": "K", "SecretAccessKey": "S", "SessionToken": "T"}
    (tmp_path / "keys.json").write_text(json.dumps({**keys, "Expiration": expiry.isoformat()}))
    (tmp_path / "config").write_text(
        f"[profile p]\nregion = eu-west-1\ncredential_process = cat {tmp_path}/keys.json\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    storage = storage_for("aws", access_key_id=None, secret_access_key=None, profile="p", url_expires_s=3600)
    link = storage.presign(UPLOAD)
    if warned:
        assert "url_expires_s" in link.warnings[0]
        assert abs(link.expires_at - expiry) < timedelta(seconds=3)
    else:
        assert link.warnings == ()
        assert timedelta(minutes=58) < link.expires_at - datetime.now(UTC)


def test_given_keys_with_a_known_expiry() -> None:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    link = storage_for("aws", session_token="T", keys_expire_at=soon).presign(UPLOAD)
    assert link.expires_at == soon.replace(microsecond=0)
    assert link.warnings
    later = datetime.now(UTC) + timedelta(days=2)
    assert not storage_for("aws", session_token="T", keys_expire_at=later).presign(UPLOAD).warnings
