"""Byte ranges of a file, read as one continuous file; and those of the frames in concatenated AMR files."""

from __future__ import annotations

import io
import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer

    from preflight.errors import CannotOpen
    from preflight.input.source import Source

    Range = tuple[int, int]
    """The offset of the first byte, and the offset after the last byte."""


class RangeReader(io.RawIOBase):
    """A seekable, read-only file that concatenates byte ranges of a recording.

    Args:
        source: The open recording.
        ranges: The ranges in the order in which they are read, as (begin, end) in bytes.

    Attributes:
        error: Why reading failed. libsndfile does not propagate exceptions of a Python file object, and treats a
            failed read as the end of the file: check this after reading.
    """

    def __init__(self, source: Source, ranges: Sequence[Range]) -> None:
        super().__init__()
        self._source = source
        self._ranges = ranges
        self._starts = [0, *accumulate(end - begin for begin, end in ranges)]
        self._position = 0
        self.error: CannotOpen | None = None

    @property
    def size(self) -> int:
        """The total size of the ranges in bytes."""
        return self._starts[-1]

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position and return it; a position past the end reads nothing."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Buffer) -> int:
        """Read up to the end of the current range into `buffer`, and return the number of bytes.

        Raises:
            CannotOpen: Reading failed.
        """
        from preflight.errors import CannotOpen

        if self._position >= self.size:
            return 0
        view = memoryview(buffer).cast("B")
        # the range whose start is the last one at or before the position; empty ranges are skipped
        number = bisect_right(self._starts, self._position) - 1
        begin, end = self._ranges[number]
        offset = begin + self._position - self._starts[number]
        try:
            data = self._source.read_at(offset, min(len(view), end - offset))
        except CannotOpen as error:
            self.error = error  # libsndfile loses the exception
            raise
        view[: len(data)] = data
        self._position += len(data)
        return len(data)


_AMR_HEADER: Final = re.compile(rb"#!AMR(?:-WB)?\n")
"""RFC 4867, 5.1: of one channel."""
_MOST_AMR_BYTES: Final = 1 << 26
"""Six hours at the highest bit rate."""


def amr_ranges(source: Source, begin: int) -> tuple[Range, ...]:
    """Return the byte ranges of the frames of concatenated AMR files, with the first header; () for another file.

    FFmpeg takes the headers in the middle for frames, and loses the next ones.

    Raises:
        CannotOpen: Reading failed.
    """
    first = _AMR_HEADER.match(source.read_at(begin, 16))
    if first is None:
        return ()
    data = source.read_at(begin, _MOST_AMR_BYTES)
    headers = [match.span() for match in re.finditer(re.escape(first[0]), data)]
    if len(headers) == 1:
        return ()
    ends = [start for start, _ in headers[1:]] + [source.size - begin]
    starts = [0] + [end for _, end in headers[1:]]
    return tuple((begin + start, begin + end) for start, end in zip(starts, ends, strict=True))
