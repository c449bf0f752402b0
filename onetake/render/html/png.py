"""Encode levels as a PNG with a palette of 256 colors (ISO/IEC 15948)."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Final

_STOPS: Final = ((10, 10, 28), (48, 18, 92), (132, 32, 107), (212, 72, 66), (250, 155, 40), (252, 250, 190))
"""Palette from silence to the maximum; brightness increases, so that it is readable in grayscale, too."""


def png(levels: bytes, columns: int) -> bytes:
    """Encode rows of one byte per column, top row first."""
    rows = len(levels) // columns
    lines = b"".join(b"\0" + levels[row * columns : (row + 1) * columns] for row in range(rows))
    # bit depth 8, color type 3 (palette), no interlacing (11.2.2); each row starts with its filter type, 0 (none)
    head = struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", head), (b"PLTE", _palette()), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in parts)


def data_url(content: bytes) -> str:
    """A PNG as a data URL."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _palette() -> bytes:
    colors = bytearray()
    for level in range(256):
        position = level / 255 * (len(_STOPS) - 1)
        below = min(int(position), len(_STOPS) - 2)
        for low, high in zip(_STOPS[below], _STOPS[below + 1], strict=True):
            colors.append(round(low + (high - low) * (position - below)))
    return bytes(colors)
