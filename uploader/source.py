"""What can be uploaded, opened for reading: a file by its path, the content itself, or a file object."""

from __future__ import annotations

import io
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, BinaryIO, cast

from uploader.errors import FileUnreadable

Stream = IO[bytes] | io.BufferedIOBase | io.RawIOBase
Uploadable = str | os.PathLike[str] | os.PathLike[bytes] | bytes | bytearray | memoryview | Stream
"""What can be uploaded: a path, the content itself, or a file object that is open for reading bytes."""

_CHUNK = 1 << 20
_MOST_BYTES = 5 << 30
"""S3 takes no more in one put."""


def shown(file: Uploadable) -> str:
    """What messages call it, its path, the name of its file object or its kind, with odd characters escaped."""
    if isinstance(file, str | os.PathLike):
        text = os.fsdecode(file)
    elif isinstance(file, bytes | bytearray | memoryview):
        text = "<bytes>"
    else:
        name = getattr(file, "name", None)
        text = name if isinstance(name, str) and name else "<file>"
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)


@contextmanager
def opened(file: Uploadable) -> Iterator[BinaryIO]:
    """The content, open for reading and seeking.

    Raises:
        FileUnreadable: It is missing, not a regular file (a FIFO would wait for ever), or may not or cannot be read.
        TypeError, ValueError: It is nothing that can be uploaded, or a file object not open for reading bytes.
    """
    if isinstance(file, str | os.PathLike):
        with _opened_path(file) as stream:
            yield stream
    elif isinstance(file, bytes | bytearray | memoryview):
        yield io.BytesIO(file.tobytes() if isinstance(file, memoryview) else file)
    else:
        require_readable(file)
        if _is_seekable(file):
            position = file.tell()
            try:
                yield cast(BinaryIO, file)
            finally:
                with suppress(OSError, ValueError):
                    file.seek(position)
        else:
            with tempfile.TemporaryFile() as spool:
                _copy(file, spool)
                yield cast(BinaryIO, spool)


def require_readable(file: Any) -> None:
    """Refuse what is no file object, or not open for reading bytes."""
    if not callable(getattr(file, "read", None)):
        raise TypeError(f"an upload is a path, bytes or a binary file object, not {type(file).__name__}")
    if isinstance(file, io.TextIOBase):
        raise TypeError('an upload is read as bytes: open it with "rb"')
    if callable(getattr(file, "readable", None)) and not file.readable():
        raise ValueError("the file object is not open for reading")


def _is_seekable(file: Any) -> bool:
    return callable(getattr(file, "seekable", None)) and bool(file.seekable())


def _copy(file: Stream, spool: IO[bytes]) -> None:
    """Keep what can be read only once: its digest has to be known before it is sent."""
    size = 0
    while chunk := _chunk(file):
        size += len(chunk)
        if size > _MOST_BYTES:
            raise FileUnreadable(f"{shown(file)} holds more than 5 GiB", "No single upload takes more.")
        try:
            spool.write(chunk)
        except OSError as error:
            reason = f"{shown(file)} cannot be stored: {error.strerror or error}"
            raise FileUnreadable(reason, "Set TMPDIR to a folder with room.") from error
    spool.seek(0)


def _chunk(file: Stream) -> bytes:
    try:
        chunk: object = file.read(_CHUNK)
    except Exception as error:  # what unpacks or fetches has errors of its own
        raise FileUnreadable(f"{shown(file)} cannot be read: {error}") from error
    if not isinstance(chunk, bytes):
        raise TypeError(f"an upload is read as bytes, not as {type(chunk).__name__}")
    return chunk


@contextmanager
def _opened_path(path: str | os.PathLike[str] | os.PathLike[bytes]) -> Iterator[BinaryIO]:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - a bytes path is no pathlib.Path
            raise FileUnreadable(f"{shown(path)} is not a regular file")
        stream = open(path, "rb")  # noqa: PTH123, SIM115 - as above; closed below
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise FileUnreadable(f"{shown(path)} cannot be read: {reason}") from error
    with stream:
        yield stream
