"""A recording that comes through a pipe: checks go back and forth in it, so it is stored for as long as they take."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from onetake.errors import InputFailed
from preflight.wording import megabytes

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES: Final = 2 << 30
"""Where reading ends: a hundred times what the service takes, and still little for a disk."""
_AT_ONCE: Final = 1 << 20


@contextlib.contextmanager
def stored(stream: IO[bytes], most_bytes: int = MOST_BYTES) -> Iterator[str]:
    """The path of a file with all that `stream` holds; it is gone afterwards, and where possible has never had a name.

    Args:
        stream: Read to its end.
        most_bytes: How much it may hold.

    Raises:
        InputFailed: It holds more, cannot be read, or cannot be stored.
    """
    with contextlib.ExitStack() as stack:
        try:
            file, path = _new_file()
            stack.enter_context(file)
            _copy(stream, file, most_bytes)
            file.flush()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputFailed(f"what standard input holds cannot be stored: {reason}", "set TMPDIR") from error
        yield path


def _new_file() -> tuple[IO[bytes], str]:
    if Path("/proc/self/fd").is_dir():
        nameless: Any = tempfile.TemporaryFile()  # noqa: SIM115 - not even SIGKILL leaves it behind
        return nameless, f"/proc/{os.getpid()}/fd/{nameless.fileno()}"
    named: Any = tempfile.NamedTemporaryFile(prefix="onetake-")  # noqa: SIM115 - the caller closes it
    return named, named.name


def _copy(stream: IO[bytes], file: IO[bytes], most_bytes: int) -> None:
    stored_bytes = 0
    while part := _read(stream):
        stored_bytes += len(part)
        if stored_bytes > most_bytes:
            message = f"standard input holds more than {megabytes(most_bytes)}, and is not read further"
            raise InputFailed(message, "check the file in which it is")
        file.write(part)


def _read(stream: IO[bytes]) -> bytes:
    try:
        return stream.read(_AT_ONCE)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputFailed(f"standard input cannot be read: {reason}", "name the file instead") from error
