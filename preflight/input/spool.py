"""Sound that has no file: stored where it can be opened again and again, and gone when it is no longer needed."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import tempfile
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from preflight.display.text import megabytes
from preflight.errors import CannotOpen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from preflight.input.samples import Sound
    from preflight.input.types import BinaryStream

MOST_BYTES: Final = 2 << 30
"""Where reading ends: a hundred times what the service takes, and still little for a disk."""
_IN_MEMORY_BYTES: Final = 32 << 20
"""What the service may take is kept in memory; more goes to a disk."""
_AT_ONCE: Final = 1 << 20
_DESCRIPTORS: Final = Path("/proc/self/fd")


@contextlib.contextmanager
def stored_bytes(content: bytes | bytearray | memoryview) -> Iterator[str]:
    """The path of a file that holds `content`; see `_stored`."""
    view = memoryview(content)
    view = view.cast("B") if view.c_contiguous and view.nbytes else memoryview(view.tobytes())
    with _stored(partial(_write, view), len(view), MOST_BYTES) as path:
        yield path


@contextlib.contextmanager
def stored_sound(sound: Sound) -> Iterator[str]:
    """The path of a WAV file that holds `sound`; see `_stored`."""

    def fill(file: IO[bytes]) -> None:
        for part in sound.wav():
            file.write(part)

    with _stored(fill, sound.size, MOST_BYTES) as path:
        yield path


@contextlib.contextmanager
def stored_stream(stream: BinaryStream, most_bytes: int = MOST_BYTES) -> Iterator[str]:
    """The path of a file with all that `stream` holds from where it is; see `_stored`."""
    with _stored(partial(_copy, stream.read, most_bytes=most_bytes), None, most_bytes) as path:
        yield path


@contextlib.contextmanager
def stored_file(stream: BinaryStream) -> Iterator[str]:
    """The path of what a file object holds: of the file itself if it is one, else of a copy.

    One that can seek is taken whole, and left where it was; any other is read from where it is to its end.

    Raises:
        ValueError: It is closed, or not open for reading.
        TypeError: It reads text.
    """
    if isinstance(stream, io.TextIOBase):
        raise TypeError('a recording is read as bytes: open it with "rb"')
    if callable(readable := getattr(stream, "readable", None)) and not readable():
        raise ValueError("the file object is not open for reading")
    descriptor = regular_file(stream)
    if descriptor is None:
        with _at_its_beginning(stream), stored_stream(stream, MOST_BYTES) as path:
            yield path
    elif _DESCRIPTORS.is_dir() and _opens(_path_of(descriptor)):
        yield _path_of(descriptor)
    else:
        with _stored(partial(_copy, _reader_of(descriptor), most_bytes=MOST_BYTES), None, MOST_BYTES) as path:
            yield path


@contextlib.contextmanager
def _at_its_beginning(stream: Any) -> Iterator[None]:
    """Put a file object that can seek to its beginning, and then back to where it was."""
    if not callable(getattr(stream, "seekable", None)) or not stream.seekable():
        yield
        return
    try:
        was_at = stream.tell()
        stream.seek(0)
    except Exception as error:  # what unpacks or fetches has errors of its own
        raise CannotOpen(f"it cannot be read: {_reason(error)}", "save it as a file first") from error
    try:
        yield
    finally:
        with contextlib.suppress(Exception):
            stream.seek(was_at)


def _reader_of(descriptor: int) -> Callable[[int], bytes]:
    """Reads a file from its beginning, and leaves its position to its owner."""
    position = 0

    def read(size: int) -> bytes:
        nonlocal position
        content = os.pread(descriptor, size, position)
        position += len(content)
        return content

    return read


def regular_file(stream: Any) -> int | None:
    """The descriptor of a regular file that `stream` reads as it is; None for all else, such as what unpacks one."""
    if isinstance(stream, tempfile._TemporaryFileWrapper):
        stream = stream.file
    if type(stream) not in (io.BufferedReader, io.BufferedRandom, io.FileIO):
        return None
    if type(getattr(stream, "raw", stream)) is not io.FileIO or not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        return None
    with contextlib.suppress(OSError):
        stream.flush()  # what its owner wrote belongs to it; of one that only reads, nothing happens
    return int(stream.fileno())


def _path_of(descriptor: int) -> str:
    return f"/proc/{os.getpid()}/fd/{descriptor}"


def _opens(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _stored(fill: Callable[[IO[bytes]], None], size: int | None, most_bytes: int) -> Iterator[str]:
    """The path of a file that was filled; it is gone afterwards, and where possible has never had a name.

    Args:
        fill: Writes what it is to hold.
        size: How much that will be, if it is known.
        most_bytes: How much it may be.

    Raises:
        CannotOpen: It is more, cannot be read, or cannot be stored.
    """
    if size is not None and size > most_bytes:
        raise _too_much(most_bytes)
    with contextlib.ExitStack() as stack:
        try:
            file, path = _new_file(size)
            stack.enter_context(file)
            fill(file)
            file.flush()
        except OSError as error:
            raise CannotOpen(f"it cannot be stored: {_reason(error)}", "set TMPDIR to a folder with room") from error
        yield path


def _new_file(size: int | None) -> tuple[IO[bytes], str]:
    file: Any
    if not _DESCRIPTORS.is_dir():
        file = tempfile.NamedTemporaryFile(prefix="onetake-")  # noqa: SIM115 - the caller closes it
        return file, file.name
    file = None
    if size is not None and size <= _IN_MEMORY_BYTES and hasattr(os, "memfd_create"):
        with contextlib.suppress(OSError):
            file = os.fdopen(os.memfd_create("onetake"), "w+b")
    file = file or tempfile.TemporaryFile()  # noqa: SIM115 - not even SIGKILL leaves it behind
    return file, _path_of(file.fileno())


def _write(content: memoryview, file: IO[bytes]) -> None:
    for start in range(0, len(content), _AT_ONCE):
        file.write(content[start : start + _AT_ONCE])


def _copy(read: Callable[[int], bytes | None], file: IO[bytes], most_bytes: int) -> None:
    stored_bytes = 0
    while part := _part(read):
        stored_bytes += len(part)
        if stored_bytes > most_bytes:
            raise _too_much(most_bytes)
        file.write(part)


def _part(read: Callable[[int], bytes | None]) -> bytes:
    try:
        part = read(_AT_ONCE)
    except Exception as error:  # what unpacks or fetches has errors of its own
        raise CannotOpen(f"it cannot be read: {_reason(error)}", "save it as a file first") from error
    if part is None:
        raise CannotOpen("it cannot be read: nothing has come yet", "save it as a file first")
    if not isinstance(part, bytes | bytearray | memoryview):
        raise TypeError(f"a recording is read as bytes, not as {type(part).__name__}")
    return bytes(part)


def _too_much(most_bytes: int) -> CannotOpen:
    message = f"it holds more than {megabytes(most_bytes)}, and is not read further"
    return CannotOpen(message, "check the file in which it is")


def _reason(error: Exception) -> str:
    """What the system or a library says, in one line."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return " ".join(text.split()).lower()
