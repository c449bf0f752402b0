"""Input paths of the command line: files, folders, lists of names, and standard input."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
from typing import IO, TYPE_CHECKING, Final, TypeAlias

import msgspec

from onetake.errors import InputFailed, UsageError
from onetake.io.paths import exists, is_folder
from preflight.errors import CannotOpen
from preflight.input.recording import SpooledFile
from preflight.input.spool import MAX_BYTES, spooled_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from onetake.io.s3_objects import ObjectRecording
    from preflight import Report

    Take: TypeAlias = str | SpooledFile | ObjectRecording


@contextlib.contextmanager
def store_stdin(stream: IO[bytes], max_bytes: int = MAX_BYTES) -> Iterator[SpooledFile]:
    """Store a stream in a temporary file, shown as ``<stdin>``, for the block. On POSIX the file has no name.

    Args:
        stream: The stream; it is read to its end.
        max_bytes: The size limit.

    Raises:
        InputFailed: The stream is larger, cannot be read, or cannot be stored.
    """
    with contextlib.ExitStack() as stack:
        try:
            path = stack.enter_context(spooled_stream(stream, max_bytes))
        except CannotOpen as error:
            raise InputFailed(f"standard input: {error.message}", error.hint) from error
        yield SpooledFile("<stdin>", path)


PIPE: Final = "-"
SCHEME: Final = "s3://"
_MAX_LIST_BYTES: Final = 100_000_000


@contextlib.contextmanager
def open_inputs(files: Sequence[str], list_of_files: str | None = None) -> Iterator[list[str | SpooledFile]]:
    """Resolve the recordings of a command line; one from standard input is stored in a temporary file for the block.

    Args:
        files: Files, folders, and ``-`` for standard input.
        list_of_files: A file with more names, see `read_names`; ``-`` is standard input.

    Raises:
        UsageError: Standard input is named twice, or the list cannot be read.
        InputFailed: Standard input cannot be read or stored.
    """
    if files.count(PIPE) + (list_of_files == PIPE) > 1:
        raise UsageError("standard input is named twice, but can be read only once", "replace one - with a file")
    listed = [] if list_of_files is None else read_names(list_of_files)
    if PIPE not in files:
        yield list(recordings_of([*files, *listed]))
        return
    from onetake.io.inputs import store_stdin

    with store_stdin(_standard_input()) as piped:
        place = files.index(PIPE)
        yield [*recordings_of(files[:place]), piped, *recordings_of([*files[place + 1 :], *listed])]


def is_object(name: object) -> bool:
    """Whether a name is that of an object, or of a prefix."""
    return isinstance(name, str) and name.startswith(SCHEME)


def is_results_folder(out: str | None) -> bool:
    """Whether an output is a folder for results: it exists, ends with a slash, or is in a bucket."""
    return out is not None and (is_object(out) or out.endswith(("/", os.sep)) or is_folder(out))


def with_objects(names: Sequence[str | SpooledFile], *, quick: bool = False) -> list[Take]:
    """Replace each ``s3://`` name by the recordings that it names.

    Args:
        names: Resolved inputs.
        quick: Fetch only what headers need.

    Raises:
        UsageError: A prefix has no recording.
        SettingError, uploader.StorageError: A bucket cannot be listed.
    """
    return list(stream_objects(names, quick=quick)) if any(map(is_object, names)) else list(names)


def stream_objects(names: Iterable[str | SpooledFile], *, quick: bool = False) -> Iterator[Take]:
    """Yield what `with_objects` returns, while buckets are listed."""
    from onetake.io.s3_objects import Buckets

    buckets = Buckets()
    for name in names:
        if is_object(name):
            yield from buckets.recordings(str(name), quick=quick)
        else:
            yield name


def report_with_remote(take: Take, report: Report) -> Report:
    """Return the report, with ETag and size if the recording is in a bucket."""
    remote = getattr(take, "remote", None)
    return report if remote is None else msgspec.structs.replace(report, remote=remote)


def recordings_of(files: Iterable[str]) -> Iterator[str]:
    """Yield `files`, with each folder replaced by the recordings in it; a folder without recordings is kept."""
    from preflight import recordings_in

    for file in files:
        found = False
        if is_folder(file):
            for recording in recordings_in(file):
                found = True
                yield recording
        if not found:
            yield file


def refuse_stdin(name: str) -> None:
    """Raise `UsageError` if `name` means standard input, for a command that does not read recordings from it."""
    if name == PIPE and not exists(name):
        raise UsageError("- means standard input, which only `onetake check` reads", "save it to a file, and name that")


def require_files(names: Iterable[str]) -> None:
    """Refuse folders and standard input, for a command that takes files only; raises `UsageError`."""
    from preflight import display_name

    for name in names:
        refuse_stdin(name)
        if is_folder(name):
            raise UsageError(f"{display_name(name)}: this is a folder, not a recording", "name a recording in it")


def read_names(file: str) -> list[str]:
    """Read a list of names: one per line, or separated by NUL as from ``find -print0``.

    Args:
        file: The list; ``-`` is standard input.

    Raises:
        UsageError: The list cannot be read, is too long, is UTF-16 or UTF-32, or is empty.
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
    if len(content) > _MAX_LIST_BYTES:
        raise UsageError(f"{shown} is larger than 100 MB", "split it, or name the folder")
    if is_wide(content):  # the NULs of UTF-16 do not separate names
        raise UsageError(f"{shown} is UTF-16 or UTF-32 text", "save it as UTF-8")
    if b"\0" in content:
        names = content.split(b"\0")
    else:
        lines = content.removeprefix(codecs.BOM_UTF8).split(b"\n")
        names = [line.removesuffix(b"\r") for line in lines if line.strip()]
    if not any(names):
        raise UsageError(f"{shown} is empty", "write one name per line")
    return [os.fsdecode(name) for name in names if name]


def _content(file: str) -> bytes:
    """The list, cut one byte after the limit; raises CannotOpen, OSError or ValueError."""
    from preflight.input.small_text import opened_text

    if file == PIPE:
        return _standard_input().read(_MAX_LIST_BYTES + 1)
    with opened_text(file) as stream:
        return stream.read(_MAX_LIST_BYTES + 1)


def _standard_input() -> IO[bytes]:
    if sys.stdin is None:
        raise InputFailed("standard input is closed", "pipe a recording or a list of names into it")
    return sys.stdin.buffer
