"""Deleting an object so that nothing of it is left, not even older versions."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from uploader.connection import Connection
from uploader.errors import NotPermitted, ObjectLocked, ObjectMissing, StorageError, StorageFailed
from uploader.retry import BRIEF_S, RetryBudget

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


# What AWS, B2, MinIO, Wasabi, OSS and COS call it, in codes and in messages.
_LOCKED = re.compile(r"(?i)object.?lock|retention|governance|compliance mode|legal.?hold|\bworm\b|immutable")


def delete_every_version(connection: Connection, key: str, version_id: str | None, budget: RetryBudget) -> None:
    """Delete every version of a key that can be known of, and make sure that it is gone.

    Raises:
        ObjectLocked: A lock or a retention rule of the bucket keeps it.
        StorageError: It could not be deleted, or is still there.
    """
    versions = _versions(connection, key, budget)
    for _ in range(3):
        for version in versions or [version_id]:
            with suppress(ObjectMissing):
                budget.call(_Deletion(connection, key, version))
        if not any(versions):
            break
        # A plain delete in a bucket with versions adds a marker, which is one more version: hence the rounds.
        if not (versions := _versions(connection, key, budget)):
            break
    budget.call(lambda: _require_gone(connection, key))


class _Deletion:
    """One request, to be called as often as it takes."""

    def __init__(self, connection: Connection, key: str, version: str | None) -> None:
        self._connection = connection
        self._key = key
        self._version: dict[str, Any] = {"VersionId": version} if version else {}

    def __call__(self) -> None:
        bucket = self._connection.target.bucket
        # Not delete_objects: that always sends a CRC32, which not every service takes.
        try:
            self._connection.ask(lambda c: c.delete_object(Bucket=bucket, Key=self._key, **self._version))
        except StorageError as error:
            if error.retry_for_s or not _LOCKED.search(error.message):
                raise
            locked = ObjectLocked(f"an object lock or retention rule keeps {self._key}: {error.message}")
            locked.service_code = error.service_code
        else:
            return
        raise locked


def _versions(connection: Connection, key: str, budget: RetryBudget) -> list[str | None]:
    """Every version; None stands for that of a bucket without versions. Empty where they cannot be told."""
    found: list[str | None] = []
    bucket = connection.target.bucket

    def look(client: S3Client) -> None:
        found.clear()
        pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key)
        for page in pages:
            for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                if entry.get("Key") == key:
                    version = entry.get("VersionId")
                    found.append(None if version == "null" else version)

    # Not every provider lists versions, and not every key may.
    with suppress(NotPermitted, StorageFailed):
        budget.call(lambda: connection.ask(look))
    return found


def _require_gone(connection: Connection, key: str) -> None:
    bucket = connection.target.bucket
    # NotPermitted: without the right to list, a missing object is answered with 403 as well.
    with suppress(ObjectMissing, NotPermitted):
        connection.ask(
            lambda c: c.head_object(Bucket=bucket, Key=key),
            with_body=lambda c: c.get_object(Bucket=bucket, Key=key, Range="bytes=0-0")["Body"].close(),
        )
        raise StorageFailed(
            f"the object is still in bucket {bucket!r} after it was deleted",
            "Delete it by hand.",
            retry_for_s=BRIEF_S,
        )
