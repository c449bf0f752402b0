"""Parts of a file, read as one continuous file."""

from __future__ import annotations

import io
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer

    from preflight.errors import CannotOpen
    from preflight.input.source import Source

    Range = tuple[int, int]
    """First byte, and first byte after the end."""


class RangeReader(io.RawIOBase):
    """A seekable, read-only file of the bytes in `ranges`, one range after the other.

    Args:
        source: The open recording.
        ranges: What to read, in this order, as (begin, end) in bytes.

    Attributes:
        error: Why reading failed, for callers whose library does not pass exceptions on.
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
        """Bytes in all ranges."""
        return self._starts[-1]

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def seekable(self) -> bool:
        """Whether it can be positioned: yes."""
        return True

    def tell(self) -> int:
        """The position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position; past the end, nothing is read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Buffer) -> int:
        """Read up to the end of the current range.

        Raises:
            CannotOpen: The disk or the network behind the file failed.
        """
        from preflight.errors import CannotOpen

        if self._position >= self.size:
            return 0
        room = memoryview(buffer).cast("B")
        number = bisect_right(self._starts, self._position) - 1
        begin, end = self._ranges[number]
        offset = begin + self._position - self._starts[number]
        try:
            data = self._source.read_at(offset, min(len(room), end - offset))
        except CannotOpen as error:
            self.error = error
            raise
        room[: len(data)] = data
        self._position += len(data)
        return len(data)
