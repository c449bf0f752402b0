"""Read a small text file, such as a profile, with a limit on its size."""

from __future__ import annotations

import codecs
import contextlib
import os
import stat
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from preflight.errors import CannotOpen
from preflight.file_system import READ_ONLY, is_in_use
from preflight.input.source import IN_USE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.input.recording import PathLike

MAX_BYTES: Final = 1_000_000
"""The maximum size of settings and profiles: a thousand times the usual size."""
_WIDE: Final = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SHELL_PIPES: Final = ("/dev/", "/proc/")
"""The paths of ``<(…)`` and of redirections: these pipes have a writer, while a named pipe on disk may have none."""


def read_small_text(path: PathLike, max_bytes: int = MAX_BYTES) -> str:
    """Return the text of a UTF-8 file, without a byte order mark.

    Args:
        path: A regular file, or a pipe that a shell provides in place of one.
        max_bytes: The maximum size in bytes.

    Raises:
        CannotOpen: The file is missing, not a regular file, too large, or not UTF-8 text.
    """
    content = _content(os.fsdecode(path), max_bytes)
    if len(content) > max_bytes:
        raise CannotOpen(f"larger than the limit of {max_bytes:,} bytes", "choose another file")
    start = content[:4]
    # UTF-16 and UTF-32 without a mark have zeros in ASCII characters
    if is_wide(content) or (b"\0" in start and start.strip(b"\0")):
        raise CannotOpen("it is UTF-16 or UTF-32 text", "save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CannotOpen("it is not UTF-8 text", "save it as UTF-8") from None


def is_wide(content: bytes) -> bool:
    """Whether text starts with the byte order mark of UTF-16 or UTF-32."""
    return content.startswith(_WIDE)


def _content(path: str, max_bytes: int) -> bytes:
    try:
        with opened_text(path) as file:
            return file.read(max_bytes + 1)
    except IsADirectoryError:
        raise CannotOpen("it is a folder", "choose a text file") from None
    except OSError as error:
        if is_in_use(error, path):
            raise CannotOpen(*IN_USE) from error
        raise CannotOpen((error.strerror or "it cannot be opened").lower(), "check the path") from error
    except ValueError:  # a NUL, or a character that cannot be encoded
        raise CannotOpen("it is not a valid file name", "check the path") from None


@contextlib.contextmanager
def opened_text(path: str) -> Iterator[IO[bytes]]:
    """Open a regular file, or a pipe that a shell provides in place of one, without waiting for a writer.

    Raises:
        CannotOpen: It is neither.
        OSError, ValueError: As `open` does.
    """
    descriptor = os.open(path, READ_ONLY)
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if sys.platform != "win32" and stat.S_ISFIFO(mode) and str(Path(path)).startswith(_SHELL_PIPES):
            os.set_blocking(descriptor, True)
        elif not stat.S_ISREG(mode):
            raise CannotOpen("it is not a regular file", "choose a text file")
        yield file
