"""The durations that an MP4 or QuickTime file declares, each by its own box.

Players and services read different ones, and FFmpeg hides all but one. Layout: ISO/IEC 14496-12 (mvhd 8.2.2,
tkhd 8.3.2, mdhd 8.4.2, elst 8.6.6, stts 8.6.1.2, stsz 8.7.3, mehd 8.8.2, trun 8.8.8, sidx 8.16.3).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.input.source import Source

_MOST_BOXES: Final = 100_000
_MOST_TABLE_BYTES: Final = 1 << 22
_UNKNOWN_32: Final = 0xFFFFFFFF
_UNKNOWN_64: Final = 0xFFFFFFFFFFFFFFFF
_TEXT_HANDLERS: Final = frozenset({b"text", b"sbtl", b"subt"})


class _Box(NamedTuple):
    name: bytes
    begin: int
    """Of the content."""
    end: int
    """Of the content, as far as it lies in the file."""
    claimed_end: int


@dataclass
class Track:
    """A track of the file.

    Attributes:
        handler: ``soun``, ``vide``, ``text``, … as bytes.
        timescale: Of the media, per second.
        durations: Seconds by the name of the box.
        media_s: Seconds by the table of the samples themselves; None in a fragmented file.
        edits: Of the edit list: (seconds of the segment, media time in seconds; negative for an empty edit).
        sample_bytes: Bytes of all samples by the table of their sizes; None when unknown.
    """

    handler: bytes = b""
    timescale: int = 0
    durations: dict[str, float] = field(default_factory=dict)
    media_s: float | None = None
    edits: list[tuple[float, float]] = field(default_factory=list)
    sample_bytes: int | None = None


@dataclass
class Movie:
    """What the boxes declare.

    Attributes:
        durations: Seconds by the name of the box: ``mvhd``, ``mehd``, ``sidx``.
        tracks: In the order of the file.
        indexed: Seconds by the segment indexes, by the number of the stream.
        held_share: The share of the media data that is in the file; 1 when it is whole.
    """

    durations: dict[str, float] = field(default_factory=dict)
    tracks: list[Track] = field(default_factory=list)
    indexed: dict[int, float] = field(default_factory=dict)
    held_share: float = 1.0


def read_movie(source: Source, begin: int = 0) -> Movie | None:
    """The declared durations; None when there is no complete movie box.

    Args:
        source: The open recording.
        begin: Where the first box begins.

    Raises:
        CannotOpen: Reading failed.
    """
    movie, scale = Movie(), 0
    for box in _boxes(source, begin, source.size):
        if box.name == b"moov" and not movie.tracks:
            scale = _read_moov(source, box, movie)
        elif box.name == b"mdat" and box.claimed_end > box.end:
            movie.held_share = (box.end - box.begin) / (box.claimed_end - box.begin)
        elif box.name == b"sidx":
            _read_sidx(source, box, movie)
    return movie if scale else None


def _boxes(source: Source, begin: int, end: int) -> Iterator[_Box]:
    position = begin
    for _ in range(_MOST_BOXES):
        head = source.read_at(position, 16)
        if position + 8 > end or len(head) < 8:
            return
        size, name, content = int.from_bytes(head[:4]), head[4:8], position + 8
        if size == 1 and len(head) == 16:
            size, content = int.from_bytes(head[8:16]), position + 16
        stop = end if size == 0 else min(end, position + size)
        if stop < content:
            return
        yield _Box(name, content, stop, position + size if size else end)
        position = stop


def _content(source: Source, box: _Box, most: int = _MOST_TABLE_BYTES) -> bytes:
    return source.read_at(box.begin, min(most, box.end - box.begin))


def _read_moov(source: Source, moov: _Box, movie: Movie) -> int:
    scale = 0
    for box in _boxes(source, moov.begin, moov.end):
        if box.name == b"mvhd":
            scale, duration = _scaled(_content(source, box, 64))
            _declare(movie.durations, "mvhd", duration, scale)
        elif box.name == b"trak":
            movie.tracks.append(_read_track(source, box, scale))
        elif box.name == b"mvex":
            for inner in _boxes(source, box.begin, box.end):
                if inner.name == b"mehd":
                    data = _content(source, inner, 12)
                    _declare(movie.durations, "mehd", int.from_bytes(data[4 : 12 if data[:1] == b"\1" else 8]), scale)
    return scale


def _scaled(data: bytes) -> tuple[int, int]:
    """Time scale and duration of ``mvhd`` and ``mdhd``, which begin alike."""
    if data[:1] == b"\1" and len(data) >= 32:
        return struct.unpack(">IQ", data[20:32])
    return struct.unpack(">II", data[12:20]) if len(data) >= 20 else (0, 0)


def _declare(durations: dict[str, float], name: str, duration: int, scale: int) -> None:
    """Note a duration; 0 and all bits set mean that it is unknown."""
    if scale and duration not in (0, _UNKNOWN_32, _UNKNOWN_64):
        durations[name] = duration / scale


def _read_track(source: Source, trak: _Box, movie_scale: int) -> Track:
    track, edits = Track(), b""
    for box in _boxes(source, trak.begin, trak.end):
        if box.name == b"tkhd":
            data = _content(source, box, 64)
            at, size = (28, 8) if data[:1] == b"\1" else (20, 4)
            _declare(track.durations, "tkhd", int.from_bytes(data[at : at + size]), movie_scale)
        elif box.name == b"edts":
            edits = next(
                (_content(source, one) for one in _boxes(source, box.begin, box.end) if one.name == b"elst"), b""
            )
        elif box.name == b"mdia":
            _read_media(source, box, track)
    _read_edits(edits, track, movie_scale)
    return track


def _read_edits(data: bytes, track: Track, movie_scale: int) -> None:
    form = struct.Struct(">QqI" if data[:1] == b"\1" else ">IiI")
    count = min(int.from_bytes(data[4:8]), max(0, len(data) - 8) // form.size)
    if not movie_scale or not track.timescale:
        return
    for number in range(count):
        duration, time, _ = form.unpack_from(data, 8 + number * form.size)
        track.edits.append((duration / movie_scale, time / track.timescale))
    shown = sum(seconds for seconds, time in track.edits if time >= 0)
    if shown:
        track.durations["elst"] = shown


def _read_media(source: Source, mdia: _Box, track: Track) -> None:
    for box in _boxes(source, mdia.begin, mdia.end):
        if box.name == b"mdhd":
            track.timescale, duration = _scaled(_content(source, box, 64))
            _declare(track.durations, "mdhd", duration, track.timescale)
        elif box.name == b"hdlr":
            track.handler = _content(source, box, 12)[8:12]
        elif box.name == b"minf":
            tables = [one for one in _boxes(source, box.begin, box.end) if one.name == b"stbl"]
            for table in (inner for stbl in tables for inner in _boxes(source, stbl.begin, stbl.end)):
                _read_table(_content(source, table), table.name, track)


def _read_table(data: bytes, name: bytes, track: Track) -> None:
    count = int.from_bytes(data[4:8])
    if name == b"stts":
        pairs = struct.iter_unpack(">II", data[8 : 8 + 8 * min(count, (len(data) - 8) // 8)])
        ticks = sum(samples * delta for samples, delta in pairs)
        track.media_s = ticks / track.timescale if ticks and track.timescale else None
    elif name == b"stsz" and len(data) >= 12:
        count = int.from_bytes(data[8:12])
        if count:  # one size for all, or a table
            held = min(count, (len(data) - 12) // 4)
            sizes = struct.unpack(f">{held}I", data[12 : 12 + 4 * held])
            same = int.from_bytes(data[4:8])
            track.sample_bytes = same * count if same else sum(sizes)


def _read_sidx(source: Source, box: _Box, movie: Movie) -> None:
    """Add up the segments of an index, by the stream that it is about; what leads to further indexes is not counted."""
    data = _content(source, box)
    at = 28 if data[:1] == b"\1" else 20
    scale, count = int.from_bytes(data[8:12]), int.from_bytes(data[at + 2 : at + 4])
    entries = struct.iter_unpack(">III", data[at + 4 : at + 4 + 12 * min(count, max(0, len(data) - at - 4) // 12)])
    ticks = sum(duration for reference, duration, _ in entries if not reference >> 31)
    if scale and ticks:
        stream = int.from_bytes(data[4:8])
        movie.indexed[stream] = movie.indexed.get(stream, 0.0) + ticks / scale
        movie.durations["sidx"] = max(movie.indexed.values())


def is_text(track: Track) -> bool:
    """Whether a track holds chapters or subtitles."""
    return track.handler in _TEXT_HANDLERS
