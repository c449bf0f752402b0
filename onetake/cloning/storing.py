"""What was checked goes into the storage, and is shown to a stranger before anybody is sent its URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from onetake.cloning.preparation import Sendable
    from uploader import Storage, Upload

CONTENT_TYPES: Final = {"mp3": "audio/mpeg", "m4a": "audio/mp4", "wav": "audio/wav"}


def store(storage: Storage, sendable: Sendable, announce: Callable[[str], None]) -> Upload:
    """Upload what was checked; a file that changed since is not sent.

    Args:
        storage: Where it goes.
        sendable: What was checked.
        announce: Called with the key before anything is sent.

    Raises:
        uploader.StorageError: The storage failed.
    """
    from preflight.limits import ACCEPTED

    container = sendable.report.file.container
    return storage.upload(
        sendable.path,
        content_type=CONTENT_TYPES[container],
        suffix=ACCEPTED[container],
        sha256=sendable.report.file.sha256,
        announce=announce,
    )


def shown_to_stranger(storage: Storage, upload: Upload) -> tuple[str, datetime]:
    """A presigned URL that was fetched as a stranger would, and when it expires; raises `uploader.StorageError`."""
    link = storage.presign(upload)
    storage.verify_link(link, upload)
    return link.url, link.expires_at
