"""Parts of results: files in a folder or bucket, each written completely or not at all.

A part is JSON Lines or Parquet, see `part_formats`. Names of parts sort by the time when their run began and by number;
if a recording has several entries, the last one counts.
"""

from __future__ import annotations

import hashlib
import io
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from onetake.errors import UsageError
from onetake.io.inputs import SCHEME, is_object
from onetake.results.part_formats import FORMATS, BadPart, Entry

if TYPE_CHECKING:
    from preflight import Profile
    from uploader import Bucket

_BEGIN: Final = "part-"


class _Place(Protocol):
    """Where parts are."""

    shown: str

    def names(self) -> Iterator[str]: ...

    def read(self, name: str) -> bytes: ...

    def write(self, name: str, content: bytes, content_type: str) -> None: ...


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder, self.shown = folder, str(folder)

    def names(self) -> Iterator[str]:
        try:
            yield from (path.name for path in self._folder.iterdir())
        except FileNotFoundError:
            return
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(f"{self.shown!r} cannot be read: {reason}", "choose a folder of results") from error

    def read(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()

    def write(self, name: str, content: bytes, content_type: str) -> None:
        del content_type
        from onetake.io.atomic_write import atomic_write
        from preflight import CannotWrite

        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._folder / name) as (file, _):
                file.write(content)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise CannotWrite(f"{self.shown!r} cannot be written: {reason}", "write the results elsewhere") from error


class _BucketPrefix:
    def __init__(self, bucket: Bucket, prefix: str, shown: str) -> None:
        self._bucket, self._prefix, self.shown = bucket, prefix, shown

    def names(self) -> Iterator[str]:
        return (entry.key.removeprefix(self._prefix) for entry in self._bucket.objects(self._prefix))

    def read(self, name: str) -> bytes:
        file = io.BytesIO()
        self._bucket.read(self._prefix + name, file)
        return file.getvalue()

    def write(self, name: str, content: bytes, content_type: str) -> None:
        self._bucket.write(self._prefix + name, content, content_type)  # a put is atomic


class Parts:
    """The parts of one set of results.

    Args:
        place: A folder, or ``s3://bucket/prefix/``; created when the first part is written.
        form: The format of the parts that are written, one of `FORMATS`; those of any format are read.

    Attributes:
        shown: The place, for messages.
    """

    def __init__(self, place: str, form: str = "jsonl") -> None:
        self._place, self._format = _place(place), FORMATS[form]
        self.shown = self._place.shown
        self._run = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
        self._written = 0

    def write(self, entries: list[Entry]) -> None:
        """Write a part. Raises `CannotWrite` or `uploader.StorageError`."""
        content, suffix = self._format.encode(entries), self._format.suffix
        self._place.write(f"{_BEGIN}{self._run}-{self._written:08d}{suffix}", content, self._format.content_type)
        self._written += 1

    def newest_first(self) -> Iterator[Entry]:
        """Yield the last entry of each recording, and keep only a number for each.

        Raises:
            UsageError: A part is not one that onetake wrote, or its format needs a package that is not installed.
        """
        formats = {form.suffix: form for form in FORMATS.values()}
        names = {name for name in self._place.names() if name.startswith(_BEGIN) and Path(name).suffix in formats}
        seen: set[int] = set()
        for name in sorted(names, reverse=True):
            try:
                for entry in formats[Path(name).suffix].newest_first(self._place.read(name)):
                    if (number := number_of(entry.name)) not in seen:
                        seen.add(number)
                        yield entry
            except BadPart as error:
                raise UsageError(f"{name} in {self.shown} is not a part of results", "remove it") from error


def number_of(*texts: str) -> int:
    """Return 64 bits that identify texts: a set of them needs a tenth of the memory of the texts."""
    content = "\0".join(texts).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest())


def rules_version(profile: Profile, *, quick: bool) -> str:
    """Return what identifies how recordings are judged: version, rules, and the profile's changes."""
    from onetake import __version__
    from preflight import RULES

    judged = [
        (
            name,
            profile.severity(name),
            [(limit.name, limit.value, limit.poor) for limit in profile.apply(rule).thresholds],
        )
        for name, rule in RULES.items()
    ]
    digest = hashlib.blake2b(msgspec.json.encode([judged, quick]), digest_size=8).hexdigest()
    return f"{__version__}-{digest}"


def _place(place: str) -> _Place:
    if not is_object(place):
        return _Folder(Path(place))
    from onetake.io.s3_objects import Buckets, split_name

    bucket, prefix = split_name(place)
    if prefix and not prefix.endswith("/"):
        prefix += "/"
    return _BucketPrefix(Buckets().bucket(bucket), prefix, f"{SCHEME}{bucket}/{prefix}")
