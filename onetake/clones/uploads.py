"""What was checked goes into the storage, and its link is tried before the service is sent it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onetake.errors import LedgerFailed, failure_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from onetake.clones.prepare import Sendable
    from onetake.ledger import Ledger
    from uploader import Storage, Upload

CONTENT_TYPES: Final = {"mp3": "audio/mpeg", "m4a": "audio/mp4", "wav": "audio/wav"}


class UploadTracker:
    """Objects in the storage, each noted before its first byte is sent and struck out when it is gone or is to stay.

    Args:
        storage: Where they go.
        ledger: Where they are noted.
        warn: Is told what may still be stored.

    Attributes:
        uploads: Those that were stored whole.
    """

    def __init__(self, storage: Storage, ledger: Ledger, warn: Callable[[str], None]) -> None:
        self._storage = storage
        self._noted = ledger.uploads
        self._warn = warn
        self._keys: list[str] = []
        self.uploads: list[Upload] = []

    def store(self, sendable: Sendable, progress: Callable[[int, int], None] | None = None) -> Upload:
        """Upload what was checked; a file that changed since is not sent.

        Args:
            sendable: What was checked.
            progress: Called with bytes sent and bytes in all.

        Raises:
            uploader.StorageError: The storage failed.
            LedgerFailed: It could not be noted; nothing was sent.
        """
        from preflight.limits import ACCEPTED

        container = sendable.report.file.container
        try:
            upload = self._storage.upload(
                sendable.path,
                content_type=CONTENT_TYPES[container],
                suffix=ACCEPTED[container],
                sha256=sendable.report.file.sha256,
                announce=self._note,
                progress=progress,
            )
        except Exception as error:
            if self._keys and not getattr(error, "left_behind", True):
                self._strike(self._keys.pop())  # nothing of it is stored
            raise
        self.uploads.append(upload)
        return upload

    def keep(self) -> None:
        """Nobody is to delete them."""
        for key in self._keys:
            self._strike(key)

    def delete(self) -> dict[str, bool]:
        """Delete them, and tell of each key whether it is gone; what is not is left to the next run."""
        gone = {key: self._is_deleted(key) for key in self._keys}
        for key in (key for key, is_gone in gone.items() if is_gone):
            self._strike(key)
        return gone

    def _note(self, key: str) -> None:
        self._noted.reserve(self._storage.place, key)
        self._keys.append(key)

    def _is_deleted(self, key: str) -> bool:
        upload = next((upload for upload in self.uploads if upload.key == key), key)
        try:
            self._storage.delete(upload)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a voice may be paid for: it must not be lost
            self._warn(f"{key} {_whether_deleted_later(error)}: {failure_of(error).message}")
            return False
        return True

    def _strike(self, key: str) -> None:
        try:
            self._noted.strike(self._storage.place, key)
        except LedgerFailed as error:
            self._warn(f"{key} could not be struck out: {error.message}")


def _whether_deleted_later(error: BaseException) -> str:
    if getattr(error, "kind", None) in ("object-locked", "not-permitted"):
        return "stays stored"  # the next run may not delete it either
    return "may still be stored, the next run deletes it"


def verified_link(storage: Storage, upload: Upload, warn: Callable[[str], None]) -> tuple[str, datetime]:
    """A presigned URL that was fetched as the service will fetch it, and when it expires.

    Args:
        storage: Where the object is.
        upload: The object.
        warn: Called with what may be wrong with the link.

    Raises:
        uploader.StorageError: The link does not serve the object.
    """
    link = storage.presign(upload)
    for warning in (*link.warnings, *storage.verify_link(link, upload)):
        warn(warning)
    return link.url, link.expires_at
