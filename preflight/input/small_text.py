"""Read a small text file, such as a profile: never more than it may hold, and never what does not end."""

from __future__ import annotations

import codecs
import contextlib
import os
import stat
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from preflight.errors import CannotOpen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.input.types import PathLike

MOST_BYTES: Final = 1_000_000
"""Of settings and profiles: a thousand times what anybody writes."""
_WIDE: Final = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_GIVEN_BY_SHELL: Final = ("/dev/", "/proc/")
"""Where ``<(…)`` and a redirection lead to: somebody writes into such a pipe, while nobody may into one on disk."""


def read_small_text(path: PathLike, most_bytes: int = MOST_BYTES) -> str:
    """The UTF-8 text of a file, without a byte order mark.

    Args:
        path: A regular file, or the pipe that a shell puts in the place of one.
        most_bytes: How much it may hold.

    Raises:
        CannotOpen: It is missing, something else, too large, or no UTF-8 text.
    """
    content = _content(os.fsdecode(path), most_bytes)
    if len(content) > most_bytes:
        raise CannotOpen(f"it has more than {most_bytes:,} bytes", "name another file")
    if is_wide(content):
        raise CannotOpen("it is UTF-16 or UTF-32 text", "save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CannotOpen("it is not UTF-8 text", "save it as UTF-8") from None


def is_wide(content: bytes) -> bool:
    """Whether a text begins as UTF-16 or UTF-32."""
    return content.startswith(_WIDE)


def _content(path: str, most_bytes: int) -> bytes:
    try:
        with opened_text(path) as file:
            return file.read(most_bytes + 1)
    except IsADirectoryError:
        raise CannotOpen("it is a folder", "name a text file") from None
    except OSError as error:
        raise CannotOpen((error.strerror or "it cannot be opened").lower(), "check the path") from error
    except ValueError:  # a NUL, or a character that no name has
        raise CannotOpen("its name cannot be that of a file", "check the path") from None


@contextlib.contextmanager
def opened_text(path: str) -> Iterator[IO[bytes]]:
    """Open a regular file, or the pipe that a shell puts in the place of one, without ever waiting for a writer.

    Raises:
        CannotOpen: It is something else.
        OSError, ValueError: As `open` does.
    """
    # O_NONBLOCK: opening a pipe that nobody writes to must not wait
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(mode) and str(Path(path)).startswith(_GIVEN_BY_SHELL):
            os.set_blocking(descriptor, True)
        elif not stat.S_ISREG(mode):
            raise CannotOpen("it is not a regular file", "name a text file")
        yield file
