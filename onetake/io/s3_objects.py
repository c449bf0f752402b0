"""Recordings in object storage: ``s3://bucket/key`` and ``s3://bucket/prefix/``, with the settings of uploads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec

from onetake.errors import UsageError
from onetake.io.inputs import SCHEME, is_object
from preflight import limits
from preflight.errors import CannotOpen
from preflight.input.discovery import EXTENSIONS
from preflight.input.on_demand import OnDemand, copy_headers
from preflight.input.recording import SpooledFile
from preflight.input.spool import new_file
from preflight.report import Remote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from onetake.io.s3_prefetch import ByteBudget
    from preflight import Fixed, Recording
    from uploader import Bucket, StoredObject

_OF_OBJECT: Final = {"object-missing", "not-permitted", "corrupt-stored"}
"""Kinds of storage errors that concern one object; the others would meet every one, and end the run."""


def split_name(name: str) -> tuple[str, str]:
    """Split ``s3://bucket/key`` into bucket and key.

    Raises:
        UsageError: The bucket is missing.

    >>> split_name("s3://takes/2026/ann.wav")
    ('takes', '2026/ann.wav')
    """
    bucket, _, key = name.removeprefix(SCHEME).partition("/")
    if not bucket:
        raise UsageError(f"{name!r} names no bucket", "write it like s3://BUCKET/KEY")
    return bucket, key


class Buckets:
    """The buckets of a run, each with one set of connections.

    Args:
        settings: Settings by name; they precede environment and settings file.
    """

    def __init__(self, settings: Mapping[str, str | int] | None = None) -> None:
        self._settings = dict(settings or {})
        self._bucket = cache(self._open)

    def bucket(self, name: str) -> Bucket:
        """Return a bucket; raises `SettingError` or `uploader.SettingsError`."""
        return self._bucket(name)

    def recordings(self, name: str, *, quick: bool = False) -> Iterator[ObjectRecording]:
        """Yield the recording with a name, or those below a prefix, which ends with a slash, while it is listed.

        As in a folder, extensions decide what is a recording.

        Raises:
            uploader.StorageError: The bucket cannot be listed.
            UsageError: There is none below the prefix.
        """
        place, key = split_name(name)
        bucket = self.bucket(place)
        if key and not key.endswith("/"):
            yield self.recording(name, None, quick=quick)
            return
        found = False
        for entry in bucket.objects(key):
            if PurePosixPath(entry.key).suffix.lower() in EXTENSIONS:
                found = True
                yield self.recording(f"{SCHEME}{place}/{entry.key}", entry, quick=quick)
        if not found:
            raise UsageError(f"there is no recording in {name}", "check the prefix; it ends with a slash")

    def recording(self, name: str, listed: StoredObject | None, *, quick: bool = False) -> ObjectRecording:
        """Return the recording with a name; `listed` is its entry in a listing, if there is one."""
        place, key = split_name(name)
        return ObjectRecording(self.bucket(place), name, key, listed, quick=quick)

    def _open(self, name: str) -> Bucket:
        from onetake.config.settings import load
        from uploader import Bucket

        return Bucket(load({**self._settings, "bucket": name}).storage_settings())


class ObjectRecording(OnDemand):
    """A recording in a bucket: any function of `preflight` that takes a recording accepts it.

    Args:
        bucket: The bucket.
        name: ``s3://bucket/key``.
        key: The key.
        listed: What the listing says; None if it was not listed.
        quick: Fetch only what headers need.

    Attributes:
        name: The name for display.
        remote: ETag, size and fetched bytes, once it was opened.
        listed: As given.
    """

    def __init__(
        self, bucket: Bucket, name: str, key: str, listed: StoredObject | None = None, *, quick: bool = False
    ) -> None:
        self.name = name
        self.listed = listed
        self.remote: Remote | None = None
        self._bucket, self._key, self._quick = bucket, key, quick
        self._fetching: Future[str] | None = None
        self._held = contextlib.ExitStack()

    def etag(self) -> str | None:
        """Return the ETag, with a request if the object was not listed; None if there is none."""
        if self.listed is None:
            self.listed = self._bucket.find(self._key)
        return self.listed.etag if self.listed else None

    @contextlib.contextmanager
    def opened(self) -> Iterator[SpooledFile]:
        """Fetch the object, into memory up to the service's limit, else into a private file.

        Yields:
            The copy; it has a `problem` if this object cannot be read.

        Raises:
            uploader.StorageError: The storage cannot be used.
        """
        from uploader import StorageError

        with self._held:
            try:
                path = self._fetching.result() if self._fetching else self._fetch()
                spooled = SpooledFile(self.name, path, has_file=True)
            except StorageError as error:
                if error.kind not in _OF_OBJECT:
                    raise
                spooled = SpooledFile(self.name, problem=CannotOpen(error.message, error.hint or "check the name"))
            yield spooled
        self._fetching = None

    def fetch_ahead(self, pool: ThreadPoolExecutor, budget: ByteBudget) -> None:
        """Fetch it in the background; `opened` waits for it, and returns its share of the budget."""
        size = self.listed.bytes if self.listed else 0
        held = size if size <= limits.MAX_BYTES else 0

        def fetch() -> str:
            budget.take(held)
            self._held.callback(budget.give_back, held)
            return self._fetch()

        self._fetching = pool.submit(fetch)

    @property
    def is_ahead(self) -> bool:
        """Whether it was fetched ahead, and its check has not ended."""
        return self._fetching is not None

    def discard(self) -> None:
        """Delete what was fetched ahead and is not needed; waits until a fetch in progress has ended."""
        if self._fetching is not None and not self._fetching.cancel():
            with contextlib.suppress(Exception, CancelledError):  # the result is not needed
                self._fetching.result()
            self._held.close()

    def _fetch(self) -> str:
        file, path = new_file(self.listed.bytes if self.listed else None, self._held)
        if self._quick:
            self.remote = self._fetch_headers(file)
        else:
            stored = self._bucket.read(self._key, file)
            self.remote = Remote(etag=stored.etag, bytes=stored.bytes, fetched_bytes=stored.bytes)
        file.flush()
        return path

    def _fetch_headers(self, file: IO[bytes]) -> Remote:
        from uploader import FileChanged

        stored = self.listed or self._bucket.find(self._key)
        if stored is None:
            self._bucket.read(self._key, file)  # raises the error that says what is missing
            raise FileChanged(f"{self.name} appeared while it was read")

        def read_range(start: int, count: int) -> bytes:
            part, now = self._bucket.read_range(self._key, start, count)
            if (now.etag, now.bytes) != (stored.etag, stored.bytes):
                raise FileChanged(f"{self.name} was replaced while it was read")
            return part

        fetched = copy_headers(read_range, stored.bytes, file) if stored.bytes else 0
        return Remote(etag=stored.etag, bytes=stored.bytes, fetched_bytes=fetched)


def recordings(
    name: str, *, quick: bool = False, settings: Mapping[str, str | int] | None = None
) -> Iterator[ObjectRecording]:
    """Yield the recordings of a bucket, for `preflight.check`, `check_many` or `fix`; the listing is not kept.

    Args:
        name: ``s3://bucket/prefix/``, or ``s3://bucket/key`` for one.
        quick: Fetch only what headers need; check them with ``quick=True``, too.
        settings: Settings by name; they precede environment and settings file.

    Raises:
        UsageError: The name is not one of an object or prefix, or there is no recording.
        SettingError, uploader.StorageError: The bucket cannot be listed.
    """
    if not is_object(name):
        raise UsageError(f"{name!r} does not begin with s3://", "check files and folders without fetching them")
    yield from Buckets(settings).recordings(name, quick=quick)


def fix_to_object(recording: Recording, target: str, *, force: bool, **options: Any) -> Fixed:
    """Fix a recording, and store the result in a bucket, verified.

    Args:
        recording: As in `preflight.fix`.
        target: ``s3://bucket/key``, or ``s3://bucket/prefix/``, where the result keeps the recording's name.
        force: Replace an object that exists.
        options: Of `preflight.fix`.

    Raises:
        preflight.OutputExists: The object exists and `force` is not set.
        preflight.PreflightError: As `preflight.fix`.
        uploader.StorageError: It could not be stored.
    """
    import preflight
    from onetake.clones.uploads import CONTENT_TYPES
    from onetake.io.temporary_folders import scratch_folder

    place, key = split_name(target)
    bucket = Buckets().bucket(place)
    with scratch_folder() as folder:
        name = key.rpartition("/")[2]
        if name:
            _require_free(bucket, target, key, force=force)
        fixed = preflight.fix(recording, folder / name if name else folder, **options)
        written = Path(fixed.path or "")
        if not name:
            key += written.name
            target += written.name
            _require_free(bucket, target, key, force=force)
        bucket.write(key, str(written), CONTENT_TYPES[written.suffix[1:].lower()])
    after = None if fixed.after is None else msgspec.structs.replace(fixed.after, path=target)
    return msgspec.structs.replace(fixed, path=target, after=after)


def _require_free(bucket: Bucket, target: str, key: str, *, force: bool) -> None:
    from preflight import OutputExists

    if not force and bucket.find(key) is not None:
        raise OutputExists(f"{target} exists", "choose another name, or replace it: --force")
