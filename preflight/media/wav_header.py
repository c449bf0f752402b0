"""The header of a WAV file, parsed without a decoder.

Libraries report either the declared or the actual amount of audio, but only the difference shows a truncated file or a
recorder that crashed. RIFF and WAVE: Microsoft, "Multimedia Programming Interface and Data Specifications 1.0" (1991);
the 64-bit forms RF64 and BW64: EBU Tech 3306 and ITU-R BS.2088.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from preflight.media.riff_chunks import FORMS, after, after_text, before_tail, is_name, is_start, next_header
from preflight.media.tags import leading_tags, trailing_tags
from preflight.media.trailing_samples import end_of_samples
from preflight.media.wav_format import is_plain, parse_format

if TYPE_CHECKING:
    from preflight.input.source import Source
    from preflight.media.wav_format import WavFormat

_UNKNOWN_FROM: Final = 0x7FFFF000
"""Programs that write to a pipe cannot seek back to fill in the size; they leave 0 or a value from here up."""
_UNKNOWN: Final = 0xFFFFFFFF
"""In RF64 the size of the data chunk is -1, and the real size is in the ds64 chunk (EBU Tech 3306)."""
_MAX_CHUNKS: Final = 4096
_MAX_PARTS: Final = 1024
_MIN_UNCLAIMED_BYTES: Final = 64
"""Fewer bytes after the declared end of the samples are ignored."""
_QUICK_SEARCH_BYTES: Final = 1 << 18
_WINDOWS, _WINDOW_BYTES = 16, 1 << 15
_SIGNS: Final = b"\0\xff"
"""The highest byte of 24 bits in the lower part of 32."""
_EXPONENTS: Final = bytes((*range(0x3E, 0x4C), *range(0xBE, 0xCC)))
"""The highest byte of 32-bit floats from 0.2 to 2**24."""
_OTHER_SHARE: Final = 0.1


@dataclass(frozen=True)
class WavHeader:
    """The header of a WAV file, and the amount of audio in the file.

    Attributes:
        codec: FFmpeg's name of the sample format, e.g. ``pcm_s16le``; empty if it is not PCM, float or companded.
        sample_rate_hz: The sample rate in hertz.
        channels: The number of channels.
        block_align: The size of a frame (one sample per channel) in bytes.
        bits: The bits per sample.
        data_offset: The offset of the first sample in bytes.
        claimed_bytes: The size of the data chunks by their headers.
        held_bytes: The size of the data chunks in the file.
        form: ``wav``, ``rf64`` (BW64 too) or ``rifx`` (big-endian).
        ranges: The byte ranges of the samples, as (begin, end).
        parts: The number of concatenated WAV files.
        is_uniform: Whether all parts are PCM of the same format; otherwise this describes only the first part.
        header_offset: The offset of the first header: not 0 after a tag or text.
        declared_frames: Numbers of frames in other chunks, by the name of the chunk.
        lacks_padding: Whether a chunk of odd size has no padding byte, so that most programs miss the next chunk.
        is_ordered: Whether the only ``fmt`` chunk is before the samples.
        declared_bits: The bits per sample by the header, where `bits` are those that a sample takes in the file; 0 if
            the header has no such field.
        is_contradictory: Whether there are different ``fmt`` chunks, or 24 bits in 32 are not the upper ones.
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
    is_ordered: bool = True
    declared_bits: int = 0
    is_contradictory: bool = False

    @property
    def size_unknown(self) -> bool:
        """Whether the header does not declare the amount of audio (0, or the value for a pipe)."""
        return self.claimed_bytes == 0 or self.claimed_bytes >= _UNKNOWN_FROM > self.held_bytes

    @property
    def is_plain(self) -> bool:
        """Whether the samples are PCM, float or companded, with a consistent frame size."""
        return is_plain(self.codec, self.block_align, self.channels, self.bits)

    @property
    def is_standard(self) -> bool:
        """Whether every reader finds the samples: one RIFF header at offset 0, and one data chunk."""
        is_one = self.parts == 1 and len(self.ranges) <= 1
        is_regular = self.is_ordered and not self.lacks_padding and self.declared_bits == self.bits
        return self.form == "wav" and is_one and not self.header_offset and is_regular

    @property
    def held_frames(self) -> int:
        """The number of whole frames in the file."""
        if len(self.ranges) > 1 and self.block_align:
            return sum((end - begin) // self.block_align for begin, end in self.ranges)
        return self.held_bytes // self.block_align if self.block_align else 0

    @property
    def claimed_frames(self) -> int:
        """The number of whole frames by the header."""
        return self.claimed_bytes // self.block_align if self.block_align else 0


@dataclass
class _Part:
    """One of several concatenated WAV files, as far as it was read."""

    form: str
    end: int
    order: str
    riff_end: int
    """The end of the file by the size of its RIFF chunk; 0 if that is unknown."""
    format: WavFormat | None = None
    is_ordered: bool = True
    is_contradictory: bool = False
    data: list[tuple[int, int, int]] = field(default_factory=list)
    """For each data chunk: its offset, its declared size and its actual size, in bytes."""
    frames: dict[str, int] = field(default_factory=dict)
    long_size: int | None = None
    lacks_padding: bool = False


def read_wav_header(source: Source, *, quick: bool = False) -> WavHeader | None:
    """Return the header of a RIFF/WAVE file; None if it is another format, or has no ``fmt`` or ``data`` chunk.

    Args:
        source: The open recording.
        quick: Do not search the samples for headers of concatenated WAV files.

    Raises:
        CannotOpen: Reading failed.
    """
    begin = offset = after_text(source, leading_tags(source))
    headers: list[WavHeader] = []
    while len(headers) < _MAX_PARTS and (part := _read_part(source, offset, quick=quick)):
        header = _header(part)
        if header is None:
            break
        headers.append(header)
        offset = part.end
        if offset < source.size and not is_start(source.read_at(offset, 12)):
            end = min(source.size, offset + _QUICK_SEARCH_BYTES) if quick else source.size
            offset = next_header(source, offset, end) or source.size  # after a tag or padding
    if not headers:
        return None
    first, count = replace(headers[0], header_offset=begin), len(headers)
    if 0 < first.declared_bits <= first.bits - 8 and not _is_padded_below(source, first):
        first = replace(first, is_contradictory=True)
    if count == 1:
        return first
    # parts of one format are read as one recording; those of different formats would need a conversion
    kinds = {(header.codec, header.sample_rate_hz, header.channels, header.block_align) for header in headers}
    if len(kinds) > 1 or not first.is_plain:
        return replace(first, parts=count, is_uniform=False)
    return replace(
        first,
        claimed_bytes=sum(header.held_bytes if header.size_unknown else header.claimed_bytes for header in headers),
        held_bytes=sum(header.held_bytes for header in headers),
        ranges=tuple(span for header in headers for span in header.ranges),
        parts=count,
        declared_frames=(),  # a fact chunk counts only its own part
    )


def _is_padded_below(source: Source, header: WavHeader) -> bool:
    """Whether 24 bits in 32 are the upper ones, as they should be, not the lower ones or those of floats."""
    begin, step = header.data_offset, header.held_bytes // _WINDOWS // header.block_align * header.block_align
    first = 0 if header.form == "rifx" else 3
    highest = b"".join(source.read_at(begin + at * step, _WINDOW_BYTES)[first::4] for at in range(_WINDOWS))
    other = len(highest.translate(None, _SIGNS))
    return len(highest.translate(None, _SIGNS + _EXPONENTS)) > _OTHER_SHARE * other or not header.held_bytes


def _read_part(source: Source, begin: int, *, quick: bool) -> _Part | None:
    """Read the WAV file whose header is at `begin`, up to the next header; None if there is none."""
    start = source.read_at(begin, 12)
    if not is_start(start):
        return None
    order = ">" if start[:4] == b"RIFX" else "<"
    size = struct.unpack(order + "I", start[4:8])[0]
    part = _Part(FORMS[start[:4]], begin + 12, order, begin + 8 + size if size < _UNKNOWN_FROM else 0)
    for _ in range(_MAX_CHUNKS):
        head = source.read_at(part.end, 12)
        if len(head) < 8 or is_start(head):
            break  # the end of the file, or the next part
        name, size = head[:4], struct.unpack(part.order + "I", head[4:8])[0]
        if name != b"data" and part.data and not is_name(name):
            break  # not a chunk: garbage after the samples
        part.end = _read_chunk(source, part, name, size, quick=quick)
    return part


def _read_chunk(source: Source, part: _Part, name: bytes, size: int, *, quick: bool) -> int:
    """Read the chunk at `part.end` and return the offset of the next one."""
    at = part.end + 8
    if name == b"data":
        return _read_data(source, part, at, size, quick=quick)
    content = source.read_at(at, min(size, 40))  # 40 bytes are the longest fmt chunk (extensible)
    if name == b"fmt ":
        part.is_ordered = part.is_ordered and part.format is None and not part.data
        form = parse_format(content, part.order)
        part.is_contradictory = part.is_contradictory or part.format not in (None, form)
        part.format = part.format or form  # of several, libsndfile and FFmpeg use the first
    elif name == b"ds64" and len(content) >= 24:
        # riffSize, dataSize and sampleCount, 64 bits each (EBU Tech 3306, ds64 chunk)
        part.long_size, frames = struct.unpack("<QQ", content[8:24])
        part.frames["ds64"] = frames
    elif name == b"fact" and len(content) >= 4:
        part.frames["fact"] = struct.unpack(part.order + "I", content[:4])[0]
    end = after(source, at, size, part.order)
    part.lacks_padding = part.lacks_padding or (not part.data and end == at + size and size % 2 == 1)
    return end


def _read_data(source: Source, part: _Part, at: int, size: int, *, quick: bool) -> int:
    if size == _UNKNOWN and part.long_size is not None:
        size = part.long_size
    left = max(0, source.size - at)
    # a size above 2 GiB is real in a file of that size, and else the value for a pipe
    is_unknown = size == 0 or size >= _UNKNOWN_FROM > left
    if part.data and size == 0:  # an empty data chunk after the real one adds nothing
        return at
    held = left if is_unknown else min(size, left)
    if is_unknown or size > left:
        held = before_tail(source, at, at + held, part.order) - at
    elif (end := _undeclared_end(source, part, at, size, quick=quick)) > at + size:
        held = before_tail(source, at, end, part.order) - at
    header = None if quick else next_header(source, at, at + held)
    if header is not None:
        held = header - at
    # a header before the end of the chunk belongs to a concatenated file: the chunk is not truncated
    part.data.append((at, size if header is None or is_unknown else held, held))
    if header is not None or is_unknown or held != size:
        return at + held
    return after(source, at, size, part.order)


def _undeclared_end(source: Source, part: _Part, at: int, size: int, *, quick: bool) -> int:
    """Return where samples may end that go on after the declared end of their chunk, or that end."""
    end = at + size
    if any(is_name(source.read_at(end + padding, 4)) for padding in range(1 + size % 2)):
        return end
    form = part.format
    if form is not None and is_plain(form.codec, form.block_align, form.channels, form.bits):
        # a recorder that was switched off: both sizes are those of an earlier moment
        last = trailing_tags(source, end)
        header = next_header(source, end, min(last, end + _QUICK_SEARCH_BYTES) if quick else last)
        last = before_tail(source, end, last, part.order) if header is None else header
        stop = end_of_samples(source, end, last, form.codec, form.block_align, form.sample_rate_hz)
        if stop > end:
            return stop
    # the size of the RIFF chunk includes them
    return min(part.riff_end, source.size) if part.riff_end >= end + _MIN_UNCLAIMED_BYTES else end


def _header(part: _Part) -> WavHeader | None:
    form = part.format
    if form is None or not part.data:
        return None
    align = form.block_align
    # an incomplete frame at the end of a data chunk is not read
    ranges = tuple((at, at + held - (held % align if align else 0)) for at, _, held in part.data)
    claimed, held = (sum(chunk[number] for chunk in part.data) for number in (1, 2))
    return WavHeader(
        codec=form.codec,
        sample_rate_hz=form.sample_rate_hz,
        channels=form.channels,
        block_align=align,
        bits=form.bits,
        data_offset=part.data[0][0],
        claimed_bytes=claimed,
        held_bytes=held,
        form=part.form,
        ranges=ranges,
        # 0 and -1 mean unknown; the size of the RIFF chunk is not compared, because programs ignore it
        declared_frames=tuple((name, frames) for name, frames in part.frames.items() if 0 < frames < _UNKNOWN),
        lacks_padding=part.lacks_padding,
        is_ordered=part.is_ordered,
        declared_bits=form.declared_bits,
        is_contradictory=part.is_contradictory,
    )
