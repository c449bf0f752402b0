"""The durations that an MP4 or QuickTime file declares, each by its own box, and the media that its edit list hides.

Players and services read different boxes, and FFmpeg reports only one duration. Boxes (ISO/IEC 14496-12) beside those
of a track: mvhd 8.2.2, mvex 8.8.1, mehd 8.8.2, sidx 8.16.3.
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from preflight.errors import WrongHeader
from preflight.media.mp4_boxes import PROTECTED, Track, boxes_in, content_of, declare, read_track, scale_and_duration
from preflight.media.mp4_fragments import read_fragments

if TYPE_CHECKING:
    from preflight.input.source import Source
    from preflight.media.mp4_boxes import Box
    from preflight.media.probe import Probe

_TEXT_HANDLERS: Final = frozenset({b"text", b"sbtl", b"subt"})
"""Handler types of chapter and subtitle tracks."""
_PRIMING_S: Final = 0.7
"""Longer than the encoder delay that an edit list may hide: 5058 samples of HE-AAC at 8 kHz are 0.63 s."""
_ROUNDING_S: Final = 0.05
_AAC_SAMPLES: Final = 1024
_PACKET_SHARES: Final = (0.9, 2.1)
"""A packet of AAC has 1024 samples or 960, with SBR twice as many at the rate of the output (ISO/IEC 14496-3)."""


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
            # the time scale of mvhd applies to tkhd and elst
            scale, duration = scale_and_duration(content_of(source, box, 64))
            declare(movie.durations, "mvhd", duration, scale)
        elif box.name == b"trak":
            movie.tracks.append(read_track(source, box, scale))
        elif box.name == b"mvex":
            movie.has_fragments = True
            for inner in (one for one in boxes_in(source, box.begin, box.end) if one.name == b"mehd"):
                data = content_of(source, inner, 12)  # fragment_duration: 64 bits in version 1, else 32
                declare(movie.durations, "mehd", int.from_bytes(data[4 : 12 if data[:1] == b"\1" else 8]), scale)
    return scale


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


def with_movie_facts(source: Source, facts: Probe, begin: int, *, quick: bool = False) -> Probe:
    """Return the probe of an MP4, completed from its boxes.

    Args:
        source: The open recording.
        facts: The probe by FFmpeg.
        begin: The offset of the first box: not 0 after a tag.
        quick: As in `read_fragments`.

    Raises:
        CannotOpen: Reading failed.
        WrongHeader: Samples have another format than the first one of the header.
    """
    movie = read_movie(source, begin)
    if movie is not None:
        facts = replace(facts, parts=movie.parts)
    sound = [track for track in movie.tracks if track.handler == b"soun"] if movie else []
    if movie is None:  # FFmpeg reads a movie box that is marked as free space, too
        return replace(facts, is_contradictory=True)
    if not sound:
        return facts
    # FFmpeg numbers the audio streams in the order of their trak boxes
    track = sound[min(facts.audio_track, len(sound) - 1)]
    if not track.is_of_first_format:
        formats = " and ".join(kind.decode("latin-1") for kind in track.formats[:4] if kind.isalnum())
        what = f"its header describes several formats of samples ({formats}), and most programs decode only the first"
        raise WrongHeader(what, "export it again")
    shown_s = _shown_s(movie, track)
    facts = replace(
        facts,
        declared=_declared(movie, track),
        audio_bytes=track.sample_bytes,
        is_contradictory=not track.timescale,
        # FFmpeg reports the format that was encrypted instead of enca if it is stated (sinf: 8.12.1)
        protected=facts.protected or any(kind.decode("latin-1") in PROTECTED for kind in track.formats[:1]),
    )
    if shown_s is None or track.media_s is None:
        return _with_fragments(source, facts, track, begin, quick=quick)
    if movie.has_fragments and any(found := read_fragments(source, begin, track.number, quick=quick)):
        all_s, held_s, _ = (shown_s + ticks / track.timescale for ticks in found)
        return replace(facts, estimated_duration_s=held_s, declared_duration_s=all_s, is_size_known=True)
    # the bytes of a track are spread evenly enough over mdat for an estimate; the file may end before mdat begins
    share = movie.held_share * (track.first_chunk is None or track.first_chunk < source.size)
    is_whole = track.end is not None and track.end <= source.size
    held_share = 1.0 if is_whole else share
    held_s = (_coded_s(facts, track) or shown_s - track.gap_s) * held_share
    hidden_s = track.media_s - shown_s if track.edits and track.media_s - shown_s > _PRIMING_S else 0.0
    return replace(
        facts,
        estimated_duration_s=held_s,
        declared_duration_s=shown_s if facts.declared_duration_s is not None else None,
        is_size_known=True,
        is_whole=is_whole,
        hidden_s=hidden_s,
        is_rearranged=_is_rearranged(track),
        padded_s=track.samples * track.sample_s * held_share if facts.codec == "aac" and not hidden_s else None,
    )


def _coded_s(facts: Probe, track: Track) -> float | None:
    """Return the duration of the AAC packets if the time scale of the media contradicts it; None otherwise."""
    coded_s = track.samples * _AAC_SAMPLES / facts.sample_rate_hz if facts.codec == "aac" else 0.0
    least, most = _PACKET_SHARES
    return None if least * coded_s <= (track.media_s or 0.0) - track.gap_s <= most * coded_s or not coded_s else coded_s


def _with_fragments(source: Source, facts: Probe, track: Track, begin: int, *, quick: bool) -> Probe:
    """Return the probe with the durations of the fragments, if FFmpeg did not find all of them or some are cut."""
    if not track.timescale:
        return facts
    found = read_fragments(source, begin, track.number, quick=quick)
    declared_s, held_s, gap_s = (ticks / track.timescale for ticks in found)
    if gap_s and held_s >= declared_s - _ROUNDING_S:
        return replace(facts, estimated_duration_s=held_s - gap_s, is_whole=True)
    if declared_s > (facts.declared_duration_s or 0.0) + _ROUNDING_S:
        facts = replace(facts, declared_duration_s=declared_s)
    if held_s < declared_s - _ROUNDING_S:
        facts = replace(facts, estimated_duration_s=held_s, is_size_known=True)
    return facts


def _shown_s(movie: Movie, track: Track) -> float | None:
    """Return the seconds that play: those of the edit list, but no more than the media that it refers to."""
    if track.media_s is None or not track.edits:
        return track.media_s
    shown = 0.0
    for seconds, time in track.edits:
        if time >= 0:
            left = max(0.0, track.media_s - time)
            shown += left if not seconds and movie.has_fragments else min(seconds, left)  # 0 means the rest (8.6.6.1)
    return shown


def _is_rearranged(track: Track) -> bool:
    """Whether the edits, after empty ones at the start, are more than one continuous part of the media."""
    edits = list(itertools.dropwhile(lambda edit: edit[1] < 0, track.edits))
    return any(
        time < 0 or abs(time - (earlier + seconds)) > _ROUNDING_S
        for (seconds, earlier), (_, time) in itertools.pairwise(edits)
    )


def _declared(movie: Movie, track: Track) -> tuple[tuple[str, float], ...]:
    own = dict(track.durations)
    media_s = own.get("mdhd")
    if media_s is not None and track.media_s is not None and abs(media_s - track.media_s) <= _ROUNDING_S:
        del own["mdhd"]  # correct: it includes what the edit list hides
    shown_s = _shown_s(movie, track) or track.media_s
    longest = max(track.media_s or 0.0, shown_s or 0.0)
    others = {
        f"text track {name}": seconds
        for other in movie.tracks
        if other.handler in _TEXT_HANDLERS
        for name, seconds in other.durations.items()
        if seconds > longest
    }
    return tuple((movie.durations | own | others | ({} if shown_s is None else {"stts": shown_s})).items())
