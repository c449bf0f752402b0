"""What is in this file, by its headers. Nothing is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from preflight import limits
from preflight.analysis.analysis import Damage
from preflight.errors import NotARecording
from preflight.media.tags import leading_tags
from preflight.media.wav_header import WavHeader, read_wav_header

if TYPE_CHECKING:
    import av.container
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream

    from preflight.input.source import Source

_PROTECTED_TAGS = frozenset({"drms", "drmi", "enca", "aavd"})
"""Sample entries of FairPlay, Common Encryption (ISO/IEC 23001-7) and Audible."""

_NAMES = {"aac": "adts", "matroska,webm": "matroska", "asf": "wma"}
_DECLARE_THEIR_LENGTH = frozenset({"m4a", "mp4", "mov", "3gp", "flac", "matroska", "aiff", "caf", "w64", "wav"})


_ESCAPED_OBJECT_TYPE = 31
_USAC_OBJECT_TYPE = 42


@dataclass(frozen=True)
class Probe:
    """What the headers of a recording say.

    Attributes:
        container: As in `FileFacts`.
        codec: As in `FileFacts`.
        sample_rate_hz: As claimed.
        channels: As claimed.
        bits: Bits of one sample in a lossless coding; None for lossy ones.
        header_duration_s: Seconds that a program shows which believes the header, FFmpeg's guess from the bit
            rate included.
        declared_duration_s: The same, only when the file really declares it.
        estimated_duration_s: The best guess without decoding.
        bit_rate_bps: Bits a second of the audio.
        audio_tracks: How many there are.
        has_video: Whether there are moving pictures (a cover picture does not count).
        protected: Whether the audio is encrypted.
        wav: The header of a WAV file.
        declared: Every duration that the file declares, in seconds, by the name of its field.
        ranges: The parts of the file that hold the media, without tags; empty for all of it.
        audio_bytes: Bytes of coded audio, without tags; None when unknown.
        damage: Frames that are missing, as far as the frame headers show it.
        inner_tags_s: Where tags lie between the frames, in seconds, the first one; None where none do.
        hidden_s: Seconds of audio in the file that its edit list leaves out, beyond an encoder's delay.
        audio_track: The audio track that is used, counted from 0.
        is_size_known: Whether `estimated_duration_s` follows from what the file holds, not from what it declares.
    """

    container: str
    codec: str
    sample_rate_hz: int
    channels: int
    bits: int | None = None
    header_duration_s: float | None = None
    declared_duration_s: float | None = None
    estimated_duration_s: float | None = None
    bit_rate_bps: int | None = None
    audio_tracks: int = 1
    has_video: bool = False
    protected: bool = False
    wav: WavHeader | None = None
    declared: tuple[tuple[str, float], ...] = ()
    ranges: tuple[tuple[int, int], ...] = ()
    audio_bytes: int | None = None
    damage: tuple[Damage, ...] = ()
    inner_tags_s: float | None = None
    is_size_known: bool = False
    hidden_s: float = 0.0
    audio_track: int = 0

    @property
    def is_plausible(self) -> bool:
        """Whether the headers describe sound that can exist, so that it makes sense to decode it."""
        possible = limits.MIN_SAMPLE_RATE_HZ <= self.sample_rate_hz <= limits.MAX_SAMPLE_RATE_HZ
        return bool(self.codec) and possible and self.channels > 0

    @property
    def has_sound(self) -> bool:
        """Whether it is worth while to decode it: possible, and not encrypted."""
        return self.is_plausible and not self.protected

    @property
    def is_plain_wav(self) -> bool:
        """Whether its samples need no decoder, only libsndfile: PCM, or companded."""
        return self.wav is not None and self.wav.is_plain


def probe(source: Source, *, quick: bool = False) -> Probe:
    """Read the headers of `source`.

    Args:
        source: The open recording.
        quick: Look at the first kilobytes only.

    Raises:
        NotARecording: Nothing in it is recognised as audio.
        CannotOpen: Reading failed.
    """
    if source.size == 0:
        raise NotARecording("the file is empty")
    header = read_wav_header(source, quick=quick)
    return _plain(header) or _probe_with_ffmpeg(source, header, quick=quick)


def probe_plain_wav(source: Source) -> Probe | None:
    """What the header of a WAV says whose samples need no decoder; None for everything else.

    Raises:
        CannotOpen: Reading failed.
    """
    return _plain(read_wav_header(source, quick=True))


def _plain(header: WavHeader | None) -> Probe | None:
    return _probe_wav(header) if header is not None and header.is_plain else None


def _probe_wav(header: WavHeader) -> Probe:
    rate = header.sample_rate_hz
    claimed = header.claimed_frames / rate if rate else None
    return Probe(
        container=header.form,
        codec=header.codec,
        sample_rate_hz=rate,
        channels=header.channels,
        bits=header.bits,
        header_duration_s=claimed,
        declared_duration_s=None if header.size_unknown else claimed,
        estimated_duration_s=header.held_frames / rate if rate else None,
        bit_rate_bps=rate * header.block_align * 8,
        wav=header,
        declared=tuple((name, frames / rate) for name, frames in header.declared_frames) if rate else (),
        audio_bytes=header.held_bytes,
    )


def _probe_with_ffmpeg(source: Source, header: WavHeader | None, *, quick: bool) -> Probe:
    from preflight.media.containers import audio_track, open_container

    begin = leading_tags(source)
    ranges = ((begin, source.size),) if begin else ()
    with open_container(source, ranges, quick=quick) as container:
        container_format = container.format.name
        name = _container_name(container, source)
        has_video = any(not _is_cover(stream) for stream in container.streams.video)
        if name == "m4a" and has_video:
            name = "mp4"
        number = _track_number(container, source, ranges, quick=quick)
        stream = audio_track(container, number)
        seconds = _seconds(container, stream)
        if stream is None:
            return Probe(name, "", 0, 0, audio_tracks=len(container.streams.audio), has_video=has_video, wav=header)
        context = stream.codec_context
        codec = "xhe_aac" if _is_usac(context) else context.codec.canonical_name
        facts = Probe(
            container=name,
            codec=codec,
            sample_rate_hz=context.sample_rate,
            channels=context.channels,
            bits=_bits(codec, context.format.bytes * 8 if context.format else 16),
            header_duration_s=seconds,
            declared_duration_s=_declared(name, seconds) if stream.duration or not has_video else None,
            estimated_duration_s=seconds,
            bit_rate_bps=stream.bit_rate or None,
            audio_tracks=len(container.streams.audio),
            has_video=has_video,
            protected=_tag(context) in _PROTECTED_TAGS,
            wav=header,
            ranges=ranges,
            audio_track=number,
        )
    if container_format.startswith("mov"):
        from preflight.media.mp4_facts import with_movie_facts

        return with_movie_facts(source, facts, begin)
    if (name, codec) in (("mp3", "mp3"), ("adts", "aac")):
        from preflight.media.frame_facts import with_frame_facts

        return with_frame_facts(source, facts, quick=quick)
    return facts


def _track_number(
    container: av.container.InputContainer, source: Source, ranges: tuple[tuple[int, int], ...], *, quick: bool
) -> int:
    """Which audio track to use, counted from 0: by what is heard in them, where there are several."""
    from preflight.media.containers import audio_track, has_decoder

    tracks = container.streams.audio
    if len(tracks) > 1 and not quick:
        from preflight.media.track_choice import choose_track

        protected = {
            number
            for number, track in enumerate(tracks)
            if has_decoder(track) and _tag(track.codec_context) in _PROTECTED_TAGS
        }
        return choose_track(source, ranges, protected)
    best = audio_track(container)
    return next((number for number, track in enumerate(tracks) if best and track.index == best.index), 0)


def _container_name(container: av.container.InputContainer, source: Source) -> str:
    name = container.format.name
    if name == "wav":
        return "wav" if source.read_at(0, 4) == b"RIFF" else "rf64"
    if not name.startswith("mov"):
        return _NAMES.get(name, name.split(",")[0])
    brand = container.metadata.get("major_brand", "qt  ")
    if brand.startswith("3g"):
        return "3gp"
    return "mov" if brand == "qt  " else "m4a"


def _tag(context: AudioCodecContext) -> str:
    """The four characters that say how the sound is coded; empty where they are none."""
    try:
        return context.codec_tag
    except UnicodeDecodeError:  # a WAV has numbers there: 0x00FF is AAC
        return ""


def _is_usac(context: AudioCodecContext) -> bool:
    """Whether an AudioSpecificConfig names object type 42, USAC (ISO/IEC 14496-3, 1.6.2.1)."""
    config = context.extradata or b""
    if context.codec.canonical_name != "aac" or len(config) < 2 or config[0] >> 3 != _ESCAPED_OBJECT_TYPE:
        return False
    return 32 + (int.from_bytes(config[:2]) >> 5 & 0x3F) == _USAC_OBJECT_TYPE


def _is_cover(stream: object) -> bool:
    from av.stream import Disposition

    return bool(getattr(stream, "disposition", 0) & Disposition.attached_pic)


def _bits(codec: str, sample_bits: int) -> int | None:
    if codec in ("flac", "alac", "wavpack", "tta", "ape", "tak"):
        return 16 if sample_bits <= 16 else 24
    if codec.startswith("pcm_"):
        return 16 if codec in ("pcm_alaw", "pcm_mulaw") else sample_bits
    return None


def _seconds(container: av.container.InputContainer, stream: AudioStream | None) -> float | None:
    if stream is not None and stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is None:
        return None
    # Matroska counts from zero, not from the first sound
    is_from_zero = stream is not None and container.format.name.startswith("matroska")
    begin = max(0.0, float((stream.start_time or 0) * (stream.time_base or 0))) if stream and is_from_zero else 0.0
    return container.duration / 1_000_000 - begin


def _declared(name: str, seconds: float | None) -> float | None:
    return seconds if name in _DECLARE_THEIR_LENGTH else None
