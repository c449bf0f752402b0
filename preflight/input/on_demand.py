"""Recordings that are elsewhere, such as in a bucket, and are fetched when their check begins."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from preflight.input.recording import SpooledFile

_HEAD_BYTES: Final = 1 << 20
"""Headers, tags and the first packets; FFmpeg looks no further to recognize a stream."""
_TAIL_BYTES: Final = 128 << 10
"""The last pages of Ogg (64 kB each), and tags at the end."""
_MAX_INDEX_BYTES: Final = 16 << 20
_MAX_BOXES: Final = 64


class OnDemand(ABC):
    """A recording that is fetched when it is opened; any function that takes a `Recording` accepts it.

    Attributes:
        name: The name for display; its extension counts.
    """

    name: str

    @abstractmethod
    def opened(self) -> AbstractContextManager[SpooledFile]:
        """Fetch it, and delete the copy afterward. A recording that cannot be fetched has a `problem`."""


def copy_headers(read_range: Callable[[int, int], bytes], size: int, file: IO[bytes]) -> int:
    """Fetch what identifies a file: its first megabyte, its last 128 kB, and the index of an MP4.

    Args:
        read_range: Returns the bytes from an offset, up to a count.
        size: Size of the file.
        file: Receives the bytes at their offsets; it gets the size, and zeros for what is not fetched.

    Returns:
        How many bytes were fetched.
    """
    file.truncate(size)
    fetched = 0

    def copy(start: int, count: int) -> bytes:
        nonlocal fetched
        part = read_range(start, count)
        file.seek(start)
        file.write(part)
        fetched += len(part)
        return part

    if size <= _HEAD_BYTES + _TAIL_BYTES:
        copy(0, size)
        return fetched
    head = copy(0, _HEAD_BYTES)
    if head[4:8] == b"ftyp" and (index := _index_of(copy, size, head)) is not None:
        copy(*index)
    copy(size - _TAIL_BYTES, _TAIL_BYTES)
    file.seek(0, os.SEEK_END)
    return fetched


def _index_of(read: Callable[[int, int], bytes], size: int, head: bytes) -> tuple[int, int] | None:
    """Return offset and length of the ``moov`` box if it is after the head (ISO/IEC 14496-12, 4.2)."""
    position = 0
    for _ in range(_MAX_BOXES):
        inside = position + 16 <= len(head)
        header = head[position : position + 16] if inside else read(position, 16)
        if len(header) < 16:
            return None
        length, kind = int.from_bytes(header[:4]), header[4:8]
        if length == 1:  # the length follows as 64 bits
            length = int.from_bytes(header[8:16])
        elif length == 0:  # to the end of the file
            length = size - position
        if kind == b"moov":
            return (position, min(length, _MAX_INDEX_BYTES)) if position + length > len(head) else None
        if length < 8 or position + length >= size:
            return None
        position += length
    return None
