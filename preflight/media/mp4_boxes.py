"""The boxes of an MP4 or QuickTime file, and what those of one track say: ISO/IEC 14496-12.

Box structure: 4.2. Boxes of a track: tkhd 8.3.2, mdhd 8.4.2, hdlr 8.4.3, stts 8.6.1.2, elst 8.6.6, stsd 8.5.2, stsz
8.7.3, stsc 8.7.4, stco 8.7.5.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from preflight.input.source import Source

_MAX_BOXES: Final = 100_000
_MAX_TABLE_BYTES: Final = 1 << 22
PROTECTED: Final = frozenset({"drms", "drmi", "enca", "aavd"})
"""Sample entries of FairPlay, Common Encryption (ISO/IEC 23001-7) and Audible."""
_UNKNOWN_32: Final = 0xFFFFFFFF
_UNKNOWN_64: Final = 0xFFFFFFFFFFFFFFFF
_USUAL_SHARE: Final = 0.9
_GAP_SHARE: Final = 1.5
"""Of the usual duration: rounded timestamps vary by less."""


class Box(NamedTuple):
    """A box: its type, and the offsets of its content.

    Attributes:
        name: The type, such as ``moov``.
        begin: The start of the content.
        end: The end of the content, or of the enclosing box if that is smaller.
        claimed_end: The end of the content by the size field.
    """

    name: bytes
    begin: int
    end: int
    claimed_end: int


def boxes_in(source: Source, begin: int, end: int) -> Iterator[Box]:
    """Yield the boxes between two offsets, up to the first malformed one."""
    position = begin
    for _ in range(_MAX_BOXES):
        head = source.read_at(position, 16)
        if position + 8 > end or len(head) < 8:
            return
        size, name, content = int.from_bytes(head[:4]), head[4:8], position + 8
        # a size of 1 means a 64-bit largesize after the type, and 0 means up to the end of the file (4.2)
        if size == 1 and len(head) == 16:
            size, content = int.from_bytes(head[8:16]), position + 16
        stop = end if size == 0 else min(end, position + size)
        if stop < content:  # a size smaller than the header: malformed, and the loop would not advance
            return
        yield Box(name, content, stop, position + size if size else end)
        position = stop


def content_of(source: Source, box: Box, most: int = _MAX_TABLE_BYTES) -> bytes:
    """Return the content of a box, or its first `most` bytes."""
    return source.read_at(box.begin, min(most, box.end - box.begin))


def gap_in_ticks(durations: Mapping[int, int]) -> tuple[int, int]:
    """Return the usual duration of a packet, and the sum of what others have beyond it; the sum is 0 if none is usual.

    A recorder that loses packets, or pauses, stores the gap as the duration of the packet before it (8.6.1.2). Decoders
    return nothing for it.

    Args:
        durations: The number of packets by their duration.

    >>> gap_in_ticks({1024: 200, 89224: 1})
    (1024, 88200)
    """
    usual, count = max(durations.items(), key=lambda item: item[1], default=(0, 0))
    if count < _USUAL_SHARE * sum(durations.values()):
        return usual, 0
    return usual, sum((ticks - usual) * many for ticks, many in durations.items() if ticks > _GAP_SHARE * usual)


@dataclass
class Track:
    """A track of the file.

    Attributes:
        number: The track_ID.
        handler: The handler type: ``soun``, ``vide``, ``text``, … as bytes.
        timescale: The time units of the media per second.
        durations: The declared durations in seconds by the name of the box.
        media_s: The duration in seconds by stts; None in a fragmented file.
        edits: The edit list: (segment duration, media time) in seconds; the media time of an empty edit is negative.
        sample_bytes: The size of all samples in bytes by stsz; None if unknown.
        samples: The number of samples by stsz: for audio, the packets.
        sample_s: The duration of most samples in seconds.
        gap_s: The part of `media_s` that no sample covers, see `gap_in_ticks`.
        first_chunk: The lowest offset in the file of a chunk of samples by stco or co64; None without chunks.
        end: The offset after the last sample; None if unknown.
        formats: The formats of the sample descriptions by stsd, such as ``mp4a``.
        described_by: The numbers, from 1, of the sample descriptions that the chunks use, by stsc.
    """

    number: int = 0
    handler: bytes = b""
    timescale: int = 0
    durations: dict[str, float] = field(default_factory=dict)
    media_s: float | None = None
    edits: list[tuple[float, float]] = field(default_factory=list)
    sample_bytes: int | None = None
    samples: int = 0
    sample_s: float = 0.0
    gap_s: float = 0.0
    first_chunk: int | None = None
    end: int | None = None
    formats: list[bytes] = field(default_factory=list)
    described_by: set[int] = field(default_factory=set)

    @property
    def is_of_first_format(self) -> bool:
        """Whether all samples have the format of the first description, the only one that FFmpeg decodes."""
        used = [self.formats[number - 1] for number in self.described_by if 0 < number <= len(self.formats)]
        return all(kind == self.formats[0] for kind in used)


def scale_and_duration(data: bytes) -> tuple[int, int]:
    """Return time scale and duration of ``mvhd`` and ``mdhd``, whose first fields are the same."""
    if data[:1] == b"\1" and len(data) >= 32:  # version 1 has 64-bit times
        return struct.unpack(">IQ", data[20:32])
    return struct.unpack(">II", data[12:20]) if len(data) >= 20 else (0, 0)


def declare(durations: dict[str, float], name: str, duration: int, scale: int) -> None:
    """Add a duration; 0 and all bits set mean unknown (8.2.2.3)."""
    if scale and duration not in (0, _UNKNOWN_32, _UNKNOWN_64):
        durations[name] = duration / scale


def read_track(source: Source, trak: Box, movie_scale: int) -> Track:
    """Return what a trak box says.

    Args:
        source: The open recording.
        trak: The box.
        movie_scale: The time units of mvhd per second, in which tkhd and the edit list count.

    Raises:
        CannotOpen: Reading failed.
    """
    track, edits = Track(), b""
    for box in boxes_in(source, trak.begin, trak.end):
        if box.name == b"tkhd":
            data = content_of(source, box, 64)
            # duration follows the creation and modification times, track_ID and a reserved field
            at, size = (28, 8) if data[:1] == b"\1" else (20, 4)
            track.number = int.from_bytes(data[at - 8 : at - 4])
            declare(track.durations, "tkhd", int.from_bytes(data[at : at + size]), movie_scale)
        elif box.name == b"edts":
            edits = next(
                (content_of(source, one) for one in boxes_in(source, box.begin, box.end) if one.name == b"elst"), b""
            )
        elif box.name == b"mdia":
            _read_media(source, box, track)
    _read_edits(edits, track, movie_scale)
    return track


def _read_edits(data: bytes, track: Track, movie_scale: int) -> None:
    # segment_duration in movie time, media_time (signed, -1 for an empty edit) in media time, media_rate
    form = struct.Struct(">QqI" if data[:1] == b"\1" else ">IiI")
    count = min(int.from_bytes(data[4:8]), max(0, len(data) - 8) // form.size)
    if not movie_scale or not track.timescale:
        return
    for number in range(count):
        duration, time, _ = form.unpack_from(data, 8 + number * form.size)
        track.edits.append((duration / movie_scale, -1.0 if time == -1 else max(0, time) / track.timescale))
    shown = sum(seconds for seconds, time in track.edits if time >= 0)
    if shown:
        track.durations["elst"] = shown


def _read_media(source: Source, mdia: Box, track: Track) -> None:
    for box in boxes_in(source, mdia.begin, mdia.end):
        if box.name == b"mdhd":
            track.timescale, duration = scale_and_duration(content_of(source, box, 64))
            declare(track.durations, "mdhd", duration, track.timescale)
        elif box.name == b"hdlr":
            track.handler = content_of(source, box, 12)[8:12]  # after version, flags and pre_defined
        elif box.name == b"minf":
            tables = [one for one in boxes_in(source, box.begin, box.end) if one.name == b"stbl"]
            found = [one for stbl in tables for one in boxes_in(source, stbl.begin, stbl.end)]
            _read_tables({one.name: content_of(source, one) for one in found}, track)


def _end_of_samples(tables: Mapping[bytes, bytes]) -> int | None:
    """Return the offset after the last sample of a track; None if its tables are incomplete or out of order."""
    offsets, (same, count, sizes) = _chunk_offsets(tables), _sample_sizes(tables.get(b"stsz", b""))
    runs = list(_rows(">III", tables.get(b"stsc", b"")))
    if not offsets or not runs or offsets[-1] != max(offsets):
        return None
    # a run of chunks ends where the next one begins; the last chunk holds the samples that are left
    firsts = [first for first, _, _ in runs[1:]] + [len(offsets)]
    left = count - sum((after - first) * each for (first, each, _), after in zip(runs, firsts, strict=True))
    if not 0 < left <= (count if same else len(sizes)) or (not same and len(sizes) < count):
        return None
    return offsets[-1] + (left * same or sum(sizes[-left:]))


def _rows(form: str, data: bytes) -> Iterator[tuple[int, ...]]:
    """Yield the rows of a table that begins with their number, but no more than it contains."""
    row = struct.Struct(form)
    held = min(int.from_bytes(data[4:8]), max(0, len(data) - 8) // row.size)
    return row.iter_unpack(data[8 : 8 + held * row.size])


def _chunk_offsets(tables: Mapping[bytes, bytes]) -> list[int]:
    forms = ((b"stco", ">I"), (b"co64", ">Q"))
    return [at for name, form in forms if name in tables for (at,) in _rows(form, tables[name])]


def _sample_sizes(data: bytes) -> tuple[int, int, tuple[int, ...]]:
    """Return the size of every sample, or 0 if they differ; the number of samples; and the sizes if they differ."""
    if len(data) < 12:
        return 0, 0, ()
    same, count = struct.unpack(">II", data[4:12])
    held = 0 if same else min(count, (len(data) - 12) // 4)
    return same, count, struct.unpack(f">{held}I", data[12 : 12 + 4 * held])


def _read_tables(tables: Mapping[bytes, bytes], track: Track) -> None:
    same, track.samples, sizes = _sample_sizes(tables.get(b"stsz", b""))
    if track.samples:
        track.sample_bytes = same * track.samples or sum(sizes)
    pairs = list(_rows(">II", tables.get(b"stts", b"")))  # runs of (sample_count, sample_delta)
    ticks = sum(samples * delta for samples, delta in pairs)
    if ticks and track.timescale:
        durations: Counter[int] = Counter()
        for samples, delta in pairs:
            durations[delta] += samples
        usual, gap = gap_in_ticks(durations)
        track.media_s, track.sample_s, track.gap_s = (value / track.timescale for value in (ticks, usual, gap))
    data = tables.get(b"stsd", b"")
    at = 8  # entries begin like boxes: size, format
    while at + 8 <= len(data) and (size := int.from_bytes(data[at : at + 4])) >= 8:
        track.formats.append(data[at + 4 : at + 8])
        at += size
    # first_chunk, samples_per_chunk, sample_description_index
    track.described_by = {description for _, _, description in _rows(">III", tables.get(b"stsc", b""))}
    track.first_chunk = min(_chunk_offsets(tables), default=None)
    track.end = _end_of_samples(tables)
