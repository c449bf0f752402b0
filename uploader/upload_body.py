"""What is uploaded: opened from any form, fingerprinted, and streamed as the body of a request."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, cast

from uploader.errors import FileChanged, FileUnreadable

Stream = IO[bytes] | io.BufferedIOBase | io.RawIOBase
Uploadable = str | os.PathLike[str] | os.PathLike[bytes] | bytes | bytearray | memoryview | Stream
"""What can be uploaded: a path, the content itself, or a file object that is open for reading in binary mode."""

Progress = Callable[[int, int], None]
"""Called with the bytes sent so far and the total; the former restarts at 0 when a try is repeated."""

FIRST_BYTES = 64
"""Bytes that are kept of each upload, to compare with what a public fetch gets."""
_CHUNK = 1 << 20
_WIRE_BYTES = 1 << 18
"""The least bytes per read while sending: http.client asks for 16 kB."""
_MOST_BYTES = 5 << 30  # S3's limit for one put
_Bytes = bytes  # `Fingerprint.bytes` shadows the name


# --- open ---------------------------------------------------------------------------------------------------------


def display_name(file: Uploadable) -> str:
    r"""Return the name of an uploadable for messages, with unprintable characters escaped.

    >>> display_name("take\n.m4a"), display_name(b"content")
    ('take\\n.m4a', '<bytes>')
    """
    if isinstance(file, str | os.PathLike):
        text = os.fsdecode(file)
    elif isinstance(file, bytes | bytearray | memoryview):
        text = "<bytes>"
    else:
        name = getattr(file, "name", None)  # an int for a file object that was opened from a descriptor
        text = name if isinstance(name, str) and name else "<file>"
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)


@contextmanager
def open_stream(file: Uploadable) -> Iterator[BinaryIO]:
    """Open an uploadable for reading and seeking.

    Raises:
        FileUnreadable: It is missing, not a regular file, not permitted, or cannot be read.
        TypeError: It is not an uploadable, or a file object in text mode.
        ValueError: It is a file object that is not open for reading.
    """
    if isinstance(file, str | os.PathLike):
        with _open_path(file) as stream:
            yield stream
    elif isinstance(file, bytes | bytearray | memoryview):
        yield io.BytesIO(file.tobytes() if isinstance(file, memoryview) else file)
    else:
        _require_readable(file)
        if callable(getattr(file, "seekable", None)) and file.seekable():
            position = file.tell()
            try:
                yield cast(BinaryIO, file)
            finally:
                with suppress(OSError, ValueError):  # the caller may have closed it
                    file.seek(position)
        else:
            with tempfile.TemporaryFile() as spool:
                _spool(file, spool)
                yield cast(BinaryIO, spool)


def _require_readable(file: Any) -> None:
    if not callable(getattr(file, "read", None)):
        raise TypeError(f"an upload is a path, bytes or a binary file object, not {type(file).__name__}")
    if isinstance(file, io.TextIOBase):
        raise TypeError('an upload is read as bytes: open it with "rb"')
    if callable(getattr(file, "readable", None)) and not file.readable():
        raise ValueError("the file object is not open for reading")


def _spool(file: Stream, spool: IO[bytes]) -> None:
    """Copy a stream that can be read only once: its digest must be known before it is sent."""
    size = 0
    while chunk := _read_chunk(file):
        size += len(chunk)
        if size > _MOST_BYTES:
            raise FileUnreadable(
                f"{display_name(file)} is larger than 5 GiB", "upload a smaller file: S3 accepts at most 5 GiB at once"
            )
        try:
            spool.write(chunk)
        except OSError as error:
            reason = f"{display_name(file)} cannot be buffered: {error.strerror or error}"
            raise FileUnreadable(reason, "set TMPDIR to a folder with free space") from error
    spool.seek(0)


def _read_chunk(file: Stream) -> bytes:
    try:
        chunk: object = file.read(_CHUNK)
    except Exception as error:  # streams that decompress or download raise exceptions of their own
        raise FileUnreadable(f"{display_name(file)} cannot be read: {error}") from error
    if not isinstance(chunk, bytes):
        raise TypeError(f"an upload is read as bytes, not as {type(chunk).__name__}")
    return chunk


@contextmanager
def _open_path(path: str | os.PathLike[str] | os.PathLike[bytes]) -> Iterator[BinaryIO]:
    try:
        # Before open(): opening a FIFO blocks until another process writes to it.
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - pathlib does not accept bytes paths
            raise FileUnreadable(f"{display_name(path)} is not a regular file")
        stream = open(path, "rb")  # noqa: PTH123, SIM115 - as above; closed below
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise FileUnreadable(f"{display_name(path)} cannot be read: {reason}") from error
    with stream:
        yield stream


# --- fingerprint and stream -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What identifies a content: size in bytes, hex digests, and the first (at most 64) bytes."""

    bytes: int
    md5: str
    sha256: str
    first_bytes: _Bytes


def fingerprint(stream: BinaryIO, name: str) -> Fingerprint:
    """Read the whole stream once, in chunks, and rewind it.

    Raises:
        FileUnreadable: Reading fails, or the stream is empty.
    """
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    size, first_bytes = 0, b""
    try:
        stream.seek(0)
        # hashlib releases the GIL for large updates, so the two digests run in parallel.
        with ThreadPoolExecutor(1) as executor:
            pending: Future[None] | None = None
            while chunk := stream.read(_CHUNK):
                first_bytes = first_bytes or chunk[:FIRST_BYTES]
                if pending is not None:
                    pending.result()
                pending = executor.submit(sha256.update, chunk)
                md5.update(chunk)
                size += len(chunk)
        stream.seek(0)
    except Exception as error:  # streams that decompress or download raise exceptions of their own
        raise FileUnreadable(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not size:
        raise FileUnreadable(f"{name} is empty", "choose a file that is not empty")
    return Fingerprint(size, md5.hexdigest(), sha256.hexdigest(), first_bytes)


class Content:
    """A file-like request body: streams the open file, reports progress, and detects changes of the file.

    Over plain http botocore reads a body once to sign its digest, and a second time to send it. Progress counts only
    what is read after `start_sending`.
    """

    def __init__(self, stream: BinaryIO, name: str, progress: Progress | None = None) -> None:
        self._stream = stream
        self._name = name
        self._progress = progress
        self._is_sending = False
        self.fingerprint = fingerprint(stream, name)
        self.was_sent = False
        """Whether any byte was handed to the connection, so that a failed put may have stored something."""
        self.expects_continue = True
        """Whether the request has `Expect: 100-continue` (RFC 9110, 10.1.1): ask before sending the body."""

    def __len__(self) -> int:
        return self.fingerprint.bytes

    def start_sending(self) -> None:
        """Count what is read from now on as sent."""
        self._is_sending = True

    def rewind(self) -> None:
        """Return to the start, for another try."""
        self._is_sending = False
        self._stream.seek(0)

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; while sending, more than `size`, since http.client asks for 16 kB at a time.

        Raises:
            OSError: The file ends before the announced size (it was truncated while it was sent).
        """
        position = self._stream.tell()
        if self._is_sending and size > 0:
            size = max(size, _WIRE_BYTES)
        data = self._stream.read(min(size, len(self) - position) if size >= 0 else len(self) - position)
        if not data and size != 0 and position < len(self):
            # Without this, http.client would send a short body and wait for the answer until the timeout.
            raise OSError("the file ends early")
        if self._is_sending and data:
            self.was_sent = True
            if self._progress is not None:
                self._progress(position + len(data), len(self))
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a position in the file."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """Return the position in the file, in bytes."""
        return self._stream.tell()

    def require_unchanged(self) -> None:
        """Read the file again and compare.

        Raises:
            FileChanged: It differs from what it was when this object was created.
            FileUnreadable: It can no longer be read.
        """
        if fingerprint(self._stream, self._name) != self.fingerprint:
            raise FileChanged(f"{self._name} changed while it was being sent")
