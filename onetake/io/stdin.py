"""A recording that comes through a pipe: checks go back and forth in it, so it is stored for as long as they take."""

from __future__ import annotations

import contextlib
from typing import IO, TYPE_CHECKING

from onetake.errors import InputFailed
from preflight.errors import CannotOpen
from preflight.input.spool import MOST_BYTES, stored_stream
from preflight.input.types import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def stored(stream: IO[bytes], most_bytes: int = MOST_BYTES) -> Iterator[Stored]:
    """All that `stream` holds in a file, called ``<stdin>``; it is gone afterwards, and where possible had no name.

    Args:
        stream: Read to its end.
        most_bytes: How much it may hold.

    Raises:
        InputFailed: It holds more, cannot be read, or cannot be stored.
    """
    with contextlib.ExitStack() as stack:
        try:
            path = stack.enter_context(stored_stream(stream, most_bytes))
        except CannotOpen as error:
            raise InputFailed(f"standard input: {error.message}", error.hint) from error
        yield Stored("<stdin>", path)
