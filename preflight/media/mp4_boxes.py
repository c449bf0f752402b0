"""The boxes of an MP4 or QuickTime file: ISO/IEC 14496-12, 4.2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.input.source import Source

_MAX_BOXES: Final = 100_000
_MAX_TABLE_BYTES: Final = 1 << 22


class Box(NamedTuple):
    """A box: its type, and the offsets of its content.

    Attributes:
        name: The type, such as ``moov``.
        begin: The start of the content.
        end: The end of the content, or of the enclosing box if that is smaller.
        claimed_end: The end of the content by the size field.
    """

    name: bytes
    begin: int
    end: int
    claimed_end: int


def boxes_in(source: Source, begin: int, end: int) -> Iterator[Box]:
    """Yield the boxes between two offsets, up to the first malformed one."""
    position = begin
    for _ in range(_MAX_BOXES):
        head = source.read_at(position, 16)
        if position + 8 > end or len(head) < 8:
            return
        size, name, content = int.from_bytes(head[:4]), head[4:8], position + 8
        # a size of 1 means a 64-bit largesize after the type, and 0 means up to the end of the file (4.2)
        if size == 1 and len(head) == 16:
            size, content = int.from_bytes(head[8:16]), position + 16
        stop = end if size == 0 else min(end, position + size)
        if stop < content:  # a size smaller than the header: malformed, and the loop would not advance
            return
        yield Box(name, content, stop, position + size if size else end)
        position = stop


def content_of(source: Source, box: Box, most: int = _MAX_TABLE_BYTES) -> bytes:
    """Return the content of a box, or its first `most` bytes."""
    return source.read_at(box.begin, min(most, box.end - box.begin))
