"""Levels as a picture: a PNG of 256 colours (ISO/IEC 15948)."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Final

_STOPS: Final = ((10, 10, 28), (48, 18, 92), (132, 32, 107), (212, 72, 66), (250, 155, 40), (252, 250, 190))
"""From silence to the loudest; each is brighter than the one before, so that it also reads in grey."""


def png(levels: bytes, columns: int) -> bytes:
    """Rows of one byte a column, the upper row first, as PNG."""
    rows = len(levels) // columns
    lines = b"".join(b"\0" + levels[row * columns : (row + 1) * columns] for row in range(rows))
    head = struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", head), (b"PLTE", _palette()), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in parts)


def data_url(content: bytes) -> str:
    """A PNG as a URL that holds it."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _palette() -> bytes:
    colours = bytearray()
    for level in range(256):
        place = level / 255 * (len(_STOPS) - 1)
        below = min(int(place), len(_STOPS) - 2)
        for low, high in zip(_STOPS[below], _STOPS[below + 1], strict=True):
            colours.append(round(low + (high - low) * (place - below)))
    return bytes(colours)
