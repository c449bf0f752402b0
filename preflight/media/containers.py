"""Open a recording with FFmpeg, which must not open any other file or URL; choose its audio track, read its codec.

Some formats of FFmpeg are lists of *other* files (concat scripts, HLS playlists, …). So the input is passed as a Python
file object without a name, no protocol is allowed, and only formats that contain audio themselves are allowed. Not as a
descriptor: on Windows FFmpeg has a C runtime of its own, which does not know Python's descriptors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import av
import av.container
import av.error
import numpy as np
from av.audio.stream import AudioStream

from preflight import limits
from preflight.errors import NotARecording
from preflight.media.byte_ranges import RangeReader
from preflight.media.wav_format import encoded_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from av.audio.codeccontext import AudioCodecContext
    from av.container import InputContainer
    from numpy.typing import NDArray

    from preflight.input.source import Source
    from preflight.media.byte_ranges import Range


_FORMATS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,eac3,flac,flv,loas,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,"
    "mp3,mpc,mpc8,mpeg,mpegts,ogg,tak,tta,voc,w64,wav,wv"
)
_QUICK_PROBE_BYTES = 32_768
_BUFFER_BYTES: Final = 1 << 17
"""Read at a time: FFmpeg calls Python for each buffer."""
_NO_PROTOCOL: Final = "none"
"""An empty whitelist would allow all protocols; there is none of this name."""
_TAGS: Final[dict[str, Any]] = {} if int(av.__version__.partition(".")[0]) >= 19 else {"metadata_errors": "ignore"}
"""Tags can be of any encoding. PyAV 19 always decodes them, with surrogate escapes; PyAV 18 raises by default."""

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
    options = {"protocol_whitelist": _NO_PROTOCOL, "format_whitelist": _FORMATS}
    if quick:
        options["probesize"] = str(_QUICK_PROBE_BYTES)
    file = RangeReader(source, ranges or ((0, source.size),))
    try:
        container: InputContainer = av.open(file, "r", options=options, buffer_size=_BUFFER_BYTES, **_TAGS)
    except DECODER_ERRORS as error:
        raise NotARecording(
            "the audio format is not recognized", "open the file in a player; if that fails as well, export it again"
        ) from error
    return container


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


_OPUS_RATE_HZ: Final = 48_000
_ESCAPED_OBJECT_TYPE: Final = 31
_USAC_OBJECT_TYPE: Final = 42
"""audioObjectType 31 means that six more bits follow; 42 is USAC (ISO/IEC 14496-3, table 1.17 and 1.6.2.1)."""


def codec_tag(context: AudioCodecContext) -> str:
    """Return the codec tag of four characters; empty if it is not text."""
    try:
        return context.codec_tag
    except UnicodeDecodeError:  # PyAV decodes it as ASCII; a WAV has a number there, such as 0x00FF for AAC
        return ""


def is_usac(context: AudioCodecContext) -> bool:
    """Whether the AudioSpecificConfig has object type 42, USAC (ISO/IEC 14496-3, 1.6.2.1)."""
    config = context.extradata or b""
    if context.codec.canonical_name != "aac" or len(config) < 2 or config[0] >> 3 != _ESCAPED_OBJECT_TYPE:
        return False
    # FFmpeg opens such a stream as AAC and then decodes nothing, so it has to be detected here
    return 32 + (int.from_bytes(config[:2]) >> 5 & 0x3F) == _USAC_OBJECT_TYPE


def opus_delay_s(context: AudioCodecContext) -> float:
    """Return the pre-skip of Opus in seconds, which the granule positions of Ogg include (RFC 7845, 4.3 and 5.1)."""
    head = context.extradata or b""
    return int.from_bytes(head[10:12], "little") / _OPUS_RATE_HZ if head[:8] == b"OpusHead" else 0.0


def bits_of(codec: str, sample_bits: int) -> int | None:
    """Return the bits per sample of a lossless codec; None for lossy ones."""
    if codec in ("flac", "alac", "wavpack", "tta", "ape", "tak"):  # FFmpeg decodes 24 bits to 32-bit samples
        return 16 if sample_bits <= 16 else 24
    if codec in ("pcm_alaw", "pcm_mulaw"):  # G.711: 8 bits expand to 13 or 14
        return 16
    if codec.startswith("pcm_"):
        return 24 if "24" in codec else sample_bits
    return None


def lacks_packet_sizes(codec: str, begin: bytes) -> bool:
    """Whether the audio of a WAV cannot be split into packets: those of AAC and Vorbis do not store their size.

    Args:
        codec: FFmpeg's name of the codec.
        begin: The first bytes of the samples. AAC in ADTS has frame headers.
    """
    return codec == "vorbis" or (codec == "aac" and encoded_file(begin) is None)


_RATE_HZ: Final = 16_000
"""The sample rate of the speech detector."""
_COMPARED_S: Final = 2 * limits.MAX_DURATION_S
"""Seconds of all tracks together: two tracks are compared over the maximum duration of a recording."""
_MIN_S: Final = 30.0
_MAX_TRACKS: Final = 16
_SPEECH: Final = 0.5
"""The probability from which a window counts as speech."""


class _Score(NamedTuple):
    """The quality of a track; the greatest tuple wins."""

    speech_s: float
    is_audible: bool
    is_decodable: bool


def choose_track(source: Source, ranges: Sequence[Range], protected: Collection[int]) -> int:
    """Return the number of the audio track with the most speech, from 0; the first one if they are equal.

    Decodes up to ten minutes of all tracks together and runs the speech detector on each.

    Args:
        source: The open recording.
        ranges: The byte ranges of the media; the whole file if empty.
        protected: The numbers of encrypted tracks, which are used only if there is no other track.

    Raises:
        NotARecording: FFmpeg cannot open the file.
    """
    with open_container(source, ranges) as container:
        count = len(container.streams.audio)
    numbers = [number for number in range(count) if number not in protected] or list(range(count))
    seconds = max(_MIN_S, _COMPARED_S / len(numbers))
    scores = {number: _score(source, ranges, number, seconds) for number in numbers[:_MAX_TRACKS]}
    return max(scores, key=lambda number: (scores[number], -number))


def _score(source: Source, ranges: Sequence[Range], number: int, seconds: float) -> _Score:
    from preflight.analysis.vad.silero import WINDOW
    from preflight.analysis.vad.speech import SpeechMeter

    meter, frames, peak = SpeechMeter(_RATE_HZ), 0, 0.0
    with open_container(source, ranges) as container:
        stream = container.streams.audio[number]
        if not has_decoder(stream):
            return _Score(0.0, is_audible=False, is_decodable=False)
        for block in _blocks(container, stream):
            meter.add(block)
            frames += len(block)
            peak = max(peak, float(np.abs(block).max(initial=0.0)))
            if frames >= seconds * _RATE_HZ:
                break
    if not frames:
        return _Score(0.0, is_audible=False, is_decodable=False)
    windows = int(np.count_nonzero(meter.result().track.probabilities >= _SPEECH))
    return _Score(windows * WINDOW / _RATE_HZ, peak > 10 ** (limits.SILENCE_DBFS / 20), is_decodable=True)


def _blocks(container: InputContainer, stream: AudioStream) -> Iterator[NDArray[np.float32]]:
    """Yield the decodable part of a track in mono at 16 kHz, as arrays of shape (frames,)."""
    import av

    resampler = av.AudioResampler(format="flt", layout="mono", rate=_RATE_HZ)
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except DECODER_ERRORS:
            return  # the rest of the file is unreadable; `check` reports that for the chosen track
        if packet is None:
            return
        try:
            for frame in stream.decode(packet):
                frame.pts = None  # the resampler would fill gaps between timestamps with silence
                for resampled in resampler.resample(frame):
                    yield np.asarray(resampled.to_ndarray().reshape(-1), np.float32)
        except DECODER_ERRORS:
            continue  # only this packet is lost; a track of such packets has no frames and loses
