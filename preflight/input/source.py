"""Open a recording safely: a regular file, opened once, and then read only through its descriptor.

Decoders get the descriptor, never the path: a path may contain bytes that are not UTF-8, may look like a URL or a
protocol to FFmpeg, and may point to another file a moment later.
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
from preflight.file_system import READ_ONLY, is_in_use
from preflight.input.discovery import recordings_in
from preflight.input.recording import PathLike, SpooledFile, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from preflight.input.recording import Recording

_DESCRIPTORS = "/proc/self/fd"
_PSEUDO = ("/proc", "/sys")
"""Kernel file systems of Linux: their files are regular, but some are endless, or block."""
_HASH_BLOCK_BYTES = 1 << 20

_KINDS = (
    (stat.S_ISDIR, "", ""),
    (stat.S_ISFIFO, "this is a named pipe, not a file", "save the stream to a file first"),
    (stat.S_ISSOCK, "this is a socket, not a file", "choose a recording"),
    (stat.S_ISCHR, "this is a device, not a file", "choose a recording"),
    (stat.S_ISBLK, "this is a device, not a file", "choose a recording"),
)

IN_USE = ("another program has this file open", "close it there")
_REASONS = {
    errno.ENOENT: ("there is no such file", "check the name and the folder"),
    errno.EACCES: ("you have no permission to read this file", "change its permissions, or copy it"),
    errno.EPERM: ("you have no permission to read this file", "change its permissions, or copy it"),
    errno.ELOOP: ("its symbolic links form a cycle", "choose the real file"),
    errno.ENOTDIR: ("a part of the path is not a folder", "check the path"),
    errno.ENAMETOOLONG: ("the name is too long for this system", "check the path"),
    errno.EINVAL: ("the name contains characters that a file name cannot have here", "check the name"),  # Windows
    errno.ENXIO: ("this is a device or a socket, not a file", "choose a recording"),
}


def _require_regular(status: os.stat_result, path: PathLike) -> None:
    """Make sure that an open file is a regular file of a size that can be decoded; raises `CannotOpen`."""
    for is_kind, message, hint in _KINDS:
        if is_kind(status.st_mode):
            raise _is_folder(path) if is_kind is stat.S_ISDIR else CannotOpen(message, hint)
    if sys.platform == "linux":
        for folder in _PSEUDO:
            with contextlib.suppress(OSError):
                # in a chroot the folder may be an empty one of the same file system as everything else
                if status.st_dev == Path(folder).stat().st_dev != Path("/").stat().st_dev:
                    raise CannotOpen(f"this is a system file below {folder}, not a recording", "choose a recording")
    if status.st_size > limits.MAX_SOURCE_BYTES:
        raise CannotOpen(
            f"{megabytes(status.st_size)}, above the limit of {megabytes(limits.MAX_SOURCE_BYTES)} for a recording",
            "save only the part with the voice",
        )


def _is_folder(path: PathLike) -> CannotOpen:
    try:
        os.scandir(path).close()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return CannotOpen(f"this folder cannot be read: {reason}", "check its permissions, or choose another folder")
    if next(recordings_in(os.fsdecode(path)), None) is None:
        return CannotOpen("there is no recording in this folder", "choose another folder, or a file")
    return CannotOpen("this is a folder, not a recording", "choose the recordings in it")


def _cannot_read(error: OSError) -> CannotOpen:
    if sys.platform == "win32" and error.errno == errno.EACCES:  # the C runtime's word for ERROR_LOCK_VIOLATION
        return CannotOpen("another program has locked a part of this file", "close it there")
    return CannotOpen(f"reading failed: {error.strerror}", "copy the file to a local disk")


def display_name(recording: Recording) -> str:
    """Return the name of a recording for display, with bytes that are not valid UTF-8 escaped.

    It is the path, the name of the file object, or the kind: ``<bytes>``, ``<file>``, ``<samples>`` or
    ``<AudioSegment>``.
    """
    name = name_of(recording)
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # lone surrogates that no file name has
        return name.encode("utf-8", "backslashreplace").decode("utf-8")


@dataclass(frozen=True)
class Source:
    """An open recording.

    Attributes:
        name: The name for display.
        suffix: The file name extension in lower case, with the dot; empty if there is none.
        size: The size in bytes when it was opened.
        fd: The descriptor, readable and seekable.
        path: The path as it was given.
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
            CannotOpen: The file is missing, not a regular file or not readable, or the recording could not be spooled.
        """
        name = display_name(path)
        if isinstance(path, SpooledFile) and path.problem is not None:
            raise path.problem
        try:
            fd = os.open(path, READ_ONLY)
        except UnicodeEncodeError:
            raise CannotOpen("the name contains characters that a file name cannot have", "check the name") from None
        except ValueError:
            raise CannotOpen("the name contains a NUL character", "check the name") from None
        except OSError as error:
            # Windows does not open folders. Path.is_dir raises for a file in a folder that must not be searched.
            if isinstance(error, PermissionError) and os.path.isdir(path):  # noqa: PTH112
                raise _is_folder(path) from error
            if is_in_use(error, path):
                raise CannotOpen(*IN_USE) from error
            if error.errno in {errno.ENOENT, errno.EINVAL} and name.startswith(("http://", "https://")):
                raise CannotOpen("this is a URL, not a file", "download the recording, and pass the file") from error
            fallback = ((error.strerror or "it cannot be opened").lower(), "check the file")
            raise CannotOpen(*_REASONS.get(error.errno or 0, fallback)) from error
        status = os.fstat(fd)
        try:
            _require_regular(status, path)
        except CannotOpen:
            os.close(fd)
            raise
        has_extension = not isinstance(path, SpooledFile) or path.has_file
        suffix = Path(name).suffix.lower() if has_extension else ""
        return cls(name, suffix, status.st_size, fd, path, status)

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode, which identify the file even if the path now points to another one."""
        return self._opened.st_dev, self._opened.st_ino

    @classmethod
    def of_descriptor(cls, descriptor: int, name: str, suffix: str) -> Self:
        """Return a source for an open file; the source closes it.

        Args:
            descriptor: The descriptor of the file.
            name: The name for display.
            suffix: The file name extension.
        """
        status = os.fstat(descriptor)
        return cls(name, suffix, status.st_size, descriptor, name, status)

    @contextlib.contextmanager
    def reopened(self) -> Iterator[int]:
        """Open the same file again, and yield a descriptor with its own position.

        Raises:
            CannotOpen: The path points to another file by now.
        """
        # the first path works even after the file was renamed or removed, but exists only on Linux
        for path in (f"{_DESCRIPTORS}/{self.fd}", self.path):
            with contextlib.suppress(OSError, ValueError):
                descriptor = os.open(path, READ_ONLY)
                try:
                    status = os.fstat(descriptor)
                    if (status.st_dev, status.st_ino) == self.identity:
                        yield descriptor
                        return
                finally:
                    os.close(descriptor)
        raise CannotOpen("the file was replaced while it was opened", "wait until the recording program has finished")

    def require_unchanged(self) -> None:
        """Make sure that the file did not change since it was opened.

        Raises:
            CannotOpen: The size or the modification time changed.
        """
        now = os.fstat(self.fd)
        if (now.st_size, now.st_mtime_ns) != (self._opened.st_size, self._opened.st_mtime_ns):
            raise CannotOpen("the file changed while it was read", "wait until the recording program has finished")

    def read_at(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes from `offset`; fewer at the end of the file.

        Raises:
            CannotOpen: Reading failed, for example because a network share was disconnected.
        """
        if offset >= self.size:  # headers can name offsets that the system refuses
            return b""
        try:
            os.lseek(self.fd, offset, os.SEEK_SET)
            return os.read(self.fd, count)
        except OSError as error:
            raise _cannot_read(error) from error

    def rewind(self) -> None:
        """Move the position of the descriptor to the first byte."""
        os.lseek(self.fd, 0, os.SEEK_SET)

    def sha256(self, on_block: Callable[[], None] | None = None) -> str:
        """Return the SHA-256 of the content in hexadecimal, of as many bytes as the file had when it was opened.

        Args:
            on_block: Called after each megabyte; an exception that it raises is propagated.

        Raises:
            CannotOpen: Reading failed, for example because a network share was disconnected.
        """
        digest, buffer, rest = hashlib.sha256(), memoryview(bytearray(_HASH_BLOCK_BYTES)), self.size
        self.rewind()
        try:
            with os.fdopen(os.dup(self.fd), "rb", buffering=0) as file:
                while rest > 0 and (count := file.readinto(buffer[: min(rest, _HASH_BLOCK_BYTES)])):
                    digest.update(buffer[:count])
                    rest -= count
                    if on_block is not None:
                        on_block()
        except OSError as error:
            raise _cannot_read(error) from error
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
