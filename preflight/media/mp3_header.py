"""Frame headers of MP3 and ADTS, and the Xing, Info and VBRI headers of an MP3.

FFmpeg estimates the duration from the bit rate if an MP3 declares none, and does not report that it is an estimate.
Frame header of MP3: ISO/IEC 11172-3, 2.4.1.3, with the low sample rates of ISO/IEC 13818-3, 2.4.2.3; MPEG-2.5 is an
extension of Fraunhofer. ADTS: ISO/IEC 13818-7, 6.2. Xing and Info are not standardized: the layout is that of LAME
("Mp3 Info Tag rev 1"); VBRI is that of the Fraunhofer encoder.
"""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

LAYER_III: Final = 1
MONO: Final = 3
"""Values of the fields `layer` and `mode` (ISO/IEC 11172-3, 2.4.2.3)."""
BIT_RATES: Final = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    0: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates of layer III in kbit/s, by version (3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5) and by the index in the header."""
RATES_HZ: Final = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
"""Sample rates in hertz, by version and index."""
DECODER_DELAY: Final = 529
"""The delay of an MP3 decoder in samples (filter bank and overlap); the delay in the Info frame is without it."""
_ADTS_RATES_HZ: Final = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
"""By sampling_frequency_index (ISO/IEC 13818-7)."""
_HAS_FRAMES, _HAS_BYTES, _HAS_TOC, _HAS_QUALITY = 1, 2, 4, 8
"""Flags of a Xing or Info header."""
_WRITERS: Final = (b"LAME", b"Lavf", b"Lavc")
"""FFmpeg ignores the delays that other encoders write, so the decoded duration includes them."""
FREE_FORMAT_BYTES: Final = 1 << 14
INFO_BYTES: Final = 4 + 2 + 32 + 8 + 4 + 4 + 100 + 4 + 36
"""Frame header, checksum, side information, and the longest Info header: name, flags, four fields, LAME extension."""


class FrameHeader(NamedTuple):
    """The header of an MP3 or ADTS frame.

    Attributes:
        key: The fields that are equal in all frames of a stream.
        size: The size of the frame in bytes.
        samples: The number of samples per channel.
        rate_hz: The sample rate in hertz.
        side_bytes: The size of the side information of layer III; 0 for ADTS.
        head_bytes: The size of header and checksum.
    """

    key: tuple[int, int, int]
    size: int
    samples: int
    rate_hz: int
    side_bytes: int
    head_bytes: int


class Syntax(NamedTuple):
    """The frame syntax of a format.

    Attributes:
        header_bytes: The number of bytes that `parse` needs.
        sync: Matches the possible start of a frame or a tag.
        has_reservoir: Whether frames use bytes of earlier frames (the bit reservoir of layer III).
    """

    header_bytes: int
    sync: re.Pattern[bytes]
    has_reservoir: bool

    @property
    def parser(self) -> Callable[[bytes], FrameHeader | None]:
        """The function that returns the frame header in `header_bytes` bytes; None if it is not valid."""
        return _mp3_header if self.has_reservoir else _adts_header

    def parse(self, head: bytes) -> FrameHeader | None:
        """Return the frame header at the start of `head`; None if it is not valid."""
        return self.parser(head[: self.header_bytes])


_TAGS: Final = rb"|ID3[\x02-\x04]|APETAGEX|TAG|LYRICSBEGIN"
SYNTAXES: Final = {
    "mp3": Syntax(4, re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x10-\xeb]" + _TAGS, re.DOTALL), True),
    "aac": Syntax(7, re.compile(rb"\xff[\xf0\xf1\xf8\xf9]" + _TAGS, re.DOTALL), False),
}
"""The frame syntax by codec."""


class InfoHeader(NamedTuple):
    """The header that an encoder writes into a first frame without audio.

    Attributes:
        name: ``Xing`` (variable bit rate), ``Info`` (constant bit rate) or ``VBRI``.
        frames: The number of frames after it.
        skipped: Encoder delay and padding together, in samples.
        delay: The encoder delay in samples; None if decoders skip none.
        bytes: The size of all frames including this one; None if not declared.
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
    # 11 bits sync, version, layer, protection | bit rate, sample rate, padding, private | mode, …
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate_index, rate_index = head[2] >> 4, head[2] >> 2 & 3
    if version not in RATES_HZ or layer != LAYER_III or rate_index == 3 or not 0 < bit_rate_index < 15:
        return None
    rate_hz, is_mpeg1, is_mono = RATES_HZ[version][rate_index], version == 3, head[3] >> 6 == MONO
    # bytes = samples / 8 * bit rate / sample rate, plus one if the padding bit is set (ISO/IEC 11172-3, 2.4.3.1)
    size = (144 if is_mpeg1 else 72) * BIT_RATES[version][bit_rate_index] * 1000 // rate_hz + (head[2] >> 1 & 1)
    side = (17 if is_mono else 32) if is_mpeg1 else (9 if is_mono else 17)
    key = (version, rate_index, is_mono)
    return FrameHeader(key, size, 1152 if is_mpeg1 else 576, rate_hz, side, 4 if head[1] & 1 else 6)


def is_free_format(data: bytes) -> bool:
    """Whether an MP3 starts without a bit rate: bitrate_index 0, free format (ISO/IEC 11172-3, 2.4.2.3).

    Args:
        data: The first `FREE_FORMAT_BYTES` of the frames.
    """
    if len(data) < 4 or data[2] >> 4 or _mp3_header(bytes((data[0], data[1], data[2] | 0x10, data[3]))) is None:
        return False
    # all frames have the same size, but for the padding bit
    same = re.compile(re.escape(data[:2]) + b"[" + re.escape(bytes((data[2] & ~2, data[2] | 2))) + b"]")
    starts = [match.start() for match in same.finditer(data)]
    return any({2 * size, 2 * size - 1, 2 * size + 1} & set(starts) for size in starts[1:])


@lru_cache(4096)
def _adts_header(head: bytes) -> FrameHeader | None:
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return None
    # adts_fixed_header and adts_variable_header: aac_frame_length has 13 bits and includes the header
    rate_index, size = head[2] >> 2 & 15, (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    head_bytes = 7 if head[1] & 1 else 9
    if rate_index >= len(_ADTS_RATES_HZ) or size <= head_bytes:
        return None
    key = (head[1] >> 3 & 1, head[2] & 0xFC, (head[2] & 1) << 2 | head[3] >> 6)
    return FrameHeader(key, size, 1024 * (1 + (head[6] & 3)), _ADTS_RATES_HZ[rate_index], 0, head_bytes)


def reaches_back(frame: bytes, header: FrameHeader) -> int:
    """Return how many bytes of earlier frames a layer III frame uses: main_data_begin (ISO/IEC 11172-3, 2.4.2.7)."""
    at = header.head_bytes
    # 9 bits in MPEG-1, 8 bits with low sample rates (ISO/IEC 13818-3, 2.4.1.7)
    return int.from_bytes(frame[at : at + 2]) >> 7 if header.key[0] == 3 else frame[at]


def info_header(frame: bytes, header: FrameHeader) -> InfoHeader | None:
    """Return the Xing, Info or VBRI header in an MP3 frame; None if the frame contains audio."""
    # Xing and Info follow the side information, without checksum; VBRI is always 32 bytes after the frame header
    xing, vbri = 4 + header.side_bytes, 4 + 32
    name = frame[xing : xing + 4]
    if name in (b"Xing", b"Info"):
        flags = int.from_bytes(frame[xing + 4 : xing + 8])
        at, values = xing + 8, {}
        for bit, size in ((_HAS_FRAMES, 4), (_HAS_BYTES, 4), (_HAS_TOC, 100), (_HAS_QUALITY, 4)):
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
    """Return encoder delay and padding together, and the delay alone, in samples, as LAME stores them."""
    if extension[:4] not in _WRITERS:
        return 0, None
    delays = int.from_bytes(extension[21:24])  # 12 bits each
    return (delays >> 12) + (delays & 0xFFF), delays >> 12
