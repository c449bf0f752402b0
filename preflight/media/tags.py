"""The tags before, between and after encoded audio: ID3, APE and Lyrics3.

Layouts: ID3v2.4.0 main structure, sections 3.1 (header), 3.4 (footer) and 4 (frames); ID3v1 with its "TAG+" extension;
APEv2 (Hydrogenaudio wiki); Lyrics3 v1 and v2.00.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from preflight.input.source import Source

_ID3V1_BYTES: Final = 128
_ID3V1_EXTENSION_BYTES: Final = 227
_HAS_EXTENDED_HEADER: Final = 0x40
_APE_BYTES: Final = 32
"""The size of the APE header, and of the footer."""
_APE_HAS_HEADER: Final = 1 << 31
"""A flag in the footer."""
_APE_IS_HEADER: Final = 1 << 29
_LYRICS3_V1_BYTES: Final = 5100
"""The maximum size: version 1 does not store it."""
_MAX_TAGS: Final = 64
_TEXT_BYTES: Final = 64


def leading_tags(source: Source) -> int:
    """Return the offset after the ID3v2 and APE tags at the start of the file; 0 without tags."""
    offset = 0
    for _ in range(_MAX_TAGS):
        size = tag_at(source, offset)
        if not size or source.read_at(offset, 3) == b"TAG":  # ID3v1 exists only at the end
            break
        offset += size
    return min(offset, source.size)


def trailing_tags(source: Source, begin: int) -> int:
    """Return the offset where the tags at the end of the file start; at least `begin`."""
    end = source.size
    for _ in range(_MAX_TAGS):
        size = _tag_before(source, end)
        if not 0 < size <= end - begin:
            break
        end -= size
    return end


def tag_at(source: Source, offset: int) -> int:
    """Return the size of the tag at `offset`, up to the end of the file; 0 if there is none."""
    head = source.read_at(offset, _APE_BYTES)
    left = source.size - offset
    # ID3v2.4.0 section 3.1: "ID3", version, revision, flags, and a size of four bytes below 0x80
    if head[:3] == b"ID3" and len(head) >= 10 and head[3] in (2, 3, 4) and max(head[6:10]) < 0x80:
        has_footer = head[3] == 4 and bool(head[5] & 0x10)
        return min(left, 10 + synchsafe(head[6:10]) + 10 * has_footer)
    if head[:8] == b"APETAGEX" and len(head) == _APE_BYTES:
        if not int.from_bytes(head[20:24], "little") & _APE_IS_HEADER:
            return _APE_BYTES  # a footer: its items are before it
        return min(left, _APE_BYTES + int.from_bytes(head[12:16], "little"))  # the size includes the footer
    if head[:4] == b"TAG+" and left >= _ID3V1_EXTENSION_BYTES + _ID3V1_BYTES:
        return _ID3V1_EXTENSION_BYTES
    if head[:3] == b"TAG" and left >= _ID3V1_BYTES:
        return _ID3V1_BYTES
    return _lyrics3_at(source, offset) if head[:11] == b"LYRICSBEGIN" else 0


def ape_bytes_before(source: Source, offset: int) -> int:
    """Return the size of the items before an APE footer at `offset`; 0 if there is no footer."""
    footer = source.read_at(offset, _APE_BYTES)
    if footer[:8] != b"APETAGEX" or len(footer) < _APE_BYTES:
        return 0
    is_header = int.from_bytes(footer[20:24], "little") & _APE_IS_HEADER
    return 0 if is_header else int.from_bytes(footer[12:16], "little") - _APE_BYTES


def synchsafe(data: bytes) -> int:
    """Return the value of a synchsafe integer: seven bits per byte (ID3v2.4.0 main structure, section 6.2).

    >>> synchsafe(bytes([0, 0, 2, 1]))
    257
    """
    value = 0
    for byte in data:
        value = value << 7 | byte & 0x7F
    return value


def id3v2_length_s(source: Source) -> float | None:
    """Return the duration in the TLEN frame of the leading ID3v2 tags, in seconds; None without a valid one."""
    offset = 0
    for _ in range(_MAX_TAGS):
        size = tag_at(source, offset)
        if not size:
            break
        if source.read_at(offset, 3) == b"ID3" and (seconds := _length_in(source, offset, offset + size)):
            return seconds
        offset += size
    return None


def _length_in(source: Source, begin: int, end: int) -> float | None:
    head = source.read_at(begin, 14)
    is_old = head[3] == 2  # ID3v2.2 has frame headers of 6 bytes: name and size of three bytes each
    name, head_bytes = (b"TLE", 6) if is_old else (b"TLEN", 10)
    offset = begin + 10
    if head[5] & _HAS_EXTENDED_HEADER and not is_old:
        # its size includes the size field since ID3v2.4 (section 3.2), and does not in ID3v2.3
        offset += synchsafe(head[10:14]) if head[3] == 4 else 4 + int.from_bytes(head[10:14])
    while offset + head_bytes < end:
        frame = source.read_at(offset, head_bytes)
        if not re.fullmatch(rb"[A-Z0-9]{3,4}", frame[: len(name)]):
            return None  # padding, or not a frame
        field = frame[len(name) : len(name) + (3 if is_old else 4)]
        # frame sizes are synchsafe since ID3v2.4 (section 4), and plain integers before
        length = synchsafe(field) if head[3] == 4 else int.from_bytes(field)
        if frame[: len(name)] == name:
            return _milliseconds(source.read_at(offset + head_bytes, min(length, _TEXT_BYTES)))
        offset += head_bytes + length
    return None


def _milliseconds(text: bytes) -> float | None:
    """Return the seconds in a text frame: an encoding byte, then milliseconds in Latin-1, UTF-8 or UTF-16."""
    digits = text[1:].replace(b"\0", b"").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff").strip()
    return int(digits) / 1000 if re.fullmatch(rb"[0-9]{1,12}", digits) else None


def _lyrics3_at(source: Source, offset: int) -> int:
    data = source.read_at(offset, 1 << 20)  # the size is stored only at the end of the tag
    match = re.search(rb"LYRICSEND|[0-9]{6}LYRICS200", data)
    return match.end() if match else 0


def _tag_before(source: Source, end: int) -> int:
    """Return the size of the tag that ends at `end`; 0 if there is none."""
    tail = source.read_at(max(0, end - _ID3V1_BYTES), min(end, _ID3V1_BYTES))
    if len(tail) == _ID3V1_BYTES and tail[:3] == b"TAG":
        before = end - _ID3V1_BYTES - _ID3V1_EXTENSION_BYTES
        has_extension = before >= 0 and source.read_at(before, 4) == b"TAG+"
        return _ID3V1_BYTES + _ID3V1_EXTENSION_BYTES * has_extension
    footer = tail[-_APE_BYTES:]
    if footer[:8] == b"APETAGEX":
        has_header = bool(int.from_bytes(footer[20:24], "little") & _APE_HAS_HEADER)
        return int.from_bytes(footer[12:16], "little") + _APE_BYTES * has_header
    if re.fullmatch(rb"[0-9]{6}LYRICS200", tail[-15:]):  # Lyrics3 v2: the size without this trailer, then the name
        return int(tail[-15:-9]) + 15
    if tail[-9:] == b"LYRICSEND":
        text = source.read_at(max(0, end - _LYRICS3_V1_BYTES), min(end, _LYRICS3_V1_BYTES))
        at = text.rfind(b"LYRICSBEGIN")
        return len(text) - at if at >= 0 else 0
    # ID3v2.4.0 section 3.4: the footer of an appended tag is a copy of the header with "3DI"
    if tail[-10:-7] == b"3DI" and max(tail[-4:]) < 0x80:
        return synchsafe(tail[-4:]) + 20
    return 0
