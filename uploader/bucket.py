"""Objects under names of their own: list, read, and write them. `Storage` stores recordings under random names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from uploader.connection import Connection
from uploader.errors import FileChanged, ObjectMissing
from uploader.retry import RetryBudget
from uploader.settings import StorageSettings, target_of
from uploader.upload import VerifiedPut, require_content_type
from uploader.upload_body import Content, Uploadable, display_name, open_stream

_CHUNK_BYTES = 1 << 20
_PAGE = 1000  # the most that a service lists at once


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in a bucket.

    Attributes:
        key: Its key.
        bytes: Its size.
        etag: Its entity tag without quotes, which changes with the content.
        modified: When it was stored, UTC.
    """

    key: str
    bytes: int
    etag: str
    modified: datetime


class Bucket:
    """One bucket at one S3-compatible service. Safe to share between threads.

    Args:
        settings: Which bucket; `prefix` and what concerns links is not used.
        budget_s: Seconds within which the last try of one request with its retries must begin.
        connect_timeout_s: Seconds for establishing a connection.
        read_timeout_s: Seconds without data from the service.

    Raises:
        SettingsError: A setting is missing, not valid, or contradicts another.
    """

    def __init__(
        self,
        settings: StorageSettings,
        *,
        budget_s: float = 120.0,
        connect_timeout_s: float = 20.0,
        read_timeout_s: float = 60.0,
    ) -> None:
        self._target = target_of(settings)
        self._budget_s = budget_s
        self._connection = Connection(settings, self._target, connect_timeout_s, read_timeout_s)
        self._put = VerifiedPut(self._connection, settings)

    def objects(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield the objects whose keys begin with `prefix`, in the service's order, a page at a time.

        Raises:
            StorageError: The bucket cannot be listed.
        """
        query: dict[str, Any] = {"Bucket": self._target.bucket, "Prefix": prefix, "MaxKeys": _PAGE}

        def listed() -> Any:
            return self._connection.call(lambda c: c.list_objects_v2(**query))

        while True:
            page = RetryBudget(self._budget_s).call(listed)
            for entry in page.get("Contents", ()):
                etag = str(entry.get("ETag", "")).strip('"')
                yield StoredObject(entry["Key"], entry["Size"], etag, entry["LastModified"])
            if not page.get("IsTruncated"):
                return
            query["ContinuationToken"] = page["NextContinuationToken"]

    def find(self, key: str) -> StoredObject | None:
        """Return an object's facts, or None if it does not exist. Raises `StorageError`."""
        bucket = self._target.bucket
        try:
            answer = RetryBudget(self._budget_s).call(
                lambda: self._connection.call(
                    lambda c: c.head_object(Bucket=bucket, Key=key),
                    with_body=lambda c: c.get_object(Bucket=bucket, Key=key, Range="bytes=0-0")["Body"].close(),
                )
            )
        except ObjectMissing:
            return None
        return _object_of(key, answer, answer["ContentLength"])

    def read(self, key: str, file: IO[bytes]) -> StoredObject:
        """Write an object into a file, from its start. A connection that breaks is tried again.

        Raises:
            ObjectMissing: There is no such object.
            StorageError: It could not be read.
        """

        def attempt() -> StoredObject:
            return self._connection.call(fetch)

        def fetch(client: Any) -> StoredObject:
            file.seek(0)
            file.truncate()
            answer = client.get_object(Bucket=self._target.bucket, Key=key)
            # botocore raises IncompleteReadError if the body ends before Content-Length
            with closing(answer["Body"]) as body:
                for chunk in body.iter_chunks(_CHUNK_BYTES):
                    file.write(chunk)
            return _object_of(key, answer, file.tell())

        return RetryBudget(self._budget_s).call(attempt)

    def read_range(self, key: str, start: int, count: int) -> tuple[bytes, StoredObject]:
        """Return up to `count` bytes of an object, and its facts.

        Raises:
            ObjectMissing: There is no such object.
            StorageError: It could not be read.
        """

        def fetch(client: Any) -> tuple[bytes, StoredObject]:
            answer = client.get_object(Bucket=self._target.bucket, Key=key, Range=f"bytes={start}-{start + count - 1}")
            with closing(answer["Body"]) as body:
                part: bytes = body.read()
            # Content-Range: bytes 0-99/1234; a service that ignores the range sends everything (RFC 9110, 14.2)
            size = answer.get("ContentRange", "").rpartition("/")[2]
            if not size.isdecimal():
                return part[start : start + count], _object_of(key, answer, len(part))
            return part, _object_of(key, answer, int(size))

        return RetryBudget(self._budget_s).call(lambda: self._connection.call(fetch))

    def write(self, key: str, file: Uploadable, content_type: str) -> StoredObject:
        """Store a file under a key, and verify what is stored, as `Storage.upload` does; an object there is replaced.

        Raises:
            TypeError, ValueError: As `Storage.upload`.
            StorageError: It could not be stored, or what is stored differs.
        """
        require_content_type(content_type)
        with open_stream(file) as stream:
            content = Content(stream, display_name(file), None)
            self._put.put(key, content, content_type, RetryBudget(self._budget_s))
            size = content.fingerprint.bytes
        stored = self.find(key)
        if stored is None or stored.bytes != size:
            raise FileChanged(f"the object {key!r} was replaced while it was written")
        return stored


def _object_of(key: str, answer: Any, size: int) -> StoredObject:
    return StoredObject(key, size, str(answer.get("ETag", "")).strip('"'), answer["LastModified"])
