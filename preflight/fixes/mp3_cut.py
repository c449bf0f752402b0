"""Cut an MP3 between its frames: what is kept keeps its bytes.

A frame needs what stands before it: up to 511 bytes of earlier frames (the bit reservoir, ISO/IEC 11172-3, 2.4.3.4),
and the frame before, with which its transform overlaps. So a few frames too many are kept in front, and the Info frame
tells players to pass over their sound, as LAME tells them to pass over its own delay.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from preflight.errors import CannotFix
from preflight.media.mp3_header import BIT_RATES, DECODER_DELAY, SYNTAXES, reaches_back

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MOST_DELAY: Final = 4095
_OVERLAPPING: Final = 576 + 481
"""Samples before a frame that have to be right for it to be right: one granule, and what the filter bank remembers."""
_MOST_BEFORE: Final = 16
"""Frames; no more than nine can be passed over."""
_MOST_MOVED: Final = 4
"""Frames, about 0.1 s: cuts are made in pauses."""
_WRITER: Final = b"Lavf"
"""FFmpeg and most players heed the delay only behind the name of a writer that they know."""
_TAG_BYTES: Final = 4 + 4 + 4 + 4 + 100 + 4 + 36
"""Name, flags, frames, bytes, table, quality, and LAME's extension."""


class Frame(NamedTuple):
    """What the header of a frame says.

    Attributes:
        version: 3 for MPEG-1, 2 for MPEG-2, 0 for MPEG-2.5.
        rate_hz: Samples a second.
        samples: Of one channel in the frame.
        side_bytes: Of its side information, which stands behind the header.
        head_bytes: Header and checksum.
        reaches_back: Bytes of earlier frames that it needs.
        size: Bytes of the frame.
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
        """What it adds to the reservoir at most."""
        return self.size - self.head_bytes - self.side_bytes


def read_frame(data: bytes) -> Frame:
    """The header of the frame `data`.

    Raises:
        CannotFix: It is no frame of MPEG audio layer III.
    """
    header = SYNTAXES["mp3"].parse(data)
    if len(data) < 8 or header is None:
        raise CannotFix("its coded sound cannot be cut", "convert it")
    back = reaches_back(data, header)
    return Frame(header.key[0], header.rate_hz, header.samples, header.side_bytes, header.head_bytes, back, len(data))


def cut_mp3(packets: Iterable[bytes], file: IO[bytes], first: int, last: int) -> None:
    """Write the frames that sound from sample `first` to `last`, counted in what the frames decode to.

    Args:
        packets: The frames of the recording, each whole.
        file: Open for writing and seeking.
        first: Where the sound is to begin, to the sample; a few frames earlier where frames reach back too far.
        last: Where it is to end, to the sample.

    Raises:
        CannotFix: The frames cannot be cut there.
    """
    sizes: list[int] = []
    start, info, end = file.tell(), b"", 0
    for frame, delay, sound_end in _wanted(packets, first, last):
        if not sizes:
            info, end = _info_frame(frame, delay), sound_end
            file.write(info)
        sizes.append(len(frame))
        file.write(frame)
    if not sizes:
        raise CannotFix("nothing is left of it", "choose another part")
    file.seek(start)
    file.write(_filled(info, sizes, end))


def _wanted(packets: Iterable[bytes], first: int, last: int) -> Iterator[tuple[bytes, int, int]]:
    """The frames to keep; with each the samples to pass over at the beginning, and where the sound ends, from there."""
    before: deque[bytes] = deque(maxlen=_MOST_BEFORE)
    delay, position, end = None, 0, 0
    for packet in packets:
        samples = read_frame(packet).samples
        begin, position = position, position + samples
        if begin >= last:
            return
        if delay is not None:
            yield packet, delay, end
            continue
        before.append(packet)
        if position > first:
            kept, delay = _beginning(list(before), first - begin)
            end = last - position + samples * len(kept)
            yield from ((frame, delay, end) for frame in kept)


def _beginning(frames: list[bytes], offset: int) -> tuple[list[bytes], int]:
    """The last of `frames`, of which the first `offset` samples are not wanted, with what it needs before it.

    Where frames reach back too far, the sound begins a few frames earlier.

    Returns:
        The frames, and the samples to pass over.

    Raises:
        CannotFix: They reach too far back there, too.
    """
    for earlier in range(min(_MOST_MOVED + 1, len(frames))):
        upto = len(frames) - earlier
        unwanted = 0 if earlier else offset
        kept = _with_what_it_needs(frames[:upto], unwanted)
        if kept:
            samples = read_frame(kept[-1]).samples
            return [*kept, *frames[upto:]], unwanted + samples * (len(kept) - 1) - DECODER_DELAY
    raise CannotFix("its frames reach too far back to be cut here", "convert it")


def _with_what_it_needs(frames: list[bytes], offset: int) -> list[bytes]:
    """The last of `frames`, of which the first `offset` samples are not wanted, with as few before it as will do.

    None of them where they would have to be more than can be passed over.
    """
    headers = [read_frame(frame) for frame in frames]
    most = (_MOST_DELAY + DECODER_DELAY - offset) // headers[-1].samples
    overlapping = -(-_OVERLAPPING // headers[-1].samples)
    for count in range(1 + overlapping, min(most + 1, len(frames)) + 1):
        kept = headers[-count:]
        room = [sum(header.main_bytes for header in kept[:number]) for number in range(count)]
        if all(kept[number].reaches_back <= room[number] for number in range(count - 1 - overlapping, count)):
            return frames[-count:]
    # at the beginning of the recording there is nothing before
    return frames if len(frames) <= most + 1 else []


def _info_frame(like: bytes, delay: int) -> bytes:
    """A frame without sound that tells players what to pass over; frames, bytes and table are filled in later."""
    header = read_frame(like)
    mpeg1 = header.version == 3
    sizes = [(144 if mpeg1 else 72) * kbps * 1000 // header.rate_hz for kbps in BIT_RATES[header.version]]
    index = next(index for index, size in enumerate(sizes) if size >= 4 + header.side_bytes + _TAG_BYTES)
    head = bytes((0xFF, like[1] | 1, index << 4 | like[2] & 0b1100, like[3]))
    extension = _WRITER.ljust(9, b"\0") + bytes(12) + (max(0, delay) << 12).to_bytes(3) + bytes(12)
    tag = b"Info" + struct.pack(">III", 0b1111, 0, 0) + bytes(100) + struct.pack(">I", 0) + extension
    if delay < 0:  # decoders pass over nothing at all, and an extension would have them pass over their own delay
        tag = tag[: -len(extension)]
    return (head + bytes(header.side_bytes) + tag).ljust(sizes[index], b"\0")


def _filled(info: bytes, sizes: list[int], end: int) -> bytes:
    """The Info frame before frames of `sizes`, whose sound ends at sample `end` of what they decode to."""
    header = read_frame(info)
    at = 4 + header.side_bytes
    total = len(info) + sum(sizes)
    name = b"Info" if max(sizes) - min(sizes) <= 1 else b"Xing"
    ends, reached = [], len(info)
    for size in sizes:
        ends.append(reached)
        reached += size
    table = bytes(min(255, ends[len(sizes) * part // 100] * 256 // total) for part in range(100))
    filled = bytearray(info)
    filled[at : at + 16 + 100] = name + struct.pack(">III", 0b1111, len(sizes), total) + table
    extension = at + 16 + 100 + 4
    if filled[extension : extension + 4] == _WRITER:
        padding = max(0, len(sizes) * header.samples - end + DECODER_DELAY)
        filled[extension + 22] |= padding >> 8
        filled[extension + 23] = padding & 0xFF
        struct.pack_into(">I", filled, extension + 28, total)
        struct.pack_into(">H", filled, extension + 34, _crc16(bytes(filled[: extension + 34])))
    return bytes(filled)


def _crc16(data: bytes) -> int:
    """CRC-16 with the polynomial 0x8005, bits reflected, as LAME checks its Info frame."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value
