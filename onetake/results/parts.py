"""Parts of results: JSON Lines files in a folder or bucket, each written completely or not at all.

Each line is an `Entry`. Names of parts sort by the time when their run began and by number; of several entries for the
same recording the last one counts.
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
from preflight.report import Report

if TYPE_CHECKING:
    from preflight import Profile
    from uploader import Bucket

_FAILED: Final = {"unreadable", "not-examined"}
_LINES: Final = "application/x-ndjson"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one recording.

    Attributes:
        name: The recording, as it was named.
        stamp: What identifies its content without reading it: the object's ETag, or the file's size and time.
        rules: Identifies the profile, the rules and the version of onetake that judged it.
        report: Its report.
    """

    name: str
    stamp: str
    rules: str
    report: Report

    @property
    def is_failed(self) -> bool:
        """Whether the recording could not be examined, so that another try may help."""
        return any(finding.rule in _FAILED for finding in self.report.findings)


class _Place(Protocol):
    """Where parts are."""

    shown: str

    def names(self) -> Iterator[str]: ...

    def read(self, name: str) -> bytes: ...

    def write(self, name: str, content: bytes) -> None: ...


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

    def write(self, name: str, content: bytes) -> None:
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

    def write(self, name: str, content: bytes) -> None:
        self._bucket.write(self._prefix + name, content, _LINES)  # a put is atomic


class Parts:
    """The parts of one set of results.

    Args:
        place: A folder, or ``s3://bucket/prefix/``; created when the first part is written.

    Attributes:
        shown: The place, for messages.
    """

    def __init__(self, place: str) -> None:
        self._place = _place(place)
        self.shown = self._place.shown
        self._run = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
        self._written = 0

    def write(self, entries: list[Entry]) -> None:
        """Write a part. Raises `CannotWrite` or `uploader.StorageError`."""
        content = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        self._place.write(f"part-{self._run}-{self._written:08d}.jsonl", content)
        self._written += 1

    def newest_first(self) -> Iterator[Entry]:
        """Yield the last entry of each recording, and keep only a number for each.

        Raises:
            UsageError: A part is not one that onetake wrote.
        """
        decoder = msgspec.json.Decoder(Entry)
        names = {name for name in self._place.names() if name.startswith("part-") and name.endswith(".jsonl")}
        seen: set[int] = set()
        for name in sorted(names, reverse=True):
            for line in reversed(self._place.read(name).splitlines()):
                try:
                    entry = decoder.decode(line)
                except msgspec.MsgspecError as error:
                    raise UsageError(f"{name} in {self.shown} is not a part of results", "remove it") from error
                if (number := number_of(entry.name)) not in seen:
                    seen.add(number)
                    yield entry


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
    from onetake.io.objects import Buckets, split_name

    bucket, prefix = split_name(place)
    if prefix and not prefix.endswith("/"):
        prefix += "/"
    return _BucketPrefix(Buckets().bucket(bucket), prefix, f"{SCHEME}{bucket}/{prefix}")
