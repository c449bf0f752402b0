"""Deleting what runs that ended early left in the storage: what the ledger says, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from onetake.errors import failure_of

if TYPE_CHECKING:
    from onetake.cloning.order import Observer
    from onetake.ledger import Ledger, LeftUpload
    from uploader import Storage


class Cleaned(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        deleted: Keys that are gone.
        failed: Keys that may still be stored here.
        elsewhere: What may be stored in other buckets.
    """

    deleted: tuple[str, ...]
    failed: tuple[str, ...]
    elsewhere: tuple[LeftUpload, ...]


def clean_storage(storage: Storage, ledger: Ledger, observer: Observer) -> Cleaned:
    """Delete from one bucket what no living run needs.

    The first failure ends it: the rest would most likely fail alike, each after its own patience.

    Raises:
        LedgerFailed: The ledger cannot be read.
    """
    left = ledger.uploads.left()
    here = [upload.key for upload in left if upload.storage == storage.place]
    deleted: list[str] = []
    for key in here:
        try:
            storage.delete(key)
        except Exception as error:  # noqa: BLE001 - whatever it is, the key stays in the ledger
            observer.warn(f"{key} may still be stored: {failure_of(error).message}")
            break
        ledger.uploads.strike(storage.place, key)
        deleted.append(key)
    elsewhere = tuple(upload for upload in left if upload.storage != storage.place)
    return Cleaned(tuple(deleted), tuple(here[len(deleted) :]), elsewhere)
