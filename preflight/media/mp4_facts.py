"""What the boxes of an MP4 or QuickTime file add to its probe: every declared duration, hidden and missing media."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from preflight.media.mp4_header import Movie, Track, is_text, read_movie

if TYPE_CHECKING:
    from preflight.input.source import Source
    from preflight.media.probe import Probe

_PRIMING_S: Final = 0.7
"""More than any encoder's delay that an edit list takes away: 5058 samples of HE-AAC at 8 kHz."""
_ROUNDING_S: Final = 0.05


def with_movie_facts(source: Source, facts: Probe, begin: int) -> Probe:
    """`facts` of an MP4, completed from its boxes.

    Args:
        source: The open recording.
        facts: What FFmpeg says of it.
        begin: Where the first box begins: after a tag.

    Raises:
        CannotOpen: Reading failed.
    """
    movie = read_movie(source, begin)
    sound = [track for track in movie.tracks if track.handler == b"soun"] if movie else []
    if movie is None or not sound:
        return facts
    track = sound[min(facts.audio_track, len(sound) - 1)]
    shown_s = _shown_s(track)
    facts = replace(facts, declared=_declared(movie, track), audio_bytes=track.sample_bytes)
    if shown_s is None or track.media_s is None:
        return facts
    held_s = shown_s * movie.held_share
    hidden_s = track.media_s - shown_s if track.edits and track.media_s - shown_s > _PRIMING_S else 0.0
    return replace(
        facts,
        estimated_duration_s=held_s,
        declared_duration_s=shown_s if facts.declared_duration_s is not None else None,
        is_size_known=True,
        hidden_s=hidden_s,
    )


def _shown_s(track: Track) -> float | None:
    """Seconds that play: by the edit list, no longer than the media that it refers to."""
    if track.media_s is None or not track.edits:
        return track.media_s
    shown = 0.0
    for seconds, time in track.edits:
        if time >= 0:
            left = max(0.0, track.media_s - time)
            shown += min(seconds or left, left)  # a duration of 0 stands for the rest, in fragmented files
    return shown or track.media_s


def _declared(movie: Movie, track: Track) -> tuple[tuple[str, float], ...]:
    own = dict(track.durations)
    media_s = own.get("mdhd")
    if media_s is not None and track.media_s is not None and abs(media_s - track.media_s) <= _ROUNDING_S:
        del own["mdhd"]  # it counts what the edit list hides, too
    longest = max(track.media_s or 0.0, _shown_s(track) or 0.0)
    others = {
        f"text track {name}": seconds
        for other in movie.tracks
        if is_text(other)
        for name, seconds in other.durations.items()
        if seconds > longest
    }
    return tuple((movie.durations | own | others).items())
