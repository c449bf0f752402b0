"""Let FFmpeg open a recording, and nothing but that recording.

FFmpeg knows formats that are lists of *other* files (concat scripts, HLS playlists, …). The input is handed
over as a descriptor, the one protocol allowed is that descriptor, and only formats that hold audio
themselves are allowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import av.container
import av.error
from av.audio.stream import AudioStream

from preflight.errors import NotARecording
from preflight.media.byte_ranges import RangeReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from preflight.input.source import Source
    from preflight.media.byte_ranges import Range

_FORMATS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,eac3,flac,flv,loas,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,"
    "mp3,mpc,mpc8,mpeg,mpegts,ogg,tak,tta,voc,w64,wav,wv"
)
_QUICK_PROBE_BYTES = 32_768

DECODER_ERRORS = (av.error.FFmpegError, ValueError, ArithmeticError, IndexError, MemoryError)
"""Everything that FFmpeg and its binding were seen to raise for hostile input."""


def open_container(source: Source, ranges: Sequence[Range] = (), *, quick: bool = False) -> av.container.InputContainer:
    """Open `source` for demuxing; the caller closes it.

    Args:
        source: The open recording.
        ranges: The parts of the file that hold the media; all of it when empty.
        quick: Look at the first kilobytes only.

    Raises:
        NotARecording: FFmpeg knows no allowed format in these bytes.
    """
    options = {"protocol_whitelist": "fd", "format_whitelist": _FORMATS}
    if quick:
        options["probesize"] = str(_QUICK_PROBE_BYTES)
    source.rewind()
    try:
        if ranges:
            return av.open(RangeReader(source, ranges), "r", options=options, metadata_errors="ignore")
        return av.open("fd:", options=options | {"fd": str(source.fd)}, metadata_errors="ignore")
    except DECODER_ERRORS as error:
        raise NotARecording(
            "no audio format is recognised in it", "open it in a player; if that fails too, export it again"
        ) from error


def audio_track(container: av.container.InputContainer, number: int | None = None) -> AudioStream | None:
    """An audio track; None when there is none, or no decoder for it.

    Args:
        container: The open file.
        number: Which one, counted from 0; None for the one that FFmpeg would play, or the first with a decoder.
    """
    tracks = container.streams.audio
    if number is not None:
        return tracks[number] if number < len(tracks) and has_decoder(tracks[number]) else None
    best = container.streams.best("audio")
    if isinstance(best, AudioStream) and has_decoder(best):
        return best
    return next((track for track in tracks if has_decoder(track)), None)


def has_decoder(track: AudioStream) -> bool:
    """Whether FFmpeg knows the codec; a track without one has no context, whatever the binding's types say."""
    return getattr(track, "codec_context", None) is not None
