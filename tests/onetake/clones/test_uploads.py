"""Uploads: recorded before they begin, removed from the ledger when deleted, cleaned up by a later run."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from onetake.clones.cloner import Cloner
from onetake.clones.prepare import PreparedFile, analyze_take, prepare
from onetake.clones.uploads import UploadTracker, delete_abandoned, try_delete_abandoned, verified_link
from onetake.config.settings import load
from onetake.errors import LedgerFailed
from onetake.ledger import Ledger
from tests.onetake.clones.conftest import Recorder
from tests.support.services import FIXTURES, Services
from uploader import Storage, StorageError

Track = Callable[[], UploadTracker]


@pytest.fixture(autouse=True)
def _empty(services: Services) -> Iterator[None]:
    yield
    services.empty()


@pytest.fixture
def prepared(home: Path, recorder: Recorder) -> PreparedFile:
    shutil.copy(FIXTURES / "good.m4a", "take.m4a")
    return prepare("take.m4a", analyze_take("take.m4a", recorder), home, recorder)


@pytest.fixture
def track(cloner: Cloner, recorder: Recorder) -> Track:
    context = cloner.context
    return lambda: UploadTracker(context.storage, context.ledger, recorder.warn)


def entries(home: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(home / "onetake" / "ledger.sqlite3")) as connection:
        return [row[0] for row in connection.execute("SELECT key FROM uploads ORDER BY reserved_at")]


def make_old(home: Path) -> None:
    """Backdate the entries: a cleanup waits some seconds for recent uploads to appear."""
    with contextlib.closing(sqlite3.connect(home / "onetake" / "ledger.sqlite3")) as connection, connection:
        connection.execute("UPDATE uploads SET reserved_at = '2026-01-01T00:00:00+00:00'")


def test_an_upload_is_recorded_before_it_begins(track: Track, prepared: PreparedFile, home: Path) -> None:
    recorded: list[list[str]] = []
    upload = track().store(prepared, lambda done, total: recorded.append(entries(home)))
    assert recorded
    assert all(keys == [upload.key] for keys in recorded)
    assert upload.content_type == "audio/mp4"


def test_deleted_objects_are_removed_from_the_ledger(
    track: Track, prepared: PreparedFile, home: Path, services: Services
) -> None:
    tracker = track()
    first, second = tracker.store(prepared), tracker.store(prepared)
    assert set(services.objects()) == {first.key, second.key}
    assert tracker.delete() == {first.key: True, second.key: True}
    assert services.objects() == {}
    assert entries(home) == []


def test_kept_objects_are_removed_from_the_ledger_only(
    track: Track, prepared: PreparedFile, home: Path, services: Services
) -> None:
    tracker = track()
    upload = tracker.store(prepared)
    tracker.keep()
    assert entries(home) == []
    assert set(services.objects()) == {upload.key}


def test_a_file_that_changed_after_the_check_is_not_sent(
    track: Track, prepared: PreparedFile, home: Path, services: Services
) -> None:
    with Path("take.m4a").open("ab") as file:
        file.write(b"more")
    tracker = track()
    with pytest.raises(StorageError):
        tracker.store(prepared)
    assert tracker.uploads == []
    assert services.objects() == {}
    assert entries(home) == []


def test_an_upload_that_cannot_be_recorded_is_not_sent(
    track: Track, prepared: PreparedFile, ledger: Ledger, services: Services
) -> None:
    tracker = track()
    ledger.close()
    with pytest.raises(LedgerFailed):
        tracker.store(prepared)
    assert services.objects() == {}


def test_an_object_that_cannot_be_deleted_stays_in_the_ledger(
    track: Track, prepared: PreparedFile, home: Path, services: Services, recorder: Recorder
) -> None:
    tracker = track()
    upload = tracker.store(prepared)
    tracker._storage = unusable_storage()
    assert tracker.delete() == {upload.key: False}
    assert entries(home) == [upload.key]
    assert "the next run deletes it" in recorder.warnings[-1]
    services.empty()


def unusable_storage() -> Storage:
    """A storage whose bucket does not exist."""
    return load({"bucket": "missing-bucket"}).storage()


@pytest.mark.slow
def test_a_verified_link_serves_the_upload(track: Track, prepared: PreparedFile, cloner: Cloner) -> None:
    import requests

    tracker = track()
    upload = tracker.store(prepared)
    warnings: list[str] = []
    url, expires_at = verified_link(cloner.context.storage, upload, warnings.append)
    assert requests.get(url, timeout=30).content == Path("take.m4a").read_bytes()
    assert expires_at.timestamp() > time.time() + 60
    tracker.delete()
    with pytest.raises(StorageError):
        verified_link(cloner.context.storage, upload, warnings.append)


def leave(cloner: Cloner, home: Path, count: int) -> list[str]:
    """Upload as runs do that are killed before they delete their objects."""
    storage = cloner.context.storage
    with Ledger(home / "onetake") as killed:
        for _ in range(count):
            add = partial(killed.uploads.add, storage.place)
            storage.upload(str(FIXTURES / "good.m4a"), content_type="audio/mp4", suffix=".m4a", announce=add)
        killed.uploads.add("https://elsewhere.example/bucket", "other.wav")
    make_old(home)
    return [key for key in entries(home) if key != "other.wav"]


def test_abandoned_uploads_of_this_bucket_are_deleted(
    cloner: Cloner, ledger: Ledger, home: Path, services: Services, recorder: Recorder
) -> None:
    left = leave(cloner, home, 2)
    result = delete_abandoned(cloner.context.storage, ledger, recorder)
    assert sorted(result.deleted) == sorted(left)
    assert result.failed == ()
    assert [upload.key for upload in result.elsewhere] == ["other.wav"]
    assert services.objects() == {}
    assert entries(home) == ["other.wav"]
    assert delete_abandoned(cloner.context.storage, ledger, recorder).deleted == ()


def test_uploads_of_a_live_run_are_not_deleted(
    cloner: Cloner, ledger: Ledger, home: Path, services: Services, recorder: Recorder
) -> None:
    storage = cloner.context.storage
    with Ledger(home / "onetake") as other:
        add = partial(other.uploads.add, storage.place)
        storage.upload(str(FIXTURES / "good.m4a"), content_type="audio/mp4", suffix=".m4a", announce=add)
        make_old(home)
        assert delete_abandoned(storage, ledger, recorder).deleted == ()
        assert len(services.objects()) == 1
    assert len(delete_abandoned(storage, ledger, recorder).deleted) == 1


def test_the_cleanup_stops_at_the_first_failure(
    cloner: Cloner, ledger: Ledger, home: Path, services: Services, recorder: Recorder
) -> None:
    left = leave(cloner, home, 2)
    storage = unusable_storage()
    with contextlib.closing(sqlite3.connect(home / "onetake" / "ledger.sqlite3")) as connection, connection:
        connection.execute("UPDATE uploads SET storage = ? WHERE key != 'other.wav'", (storage.place,))
    result = delete_abandoned(storage, ledger, recorder)
    assert (result.deleted, sorted(result.failed)) == ((), sorted(left))
    assert len([warning for warning in recorder.warnings if "is still stored" in warning]) == 1
    services.empty()


def test_a_cleanup_after_a_clone_does_not_raise(cloner: Cloner, ledger: Ledger, recorder: Recorder) -> None:
    ledger.close()
    try_delete_abandoned(cloner.context.storage, ledger, recorder)
    assert "could not be listed" in recorder.warnings[-1]
