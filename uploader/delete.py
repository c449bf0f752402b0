"""Delete an object with all its versions, and verify that it is gone."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from uploader.connection import Connection
from uploader.errors import NotPermitted, ObjectLocked, ObjectMissing, StorageError, StorageFailed
from uploader.retry import BRIEF_S, RetryBudget

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


# The names that AWS, B2, MinIO, Wasabi, OSS and COS use in codes and messages.
_LOCKED = re.compile(r"(?i)object.?lock|retention|governance|compliance mode|legal.?hold|\bworm\b|immutable")


def delete_every_version(connection: Connection, key: str, version_id: str | None, budget: RetryBudget) -> None:
    """Delete every known version of a key, and verify that the object is gone.

    A plain delete in a bucket with versions keeps the recording and adds a delete marker. B2's buckets have versions by
    default, and each retried put adds one.

    Raises:
        ObjectLocked: A lock or a retention rule of the bucket protects it.
        StorageError: It could not be deleted, or still exists.
    """
    versions = _versions(connection, key, budget)
    for _ in range(3):
        for version in versions or [version_id]:
            with suppress(ObjectMissing):
                budget.call(_Deletion(connection, key, version))
        if not any(versions):
            break
        # A delete without a version may just have added a marker, which is one more version: look again.
        if not (versions := _versions(connection, key, budget)):
            break
    budget.call(lambda: _require_gone(connection, key))


class _Deletion:
    """One delete request, which can be repeated."""

    def __init__(self, connection: Connection, key: str, version: str | None) -> None:
        self._connection = connection
        self._key = key
        self._version: dict[str, Any] = {"VersionId": version} if version else {}

    def __call__(self) -> None:
        bucket = self._connection.target.bucket
        # Not delete_objects: botocore always sends its CRC32, which some services refuse.
        try:
            self._connection.call(lambda c: c.delete_object(Bucket=bucket, Key=self._key, **self._version))
        except StorageError as error:
            if error.retry_for_s or not _LOCKED.search(error.message):
                raise
            locked = ObjectLocked(f"an object lock or retention rule protects {self._key}: {error.message}")
            locked.service_code = error.service_code
        else:
            return
        raise locked


def _versions(connection: Connection, key: str, budget: RetryBudget) -> list[str | None]:
    """List the versions (None is that of a bucket without versions); empty if they cannot be listed."""
    found: list[str | None] = []
    bucket = connection.target.bucket

    def list_versions(client: S3Client) -> None:
        found.clear()
        pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key)
        for page in pages:
            for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                if entry.get("Key") == key:
                    version = entry.get("VersionId")
                    found.append(None if version == "null" else version)

    # Not every provider lists versions, and not every key has the permission.
    with suppress(NotPermitted, StorageFailed):
        budget.call(lambda: connection.call(list_versions))
    return found


def _require_gone(connection: Connection, key: str) -> None:
    bucket = connection.target.bucket
    # NotPermitted: without the permission to list, the answer for a missing object is 403 too.
    with suppress(ObjectMissing, NotPermitted):
        connection.call(
            lambda c: c.head_object(Bucket=bucket, Key=key),
            with_body=lambda c: c.get_object(Bucket=bucket, Key=key, Range="bytes=0-0")["Body"].close(),
        )
        raise StorageFailed(
            f"the object is still in bucket {bucket!r} after it was deleted",
            "delete it manually",
            retry_for_s=BRIEF_S,
        )
