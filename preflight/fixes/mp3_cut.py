"""Cut an MP3 between its frames, without decoding it. The frames that are kept stay unchanged.

A frame cannot be decoded alone: its data may begin in earlier frames (the bit reservoir, ISO/IEC 11172-3, 2.4.2.7,
main_data_begin: up to 511 bytes back), and its transform overlaps with that of the frame before (2.4.3.4). So a few
more frames are kept in front, and the encoder delay in the Info frame makes players skip their audio, as it makes them
skip LAME's own delay.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from preflight.errors import CannotFix
from preflight.media.mp3_header import BIT_RATES, DECODER_DELAY, SYNTAXES, reaches_back

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MAX_DELAY: Final = 4095
"""The field of the Info frame has 12 bits."""
_OVERLAP_SAMPLES: Final = 576 + 481
"""Audio before a frame that must be right for the frame to be right: the IMDCT overlap of one granule, and the history
of the 512-tap synthesis filter bank."""
_MAX_PRE_ROLL: Final = 16
"""Frames to remember; at most nine can be skipped, with 576 samples each."""
_MAX_EARLIER: Final = 4
"""Frames by which a cut may move, about 0.1 s: cuts lie in pauses."""
_WRITER: Final = b"Lavf"
"""FFmpeg and most players use the delay only if the Info frame begins its extension with a known encoder."""
_TAG_BYTES: Final = 4 + 4 + 4 + 4 + 100 + 4 + 36
"""Name, flags, frames, bytes, seek table, quality, and LAME's extension."""


class Frame(NamedTuple):
    """The header of a frame.

    Attributes:
        version: 3 for MPEG-1, 2 for MPEG-2, 0 for MPEG-2.5: the ID bits of the header.
        rate_hz: Sample rate in hertz.
        samples: Samples per channel in the frame.
        side_bytes: Length of the side information.
        head_bytes: Length of header and CRC.
        reaches_back: Bytes of earlier frames that it needs (main_data_begin).
        size: Length of the frame.
    """

    version: int
    rate_hz: int
    samples: int
    side_bytes: int
    head_bytes: int
    reaches_back: int
    size: int

    @property
    def main_bytes(self) -> int:
        """The most that it adds to the bit reservoir."""
        return self.size - self.head_bytes - self.side_bytes


def read_frame(data: bytes) -> Frame:
    """Parse the header of the frame `data`.

    Raises:
        CannotFix: It is not a frame of MPEG audio layer III.
    """
    header = SYNTAXES["mp3"].parse(data)
    if len(data) < 8 or header is None:
        raise CannotFix("its packets cannot be copied: they are not MP3 frames", "re-encode it")
    back = reaches_back(data, header)
    return Frame(header.key[0], header.rate_hz, header.samples, header.side_bytes, header.head_bytes, back, len(data))


def cut_mp3(packets: Iterable[bytes], file: IO[bytes], first: int, last: int) -> None:
    """Write an MP3 that plays the samples `first` to `last` of a recording.

    Args:
        packets: The frames of the recording.
        file: Open for writing and seeking.
        first: The sample at which the audio starts, counted in all that the frames decode to, delay included. Where
            frames reach back too far, it starts up to four frames earlier.
        last: The sample at which the audio ends.

    Raises:
        CannotFix: The frames cannot be cut there.
    """
    sizes: list[int] = []
    start, info, end = file.tell(), b"", 0
    for frame, delay, audio_end in _select(packets, first, last):
        if not sizes:
            info, end = _info_frame(frame, delay), audio_end
            file.write(info)
        sizes.append(len(frame))
        file.write(frame)
    if not sizes:
        raise CannotFix("no audio is left", "choose another part")
    file.seek(start)
    file.write(_completed(info, sizes, end))


def _select(packets: Iterable[bytes], first: int, last: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the frames to keep, each with the samples to skip at the start and the sample at which the audio ends."""
    recent: deque[bytes] = deque(maxlen=_MAX_PRE_ROLL)
    delay, position, end = None, 0, 0
    for packet in packets:
        samples = read_frame(packet).samples
        begin, position = position, position + samples
        if begin >= last:
            return
        if delay is not None:
            yield packet, delay, end
            continue
        recent.append(packet)
        if position > first:
            kept, delay = _with_pre_roll(list(recent), first - begin)
            end = last - position + samples * len(kept)
            yield from ((frame, delay, end) for frame in kept)


def _with_pre_roll(frames: list[bytes], offset: int) -> tuple[list[bytes], int]:
    """Return the last of `frames` with the frames that it needs, and the samples to skip.

    Args:
        frames: The most recent frames; the audio starts in the last.
        offset: Samples to skip in the last frame.

    Raises:
        CannotFix: It reaches back too far, and so do the frames before it.
    """
    for earlier in range(min(_MAX_EARLIER + 1, len(frames))):
        upto = len(frames) - earlier
        skipped = 0 if earlier else offset
        kept = _needed(frames[:upto], skipped)
        if kept:
            samples = read_frame(kept[-1]).samples
            # decoders add a delay of their own, 529 samples, to what the Info frame asks them to skip
            return [*kept, *frames[upto:]], skipped + samples * (len(kept) - 1) - DECODER_DELAY
    raise CannotFix("its frames depend too much on earlier ones to be cut here", "re-encode it")


def _needed(frames: list[bytes], offset: int) -> list[bytes]:
    """Return the last of `frames` with as few frames before it as it needs; empty if they are too many to skip."""
    headers = [read_frame(frame) for frame in frames]
    most = (_MAX_DELAY + DECODER_DELAY - offset) // headers[-1].samples
    overlapping = -(-_OVERLAP_SAMPLES // headers[-1].samples)
    for count in range(1 + overlapping, min(most + 1, len(frames)) + 1):
        kept = headers[-count:]
        reservoir = [sum(header.main_bytes for header in kept[:number]) for number in range(count)]
        # the overlapping frames must decode without error, too
        if all(kept[number].reaches_back <= reservoir[number] for number in range(count - 1 - overlapping, count)):
            return frames[-count:]
    # at the start of the recording there is nothing before
    return frames if len(frames) <= most + 1 else []


def _info_frame(like: bytes, delay: int) -> bytes:
    """Return a silent frame with the samples to skip; frame count, size and seek table are filled in later.

    Its layout is that of Xing's VBR header with LAME's extension ("MP3 Info Tag revision 1", G. Powell, 2006).
    """
    header = read_frame(like)
    is_mpeg1 = header.version == 3
    # frame length in bytes: ISO/IEC 11172-3, 2.4.3.1; half as many samples in MPEG-2 (ISO/IEC 13818-3)
    sizes = [(144 if is_mpeg1 else 72) * kbps * 1000 // header.rate_hz for kbps in BIT_RATES[header.version]]
    index = next(index for index, size in enumerate(sizes) if size >= 4 + header.side_bytes + _TAG_BYTES)
    # the protection bit is set: no CRC; the padding bit is not; private bit and mode are those of `like`
    head = bytes((0xFF, like[1] | 1, index << 4 | like[2] & 0b1100, like[3]))
    extension = _WRITER.ljust(9, b"\0") + bytes(12) + (max(0, delay) << 12).to_bytes(3) + bytes(12)
    tag = b"Info" + struct.pack(">III", 0b1111, 0, 0) + bytes(100) + struct.pack(">I", 0) + extension
    if delay < 0:
        # nothing may be skipped, but with an extension decoders would skip their own delay
        tag = tag[: -len(extension)]
    return (head + bytes(header.side_bytes) + tag).ljust(sizes[index], b"\0")


def _completed(info: bytes, sizes: list[int], end: int) -> bytes:
    """Return the Info frame for frames of `sizes` whose audio ends at sample `end` of what they decode to."""
    header = read_frame(info)
    at = 4 + header.side_bytes
    total = len(info) + sum(sizes)
    name = b"Info" if max(sizes) - min(sizes) <= 1 else b"Xing"  # constant (but for padding) or variable bit rate
    starts, position = [], len(info)
    for size in sizes:
        starts.append(position)
        position += size
    seek_table = bytes(min(255, starts[len(sizes) * percent // 100] * 256 // total) for percent in range(100))
    completed = bytearray(info)
    completed[at : at + 16 + 100] = name + struct.pack(">III", 0b1111, len(sizes), total) + seek_table
    extension = at + 16 + 100 + 4
    if completed[extension : extension + 4] == _WRITER:
        padding = max(0, len(sizes) * header.samples - end + DECODER_DELAY)
        # delay and padding share three bytes, 12 bits each
        completed[extension + 22] |= padding >> 8
        completed[extension + 23] = padding & 0xFF
        struct.pack_into(">I", completed, extension + 28, total)
        struct.pack_into(">H", completed, extension + 34, crc16(bytes(completed[: extension + 34])))
    return bytes(completed)


def crc16(data: bytes) -> int:
    """Return the CRC-16/ARC of LAME's extension: polynomial 0x8005, bits reflected, initial value 0.

    >>> hex(crc16(b"123456789"))
    '0xbb3d'
    """
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value
