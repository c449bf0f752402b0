"""Objects in the storage: recorded in the ledger before the first byte is sent, and removed from it when deleted.

    ledger.uploads.add ─ upload ─ presign, fetch the link ─ paid call ─ delete ─ ledger.uploads.remove

A run that is killed anywhere in between leaves an entry, from which the next run deletes the object.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from onetake.errors import LedgerFailed, failure_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from onetake.clones.observer import Observer
    from onetake.clones.prepare import PreparedFile
    from onetake.ledger import AbandonedUpload, Ledger
    from uploader import Storage, Upload

CONTENT_TYPES: Final = {"mp3": "audio/mpeg", "m4a": "audio/mp4", "wav": "audio/wav"}
_SETTLE_S: Final = 5.0
"""An upload that was complete when its process was killed appears in the storage within this time; an incomplete PUT
never does."""


class UploadTracker:
    """The uploads of one clone.

    Args:
        storage: Where the objects are stored.
        ledger: Where they are recorded.
        warn: Called when an object may still be stored.

    Attributes:
        uploads: The objects that were stored completely.
    """

    def __init__(self, storage: Storage, ledger: Ledger, warn: Callable[[str], None]) -> None:
        self._storage = storage
        self._entries = ledger.uploads
        self._warn = warn
        self._keys: list[str] = []
        self.uploads: list[Upload] = []

    def store(self, file: PreparedFile, progress: Callable[[int, int], None] | None = None) -> Upload:
        """Upload a checked file; it is not sent if it changed since the check.

        Args:
            file: The file.
            progress: Called with bytes sent and total bytes.

        Raises:
            uploader.StorageError: The storage failed.
            LedgerFailed: The upload could not be recorded; nothing was sent.
        """
        from preflight.limits import ACCEPTED

        container = file.report.file.container
        try:
            upload = self._storage.upload(
                file.path,
                content_type=CONTENT_TYPES[container],
                suffix=ACCEPTED[container],
                sha256=file.report.file.sha256,
                announce=self._record,
                progress=progress,
            )
        except Exception as error:
            if self._keys and not getattr(error, "left_behind", True):
                self._remove_entry(self._keys.pop())  # no part of it is stored
            raise
        self.uploads.append(upload)
        return upload

    def keep(self) -> None:
        """Remove the entries, so that no run deletes the objects."""
        for key in self._keys:
            self._remove_entry(key)

    def delete(self) -> dict[str, bool]:
        """Delete the objects, and return for each key whether it was removed; the next run tries the others again."""
        removed = {key: self._delete_object(key) for key in self._keys}
        for key in (key for key, is_removed in removed.items() if is_removed):
            self._remove_entry(key)
        return removed

    def _record(self, key: str) -> None:
        self._entries.add(self._storage.place, key)
        self._keys.append(key)

    def _delete_object(self, key: str) -> bool:
        upload = next((upload for upload in self.uploads if upload.key == key), key)
        try:
            self._storage.delete(upload)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a voice may be paid for: it must not be lost
            self._warn(f"{key} {_consequence(error)}: {failure_of(error).message}")
            return False
        return True

    def _remove_entry(self, key: str) -> None:
        try:
            self._entries.remove(self._storage.place, key)
        except LedgerFailed as error:
            self._warn(f"{key} could not be removed from the ledger: {error.message}")


def _consequence(error: BaseException) -> str:
    if getattr(error, "kind", None) in ("object-locked", "not-permitted"):
        return "stays stored"  # the next run may not delete it either
    return "may still be stored, the next run deletes it"


def verified_link(storage: Storage, upload: Upload, warn: Callable[[str], None]) -> tuple[str, datetime]:
    """Return a presigned URL and its expiry, after fetching it as the service will.

    Args:
        storage: Where the object is stored.
        upload: The object.
        warn: Called with possible problems of the link.

    Raises:
        uploader.StorageError: The link does not serve the object.
    """
    link = storage.presign(upload)
    for warning in (*link.warnings, *storage.verify_link(link, upload)):
        warn(warning)
    return link.url, link.expires_at


class CleanupResult(msgspec.Struct, frozen=True):
    """The result of `delete_abandoned`.

    Attributes:
        deleted: Keys that were deleted.
        failed: Keys that may still be stored in this bucket.
        elsewhere: Objects that may be stored in other buckets.
    """

    deleted: tuple[str, ...]
    failed: tuple[str, ...]
    elsewhere: tuple[AbandonedUpload, ...]


def delete_abandoned(storage: Storage, ledger: Ledger, observer: Observer) -> CleanupResult:
    """Delete from one bucket what runs that ended early left there, according to the ledger.

    It stops at the first failure, since the other deletions would fail alike after as many retries. An object lock
    concerns one object, so the others are still deleted.

    Raises:
        LedgerFailed: The ledger cannot be read.
    """
    abandoned = ledger.uploads.abandoned()
    here = [upload for upload in abandoned if upload.storage == storage.place]
    keys = [upload.key for upload in here]
    deleted: list[str] = []
    _wait_until_settled(here)
    for key in keys:
        try:
            storage.delete(key)
        except Exception as error:  # noqa: BLE001 - the entry stays in the ledger for the next run
            failure = failure_of(error)
            observer.warn(f"{key} is still stored: {failure.message}")
            if failure.kind == "object-locked":
                continue
            break
        ledger.uploads.remove(storage.place, key)
        deleted.append(key)
    elsewhere = tuple(upload for upload in abandoned if upload.storage != storage.place)
    return CleanupResult(tuple(deleted), tuple(key for key in keys if key not in deleted), elsewhere)


def try_delete_abandoned(storage: Storage, ledger: Ledger, observer: Observer) -> None:
    """Run `delete_abandoned` after a clone: its failure is a warning, so that it does not hide the voice."""
    try:
        delete_abandoned(storage, ledger, observer)
    except LedgerFailed as error:
        observer.warn(f"uploads that earlier runs left in the storage could not be listed: {error.message}")


def _wait_until_settled(uploads: list[AbandonedUpload]) -> None:
    ages_s = [(datetime.now(UTC) - upload.reserved_at).total_seconds() for upload in uploads]
    time.sleep(max([0.0, *(_SETTLE_S - age_s for age_s in ages_s if 0 <= age_s < _SETTLE_S)]))
