"""Give any recording a path: one without a file is spooled to a temporary file, which is deleted after use."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import stat
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from preflight.display.text import megabytes
from preflight.errors import CannotOpen
from preflight.file_system import NEW_FILE, remove_file
from preflight.input.on_demand import OnDemand
from preflight.input.recording import PathLike, Recording, SpooledFile, is_segment, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from preflight.input.recording import BinaryStream
    from preflight.input.samples import PcmAudio


MAX_BYTES: Final = 2 << 30
"""The maximum size to spool: a hundred times the size limit of the service."""
_IN_MEMORY_BYTES: Final = 32 << 20
"""Up to this size, which covers what the service accepts, a recording is kept in memory (memfd)."""
_CHUNK_BYTES: Final = 1 << 20
_DESCRIPTORS: Final = Path("/proc/self/fd")
"""Where Linux gives an open file without a name a path."""


@contextlib.contextmanager
def spooled_bytes(content: bytes | bytearray | memoryview) -> Iterator[str]:
    """Yield the path of a file with `content`; see `_spooled`."""
    view = memoryview(content)
    view = view.cast("B") if view.c_contiguous and view.nbytes else memoryview(view.tobytes())
    with _spooled(partial(_write, view), len(view), MAX_BYTES) as path:
        yield path


@contextlib.contextmanager
def spooled_pcm(pcm: PcmAudio) -> Iterator[str]:
    """Yield the path of a WAV file with `pcm`; see `_spooled`."""

    def fill(file: IO[bytes]) -> None:
        for part in pcm.wav():
            file.write(part)

    with _spooled(fill, pcm.size, MAX_BYTES) as path:
        yield path


@contextlib.contextmanager
def spooled_stream(stream: BinaryStream, max_bytes: int = MAX_BYTES) -> Iterator[str]:
    """Yield the path of a file with the rest of `stream`, from its position; see `_spooled`."""
    with _spooled(partial(_copy, stream.read, max_bytes=max_bytes), None, max_bytes) as path:
        yield path


@contextlib.contextmanager
def spooled_file(stream: BinaryStream) -> Iterator[str]:
    """Yield the path of the content of a file object: of the file itself if there is one, else of a copy.

    A seekable file object is read from its start, and its position is restored; any other is read from its position.

    Raises:
        ValueError: The file object is closed, or not open for reading.
        TypeError: The file object is in text mode.
    """
    if isinstance(stream, io.TextIOBase):
        raise TypeError('a recording must be opened in binary mode: open(path, "rb")')
    if callable(readable := getattr(stream, "readable", None)) and not readable():
        raise ValueError("the file object is not open for reading")
    descriptor = regular_file(stream)
    if descriptor is None:
        with _rewound(stream), spooled_stream(stream, MAX_BYTES) as path:
            yield path
    elif _DESCRIPTORS.is_dir() and _opens(_path_of(descriptor)):
        yield _path_of(descriptor)
    else:
        with _spooled(partial(_copy, _reader_of(descriptor), max_bytes=MAX_BYTES), None, MAX_BYTES) as path:
            yield path


@contextlib.contextmanager
def _rewound(stream: Any) -> Iterator[None]:
    """Rewind a seekable file object, and restore its position afterward."""
    if not callable(getattr(stream, "seekable", None)) or not stream.seekable():
        yield
        return
    try:
        position = stream.tell()
        stream.seek(0)
    except Exception as error:  # decompressors and network streams raise their own exceptions
        raise CannotOpen(f"the stream cannot be read: {_reason(error)}", "save it to a file first") from error
    try:
        yield
    finally:
        with contextlib.suppress(Exception):
            stream.seek(position)


def _reader_of(descriptor: int) -> Callable[[int], bytes]:
    """Return a function that reads a file from its start without moving its position."""
    position = 0

    def read(size: int) -> bytes:
        nonlocal position
        content = _read_at(descriptor, size, position)
        position += len(content)
        return content

    return read


def _read_at(descriptor: int, size: int, position: int) -> bytes:
    if sys.platform != "win32":
        return os.pread(descriptor, size, position)
    before = os.lseek(descriptor, 0, os.SEEK_CUR)
    try:
        os.lseek(descriptor, position, os.SEEK_SET)
        return os.read(descriptor, size)
    finally:
        os.lseek(descriptor, before, os.SEEK_SET)


def regular_file(stream: Any) -> int | None:
    """Return the descriptor of the regular file behind `stream`; None if there is none, as for a decompressor."""
    if isinstance(stream, tempfile._TemporaryFileWrapper):
        stream = stream.file
    if type(stream) not in (io.BufferedReader, io.BufferedRandom, io.FileIO):
        return None
    if type(getattr(stream, "raw", stream)) is not io.FileIO or not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        return None
    with contextlib.suppress(OSError):
        stream.flush()  # buffered writes of the owner are part of the file; no effect on a read-only file
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
def _spooled(fill: Callable[[IO[bytes]], None], size: int | None, max_bytes: int) -> Iterator[str]:
    """Yield the path of a temporary file, which has no name in any folder where the system allows that.

    Args:
        fill: Writes the content.
        size: The size of the content in bytes, if known.
        max_bytes: The maximum size.

    Raises:
        CannotOpen: The content is too large, cannot be read, or cannot be written.
    """
    if size is not None and size > max_bytes:
        raise _too_much(max_bytes)
    with contextlib.ExitStack() as stack:
        try:
            file, path = new_file(size, stack)
            fill(file)
            file.flush()
        except OSError as error:
            raise CannotOpen(
                f"the temporary copy cannot be stored: {_reason(error)}", "set TMPDIR to a folder with free space"
            ) from error
        yield path


def new_file(size: int | None, stack: contextlib.ExitStack) -> tuple[IO[bytes], str]:
    """Return a new file and its path, in memory if the size is known and small; `stack` closes and removes it."""
    file: Any = None
    if not _DESCRIPTORS.is_dir():
        # not NamedTemporaryFile: on Windows, only its creator can open it
        path = Path(tempfile.gettempdir(), f"onetake-{secrets.token_hex(8)}")
        stack.callback(remove_file, path)
        return stack.enter_context(os.fdopen(os.open(path, NEW_FILE, 0o600), "w+b")), str(path)
    if sys.platform == "linux" and size is not None and size <= _IN_MEMORY_BYTES:
        with contextlib.suppress(AttributeError, OSError):  # neither the C library nor the kernel must know it
            file = os.fdopen(os.memfd_create("onetake"), "w+b")
    # unnamed, so that even SIGKILL leaves nothing behind
    file = stack.enter_context(file or tempfile.TemporaryFile())  # noqa: SIM115
    return file, _path_of(file.fileno())


def _write(content: memoryview, file: IO[bytes]) -> None:
    for start in range(0, len(content), _CHUNK_BYTES):
        file.write(content[start : start + _CHUNK_BYTES])


def _copy(read: Callable[[int], bytes | None], file: IO[bytes], max_bytes: int) -> None:
    copied_bytes = 0
    while part := _part(read):
        copied_bytes += len(part)
        if copied_bytes > max_bytes:
            raise _too_much(max_bytes)
        file.write(part)


def _part(read: Callable[[int], bytes | None]) -> bytes:
    try:
        part = read(_CHUNK_BYTES)
    except Exception as error:  # decompressors and network streams raise their own exceptions
        raise CannotOpen(f"the stream cannot be read: {_reason(error)}", "save it to a file first") from error
    if part is None:
        raise CannotOpen("the stream is non-blocking and has no data yet", "save it to a file first")
    if not isinstance(part, bytes | bytearray | memoryview):
        raise TypeError(f"the file object must return bytes, not {type(part).__name__}")
    return bytes(part)


def _too_much(max_bytes: int) -> CannotOpen:
    message = f"more than {megabytes(max_bytes)}, above the limit for a recording without a file"
    return CannotOpen(message, "save it to a file first")


def _reason(error: Exception) -> str:
    """Return the message of the system or library in one line."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return " ".join(text.split()).lower()


@contextlib.contextmanager
def as_path(recording: Recording) -> Iterator[PathLike]:
    """Yield a path where the recording can be opened several times.

    Yields:
        The recording itself if it is a path, else a `SpooledFile`. If the recording cannot be read or spooled, the
        `SpooledFile` has the problem, and `Source.open` raises it.

    Raises:
        TypeError: The argument cannot be a recording.
        ValueError: The samples are invalid, or the file object is closed or not open for reading.
    """
    if isinstance(recording, str | os.PathLike):
        yield recording
        return
    if isinstance(recording, OnDemand):
        with recording.opened() as fetched:
            yield fetched
        return
    name = name_of(recording)
    with contextlib.ExitStack() as stack:
        try:
            path = stack.enter_context(_file_of(recording))
            spooled = SpooledFile(name, path, has_file=regular_file(recording) is not None)
        except CannotOpen as problem:
            spooled = SpooledFile(name, problem=problem)
        yield spooled


def _file_of(recording: Any) -> contextlib.AbstractContextManager[str]:
    if isinstance(recording, bytes | bytearray | memoryview):
        return spooled_bytes(recording)
    if isinstance(recording, tuple):
        from preflight.input.samples import pcm_from_samples

        return spooled_pcm(pcm_from_samples(recording))
    if is_segment(recording):
        from preflight.input.samples import pcm_from_segment

        return spooled_pcm(pcm_from_segment(recording))
    return spooled_file(recording)
