"""Which recordings a command line names: files, folders, lists of names, and standard input."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from onetake.errors import InputFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from preflight.input.types import Stored

PIPE: Final = "-"
_LONGEST_LIST_BYTES: Final = 100_000_000


@contextlib.contextmanager
def gathered(files: Sequence[str], list_of_files: str | None = None) -> Iterator[list[str | Stored]]:
    """The recordings that are named, with that of standard input stored as long as it is needed.

    Args:
        files: Files, folders, and ``-`` for standard input.
        list_of_files: A file with more names, as `names_listed` understands it; ``-`` is standard input.

    Raises:
        UsageError: Standard input is asked for twice, or the list cannot be read.
        InputFailed: Standard input cannot be read or stored.
    """
    if files.count(PIPE) + (list_of_files == PIPE) > 1:
        raise UsageError("standard input can be read only once", "name a file instead of one -")
    listed = [] if list_of_files is None else names_listed(list_of_files)
    if PIPE not in files:
        yield list(takes_in([*files, *listed]))
        return
    from onetake.io.stdin import stored

    with stored(_standard_input()) as piped:
        place = files.index(PIPE)
        yield [*takes_in(files[:place]), piped, *takes_in([*files[place + 1 :], *listed])]


def takes_in(files: Iterable[str]) -> Iterator[str]:
    """Each of `files`, and instead of a folder the recordings in it; a folder without any is left as it is."""
    from preflight import recordings_in

    for file in files:
        found = False
        if Path(file).is_dir():
            for recording in recordings_in(file):
                found = True
                yield recording
        if not found:
            yield file


def names_listed(file: str) -> list[str]:
    """The names in a list: one a line, or with a NUL after each, as ``find -print0`` writes them.

    Args:
        file: The list; ``-`` is standard input.

    Raises:
        UsageError: It cannot be read, is far too long or UTF-16, or names nothing.
    """
    from preflight import CannotOpen, display_name
    from preflight.input.small_text import is_wide

    shown = "the list on standard input" if file == PIPE else display_name(file)
    try:
        content = _content(file)
    except CannotOpen as error:
        raise UsageError(f"{shown} cannot be read: {error.message}", "--files-from needs a list of names") from error
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise UsageError(f"{shown} cannot be read: {reason}", "--files-from needs a list of names") from error
    if len(content) > _LONGEST_LIST_BYTES:
        raise UsageError(f"{shown} is too long for a list of names", "split it, or name the folder")
    if is_wide(content):  # its NULs are no ends of names
        raise UsageError(f"{shown} is UTF-16 or UTF-32 text", "save it as UTF-8")
    if b"\0" in content:
        names = content.split(b"\0")
    else:
        lines = content.removeprefix(codecs.BOM_UTF8).split(b"\n")
        names = [line.removesuffix(b"\r") for line in lines if line.strip()]
    if not any(names):
        raise UsageError(f"{shown} names no recording", "write one name a line")
    return [os.fsdecode(name) for name in names if name]


def _content(file: str) -> bytes:
    """At most one byte more than a list may have; raises CannotOpen, OSError or ValueError."""
    from preflight.input.small_text import opened_text

    if file == PIPE:
        return _standard_input().read(_LONGEST_LIST_BYTES + 1)
    with opened_text(file) as stream:
        return stream.read(_LONGEST_LIST_BYTES + 1)


def _standard_input() -> IO[bytes]:
    if sys.stdin is None:
        raise InputFailed("standard input is closed", "send a recording or a list of names into it")
    return sys.stdin.buffer
