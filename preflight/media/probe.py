"""Probe a recording: format, duration and tracks by its headers, without decoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from preflight import limits
from preflight.errors import NotARecording, WrongHeader
from preflight.media.damage import Damage
from preflight.media.mp4_boxes import PROTECTED
from preflight.media.tags import leading_tags
from preflight.media.wav_format import ENCODED_BYTES, encoded_file
from preflight.media.wav_header import WavHeader, read_wav_header

if TYPE_CHECKING:
    import av.container
    from av.audio.stream import AudioStream

    from preflight.input.source import Source

_NAMES = {"aac": "adts", "matroska,webm": "matroska", "asf": "wma"}
_DECLARING_DURATION = frozenset({"m4a", "mp4", "mov", "3gp", "flac", "matroska", "aiff", "caf", "w64", "wav"})
"""Containers whose duration FFmpeg reads from a header; for the others it is an estimate."""


@dataclass(frozen=True)
class Probe:
    """The facts from the headers of a recording.

    Attributes:
        container: As in `FileFacts`.
        codec: As in `FileFacts`.
        sample_rate_hz: The declared sample rate in hertz.
        channels: The declared number of channels.
        bits: The bits per sample of a lossless codec; None for lossy ones.
        header_duration_s: The duration that players show, in seconds: declared, or estimated from the bit rate.
        declared_duration_s: The declared duration in seconds; None if FFmpeg only estimates one.
        estimated_duration_s: The best estimate without decoding, in seconds.
        bit_rate_bps: The bit rate of the audio in bits per second.
        audio_tracks: The number of audio tracks.
        has_video: Whether there is a video track (a cover image does not count).
        protected: Whether the audio is encrypted.
        wav: The header of a WAV file.
        declared: All declared durations in seconds, by the name of the field.
        ranges: The byte ranges of the media, without tags; empty for the whole file.
        audio_bytes: The size of the encoded audio in bytes, without tags; None if unknown.
        damage: The missing frames, as far as frame headers show them.
        inner_tags_s: The position of the first tag between frames in seconds; None if there is none.
        hidden_s: The seconds of audio that the edit list hides, beyond an encoder delay.
        is_rearranged: Whether the edit list repeats, interrupts or reorders the audio.
        audio_track: The number of the chosen audio track, from 0.
        padded_s: The duration by the packets, with the padding of the encoder; None if unknown.
        parts: The number of concatenated MP4 files; the other facts are those of the first.
        is_contradictory: Whether an MP4 has no time scale, so that programs disagree about all of its times.
        is_size_known: Whether `estimated_duration_s` follows from the content of the file, not from a declaration.
        is_whole: Whether the file has all samples of its index, so that a longer declared duration is wrong.
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
    is_whole: bool = False
    is_contradictory: bool = False
    hidden_s: float = 0.0
    is_rearranged: bool = False
    audio_track: int = 0
    padded_s: float | None = None
    parts: int = 1

    @property
    def is_plausible(self) -> bool:
        """Whether the headers describe possible audio, so that it makes sense to decode it."""
        possible = limits.MIN_SAMPLE_RATE_HZ <= self.sample_rate_hz <= limits.MAX_SAMPLE_RATE_HZ
        return bool(self.codec) and possible and self.channels > 0

    @property
    def has_sound(self) -> bool:
        """Whether the file has audio that can be decoded: plausible and not encrypted."""
        return self.is_plausible and not self.protected

    @property
    def is_plain_wav(self) -> bool:
        """Whether libsndfile can read the samples: PCM, float or companded."""
        return self.wav is not None and self.wav.is_plain


def empty_file() -> NotARecording:
    """Return the error for a file without content."""
    return NotARecording("the file is empty", "export or copy it again")


def probe(source: Source, *, quick: bool = False) -> Probe:
    """Read the headers of `source`.

    Args:
        source: The open recording.
        quick: Read the first kilobytes only.

    Raises:
        NotARecording: The content is not recognized as audio.
        CannotOpen: Reading failed.
    """
    if source.size == 0:
        raise empty_file()
    # PCM in WAV without FFmpeg: importing av takes longer than reading the header
    header = read_wav_header(source, quick=quick)
    return _plain(source, header) or _probe_with_ffmpeg(source, header, quick=quick)


def probe_plain_wav(source: Source) -> Probe | None:
    """Return the probe of a WAV that libsndfile can read; None for every other file.

    Raises:
        WrongHeader: It holds an encoded file instead of samples.
        CannotOpen: Reading failed.
    """
    return _plain(source, read_wav_header(source, quick=True))


def _plain(source: Source, header: WavHeader | None) -> Probe | None:
    if header is None or not header.is_plain:
        return None
    if name := encoded_file(source.read_at(header.data_offset, ENCODED_BYTES)):
        raise WrongHeader(f"it has the header of a PCM WAV in front of {name}", "export it again")
    return _probe_wav(header)


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
    from preflight.media.byte_ranges import amr_ranges
    from preflight.media.containers import (
        audio_track,
        bits_of,
        codec_tag,
        is_usac,
        lacks_packet_sizes,
        open_container,
    )
    from preflight.media.mp3_header import FREE_FORMAT_BYTES, is_free_format

    begin = leading_tags(source)
    if is_free_format(source.read_at(begin, FREE_FORMAT_BYTES)):  # FFmpeg would recognize it as some other format
        raise NotARecording("a free-format MP3, without a bit rate in its headers", "export it with a bit rate")
    ranges = amr_ranges(source, begin) or (((begin, source.size),) if begin else ())
    with open_container(source, ranges, quick=quick) as container:
        container_format = container.format.name
        name = _container_name(container, source)
        has_video = any(not _is_cover(stream) for stream in container.streams.video)
        if name == "m4a" and has_video:
            name = "mp4"
        number = _track_number(container, source, ranges, quick=quick)
        stream = audio_track(container, number)
        seconds = _seconds(container, stream)
        if container_format.startswith("mov") and not (container.streams.audio or has_video):
            raise NotARecording("its index has no track", "copy it again from its source")
        if stream is None:
            return Probe(name, "", 0, 0, audio_tracks=len(container.streams.audio), has_video=has_video, wav=header)
        context = stream.codec_context
        codec = "xhe_aac" if is_usac(context) else context.codec.canonical_name
        facts = Probe(
            container=name,
            codec=codec,
            sample_rate_hz=context.sample_rate,
            channels=context.channels,
            bits=bits_of(codec, context.format.bytes * 8 if context.format else 16),
            header_duration_s=seconds,
            # without a stream duration, the one of the container may be that of the video
            declared_duration_s=_declared(name, codec, seconds, header) if stream.duration or not has_video else None,
            estimated_duration_s=seconds,
            bit_rate_bps=stream.bit_rate or None,
            audio_tracks=len(container.streams.audio),
            has_video=has_video,
            protected=codec_tag(context) in PROTECTED,
            wav=header,
            ranges=ranges,
            audio_track=number,
        )
    if header is not None and lacks_packet_sizes(codec, source.read_at(header.data_offset, ENCODED_BYTES)):
        name = "AAC" if codec == "aac" else codec.capitalize()
        raise WrongHeader(
            f"a WAV with {name} packets but not their sizes, so that they cannot be decoded", "export it again"
        )
    if container_format.startswith("mov"):
        from preflight.media.mp4_header import with_movie_facts

        return with_movie_facts(source, facts, begin, quick=quick)
    if name in ("aiff", "w64"):
        from preflight.media.unfinished_pcm import with_all_samples

        return with_all_samples(source, facts)
    if (name, codec) in (("mp3", "mp3"), ("adts", "aac")):
        from preflight.media.frame_facts import with_frame_facts

        return with_frame_facts(source, facts, quick=quick)
    return facts


def _track_number(
    container: av.container.InputContainer, source: Source, ranges: tuple[tuple[int, int], ...], *, quick: bool
) -> int:
    """Return the number of the audio track to use, from 0: the one with the most speech, if there are several."""
    from preflight.media.containers import audio_track, choose_track, codec_tag, has_decoder

    tracks = container.streams.audio
    if len(tracks) > 1 and not quick:
        protected = {
            number
            for number, track in enumerate(tracks)
            if has_decoder(track) and codec_tag(track.codec_context) in PROTECTED
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
    # ftyp is optional in QuickTime files (ISO/IEC 14496-12, 4.3)
    brand = container.metadata.get("major_brand", "qt  ")
    if brand.startswith("3g"):
        return "3gp"
    return "mov" if brand == "qt  " else "m4a"


def _is_cover(stream: object) -> bool:
    from av.stream import Disposition

    return bool(getattr(stream, "disposition", 0) & Disposition.attached_pic)


def _seconds(container: av.container.InputContainer, stream: AudioStream | None) -> float | None:
    from preflight.media.containers import opus_delay_s

    if stream is not None and stream.duration is not None and stream.time_base is not None:
        delay_s = opus_delay_s(stream.codec_context) if container.format.name == "ogg" else 0.0
        # some writers add the delay to the first time as well
        shift_s = min(delay_s, max(0.0, float((stream.start_time or 0) * stream.time_base)))
        return max(0.0, float(stream.duration * stream.time_base) - delay_s - shift_s)
    if container.duration is None:
        return None
    # Matroska counts from time zero, not from the first packet
    is_from_zero = stream is not None and container.format.name.startswith("matroska")
    begin = max(0.0, float((stream.start_time or 0) * (stream.time_base or 0))) if stream and is_from_zero else 0.0
    return container.duration / 1_000_000 - begin


def _declared(name: str, codec: str, seconds: float | None, wav: WavHeader | None) -> float | None:
    if wav is not None and "fact" not in dict(wav.declared_frames) and not codec.startswith("pcm_"):
        return None  # FFmpeg's estimate from the declared byte rate
    # in these two, FFmpeg takes the number of compressed blocks for that of samples
    if name in ("aiff", "w64") and not codec.startswith("pcm_"):
        return None
    return seconds if name in _DECLARING_DURATION else None
