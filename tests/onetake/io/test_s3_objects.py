"""Recordings in object storage: listed, fetched once, checked like files, and written back."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

import onetake
import preflight
from onetake.errors import UsageError
from onetake.io.s3_objects import ObjectRecording
from onetake.io.s3_prefetch import ByteBudget, fetched_ahead
from preflight.input.on_demand import copy_headers
from tests.onetake.conftest import Say
from tests.support import make_audio
from tests.support.odd_storage import OddStorage, Reply, Seen
from tests.support.selection import parametrize_some
from tests.support.services import FIXTURES, Services
from uploader import Bucket, StorageSettings

NAMES = ("good.m4a", "good.mp3", "good.wav")


@pytest.fixture
def bucket(services: Services, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    for name, value in services.settings(ONETAKE_BUCKET="not-the-one").items():
        monkeypatch.setenv(name, value)
    storage = services.storage
    yield Bucket(
        StorageSettings(
            storage.bucket,
            "seaweedfs",
            endpoint=storage.endpoint,
            access_key_id=storage.access_key_id,
            secret_access_key=storage.secret_access_key,
        ),
        budget_s=5,
    )
    services.empty()


@pytest.fixture
def prefix(bucket: Bucket, services: Services, tmp_path: Path) -> str:
    place = f"checks/{tmp_path.name}"
    for name in NAMES:
        bucket.write(f"{place}/{name}", FIXTURES / name, "audio/mp4")
    bucket.write(f"{place}/notes.txt", b"no recording", "text/plain")
    return f"s3://{services.storage.bucket}/{place}/"


def without_place(report: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if name not in {"path", "remote"}}


def test_objects_are_checked_like_files(say: Say, prefix: str, bucket: Bucket, services: Services) -> None:
    ran = say("check", prefix, "--json")
    remote = json.loads(ran.out)["takes"]
    local = json.loads(say("check", *(str(FIXTURES / name) for name in NAMES), "--json").out)["takes"]
    assert [report["path"] for report in remote] == [prefix + name for name in NAMES]
    assert [without_place(report) for report in remote] == [without_place(report) for report in local]
    for report in remote:
        stored = bucket.find(report["path"].removeprefix(f"s3://{services.storage.bucket}/"))
        assert stored is not None
        assert stored.etag
        assert report["remote"] == {"etag": stored.etag, "bytes": stored.bytes, "fetched_bytes": stored.bytes}
        assert report["file"]["bytes"] == stored.bytes
    assert all("remote" not in report for report in local)
    assert "from 3 objects" in ran.err


def test_names_of_objects_may_be_listed_beside_files(say: Say, prefix: str, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{prefix}good.wav\n{FIXTURES / 'good.mp3'}\n")
    takes = json.loads(say("check", "--files-from", str(tmp_path / "list"), "--json").out)["takes"]
    assert [take["path"] for take in takes] == [f"{prefix}good.wav", str(FIXTURES / "good.mp3")]
    assert ["remote" in take for take in takes] == [True, False]


def test_a_missing_object_is_unreadable_and_a_missing_bucket_ends_the_run(say: Say, prefix: str) -> None:
    ran = say("check", f"{prefix}nothing.wav", f"{prefix}good.wav", "--json")
    takes = json.loads(ran.out)["takes"]
    assert [[finding["rule"] for finding in take["findings"] if finding["severity"] == "error"] for take in takes] == [
        ["unreadable"],
        [],
    ]
    assert say("check", "s3://no-such-bucket-at-all/x.wav", "s3://no-such-bucket-at-all/y.wav").status == 3
    assert "no recording in" in say("check", f"{prefix}empty/").err
    assert "names no bucket" in say("check", "s3:///x.wav").err
    assert "plays files" in say("check", f"{prefix}good.wav", "--format", "html", "-o", "page.html").err


def large(name: str) -> bytes:
    sound = make_audio.talk(300 if name == "m4a" else 150)
    if name == "m4a":
        return make_audio.m4a(sound, bit_rate=128_000)
    if name == "mp3":
        return make_audio.mp3(sound, bit_rate=128_000)
    return make_audio.wav(sound, form=name.upper())


@parametrize_some("name", ["wav", "flac", "mp3", "m4a"], fast=2)
def test_a_quick_check_fetches_only_what_headers_need(
    say: Say, bucket: Bucket, services: Services, tmp_path: Path, name: str
) -> None:
    path = tmp_path / f"large.{name}"
    path.write_bytes(large(name))
    bucket.write(f"quick/{path.name}", path, "audio/wav")
    ran = say("check", "--quick", f"s3://{services.storage.bucket}/quick/{path.name}", "--json")
    (remote,) = json.loads(ran.out)["takes"]
    (local,) = json.loads(say("check", "--quick", str(path), "--json").out)["takes"]
    assert without_place(remote) == without_place(local)
    assert remote["remote"]["bytes"] == path.stat().st_size
    assert 0 < remote["remote"]["fetched_bytes"] < 0.8 * path.stat().st_size
    assert "fetched 1." in ran.err


def test_an_index_at_the_end_is_fetched() -> None:
    def box(kind: bytes, content: bytes) -> bytes:
        return (8 + len(content)).to_bytes(4) + kind + content

    index = box(b"moov", b"i" * (1 << 20))
    content = b"".join((box(b"ftyp", b"M4A "), box(b"mdat", b"m" * (3 << 20)), index, box(b"free", bytes(9))))
    file = io.BytesIO()
    fetched = copy_headers(lambda start, count: content[start : start + count], len(content), file)
    assert len(file.getvalue()) == len(content)
    assert index in file.getvalue()
    assert fetched < len(content) * 0.7


def test_the_listing_streams_to_the_library(bucket: Bucket, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uploader.bucket._PAGE", 2)  # more than one page
    recordings = onetake.recordings(prefix)
    first = next(recordings)
    assert first.name == f"{prefix}good.m4a"
    assert preflight.check(first).verdict == "ready"
    reports = list(preflight.check_many(recordings))
    assert [report.path for report in reports] == [f"{prefix}good.mp3", f"{prefix}good.wav"]
    with pytest.raises(UsageError, match="does not begin with"):
        next(onetake.recordings("takes/"))


@pytest.mark.slow
def test_a_fix_is_written_back_and_verified(say: Say, prefix: str, bucket: Bucket, tmp_path: Path) -> None:
    key = f"checks/{prefix.partition('/checks/')[2]}"
    source, target = f"{prefix}good.mp3", f"{prefix}fixed/good.mp3"
    ran = say("fix", source, "-o", f"{prefix}fixed/", "--json")
    document = json.loads(ran.out)
    assert (ran.status, document["path"]) == (0, target)
    file = io.BytesIO()
    stored = bucket.read(f"{key}fixed/good.mp3", file)
    assert file.getvalue() == (FIXTURES / "good.mp3").read_bytes()
    assert stored.bytes == document["after"]["file"]["bytes"]
    refused = say("fix", source, "-o", target)
    assert (refused.status, "--force" in refused.err) == (2, True)
    assert say("fix", source, "-o", target, "--force").status == 0
    assert say("fix", source, "-o", str(tmp_path / "local.mp3")).status == 0
    assert (tmp_path / "local.mp3").read_bytes() == file.getvalue()


def test_a_broken_connection_is_tried_again(services: Services, prefix: str) -> None:
    """The first answer ends in the middle of the body."""
    refused: list[str] = []

    def cut_once(seen: Seen, reply: Reply) -> None:
        if seen.method == "GET" and seen.is_object and not refused:
            refused.append(seen.target)
            reply.status, reply.body = 503, b""

    with OddStorage(services.storage.endpoint, change=cut_once) as front:
        (take,) = onetake.recordings(f"{prefix}good.wav", settings={"s3_endpoint": front.endpoint})
        report = preflight.check(take)
        assert len(front.asked("GET")) == 2
    assert report.verdict == "ready"
    assert report.file.bytes == (FIXTURES / "good.wav").stat().st_size


def test_recordings_that_are_fetched_ahead_share_a_budget() -> None:
    budget = ByteBudget(100)
    budget.take(60)
    waits = threading.Thread(target=budget.take, args=(50,))
    waits.start()
    waits.join(0.05)
    assert waits.is_alive()
    budget.give_back(60)
    waits.join(10)
    assert not waits.is_alive()
    budget.give_back(50)
    budget.take(1000)  # alone, even a large one
    budget.close()
    with pytest.raises(CancelledError):
        budget.take(1)


def test_objects_are_fetched_in_groups(prefix: str) -> None:
    listed: list[ObjectRecording] = []

    def takes() -> Iterator[ObjectRecording]:
        for _ in range(4):
            for take in onetake.recordings(prefix):
                listed.append(take)
                yield take

    with fetched_ahead(takes(), 1) as ready:
        next(ready)
        assert len(listed) == 8
        assert all(take.is_ahead for take in listed)
        assert len(list(ready)) == 11
    assert len(listed) == 12


def test_what_is_fetched_ahead_is_checked_once(prefix: str) -> None:
    takes = list(onetake.recordings(prefix))
    both: list[preflight.Recording] = [*takes, str(FIXTURES / "good.wav")]
    with fetched_ahead(both, 2) as ready:
        reports = list(preflight.check_many(ready))
    assert [report.verdict for report in reports] == ["ready"] * 4
    for take in takes:
        assert isinstance(take, ObjectRecording)
        assert take.remote is not None
        assert take.remote.fetched_bytes == take.remote.bytes
