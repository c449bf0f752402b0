"""Upload, presign, fetch and delete at a real S3 service."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from onetake.sandbox.s3_server import SandboxStorage
from tests.uploader.conftest import M4A, MakeStorage
from uploader import FileUnreadable, LinkRefused, Storage
from uploader.upload_body import Uploadable


def client_of(sandbox: SandboxStorage) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=sandbox.endpoint,
        region_name=sandbox.region,
        aws_access_key_id=sandbox.access_key_id,
        aws_secret_access_key=sandbox.secret_access_key,
    )


def test_upload_fetch_and_delete(
    storage: Storage, make_storage: MakeStorage, sandbox: SandboxStorage, take: Path
) -> None:
    content = take.read_bytes()
    upload = storage.upload(take, **M4A, sha256=hashlib.sha256(content).hexdigest().upper())
    assert (upload.bytes, upload.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert upload.md5 == hashlib.md5(content).hexdigest()
    assert upload.version_id is None
    assert upload.first_bytes == content[:64]
    assert upload.clock_skew_s is not None
    assert abs(upload.clock_skew_s) < 3
    link = storage.presign(upload)
    assert timedelta(minutes=59) < link.expires_at - datetime.now(UTC) <= timedelta(hours=1)
    storage.verify_link(link, upload)
    fetched = requests.get(link.url, timeout=60)
    assert fetched.content == content
    assert fetched.headers["Content-Type"] == "audio/mp4"
    assert requests.get(link.url.partition("?")[0], timeout=60).status_code == 403  # private
    storage.delete(upload)
    storage.delete(upload)
    assert requests.get(link.url, timeout=60).status_code == 404
    assert client_of(sandbox).list_objects_v2(Bucket=sandbox.bucket, Prefix=upload.key)["KeyCount"] == 0
    with pytest.raises(LinkRefused, match="404"):
        make_storage(budget_s=0.5).verify_link(link, upload)


@pytest.mark.parametrize(
    ("content_type", "suffix"), [("audio/mpeg", ".mp3"), ("audio/mp4", ".m4a"), ("audio/wav", ".wav")]
)
def test_type_and_suffix_are_kept(storage: Storage, take: Path, content_type: str, suffix: str) -> None:
    upload = storage.upload(take, content_type=content_type, suffix=suffix)
    link = storage.presign(upload)
    storage.verify_link(link, upload)
    assert requests.get(link.url, timeout=60).headers["Content-Type"] == content_type
    assert link.url.partition("?")[0].endswith(suffix)
    storage.delete(upload)


def test_keys_are_unguessable_and_keep_prefix_and_suffix(make_storage: MakeStorage, take: Path) -> None:
    storage = make_storage(prefix="voices/2-")
    uploads = [storage.upload(take, **M4A) for _ in range(5)]
    names = {upload.key.removeprefix("voices/2-").removesuffix(".m4a") for upload in uploads}
    assert len(names) == 5
    assert all(len(name) == 32 and "take" not in name and name[0] != "-" for name in names)
    for upload in uploads:
        storage.verify_link(storage.presign(upload), upload)
        storage.delete(upload)


@pytest.mark.parametrize("name", [b"a b.m4a", b"line\nend.m4a", b"\xff\xfe'\"$(x).m4a", b"-rf", b"\x1b[31mred"])
def test_any_file_name_is_accepted(storage: Storage, tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(b"x" * 10)
    for form in (path, str(path)):
        upload = storage.upload(form, **M4A)
        assert upload.bytes == 10
        storage.delete(upload)


def test_every_form_of_a_content_is_stored_alike(storage: Storage, take: Path) -> None:
    content = take.read_bytes()
    seen: list[tuple[int, int]] = []
    written = io.BytesIO()
    written.write(content)
    packed = gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(content, 1)))
    with take.open("rb") as file, subprocess.Popen(["cat", take], stdout=subprocess.PIPE) as process:
        file.seek(7)
        assert process.stdout is not None
        contents = (content, bytearray(content), memoryview(content))
        forms: tuple[Uploadable, ...] = (take, *contents, file, written, packed, process.stdout)
        for form in forms:
            upload = storage.upload(form, **M4A, progress=lambda sent, total: seen.append((sent, total)))
            assert upload.sha256 == hashlib.sha256(content).hexdigest()
            assert requests.get(storage.presign(upload).url, timeout=60).content == content
            assert seen[-1] == (len(content), len(content))
            storage.delete(upload)
        assert (file.tell(), written.tell()) == (7, len(content))


def test_values_that_cannot_be_uploaded(storage: Storage, tmp_path: Path) -> None:
    nothing: list[Any] = [42, None, io.StringIO("text"), ["take.m4a"]]
    for wrong in nothing:
        with pytest.raises(TypeError):
            storage.upload(wrong, **M4A)
    with (tmp_path / "new").open("wb") as writing, pytest.raises(ValueError, match="not open for reading"):
        storage.upload(writing, **M4A)
    cut = gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(os.urandom(5000))[:1000]))
    for broken in (b"", io.BytesIO(), cut):
        with pytest.raises(FileUnreadable):
            storage.upload(broken, **M4A)


@settings(max_examples=8)
@given(content=st.binary(min_size=1, max_size=5000))
def test_any_content_is_served_unchanged(storage: Storage, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(content)
    upload = storage.upload(path, content_type="audio/wav", suffix=".wav")
    link = storage.presign(upload)
    storage.verify_link(link, upload)
    assert requests.get(link.url, timeout=60).content == content
    storage.delete(upload)


def test_progress_counts_the_bytes_that_are_sent(storage: Storage, take: Path) -> None:
    seen: list[tuple[int, int]] = []
    storage.delete(storage.upload(take, **M4A, progress=lambda sent, total: seen.append((sent, total))))
    assert seen == sorted(set(seen))
    assert seen[-1] == (300_000, 300_000)


def test_one_storage_serves_many_threads(storage: Storage, take: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        uploads = list(threads.map(lambda _: storage.upload(take, **M4A), range(12)))
        assert len({upload.key for upload in uploads}) == 12
        list(threads.map(storage.delete, uploads))


def test_every_version_is_deleted(make_storage: MakeStorage, sandbox: SandboxStorage, take: Path) -> None:
    client = client_of(sandbox)
    client.create_bucket(Bucket="versioned")
    client.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    storage = make_storage(bucket="versioned")
    upload = storage.upload(take, **M4A)
    assert upload.version_id
    client.put_object(Bucket="versioned", Key=upload.key, Body=b"as a retry would")
    client.delete_object(Bucket="versioned", Key=upload.key)
    assert len(client.list_object_versions(Bucket="versioned")["Versions"]) == 2
    storage.delete(upload)
    left = client.list_object_versions(Bucket="versioned")
    assert not left.get("Versions")
    assert not left.get("DeleteMarkers")
    storage.delete(upload)


def test_round_trip_leaves_nothing(make_storage: MakeStorage, sandbox: SandboxStorage) -> None:
    trip = make_storage(prefix="doctor/").round_trip()
    assert 0 < trip.seconds < 10
    assert trip.clock_skew_s is not None
    assert abs(trip.clock_skew_s) < 3
    assert client_of(sandbox).list_objects_v2(Bucket=sandbox.bucket, Prefix="doctor/")["KeyCount"] == 0


def test_an_expired_link_is_refused(make_storage: MakeStorage, take: Path) -> None:
    storage = make_storage(url_expires_s=1, budget_s=0.3)
    upload = storage.upload(take, **M4A)
    link = storage.presign(upload)
    time.sleep(2.2)  # the signature has whole seconds
    with pytest.raises(LinkRefused, match="403"):
        storage.verify_link(link, upload)
    storage.delete(upload)


def test_a_tampered_link_is_refused(make_storage: MakeStorage, take: Path) -> None:
    storage = make_storage(budget_s=0.3)
    upload = storage.upload(take, **M4A)
    link = storage.presign(upload)
    last = "0" if link.url[-1] != "0" else "1"
    with pytest.raises(LinkRefused, match="SignatureDoesNotMatch"):
        storage.verify_link(type(link)(link.url[:-1] + last, link.expires_at), upload)
    storage.delete(upload)


def test_describe_has_the_endpoint_and_no_secret(storage: Storage, sandbox: SandboxStorage) -> None:
    description = storage.describe()
    assert description["endpoint"] == sandbox.endpoint
    assert description["addressing"] == "path"
    assert sandbox.secret_access_key not in str(description)
