"""The format chunk of a WAV file.

WAVEFORMAT and PCMWAVEFORMAT: Microsoft, "Multimedia Programming Interface and Data Specifications 1.0" (1991);
WAVEFORMATEXTENSIBLE: "Multiple Channel Audio Data and WAVE Files" (2001); format tags: RFC 2361.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from preflight.media.mp3_header import SYNTAXES

_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE
"""Format tags: RFC 2361, appendix A; 0xFFFE is WAVE_FORMAT_EXTENSIBLE."""

ENCODED_BYTES: Final = 8192
"""Holds three frames of the longest: 1441 bytes of MP3, and 2047 of AAC at usual bit rates."""
_MAGIC: Final = (
    *((0, b"ID3" + bytes([version]), "an MP3") for version in (2, 3, 4)),
    (0, b"OggS", "an Ogg file"),
    (0, b"fLaC", "a FLAC file"),
    (4, b"ftyp", "an MP4 file"),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM file"),
)


class WavFormat(NamedTuple):
    """The content of a format chunk.

    Attributes:
        codec: FFmpeg's name of the sample format, e.g. ``pcm_s16le``; empty if it is not PCM, float or companded.
        sample_rate_hz: The sample rate in hertz.
        channels: The number of channels.
        block_align: The size of a frame (one sample per channel) in bytes.
        bits: The bits that a sample takes.
        declared_bits: The bits per sample by the header; 0 if it has no such field.
    """

    codec: str
    sample_rate_hz: int
    channels: int
    block_align: int
    bits: int
    declared_bits: int


def parse_format(content: bytes, order: str) -> WavFormat | None:
    """Return the format that a ``fmt`` chunk declares; None if it is too short.

    Args:
        content: The first 26 bytes of the chunk, or more.
        order: ``<`` or ``>``, the byte order.
    """
    if len(content) < 14:
        return None
    # WAVEFORMAT and wBitsPerSample; the average byte rate is redundant, and often wrong
    tag, channels, rate, _, align = struct.unpack(order + "HHIIH", content[:14])
    declared = struct.unpack(order + "H", content[14:16])[0] if len(content) >= 16 else 0
    if tag == _EXTENSIBLE and len(content) >= 26:
        tag = struct.unpack(order + "H", content[24:26])[0]  # the first field of the SubFormat GUID is the format tag
    is_short = len(content) < 16
    bits = _sample_bits(declared, align, channels, is_short=is_short) if tag == _PCM else declared
    return WavFormat(_codec(tag, bits, "be" if order == ">" else "le"), rate, channels, align, bits, declared)


def encoded_file(begin: bytes) -> str | None:
    """Name the encoded file that begins where samples should, as a noun phrase; None if there is none.

    Args:
        begin: The first `ENCODED_BYTES` of the data chunk.

    >>> encoded_file(bytes(100))
    >>> encoded_file(b"fLaC" + bytes(100))
    'a FLAC file'
    """
    for at, magic, name in _MAGIC:
        if begin[at : at + len(magic)] == magic:
            return name
    for codec, name in (("mp3", "an MP3"), ("aac", "raw AAC")):
        at, keys = 0, []
        while header := SYNTAXES[codec].parse(begin[at : at + 8]):
            at += header.size
            keys.append(header.key)
        if len(keys) >= 3 and len(set(keys)) == 1:  # one header may be a sample
            return name
    return None


def is_plain(codec: str, block_align: int, channels: int, bits: int) -> bool:
    """Whether samples are PCM, float or companded, with a consistent frame size."""
    return bool(codec) and block_align == channels * bits // 8 > 0


def _sample_bits(declared: int, align: int, channels: int, *, is_short: bool) -> int:
    """Return the bits that a sample of PCM takes in the file.

    The declared ones are its upper bits. 16 bits in 32 are not such padding: a wrong number of channels looks the same.
    """
    stored = 8 * align // channels if channels else 0
    is_padded = 8 < declared < stored and (declared > stored - 8 or (stored == 32 and declared > 16))
    return stored if is_padded or is_short else declared


def _codec(tag: int, bits: int, order: str) -> str:
    if tag == _PCM and bits in (8, 16, 24, 32):  # 8 bits are unsigned, more are signed
        return "pcm_u8" if bits == 8 else f"pcm_s{bits}{order}"
    if tag == _FLOAT and bits in (32, 64):
        return f"pcm_f{bits}{order}"
    return {_ALAW: "pcm_alaw", _MULAW: "pcm_mulaw"}.get(tag, "") if bits == 8 else ""
