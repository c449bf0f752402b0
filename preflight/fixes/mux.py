"""Let FFmpeg write to an open file, and learn why when that fails."""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import OutputContainer

_MUXERS = {"m4a": "ipod", "mp3": "mp3"}


class _Sink:
    """What FFmpeg writes to; nothing is written after a failure.

    FFmpeg itself goes on, and its binding prints every exception but the first.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.tell = file.tell
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        if self.error is None:
            try:
                self._file.write(data)
            except OSError as error:
                self.error = error
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        if self.error is None:
            try:
                return self._file.seek(offset, whence)
            except OSError as error:  # what was still in memory goes to the disk first
                self.error = error
        return 0


@contextmanager
def open_output(file: IO[bytes], container: str) -> Iterator[OutputContainer]:
    """A new `container`, ``m4a`` or ``mp3``, that is finished when the block ends.

    Raises:
        OSError: The disk is full or the file cannot be written.
    """
    import av

    sink = _Sink(file)
    with av.open(sink, "w", format=_MUXERS[container]) as output:
        yield output
    if sink.error is not None:
        raise sink.error
