"""The duration that the fragments of an MP4 declare, including those after an overwritten part.

FFmpeg stops at the first box that it does not know, and does not report that fragments follow. ISO/IEC 14496-12: moof
8.8.4, tfhd 8.8.7, trun 8.8.8, tfdt 8.8.12.
"""

from __future__ import annotations

import struct
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from preflight.media.mp4_boxes import boxes_in, content_of, gap_in_ticks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.input.source import Source
    from preflight.media.mp4_boxes import Box

_BLOCK_BYTES: Final = 1 << 20
_FETCHED_BYTES: Final = 1 << 20
"""What `--quick` fetches of an object in the storage, see `preflight.input.on_demand`."""
_KNOWN: Final = frozenset(
    (b"ftyp styp moov moof mdat sidx ssix prft emsg free skip wide uuid mfra meta pdin udta").split()
)
"""Types of boxes outside of others; anything else is taken for an overwritten part."""
_BASE_OFFSET, _DESCRIPTION, _DURATION = 0x01, 0x02, 0x08
"""Flags of tfhd: which optional fields follow, in their order."""


class Fragments(NamedTuple):
    """What the fragments of a track declare, in time units.

    Attributes:
        declared: From the start of the first fragment to the end of the last; 0 if unknown.
        held: Up to the first overwritten or incomplete part.
        gap: What no sample covers, see `gap_in_ticks`.
    """

    declared: int
    held: int
    gap: int = 0


def read_fragments(source: Source, begin: int, track: int, *, quick: bool = False) -> Fragments:
    """Read the durations of the fragments of a track.

    Args:
        source: The open recording.
        begin: The offset of the first box.
        track: The track_ID.
        quick: Zeros after the first megabyte may be a part that was not fetched: count it as held.

    Raises:
        CannotOpen: Reading failed.
    """
    first, last, held = None, 0, 0
    durations: Counter[int] = Counter()
    for moof, share in _fragments(source, begin, quick=quick):
        for traf in (box for box in boxes_in(source, moof.begin, moof.end) if box.name == b"traf"):
            span = _span(source, traf, track, durations)
            if span is not None:
                first = span[0] if first is None else first
                last = max(last, span[1])
                held = max(held, round(span[0] + share * (span[1] - span[0]))) if share else held
    if first is None:
        return Fragments(0, 0)
    return Fragments(last - first, max(0, held - first), gap_in_ticks(durations)[1])


def _fragments(source: Source, begin: int, *, quick: bool) -> Iterator[tuple[Box, float]]:
    """Yield the moof boxes, each with the share of its media that can be read.

    After an overwritten part, the next one is searched for; FFmpeg reads nothing from there on.
    """
    position: int | None = begin
    is_reachable = True
    while position is not None:
        start, position = position, None
        at, moof = start, None
        for box in boxes_in(source, start, source.size):
            if box.name not in _KNOWN:
                break
            if moof is not None:  # its media follows
                yield moof, is_reachable * ((box.end - box.begin) / max(1, box.claimed_end - box.begin))
            moof = box if box.name == b"moof" else None
            at = box.end
        if moof is not None:
            yield moof, 0.0
        is_reachable = is_reachable and quick and at >= _FETCHED_BYTES and not any(source.read_at(at, 8))
        if at < source.size:
            position = _next_moof(source, at + 1)


def _next_moof(source: Source, begin: int) -> int | None:
    """Return the offset of the next moof box, which starts with mfhd (8.8.5); None if there is none."""
    for offset in range(begin, source.size, _BLOCK_BYTES):
        block, at = source.read_at(offset, _BLOCK_BYTES + 16), -1
        while (at := block.find(b"moof", at + 1)) >= 0:
            if at >= 4 and block[at + 8 : at + 12] == b"mfhd":
                return offset + at - 4
    return None


def _span(source: Source, traf: Box, track: int, durations: Counter[int]) -> tuple[int, int] | None:
    """Return the decode times of the start and the end of a track fragment; None if it is of another track.

    The durations of its samples are added to `durations`.
    """
    start, default, ticks = None, 0, 0
    for box in boxes_in(source, traf.begin, traf.end):
        data = content_of(source, box)
        flags = int.from_bytes(data[1:4])
        if box.name == b"tfhd":
            if int.from_bytes(data[4:8]) != track:
                return None
            at = 8 + 8 * bool(flags & _BASE_OFFSET) + 4 * bool(flags & _DESCRIPTION)
            default = int.from_bytes(data[at : at + 4]) if flags & _DURATION else 0
        elif box.name == b"tfdt":  # baseMediaDecodeTime: 64 bits in version 1, else 32
            start = int.from_bytes(data[4 : 12 if data[:1] == b"\1" else 8])
        elif box.name == b"trun":
            run = _run(data, flags, default)
            durations.update(run)
            ticks += sum(duration * count for duration, count in run.items())
    return None if start is None else (start, start + ticks)


def _run(data: bytes, flags: int, default: int) -> Counter[int]:
    """Return the number of samples of a trun box by their duration."""
    count = int.from_bytes(data[4:8])
    if not flags & 0x100:  # sample_duration is absent
        return Counter({default: count})
    at = 8 + 4 * bool(flags & 0x01) + 4 * bool(flags & 0x04)  # data_offset, first_sample_flags
    # sample_duration comes first, then size, flags and composition_time_offset, 32 bits each
    step = 4 * (flags >> 8 & 0xF).bit_count()
    held = min(count, max(0, len(data) - at) // step)
    return Counter(struct.unpack_from(">I", data, at + number * step)[0] for number in range(held))
