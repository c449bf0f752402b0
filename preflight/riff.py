"""The header of a WAV file, read without a decoder.

No library tells both what a WAV header *claims* and what the file *holds*, and the difference is what shows
a truncated take or a recorder that died. Layout: Microsoft, "Multimedia Programming Interface and Data
Specifications 1.0" (1991), and "Multiple Channel Audio Data and WAVE Files" (2001) for the extensible form.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from preflight.source import Source

_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE
_UNKNOWN_FROM = 0x7FFFF000
"""Programs that write to a pipe cannot go back to fill the size in; they leave 0 or something from here up."""
_MAX_CHUNKS = 4096


@dataclass(frozen=True)
class WavHeader:
    """What a WAV header claims.

    Attributes:
        codec: FFmpeg's name for the sample format, e.g. ``pcm_s16le``; empty when it is none of the plain ones.
        sample_rate_hz: Frames a second.
        channels: Number of channels.
        block_align: Bytes of one frame (a sample of every channel).
        bits: Bits of one sample.
        data_offset: Where the samples begin, in bytes.
        claimed_bytes: The size of the data chunk as the header has it.
        held_bytes: How many of them are in the file.
    """

    codec: str
    sample_rate_hz: int
    channels: int
    block_align: int
    bits: int
    data_offset: int
    claimed_bytes: int
    held_bytes: int

    @property
    def size_unknown(self) -> bool:
        """Whether the header leaves the amount of audio open (0, or the mark of a pipe)."""
        return self.claimed_bytes == 0 or self.claimed_bytes >= _UNKNOWN_FROM > self.held_bytes

    @property
    def is_plain(self) -> bool:
        """Whether the samples lie there as every reader expects them."""
        return bool(self.codec) and self.block_align == self.channels * self.bits // 8 > 0

    @property
    def held_frames(self) -> int:
        """How many whole frames the file holds."""
        return self.held_bytes // self.block_align if self.block_align else 0

    @property
    def claimed_frames(self) -> int:
        """How many whole frames the header claims."""
        return self.claimed_bytes // self.block_align if self.block_align else 0


def read_wav_header(source: Source) -> WavHeader | None:
    """The header of a RIFF/WAVE file; None when it is something else, or has no format or data chunk."""
    start = source.read_at(0, 12)
    if start[:4] != b"RIFF" or start[8:12] != b"WAVE":
        return None
    offset, form = 12, b""
    for _ in range(_MAX_CHUNKS):
        head = source.read_at(offset, 8)
        if len(head) < 8:
            return None
        name, size = head[:4], struct.unpack("<I", head[4:])[0]
        if name == b"data":
            return _header(form, offset + 8, size, max(0, source.size - offset - 8))
        if name == b"fmt ":
            form = source.read_at(offset + 8, min(size, 40))
        offset += 8 + size + size % 2
    return None


def _header(form: bytes, data_offset: int, claimed: int, left: int) -> WavHeader | None:
    if len(form) < 16:
        return None
    tag, channels, rate, _, align, bits = struct.unpack("<HHIIHH", form[:16])
    if tag == _EXTENSIBLE and len(form) >= 26:
        tag = struct.unpack("<H", form[24:26])[0]
    header = WavHeader(_codec(tag, bits), rate, channels, align, bits, data_offset, claimed, min(claimed, left))
    if header.size_unknown:
        return WavHeader(header.codec, rate, channels, align, bits, data_offset, claimed, left)
    return header


def _codec(tag: int, bits: int) -> str:
    if tag == _PCM and bits in (8, 16, 24, 32):
        return "pcm_u8" if bits == 8 else f"pcm_s{bits}le"
    if tag == _FLOAT and bits in (32, 64):
        return f"pcm_f{bits}le"
    return {_ALAW: "pcm_alaw", _MULAW: "pcm_mulaw"}.get(tag, "") if bits == 8 else ""
