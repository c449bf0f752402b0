"""How long an MP3 says that it is.

FFmpeg guesses a duration from the bit rate when the file has none, and does not say that it guessed. Only
what an encoder wrote down can show that a file stops early. Layout of the Xing/Info and VBRI headers: as
LAME and the Fraunhofer encoder write them; frame header: ISO/IEC 11172-3, 2.4.1.3.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from preflight.source import Source

_RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_HAS_FRAMES = 1
_WRITERS = (b"LAME", b"Lavf", b"Lavc")
"""Behind other names FFmpeg does not heed the delays either."""
_SEARCH = 65536


def declared_duration_s(source: Source) -> float | None:
    """Seconds by the Xing, Info or VBRI header of an MP3; None when it has none."""
    start = _after_id3v2(source)
    data = source.read_at(start, _SEARCH)
    at = data.find(b"\xff")
    while 0 <= at < len(data) - 200:
        version, layer, rate_index = data[at + 1] >> 3 & 3, data[at + 1] >> 1 & 3, data[at + 2] >> 2 & 3
        if data[at + 1] >= 0xE0 and version in _RATES_HZ and layer == 1 and rate_index < 3:
            return _seconds(data, at, version, _RATES_HZ[version][rate_index])
        at = data.find(b"\xff", at + 1)
    return None


def _seconds(data: bytes, at: int, version: int, rate: int) -> float | None:
    is_mpeg1, is_mono = version == 3, data[at + 3] >> 6 == 3
    side_info = (17 if is_mono else 32) if is_mpeg1 else (9 if is_mono else 17)
    xing, vbri = at + 4 + side_info, at + 36
    passed_over = 0
    if data[xing : xing + 4] in (b"Xing", b"Info") and data[xing + 7] & _HAS_FRAMES:
        frames = struct.unpack(">I", data[xing + 8 : xing + 12])[0]
        passed_over = _passed_over(data, xing)
    elif data[vbri : vbri + 4] == b"VBRI":
        frames = struct.unpack(">I", data[vbri + 14 : vbri + 18])[0]
    else:
        return None
    return max(0.0, float(frames * (1152 if is_mpeg1 else 576) - passed_over) / rate)


def _passed_over(data: bytes, xing: int) -> int:
    """Samples at the beginning and the end that are the encoder's, as LAME writes them down."""
    fields = sum(size for bit, size in ((1, 4), (2, 4), (4, 100), (8, 4)) if data[xing + 7] & bit)
    extension = xing + 8 + fields
    if data[extension : extension + 4] not in _WRITERS:
        return 0
    delays = int.from_bytes(data[extension + 21 : extension + 24])
    return (delays >> 12) + (delays & 0xFFF)


def _after_id3v2(source: Source) -> int:
    """Where the audio begins: several tags in a row occur."""
    at = 0
    while (head := source.read_at(at, 10))[:3] == b"ID3" and len(head) == 10:
        size = 0
        for byte in head[6:]:
            size = size << 7 | byte & 0x7F
        at += 10 + size
    return at
