"""The header of a WAV file, read without a decoder.

No library tells both what a WAV header *claims* and what the file *holds*, and the difference is what shows
a truncated take or a recorder that died. Layout: Microsoft, "Multimedia Programming Interface and Data
Specifications 1.0" (1991), and "Multiple Channel Audio Data and WAVE Files" (2001) for the extensible form; the 64-bit
forms RF64 and BW64: EBU Tech 3306 and ITU-R BS.2088.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from preflight.media.tags import leading_tags

if TYPE_CHECKING:
    from preflight.input.source import Source

_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE
_UNKNOWN_FROM: Final = 0x7FFFF000
"""Programs that write to a pipe cannot go back to fill the size in; they leave 0 or something from here up."""
_UNKNOWN: Final = 0xFFFFFFFF
_MAX_CHUNKS: Final = 4096
_MAX_PARTS: Final = 1024
_FORMS: Final = {b"RIFF": "wav", b"RIFX": "rifx", b"RF64": "rf64", b"BW64": "rf64"}
_SEARCH_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class WavHeader:
    """What a WAV header claims.

    Attributes:
        codec: FFmpeg's name for the sample format, e.g. ``pcm_s16le``; empty when it is none of the plain ones.
        sample_rate_hz: Frames per second.
        channels: Number of channels.
        block_align: Bytes of one frame (a sample of every channel).
        bits: Bits of one sample.
        data_offset: Where the samples begin, in bytes.
        claimed_bytes: The size of the data chunks as the header has it.
        held_bytes: How many of them are in the file.
        form: ``wav``, ``rf64`` (also BW64) or ``rifx`` (big-endian).
        ranges: Where the samples lie, as (begin, end) in bytes.
        parts: Number of WAV files that follow each other in this file.
        is_uniform: Whether all parts have the same format; if not, only the first is described.
        header_offset: Where the first header begins: after a tag.
        declared_frames: Lengths that other fields claim, by name.
        lacks_padding: Whether a chunk of odd size lacks its padding byte, so that most programs miss what follows.
    """

    codec: str
    sample_rate_hz: int
    channels: int
    block_align: int
    bits: int
    data_offset: int
    claimed_bytes: int
    held_bytes: int
    form: str = "wav"
    ranges: tuple[tuple[int, int], ...] = ()
    parts: int = 1
    is_uniform: bool = True
    header_offset: int = 0
    declared_frames: tuple[tuple[str, int], ...] = ()
    lacks_padding: bool = False

    @property
    def size_unknown(self) -> bool:
        """Whether the header leaves the amount of audio open (0, or the mark of a pipe)."""
        return self.claimed_bytes == 0 or self.claimed_bytes >= _UNKNOWN_FROM > self.held_bytes

    @property
    def is_plain(self) -> bool:
        """Whether the samples are PCM, or companded, and the frame size agrees with them."""
        return bool(self.codec) and self.block_align == self.channels * self.bits // 8 > 0

    @property
    def is_standard(self) -> bool:
        """Whether every reader finds the samples: one RIFF header at the beginning, and one data chunk."""
        is_one = self.parts == 1 and len(self.ranges) <= 1
        return self.form == "wav" and is_one and not self.header_offset and not self.lacks_padding

    @property
    def held_frames(self) -> int:
        """How many whole frames the file holds."""
        if len(self.ranges) > 1 and self.block_align:
            return sum((end - begin) // self.block_align for begin, end in self.ranges)
        return self.held_bytes // self.block_align if self.block_align else 0

    @property
    def claimed_frames(self) -> int:
        """How many whole frames the header claims."""
        return self.claimed_bytes // self.block_align if self.block_align else 0


@dataclass
class _Part:
    """One WAV file, or what was read of it so far."""

    form: str
    end: int
    order: str = "<"
    fmt: bytes = b""
    data: list[tuple[int, int, int]] = field(default_factory=list)
    """Of each data chunk: where it begins, what it claims, and what it holds, in bytes."""
    frames: dict[str, int] = field(default_factory=dict)
    long_size: int | None = None
    lacks_padding: bool = False


def read_wav_header(source: Source, *, quick: bool = False) -> WavHeader | None:
    """The header of a RIFF/WAVE file; None when it is something else, or has no format or data chunk.

    Args:
        source: The open recording.
        quick: Do not search the samples for headers of further WAV files.
    """
    begin = offset = leading_tags(source)
    headers: list[WavHeader] = []
    while len(headers) < _MAX_PARTS and (part := _read_part(source, offset, quick=quick)):
        header = _header(part)
        if header is None:
            break
        headers.append(header)
        offset = part.end
    if not headers:
        return None
    first, count = replace(headers[0], header_offset=begin), len(headers)
    if count == 1:
        return first
    if any(_format(header) != _format(first) for header in headers):
        return replace(first, parts=count, is_uniform=False)
    return replace(
        first,
        claimed_bytes=sum(header.held_bytes if header.size_unknown else header.claimed_bytes for header in headers),
        held_bytes=sum(header.held_bytes for header in headers),
        ranges=tuple(span for header in headers for span in header.ranges),
        parts=count,
        declared_frames=(),
    )


def _format(header: WavHeader) -> tuple[str, int, int, int]:
    return header.codec, header.sample_rate_hz, header.channels, header.block_align


def _is_start(head: bytes) -> bool:
    return head[:4] in _FORMS and head[8:12] == b"WAVE"


def _read_part(source: Source, begin: int, *, quick: bool) -> _Part | None:
    """The WAV file whose header lies at `begin`, up to the next header; None when there is none."""
    start = source.read_at(begin, 12)
    if not _is_start(start):
        return None
    part = _Part(_FORMS[start[:4]], begin + 12, ">" if start[:4] == b"RIFX" else "<")
    for _ in range(_MAX_CHUNKS):
        head = source.read_at(part.end, 12)
        if len(head) < 8 or _is_start(head):
            break
        name, size = head[:4], struct.unpack(part.order + "I", head[4:8])[0]
        if name != b"data" and part.data and not _is_name(name):
            break  # junk after the samples
        part.end = _take_chunk(source, part, name, size, quick=quick)
    return part


def _take_chunk(source: Source, part: _Part, name: bytes, size: int, *, quick: bool) -> int:
    """Read one chunk; returns where the next one begins."""
    at = part.end + 8
    if name == b"data":
        return _take_data(source, part, at, size, quick=quick)
    content = source.read_at(at, min(size, 40))
    if name == b"fmt ":
        part.fmt = content
    elif name == b"ds64" and len(content) >= 24:
        part.long_size, frames = struct.unpack("<QQ", content[8:24])
        part.frames["ds64"] = frames
    elif name == b"fact" and len(content) >= 4:
        part.frames["fact"] = struct.unpack(part.order + "I", content[:4])[0]
    end = _after(source, at, size)
    part.lacks_padding = part.lacks_padding or (not part.data and end == at + size and size % 2 == 1)
    return end


def _take_data(source: Source, part: _Part, at: int, size: int, *, quick: bool) -> int:
    if size == _UNKNOWN and part.long_size is not None:
        size = part.long_size
    left = max(0, source.size - at)
    is_unknown = size == 0 or size >= _UNKNOWN_FROM > left
    held = left if is_unknown else min(size, left)
    if part.data and size == 0:
        return _after(source, at, 0)
    next_header = None if quick else _next_header(source, at, at + held)
    if next_header is not None:
        held = next_header - at
    # a header before the end is another file, not a file that breaks off
    part.data.append((at, size if next_header is None or is_unknown else held, held))
    if next_header is not None or is_unknown:
        return at + held
    return _after(source, at, size)


def _after(source: Source, at: int, size: int) -> int:
    """Where the chunk after one of `size` bytes at `at` begins; some writers leave the padding byte out."""
    end = at + size
    if size % 2 and not _is_name(source.read_at(end + 1, 4)) and _is_name(source.read_at(end, 4)):
        return end
    return end + size % 2


def _is_name(name: bytes) -> bool:
    return len(name) == 4 and all(32 <= letter < 127 for letter in name)


def _next_header(source: Source, begin: int, end: int) -> int | None:
    """The first header of another WAV file between `begin` and `end`."""
    position = begin
    while position + 12 <= end:
        data = source.read_at(position, min(_SEARCH_BYTES, end - position))
        at = data.find(b"WAVE", 8)
        while at >= 0:
            if data[at - 8 : at - 4] in _FORMS:
                return position + at - 8
            at = data.find(b"WAVE", at + 1)
        if len(data) < 12:
            break
        position += len(data) - 11
    return None


def _header(part: _Part) -> WavHeader | None:
    form, order = part.fmt, part.order
    if len(form) < 16 or not part.data:
        return None
    tag, channels, rate, _, align, bits = struct.unpack(order + "HHIIHH", form[:16])
    if tag == _EXTENSIBLE and len(form) >= 26:
        tag = struct.unpack(order + "H", form[24:26])[0]
    ranges = tuple((at, at + held - (held % align if align else 0)) for at, _, held in part.data)
    codec = _codec(tag, bits, "be" if order == ">" else "le")
    claimed, held = (sum(chunk[number] for chunk in part.data) for number in (1, 2))
    return WavHeader(
        codec=codec,
        sample_rate_hz=rate,
        channels=channels,
        block_align=align,
        bits=bits,
        data_offset=part.data[0][0],
        claimed_bytes=claimed,
        held_bytes=held,
        form=part.form,
        ranges=ranges,
        # what is 0 or unknown declares nothing; the size of the RIFF chunk is not compared: programs ignore it
        declared_frames=tuple((name, frames) for name, frames in part.frames.items() if 0 < frames < _UNKNOWN),
        lacks_padding=part.lacks_padding,
    )


def _codec(tag: int, bits: int, order: str) -> str:
    if tag == _PCM and bits in (8, 16, 24, 32):
        return "pcm_u8" if bits == 8 else f"pcm_s{bits}{order}"
    if tag == _FLOAT and bits in (32, 64):
        return f"pcm_f{bits}{order}"
    return {_ALAW: "pcm_alaw", _MULAW: "pcm_mulaw"}.get(tag, "") if bits == 8 else ""
