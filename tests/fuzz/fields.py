"""Locate the numeric fields in the headers of recordings."""

from __future__ import annotations

import struct
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


_MOST_FIELDS: Final = 600
_DEEPEST: Final = 12


class Field(NamedTuple):
    """A number in a header: its offset and width in bytes, its byte order, and whether it is a size."""

    at: int
    width: int
    order: str
    is_size: bool = False


class _Box(NamedTuple):
    start: int
    end: int
    content: int
    kind: bytes


def fields_of(data: bytes) -> list[Field]:
    """The numeric fields in the headers of a recording of any known format."""
    if data[:4] in (b"RIFF", b"RIFX", b"RF64", b"FORM"):
        found = _chunk_fields(data, "little" if data[:4] in (b"RIFF", b"RF64") else "big")
    elif data[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"):
        found = _box_fields(data)
    elif data[:4] == b"OggS":
        found = _page_fields(data)
    elif data[:4] == b"fLaC":
        found = _flac_fields(data)
    elif data[:3] == b"ID3":
        found = _id3_fields(data)
    else:
        found = chain(_first_fields(), _frame_fields(data))
    fields: list[Field] = []
    for field in found:
        if field.at + field.width <= len(data):
            fields.append(field)
        if len(fields) == _MOST_FIELDS:
            break
    return fields


def _chunk_fields(data: bytes, order: str) -> Iterator[Field]:
    """RIFF and AIFF: chunks with a name, a size, and content that begins with numbers."""
    yield Field(4, 4, order, is_size=True)
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little" if order == "little" else "big")
        yield Field(at + 4, 4, order, is_size=True)
        yield Field(at, 4, "big")
        if name not in (b"data", b"SSND"):
            yield from (Field(at + 8 + place, 2, order) for place in range(0, min(size, 40), 2))
            yield from (Field(at + 8 + place, 4, order) for place in range(0, min(size, 40), 4))
        at += 8 + size + size % 2


_OPEN_BOXES: Final = {
    **dict.fromkeys((b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"udta", b"ilst", b"dinf", b"wave"), 0),
    **dict.fromkeys((b"moof", b"traf", b"mvex", b"sinf", b"schi", b"gmhd", b"mfra"), 0),
    b"meta": 4,
    b"stsd": 8,
    b"dref": 8,
    b"mp4a": 28,
    b"alac": 28,
}
"""Boxes that contain boxes, and the number of bytes before those (ISO 14496-12)."""


def boxes_of(data: bytes, start: int = 0, end: int | None = None, depth: int = 0) -> Iterator[_Box]:
    end = len(data) if end is None else end
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 16 if size == 1 else 8
        stop = end if size < head else min(end, start + size)
        yield _Box(start, stop, start + head, kind)
        if kind in _OPEN_BOXES and depth < _DEEPEST:
            yield from boxes_of(data, start + head + _OPEN_BOXES[kind], stop, depth + 1)
        start = stop


def _box_fields(data: bytes) -> Iterator[Field]:
    for box in boxes_of(data):
        yield Field(box.start, 4, "big", is_size=True)
        yield Field(box.start + 4, 4, "big")
        if box.kind != b"mdat":
            yield from (Field(at, 4, "big") for at in range(box.content, min(box.end - 3, box.content + 64), 4))
            yield from (Field(at, 2, "big") for at in range(box.content, min(box.end - 1, box.content + 32), 2))
            yield from (Field(at, 1, "big") for at in range(box.content, min(box.end, box.content + 48)))


def places(data: bytes, mark: bytes) -> Iterator[int]:
    at = data.find(mark)
    while at >= 0:
        yield at
        at = data.find(mark, at + 1)


def _page_fields(data: bytes) -> Iterator[Field]:
    for at in places(data, b"OggS"):
        yield from (Field(at + 4, 1, "little"), Field(at + 5, 1, "little"), Field(at + 6, 8, "little"))
        yield from (Field(at + 14, 4, "little"), Field(at + 18, 4, "little"), Field(at + 26, 1, "little", is_size=True))
        yield from (Field(at + 27 + place, 1, "little", is_size=True) for place in range(4))
        content = at + 27 + data[at + 26] if at + 26 < len(data) else at
        yield from (Field(content + 8 + place, 1, "little") for place in range(12))
        yield from (Field(content + 8 + place, 4, "little") for place in range(0, 12, 4))


def _flac_fields(data: bytes) -> Iterator[Field]:
    at = 4
    while at + 4 <= len(data):
        yield Field(at, 1, "big")
        yield Field(at + 1, 3, "big", is_size=True)
        yield from (Field(at + 4 + place, 1, "big") for place in range(34))
        yield from (Field(at + 4 + place, 2, "big") for place in range(0, 4, 2))
        if data[at] & 0x80:
            break
        at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
    for frame in places(data, b"\xff\xf8"):
        yield from (Field(frame + place, 1, "big") for place in range(2, 8))


def _id3_fields(data: bytes) -> Iterator[Field]:
    yield from (Field(place, 1, "big") for place in range(3, 6))
    yield from (Field(place, 1, "big", is_size=True) for place in range(6, 10))
    yield Field(6, 4, "big", is_size=True)
    size = 0
    for digit in data[6:10]:
        size = size << 7 | digit & 0x7F
    at = 10
    while at + 10 <= min(len(data), 10 + size) and data[at]:
        yield Field(at + 4, 4, "big", is_size=True)
        yield Field(at + 8, 2, "big")
        yield Field(at + 10, 1, "big")
        at += 10 + int.from_bytes(data[at + 4 : at + 8], "big")
    yield from _frame_fields(data, 10 + size)


def _first_fields() -> Iterator[Field]:
    """Other formats: treat the first bytes as numbers."""
    for width in (1, 2, 4, 8):
        for order in ("little", "big"):
            yield from (Field(at, width, order, is_size=width > 1) for at in range(0, 96, width))


def _frame_fields(data: bytes, start: int = 0) -> Iterator[Field]:
    """MPEG audio and ADTS: frame headers of four and seven bytes that begin with eleven set bits."""
    for at in range(start, len(data) - 1):
        if data[at] == 0xFF and data[at + 1] >= 0xE0:
            yield from (Field(at + place, 1, "big") for place in range(1, 8))
            yield from (Field(at + place, 2, "big") for place in range(2, 6))


def _page_checksums() -> list[int]:
    table = []
    for start in range(256):
        value = start << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
        table.append(value)
    return table


_CHECKSUMS: Final = _page_checksums()


def with_checksums(data: bytes) -> bytes:
    """Correct the checksums of changed Ogg pages: decoders skip pages with a wrong one (RFC 3533, 6)."""
    changed, at = bytearray(data), 0
    while data[at : at + 4] == b"OggS" and at + 27 <= len(data):
        end = at + 27 + data[at + 26] + sum(data[at + 27 : at + 27 + data[at + 26]])
        changed[at + 22 : at + 26] = bytes(4)
        value = 0
        for byte in changed[at:end]:
            value = (value << 8 & 0xFFFFFFFF) ^ _CHECKSUMS[value >> 24 ^ byte]
        changed[at + 22 : at + 26] = struct.pack("<I", value)
        at = end
    return bytes(changed)
