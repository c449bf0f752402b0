"""Open a recording safely: a regular file, opened once, read through its descriptor from then on.

Decoders are given the descriptor, never the name: a name may hold bytes that are no UTF-8, may look like a
URL or a protocol to FFmpeg, and may lead somewhere else a moment later.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from preflight import limits
from preflight.display.text import megabytes
from preflight.errors import CannotOpen
from preflight.input.discovery import recordings_in
from preflight.input.types import PathLike, Stored, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from preflight.input.types import Recording

_READING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
"""O_NONBLOCK: opening a pipe that nobody writes to must not wait."""

_DESCRIPTORS = "/proc/self/fd"
_PSEUDO = ("/proc", "/sys")
"""Where Linux shows its state as files: regular ones, some of which have no end, or wait for something to happen."""
_HASHED_AT_ONCE = 1 << 20

_KINDS = (
    (stat.S_ISDIR, "this is a folder, not a recording", "name the recordings inside it"),
    (stat.S_ISFIFO, "this is a named pipe, not a file", "save the stream to a file first"),
    (stat.S_ISSOCK, "this is a socket, not a file", "name a recording"),
    (stat.S_ISCHR, "this is a device, not a file", "name a recording"),
    (stat.S_ISBLK, "this is a device, not a file", "name a recording"),
)

_REASONS = {
    errno.ENOENT: ("there is no such file", "check the name and the folder"),
    errno.EACCES: ("you have no permission to read this file", "change its permissions, or copy it"),
    errno.EPERM: ("you have no permission to read this file", "change its permissions, or copy it"),
    errno.ELOOP: ("its symbolic links lead in a circle", "name the real file"),
    errno.ENOTDIR: ("a part of the path is not a folder", "check the path"),
    errno.ENAMETOOLONG: ("the name is too long for this system", "check the path"),
    errno.ENXIO: ("this is a device or a socket, not a file", "name a recording"),
}


def _require_ordinary(status: os.stat_result, path: PathLike) -> None:
    """Refuse what is open but not a regular file of a size that can be decoded; raises `CannotOpen`."""
    for is_kind, message, hint in _KINDS:
        if is_kind(status.st_mode):
            if is_kind is stat.S_ISDIR and next(recordings_in(os.fsdecode(path)), None) is None:
                raise CannotOpen("there is no recording in this folder", "name another one, or a file")
            raise CannotOpen(message, hint)
    if sys.platform == "linux":
        for place in _PSEUDO:
            with contextlib.suppress(OSError):
                if status.st_dev == Path(place).stat().st_dev:
                    raise CannotOpen(f"this is a system file below {place}, not a recording", "name a recording")
    if status.st_size > limits.MAX_SOURCE_BYTES:
        raise CannotOpen(
            f"{megabytes(status.st_size)}, above the limit of {megabytes(limits.MAX_SOURCE_BYTES)} for a file to read",
            "save the part with the voice as a file of its own",
        )


def display_name(recording: Recording) -> str:
    """What reports call a recording, as text that any output can hold: bytes that are no UTF-8 appear escaped.

    That is its path, the name of its file object, or its kind: ``<bytes>``, ``<file>``, ``<samples>`` or
    ``<AudioSegment>``.
    """
    name = name_of(recording)
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a name that no file has
        return name.encode("utf-8", "backslashreplace").decode("utf-8")


@dataclass(frozen=True)
class Source:
    """An open recording.

    Attributes:
        name: Its path, fit to be shown.
        suffix: The ending of its file's name in lower case, with the dot; empty when it has none.
        size: Bytes when it was opened.
        fd: The descriptor, readable and seekable.
        path: As it was given.
    """

    name: str
    suffix: str
    size: int
    fd: int
    path: PathLike
    _opened: os.stat_result

    @classmethod
    def open(cls, path: PathLike) -> Self:
        """Open `path` for reading.

        Raises:
            CannotOpen: Missing, not a regular file, or not permitted; or what was to be stored there could not be.
        """
        name = display_name(path)
        if isinstance(path, Stored) and path.problem is not None:
            raise path.problem
        try:
            fd = os.open(path, _READING)
        except UnicodeEncodeError:
            raise CannotOpen("the name holds characters that no file name has", "check the name") from None
        except ValueError:
            raise CannotOpen("the name holds a NUL character", "check the name") from None
        except OSError as error:
            fallback = ((error.strerror or "it cannot be opened").lower(), "check the file")
            raise CannotOpen(*_REASONS.get(error.errno or 0, fallback)) from error
        status = os.fstat(fd)
        try:
            _require_ordinary(status, path)
        except CannotOpen:
            os.close(fd)
            raise
        has_ending = not isinstance(path, Stored) or path.has_file
        suffix = Path(name).suffix.lower() if has_ending else ""
        return cls(name, suffix, status.st_size, fd, path, status)

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode: which file it is, whatever its name leads to by now."""
        return self._opened.st_dev, self._opened.st_ino

    @classmethod
    def of_descriptor(cls, descriptor: int, name: str, suffix: str) -> Self:
        """A recording that somebody else opened; the source closes it.

        Args:
            descriptor: Of the open file.
            name: What it is called, fit to be shown.
            suffix: The ending of its file's name.
        """
        status = os.fstat(descriptor)
        return cls(name, suffix, status.st_size, descriptor, name, status)

    @contextlib.contextmanager
    def reopened(self) -> Iterator[int]:
        """The same file opened once more: a descriptor with a position of its own.

        Raises:
            CannotOpen: No path leads to it any more.
        """
        # the first one leads to it even if it was renamed or removed; Linux alone has it
        for path in (f"{_DESCRIPTORS}/{self.fd}", self.path):
            with contextlib.suppress(OSError, ValueError):
                descriptor = os.open(path, _READING)
                try:
                    status = os.fstat(descriptor)
                    if (status.st_dev, status.st_ino) == self.identity:
                        yield descriptor
                        return
                finally:
                    os.close(descriptor)
        raise CannotOpen("it was replaced while it was opened", "wait until it is no longer written to")

    def require_unchanged(self) -> None:
        """Make sure that nobody wrote to the file since it was opened.

        Raises:
            CannotOpen: Somebody did.
        """
        now = os.fstat(self.fd)
        if (now.st_size, now.st_mtime_ns) != (self._opened.st_size, self._opened.st_mtime_ns):
            raise CannotOpen("it changed while it was read", "wait until it is no longer written to")

    def read_at(self, offset: int, count: int) -> bytes:
        """At most `count` bytes from `offset`.

        Raises:
            CannotOpen: The disk or the network behind the file failed.
        """
        try:
            os.lseek(self.fd, offset, os.SEEK_SET)
            return os.read(self.fd, count)
        except OSError as error:
            raise CannotOpen(f"reading stopped: {error.strerror}", "copy the file to a sound disk") from error

    def rewind(self) -> None:
        """Put the descriptor's position to the first byte."""
        os.lseek(self.fd, 0, os.SEEK_SET)

    def sha256(self, on_block: Callable[[], None] | None = None) -> str:
        """The SHA-256 of the content, in hexadecimal: of as many bytes as there were when it was opened.

        Args:
            on_block: Called after each megabyte; what it raises ends the reading.

        Raises:
            CannotOpen: The disk or the network behind the file failed.
        """
        digest, room, rest = hashlib.sha256(), memoryview(bytearray(_HASHED_AT_ONCE)), self.size
        self.rewind()
        try:
            with os.fdopen(os.dup(self.fd), "rb", buffering=0) as file:
                while rest > 0 and (count := file.readinto(room[: min(rest, _HASHED_AT_ONCE)])):
                    digest.update(room[:count])
                    rest -= count
                    if on_block is not None:
                        on_block()
        except OSError as error:
            raise CannotOpen(f"reading stopped: {error.strerror}", "copy the file to a local disk") from error
        return digest.hexdigest()

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
