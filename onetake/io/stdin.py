"""Store a recording from standard input: decoders need to seek, a pipe cannot."""

from __future__ import annotations

import contextlib
from typing import IO, TYPE_CHECKING

from onetake.errors import InputFailed
from preflight.errors import CannotOpen
from preflight.input.spool import MAX_BYTES, spooled_stream
from preflight.input.types import SpooledFile

if TYPE_CHECKING:
    from collections.abc import Iterator


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
