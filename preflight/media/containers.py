"""Open a recording with FFmpeg, which must not open any other file or URL.

Some formats of FFmpeg are lists of *other* files (concat scripts, HLS playlists, …). So the input is passed as a file
descriptor, ``fd:`` is the only allowed protocol, and only formats that contain audio themselves are allowed.
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
"""The exceptions that FFmpeg and PyAV raise for malformed input, as found by fuzzing."""


def open_container(source: Source, ranges: Sequence[Range] = (), *, quick: bool = False) -> av.container.InputContainer:
    """Open `source` for demuxing; the caller closes it.

    Args:
        source: The open recording.
        ranges: The byte ranges of the media; the whole file if empty.
        quick: Detect the format from the first kilobytes only.

    Raises:
        NotARecording: FFmpeg does not recognize an allowed format.
    """
    # both lists are enforced by libavformat itself, also for files that a demuxer opens
    options = {"protocol_whitelist": "fd", "format_whitelist": _FORMATS}
    if quick:
        options["probesize"] = str(_QUICK_PROBE_BYTES)
    source.rewind()  # the fd: protocol reads from the current position
    try:
        if ranges:
            # FFmpeg reads byte ranges through Python callbacks, which is slower than the descriptor
            return av.open(RangeReader(source, ranges), "r", options=options, metadata_errors="ignore")
        return av.open("fd:", options=options | {"fd": str(source.fd)}, metadata_errors="ignore")
    except DECODER_ERRORS as error:
        raise NotARecording(
            "the audio format is not recognized", "open the file in a player; if that fails as well, export it again"
        ) from error


def audio_track(container: av.container.InputContainer, number: int | None = None) -> AudioStream | None:
    """Return an audio track; None if it does not exist or has no decoder.

    Args:
        container: The open file.
        number: The number of the track, from 0; None for the default track of FFmpeg, or the first with a decoder.
    """
    tracks = container.streams.audio
    if number is not None:
        return tracks[number] if number < len(tracks) and has_decoder(tracks[number]) else None
    best = container.streams.best("audio")
    if isinstance(best, AudioStream) and has_decoder(best):
        return best
    return next((track for track in tracks if has_decoder(track)), None)


def has_decoder(track: AudioStream) -> bool:
    """Whether FFmpeg has a decoder for the track."""
    # PyAV leaves codec_context None for an unknown codec, although its type does not say so
    return getattr(track, "codec_context", None) is not None
