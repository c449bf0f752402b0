"""Frame headers of MPEG audio layer III and of ADTS, and the durations that an MP3 declares.

FFmpeg guesses a duration from the bit rate when an MP3 has none, and does not say that it guessed. Frame header of
MP3: ISO/IEC 11172-3, 2.4.1.3; of ADTS: ISO/IEC 13818-7, 6.2. Xing, Info and VBRI headers: as LAME and the Fraunhofer
encoder write them.
"""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from typing import Final, NamedTuple

LAYER_III: Final = 1
MONO: Final = 3
BIT_RATES: Final = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    0: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""kbit/s of layer III by the index in the header, for MPEG-1, MPEG-2 and MPEG-2.5 (ISO/IEC 11172-3 and 13818-3)."""
RATES_HZ: Final = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
DECODER_DELAY: Final = 529
"""Samples by which every MP3 decoder is late; what the Info frame declares is without them."""
_ADTS_RATES_HZ: Final = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_HAS_FRAMES: Final = 1
_HAS_BYTES: Final = 2
_WRITERS: Final = (b"LAME", b"Lavf", b"Lavc")
"""Behind other names FFmpeg does not heed the delays either."""
INFO_BYTES: Final = 4 + 2 + 32 + 8 + 4 + 4 + 100 + 4 + 36
"""A frame header, checksum, side information, and the longest Info header."""


class FrameHeader(NamedTuple):
    """What the header of a frame says.

    Attributes:
        key: What all frames of one stream have in common.
        size: Bytes of the frame.
        samples: Of one channel in the frame.
        rate_hz: Samples per second.
        side_bytes: Of the side information of layer III; 0 in ADTS.
        head_bytes: Header and checksum.
    """

    key: tuple[int, int, int]
    size: int
    samples: int
    rate_hz: int
    side_bytes: int
    head_bytes: int


class Syntax(NamedTuple):
    """How frames of one format are recognized.

    Attributes:
        header_bytes: What `parse` needs.
        sync: Matches where a frame, or a tag, may begin.
        has_reservoir: Whether frames use bytes of earlier frames.
    """

    header_bytes: int
    sync: re.Pattern[bytes]
    has_reservoir: bool

    def parse(self, head: bytes) -> FrameHeader | None:
        """The frame header in the first bytes of `head`; None when it is not a valid one."""
        return (_mp3_header if self.has_reservoir else _adts_header)(head[: self.header_bytes])


_TAGS: Final = rb"|ID3[\x02-\x04]|APETAGEX|TAG|LYRICSBEGIN"
SYNTAXES: Final = {
    "mp3": Syntax(4, re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x10-\xeb]" + _TAGS, re.DOTALL), True),
    "aac": Syntax(7, re.compile(rb"\xff[\xf0\xf1\xf8\xf9]" + _TAGS, re.DOTALL), False),
}
"""By codec."""


class InfoHeader(NamedTuple):
    """What an encoder declares in a frame of its own at the beginning.

    Attributes:
        name: ``Xing``, ``Info`` or ``VBRI``.
        frames: Number of frames after it.
        skipped: Samples at the beginning and at the end that are the encoder's own.
        delay: Those at the beginning; None where decoders skip none.
        bytes: Of all frames, this one included; None when not declared.
    """

    name: str
    frames: int
    skipped: int
    delay: int | None
    bytes: int | None


@lru_cache(4096)
def _mp3_header(head: bytes) -> FrameHeader | None:
    if len(head) < 4 or head[0] != 0xFF or head[1] < 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate_index, rate_index = head[2] >> 4, head[2] >> 2 & 3
    if version not in RATES_HZ or layer != LAYER_III or rate_index == 3 or not 0 < bit_rate_index < 15:
        return None
    rate_hz, is_mpeg1, is_mono = RATES_HZ[version][rate_index], version == 3, head[3] >> 6 == MONO
    size = (144 if is_mpeg1 else 72) * BIT_RATES[version][bit_rate_index] * 1000 // rate_hz + (head[2] >> 1 & 1)
    side = (17 if is_mono else 32) if is_mpeg1 else (9 if is_mono else 17)
    key = (version, rate_index, is_mono)
    return FrameHeader(key, size, 1152 if is_mpeg1 else 576, rate_hz, side, 4 if head[1] & 1 else 6)


@lru_cache(4096)
def _adts_header(head: bytes) -> FrameHeader | None:
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return None
    rate_index, size = head[2] >> 2 & 15, (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    head_bytes = 7 if head[1] & 1 else 9
    if rate_index >= len(_ADTS_RATES_HZ) or size <= head_bytes:
        return None
    key = (head[1] >> 3 & 1, head[2] & 0xFC, (head[2] & 1) << 2 | head[3] >> 6)
    return FrameHeader(key, size, 1024 * (1 + (head[6] & 3)), _ADTS_RATES_HZ[rate_index], 0, head_bytes)


def reaches_back(frame: bytes, header: FrameHeader) -> int:
    """Bytes of earlier frames that a frame of layer III needs: `main_data_begin` (ISO/IEC 11172-3, 2.4.2.7)."""
    at = header.head_bytes
    return int.from_bytes(frame[at : at + 2]) >> 7 if header.key[0] == 3 else frame[at]


def info_header(frame: bytes, header: FrameHeader) -> InfoHeader | None:
    """The Xing, Info or VBRI header in an MP3 frame; None when the frame holds sound."""
    xing, vbri = 4 + header.side_bytes, 4 + 32
    name = frame[xing : xing + 4]
    if name in (b"Xing", b"Info"):
        flags = int.from_bytes(frame[xing + 4 : xing + 8])
        at, values = xing + 8, {}
        for bit, size in ((_HAS_FRAMES, 4), (_HAS_BYTES, 4), (4, 100), (8, 4)):
            if flags & bit:
                values[bit] = int.from_bytes(frame[at : at + size])
                at += size
        skipped, delay = _skipped(frame[at : at + 24])
        return InfoHeader(name.decode(), values.get(_HAS_FRAMES, 0), skipped, delay, values.get(_HAS_BYTES))
    if frame[vbri : vbri + 4] == b"VBRI" and len(frame) >= vbri + 18:
        size, frames = struct.unpack(">II", frame[vbri + 10 : vbri + 18])
        return InfoHeader("VBRI", frames, 0, None, size)
    return None


def _skipped(extension: bytes) -> tuple[int, int | None]:
    """Samples at both ends that are the encoder's, and those at the beginning, as LAME writes them."""
    if extension[:4] not in _WRITERS:
        return 0, None
    delays = int.from_bytes(extension[21:24])
    return (delays >> 12) + (delays & 0xFFF), delays >> 12
