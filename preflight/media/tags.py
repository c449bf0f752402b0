"""Where tags lie around and between coded audio: ID3, APE and Lyrics3.

Layouts: ID3v2.4.0 structure, section 3.1 (header), 3.4 (footer); ID3v1 with its "TAG+" extension; APEv2 (Hydrogenaudio
wiki); Lyrics3 v2.00.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from preflight.input.source import Source

_ID3V1_BYTES: Final = 128
_ID3V1_EXTENSION_BYTES: Final = 227
_APE_BYTES: Final = 32
"""Of the header and of the footer."""
_APE_HAS_HEADER: Final = 1 << 31
_LYRICS3_V1_BYTES: Final = 5100
_MOST_TAGS: Final = 64
_TEXT_BYTES: Final = 64


def leading_tags(source: Source) -> int:
    """The offset of the first byte after the ID3v2 and APE tags at the beginning; 0 without tags."""
    offset = 0
    for _ in range(_MOST_TAGS):
        size = tag_at(source, offset)
        if not size or source.read_at(offset, 3) == b"TAG":
            break
        offset += size
    return min(offset, source.size)


def trailing_tags(source: Source, begin: int) -> int:
    """The offset at which the tags at the end of the file begin; at least `begin`."""
    end = source.size
    for _ in range(_MOST_TAGS):
        size = _tag_before(source, end)
        if not 0 < size <= end - begin:
            break
        end -= size
    return end


def tag_at(source: Source, offset: int) -> int:
    """Bytes of the tag that begins at `offset`, limited to the file; 0 when there is none."""
    head = source.read_at(offset, _APE_BYTES)
    left = source.size - offset
    if head[:3] == b"ID3" and len(head) >= 10 and head[3] in (2, 3, 4) and max(head[6:10]) < 0x80:
        has_footer = head[3] == 4 and bool(head[5] & 0x10)
        return min(left, 10 + synchsafe(head[6:10]) + 10 * has_footer)
    if head[:8] == b"APETAGEX" and len(head) == _APE_BYTES:
        return min(left, _APE_BYTES + int.from_bytes(head[12:16], "little"))
    if head[:4] == b"TAG+" and left >= _ID3V1_EXTENSION_BYTES + _ID3V1_BYTES:
        return _ID3V1_EXTENSION_BYTES
    if head[:3] == b"TAG" and left >= _ID3V1_BYTES:
        return _ID3V1_BYTES
    return _lyrics3_at(source, offset) if head[:11] == b"LYRICSBEGIN" else 0


def synchsafe(data: bytes) -> int:
    """A number of which each byte holds seven bits (ID3v2.4.0 structure, section 6.2)."""
    value = 0
    for byte in data:
        value = value << 7 | byte & 0x7F
    return value


def id3v2_length_s(source: Source) -> float | None:
    """Seconds by the TLEN frame of the ID3v2 tag at the beginning; None without a valid one."""
    head = source.read_at(0, 10)
    size = tag_at(source, 0)
    if head[:3] != b"ID3" or not size:
        return None
    is_old = head[3] == 2
    name, head_bytes = (b"TLE", 6) if is_old else (b"TLEN", 10)
    offset = 10
    while offset + head_bytes < size:
        frame = source.read_at(offset, head_bytes)
        if not re.fullmatch(rb"[A-Z0-9]{3,4}", frame[: len(name)]):
            return None
        field = frame[len(name) : len(name) + (3 if is_old else 4)]
        length = synchsafe(field) if head[3] == 4 else int.from_bytes(field)
        if frame[: len(name)] == name:
            return _milliseconds(source.read_at(offset + head_bytes, min(length, _TEXT_BYTES)))
        offset += head_bytes + length
    return None


def _milliseconds(text: bytes) -> float | None:
    """The number in a text frame: an encoding byte, then digits in Latin-1, UTF-8 or UTF-16."""
    digits = text[1:].replace(b"\0", b"").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff").strip()
    return int(digits) / 1000 if re.fullmatch(rb"[0-9]{1,12}", digits) else None


def _lyrics3_at(source: Source, offset: int) -> int:
    data = source.read_at(offset, 1 << 20)
    match = re.search(rb"LYRICSEND|[0-9]{6}LYRICS200", data)
    return match.end() if match else 0


def _tag_before(source: Source, end: int) -> int:
    """Bytes of the tag that ends at `end`; 0 when there is none."""
    tail = source.read_at(max(0, end - _ID3V1_BYTES), min(end, _ID3V1_BYTES))
    if len(tail) == _ID3V1_BYTES and tail[:3] == b"TAG":
        before = end - _ID3V1_BYTES - _ID3V1_EXTENSION_BYTES
        has_extension = before >= 0 and source.read_at(before, 4) == b"TAG+"
        return _ID3V1_BYTES + _ID3V1_EXTENSION_BYTES * has_extension
    footer = tail[-_APE_BYTES:]
    if footer[:8] == b"APETAGEX":
        has_header = bool(int.from_bytes(footer[20:24], "little") & _APE_HAS_HEADER)
        return int.from_bytes(footer[12:16], "little") + _APE_BYTES * has_header
    if re.fullmatch(rb"[0-9]{6}LYRICS200", tail[-15:]):
        return int(tail[-15:-9]) + 15
    if tail[-9:] == b"LYRICSEND":
        text = source.read_at(max(0, end - _LYRICS3_V1_BYTES), min(end, _LYRICS3_V1_BYTES))
        at = text.rfind(b"LYRICSBEGIN")
        return len(text) - at if at >= 0 else 0
    if tail[-10:-7] == b"3DI" and max(tail[-4:]) < 0x80:
        return synchsafe(tail[-4:]) + 20
    return 0
