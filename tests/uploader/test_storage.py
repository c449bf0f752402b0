"""Failures of uploads at a real service, at closed ports and with unreadable files: one clear message each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from onetake.sandbox.s3_server import SandboxStorage
from tests.uploader.conftest import M4A, READER, MakeStorage
from uploader import (
    CredentialsMissing,
    FileChanged,
    FileUnreadable,
    NoSuchBucket,
    NotPermitted,
    SettingsError,
    Storage,
    StorageError,
    TlsFailed,
    Unreachable,
    UrlNotPublic,
    WrongKey,
    WrongSecret,
)
from uploader.addresses import require_public_host


def upload_error(storage: Storage, take: Path, kind: type[StorageError]) -> StorageError:
    with pytest.raises(kind) as caught:
        storage.upload(take, **M4A)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


def test_wrong_key(make_storage: MakeStorage, take: Path) -> None:
    upload_error(make_storage(access_key_id="UNKNOWNKEY"), take, WrongKey)


def test_wrong_secret(make_storage: MakeStorage, take: Path) -> None:
    error = upload_error(make_storage(secret_access_key="not-the-secret"), take, WrongSecret)
    assert "not-the-secret" not in f"{error!r}{error.hint}"


def test_no_such_bucket(make_storage: MakeStorage, take: Path) -> None:
    assert "'nowhere'" in upload_error(make_storage(bucket="nowhere"), take, NoSuchBucket).message


def test_no_permission(make_storage: MakeStorage, take: Path) -> None:
    reader = make_storage(access_key_id=READER.access_key_id, secret_access_key=READER.secret_access_key)
    upload_error(reader, take, NotPermitted)


def test_connection_refused(make_storage: MakeStorage, take: Path) -> None:
    error = upload_error(make_storage(endpoint="http://127.0.0.1:1", budget_s=0.3), take, Unreachable)
    assert "refused" in error.message


def test_no_such_host(make_storage: MakeStorage, take: Path) -> None:
    error = upload_error(make_storage(endpoint="https://storage.invalid", budget_s=0.3), take, Unreachable)
    assert "storage.invalid" in error.message


def test_plain_http_behind_https(make_storage: MakeStorage, sandbox: SandboxStorage, take: Path) -> None:
    endpoint = sandbox.endpoint.replace("http://", "https://")
    assert "does not speak TLS" in upload_error(make_storage(endpoint=endpoint), take, TlsFailed).message


def test_no_keys(make_storage: MakeStorage, take: Path) -> None:
    error = upload_error(make_storage(access_key_id=None, secret_access_key=None), take, CredentialsMissing)
    assert "ONETAKE_ACCESS_KEY_ID" in error.hint
    assert "AWS_ACCESS_KEY_ID" in error.hint


def test_keys_of_the_environment(
    make_storage: MakeStorage, sandbox: SandboxStorage, take: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", sandbox.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", sandbox.secret_access_key)
    storage = make_storage(access_key_id=None, secret_access_key=None)
    storage.delete(storage.upload(take, **M4A))


def test_no_such_profile(make_storage: MakeStorage, take: Path) -> None:
    storage = make_storage(access_key_id=None, secret_access_key=None, profile="unknown")
    error = upload_error(storage, take, SettingsError)
    assert isinstance(error, SettingsError)
    assert error.setting == "profile"


def test_a_file_that_changed_since_it_was_checked(storage: Storage, take: Path) -> None:
    with pytest.raises(FileChanged):
        storage.upload(take, **M4A, sha256="0" * 64)


def test_unreadable_files(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("gone\n\x1b[31m.m4a", "empty", "fifo", "loop", ".", "nul\0byte"):
        with pytest.raises(FileUnreadable) as caught:
            storage.upload(tmp_path / name, **M4A)
        assert str(caught.value).isprintable()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(storage: Storage, take: Path) -> None:
    take.chmod(0)
    with pytest.raises(FileUnreadable, match="Permission"):
        storage.upload(take, **M4A)


@pytest.mark.parametrize("suffix", ["", "m4a", ".", ".m/4", "..m4a", ".m4a?", "/x.m4a", ".m4a\n"])
def test_bad_suffixes(storage: Storage, take: Path, suffix: str) -> None:
    with pytest.raises(SettingsError):
        storage.upload(take, content_type="audio/mp4", suffix=suffix)


def test_a_private_link_is_refused(make_storage: MakeStorage, take: Path) -> None:
    storage = make_storage(public_only=True)
    with pytest.raises(UrlNotPublic):
        storage.require_public()
    upload = storage.upload(take, **M4A)
    with pytest.raises(UrlNotPublic):
        storage.verify_link(storage.presign(upload), upload)
    storage.delete(upload)
    make_storage().require_public()


PRIVATE_HOSTS = """
localhost LOCALHOST. box.local storage.internal minio a.localhost 127.0.0.1 127.1 0x7f000001 2130706433 10.1.2.3
192.168.0.9 172.16.0.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 198.18.0.1 ::1 [::1] fe80::1%eth0 fc00::1
::ffff:10.0.0.1 64:ff9b::a00:1 2002:7f00:1::
"""


@pytest.mark.parametrize("host", PRIVATE_HOSTS.split())
def test_private_hosts_are_refused(host: str) -> None:
    with pytest.raises(UrlNotPublic):
        require_public_host(host)


@pytest.mark.parametrize("host", ["8.8.8.8", "2001:4860:4860::8888", "takes.storage.invalid"])
def test_public_hosts_are_accepted(host: str) -> None:
    require_public_host(host)
