"""The boxes of an MP4 or QuickTime file: ISO/IEC 14496-12, 4.2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from preflight.input.source import Source

_MAX_BOXES: Final = 100_000
_MAX_TABLE_BYTES: Final = 1 << 22
PROTECTED: Final = frozenset({"drms", "drmi", "enca", "aavd"})
"""Sample entries of FairPlay, Common Encryption (ISO/IEC 23001-7) and Audible."""
_USUAL_SHARE: Final = 0.9
_GAP_SHARE: Final = 1.5
"""Of the usual duration: rounded timestamps vary by less."""


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


def gap_in_ticks(durations: Mapping[int, int]) -> tuple[int, int]:
    """Return the usual duration of a packet, and the sum of what others have beyond it; the sum is 0 if none is usual.

    A recorder that loses packets, or pauses, stores the gap as the duration of the packet before it (8.6.1.2). Decoders
    return nothing for it.

    Args:
        durations: The number of packets by their duration.

    >>> gap_in_ticks({1024: 200, 89224: 1})
    (1024, 88200)
    """
    usual, count = max(durations.items(), key=lambda item: item[1], default=(0, 0))
    if count < _USUAL_SHARE * sum(durations.values()):
        return usual, 0
    return usual, sum((ticks - usual) * many for ticks, many in durations.items() if ticks > _GAP_SHARE * usual)
