"""Mutations of header fields."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING, Final

from tests.fuzz.fields import Field, boxes_of, fields_of, places, with_checksums

if TYPE_CHECKING:
    from collections.abc import Mapping

    Corpus = Mapping[str, bytes]

_NAMES: Final = (
    *(b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"stts", b"stsz", b"stsc", b"stco", b"co64", b"elst"),
    *(b"mp4a", b"alac", b"esds", b"enca", b"moof", b"traf", b"trun", b"mdat", b"free", b"udta", b"meta", b"sidx"),
    *(b"data", b"fmt ", b"LIST", b"fact", b"JUNK", b"RIFF", b"ds64", b"SSND", b"COMM", b"RF64", b"FORM", b"OggS"),
)


def _extreme(chance: random.Random, now: int, width: int) -> int:
    most = (1 << 8 * width) - 1
    choices = (0, 1, 2, most, most - 1, most >> 1, (most >> 1) + 1, now + 1, now - 1, now * 2, now // 2, now ^ most)
    return chance.choice((*choices, chance.randint(0, most), 1 << chance.randrange(8 * width))) & most


def _written(data: bytearray, field: Field, value: int) -> None:
    data[field.at : field.at + field.width] = value.to_bytes(
        field.width, "little" if field.order == "little" else "big"
    )


def _read(data: bytes | bytearray, field: Field) -> int:
    content = data[field.at : field.at + field.width]
    return int.from_bytes(content, "little" if field.order == "little" else "big")


def header_fields(chance: random.Random, data: bytes, _corpus: Corpus) -> bytes:
    """Set numbers in headers to extreme values, or replace chunk names."""
    fields = fields_of(data)
    changed = bytearray(data)
    for field in chance.choices(fields, k=int(2 ** chance.uniform(0, 3.5))) if fields else ():
        is_name = field.width == 4 and data[field.at : field.at + 4].isalnum()
        if is_name and chance.random() < 0.7:
            changed[field.at : field.at + 4] = chance.choice(_NAMES)
        else:
            _written(changed, field, _extreme(chance, _read(data, field), field.width))
    return with_checksums(bytes(changed)) if chance.random() < 0.8 else bytes(changed)


def sizes(chance: random.Random, data: bytes, _corpus: Corpus) -> bytes:
    """Set size fields to extreme values."""
    fields = [field for field in fields_of(data) if field.is_size]
    changed = bytearray(data)
    for field in chance.choices(fields, k=int(2 ** chance.uniform(0, 2.5))) if fields else ():
        most = (1 << 8 * field.width) - 1
        _written(changed, field, chance.choice((0, most, most >> 1, 1, 7, 8, len(data), len(data) - field.at)) & most)
    return with_checksums(bytes(changed)) if chance.random() < 0.8 else bytes(changed)


def every_frame(chance: random.Random, data: bytes, _corpus: Corpus) -> bytes:
    """Apply the same change to every MPEG or ADTS frame header, so that they stay consistent."""
    place, mask = chance.choice((1, 2, 3, 4, 5)), chance.randrange(1, 256)
    changed, start = bytearray(data), data[1:2]
    mark = b"\xff" + start if data[:1] == b"\xff" else b"\xff\xfb"
    for at in places(data, mark):
        if at + place < len(data) and chance.random() < 0.98:
            changed[at + place] ^= mask
    return bytes(changed)


def tagged(chance: random.Random, data: bytes, _corpus: Corpus) -> bytes:
    """Prepend one or many ID3 tags with correct or wrong sizes."""
    body = b"".join(
        chance.choice((b"TIT2", b"APIC", b"PRIV", b"TLEN", b"CHAP", b"\0\0\0\0", b"GEOB"))
        + struct.pack(">IH", chance.choice((0, 5, 5, 5, 200, 0x7FFFFFFF, 0xFFFFFFFF)), chance.randrange(0x10000))
        + chance.randbytes(5)
        for _ in range(chance.randrange(1, 30))
    )
    size = chance.choice((len(body), len(body), 0, 0x0FFFFFFF, len(body) // 2))
    digits = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    tag = b"ID3" + bytes((chance.choice((2, 3, 4, 255)), 0, chance.choice((0, 0x80, 0x40, 0x10, 0xFF)))) + digits + body
    return tag * chance.choice((1, 1, 2, 200)) + data


def nested(chance: random.Random, data: bytes, _corpus: Corpus) -> bytes:
    """Nest boxes or chunks up to some thousand levels deep."""
    times = int(2 ** chance.uniform(1, 12))
    if data[4:8] == b"ftyp":
        boxes = list(boxes_of(data))
        box = chance.choice([box for box in boxes if box.kind != b"mdat"] or boxes)
        kind = chance.choice((box.kind, b"moov", b"trak", b"udta", b"meta", b"stbl", b"moof"))
        inner, heads = data[box.start : box.end], []
        for level in range(times):
            heads.append(struct.pack(">I4s", (len(inner) + 8 * (level + 1)) & 0xFFFFFFFF, kind))
        return data[: box.start] + b"".join(reversed(heads)) + inner + data[box.end :]
    sizes = ((times - level) * 12 + 4 for level in range(times))
    return data[:12] + b"".join(b"LIST" + struct.pack("<I", size) + b"INFO" for size in sizes) + data[12:]
