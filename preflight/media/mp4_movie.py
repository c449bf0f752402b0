"""What the movie box of an MP4 or QuickTime file says of its tracks, each duration by its own box.

Box structure: ISO/IEC 14496-12, 4.2. Boxes: mvhd 8.2.2, tkhd 8.3.2, mdhd 8.4.2, hdlr 8.4.3, stts 8.6.1.2, elst 8.6.6,
stsd 8.5.2, stsz 8.7.3, stsc 8.7.4, stco 8.7.5, mehd 8.8.2, sidx 8.16.3.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from preflight.media.mp4_boxes import boxes_in, content_of, gap_in_ticks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from preflight.input.source import Source
    from preflight.media.mp4_boxes import Box

_UNKNOWN_32: Final = 0xFFFFFFFF
_UNKNOWN_64: Final = 0xFFFFFFFFFFFFFFFF


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


@dataclass
class Movie:
    """The movie box and the boxes beside it.

    Attributes:
        durations: The declared durations in seconds by the name of the box: ``mvhd``, ``mehd``, ``sidx``.
        tracks: The tracks in the order of the file.
        indexed: The duration in seconds by the segment indexes, by reference_ID.
        held_share: The share of the media data that is in the file; 1 if it is complete.
        parts: The number of concatenated files, of which FFmpeg reads only the first.
        has_fragments: Whether fragments may follow, also those of a movie that has samples itself (mvex, 8.8.1).
    """

    durations: dict[str, float] = field(default_factory=dict)
    tracks: list[Track] = field(default_factory=list)
    indexed: dict[int, float] = field(default_factory=dict)
    held_share: float = 1.0
    parts: int = 1
    has_fragments: bool = False


def read_movie(source: Source, begin: int = 0) -> Movie | None:
    """Return the movie, or None without a complete movie box.

    Args:
        source: The open recording.
        begin: The offset of the first box.

    Raises:
        CannotOpen: Reading failed.
    """
    movie, scale = Movie(), 0
    for box in boxes_in(source, begin, source.size):
        if box.name == b"moov" and not movie.tracks:  # FFmpeg uses the first one as well
            scale = _read_moov(source, box, movie)
        elif box.name == b"mdat" and box.claimed_end > box.end:  # a download that was interrupted
            movie.held_share = (box.end - box.begin) / (box.claimed_end - box.begin)
        elif box.name == b"sidx":
            _read_sidx(source, box, movie)
        elif box.name == b"ftyp" and any(track.media_s is not None for track in movie.tracks):
            # in fragmented files, an initialization may be repeated, and FFmpeg reads on
            movie.parts += 1
    return movie if scale else None


def _read_moov(source: Source, moov: Box, movie: Movie) -> int:
    scale = 0
    for box in boxes_in(source, moov.begin, moov.end):
        if box.name == b"mvhd":
            scale, duration = _scaled(content_of(source, box, 64))  # the time scale of mvhd applies to tkhd and elst
            _declare(movie.durations, "mvhd", duration, scale)
        elif box.name == b"trak":
            movie.tracks.append(_read_track(source, box, scale))
        elif box.name == b"mvex":
            movie.has_fragments = True
            for inner in (one for one in boxes_in(source, box.begin, box.end) if one.name == b"mehd"):
                data = content_of(source, inner, 12)  # fragment_duration: 64 bits in version 1, else 32
                _declare(movie.durations, "mehd", int.from_bytes(data[4 : 12 if data[:1] == b"\1" else 8]), scale)
    return scale


def _scaled(data: bytes) -> tuple[int, int]:
    """Return time scale and duration of ``mvhd`` and ``mdhd``, whose first fields are the same."""
    if data[:1] == b"\1" and len(data) >= 32:  # version 1 has 64-bit times
        return struct.unpack(">IQ", data[20:32])
    return struct.unpack(">II", data[12:20]) if len(data) >= 20 else (0, 0)


def _declare(durations: dict[str, float], name: str, duration: int, scale: int) -> None:
    """Add a duration; 0 and all bits set mean unknown (8.2.2.3)."""
    if scale and duration not in (0, _UNKNOWN_32, _UNKNOWN_64):
        durations[name] = duration / scale


def _read_track(source: Source, trak: Box, movie_scale: int) -> Track:
    track, edits = Track(), b""
    for box in boxes_in(source, trak.begin, trak.end):
        if box.name == b"tkhd":
            data = content_of(source, box, 64)
            # duration follows the creation and modification times, track_ID and a reserved field
            at, size = (28, 8) if data[:1] == b"\1" else (20, 4)
            track.number = int.from_bytes(data[at - 8 : at - 4])
            _declare(track.durations, "tkhd", int.from_bytes(data[at : at + size]), movie_scale)
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
            track.timescale, duration = _scaled(content_of(source, box, 64))
            _declare(track.durations, "mdhd", duration, track.timescale)
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


def _read_sidx(source: Source, box: Box, movie: Movie) -> None:
    """Add up the segments of an index by its reference_ID; references to other indexes (type 1) are not counted."""
    data = content_of(source, box)
    at = 28 if data[:1] == b"\1" else 20  # version 1 has 64-bit earliest_presentation_time and first_offset
    scale, count = int.from_bytes(data[8:12]), int.from_bytes(data[at + 2 : at + 4])
    entries = struct.iter_unpack(">III", data[at + 4 : at + 4 + 12 * min(count, max(0, len(data) - at - 4) // 12)])
    ticks = sum(duration for reference, duration, _ in entries if not reference >> 31)
    if scale and ticks:
        stream = int.from_bytes(data[4:8])
        movie.indexed[stream] = movie.indexed.get(stream, 0.0) + ticks / scale
        movie.durations["sidx"] = max(movie.indexed.values())  # several indexes of one stream follow each other
