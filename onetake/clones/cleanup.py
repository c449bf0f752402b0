"""Deleting what runs that ended early left in the storage: what the ledger says, and nothing else."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from onetake.errors import LedgerFailed, failure_of

if TYPE_CHECKING:
    from onetake.clones.request import Observer
    from onetake.ledger import Ledger, LeftUpload
    from uploader import Storage

_ARRIVES_WITHIN_S: Final = 5.0
"""Of what a process sent before it was killed; a put that was cut off never does."""


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

    The first failure ends it, since the rest would most likely fail alike after as many retries; but not an object
    lock, which concerns one object.

    Raises:
        LedgerFailed: The ledger cannot be read.
    """
    left = ledger.uploads.left()
    here = [upload for upload in left if upload.storage == storage.place]
    keys = [upload.key for upload in here]
    deleted: list[str] = []
    _wait_for_arrivals(here)
    for key in keys:
        try:
            storage.delete(key)
        except Exception as error:  # noqa: BLE001 - whatever it is, the key stays in the ledger
            failure = failure_of(error)
            observer.warn(f"{key} is still stored: {failure.message}")
            if failure.kind == "object-locked":
                continue
            break
        ledger.uploads.strike(storage.place, key)
        deleted.append(key)
    elsewhere = tuple(upload for upload in left if upload.storage != storage.place)
    return Cleaned(tuple(deleted), tuple(key for key in keys if key not in deleted), elsewhere)


def clean_up_after_others(storage: Storage, ledger: Ledger, observer: Observer) -> None:
    """`clean_storage` where something more important has come to its end: nothing may hide that."""
    try:
        clean_storage(storage, ledger, observer)
    except LedgerFailed as error:
        observer.warn(f"what earlier runs left in the storage is not known: {error.message}")


def _wait_for_arrivals(uploads: list[LeftUpload]) -> None:
    """What a run sent just before it was killed may still be on its way into the storage."""
    ages_s = [(datetime.now(UTC) - upload.reserved_at).total_seconds() for upload in uploads]
    time.sleep(max([0.0, *(_ARRIVES_WITHIN_S - age_s for age_s in ages_s if 0 <= age_s < _ARRIVES_WITHIN_S)]))
