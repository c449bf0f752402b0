"""Decode a recording to blocks of samples, and record what could not be decoded.

libsndfile reads WAV. FFmpeg decodes everything else, packet by packet: a damaged packet costs only that packet, not the
rest of the recording.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import numpy as np

from preflight import limits
from preflight.media.byte_ranges import RangeReader
from preflight.media.damage import MERGE_WITHIN_S, Damage, merged_damage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.stream import AudioStream
    from av.packet import Packet
    from numpy.typing import NDArray
    from soundfile import SoundFile

    from preflight.input.source import Source
    from preflight.media.frames import FrameConverter
    from preflight.media.probe import Probe
    from preflight.media.wav_header import WavHeader

    Block = NDArray[np.float32]
    Packets = Iterator[Packet[AudioStream]]
    Stored = NDArray[np.int16 | np.int32 | np.float32 | np.float64]

_CONSTANT_FRAMES = frozenset({"aac", "mp3"})
"""Codecs with a constant number of samples per packet: encoders pad both ends, and not all decoders trim that."""
_CODEC_PADDING_FRAMES = 2 * 2048
"""FFmpeg outputs the whole last AAC frame; up to two frames (2048 samples with SBR) after the end are padding."""


@dataclass
class Decoder:
    """Decodes one recording once.

    Attributes:
        source: The open recording.
        probe: The facts from its headers.
        exact: Keep 32-bit integers and 64-bit floats in `stored_blocks`.
        frames: The number of decoded frames so far (a frame is one sample of every channel).
        damage: What could not be decoded so far.
        changes: Where sample rate or channels change: (seconds, rate, channels). The rest is converted to the
            first format.
        stopped: Whether decoding stopped at `limits.MAX_DECODED_S` or `limits.MAX_DECODED_SAMPLES`.
        float_scale: The full scale by which floating-point samples are divided; None before decoding starts.
    """

    source: Source
    probe: Probe
    exact: bool = False
    frames: int = 0
    damage: list[Damage] = field(default_factory=list)
    changes: list[tuple[float, int, int]] = field(default_factory=list)
    stopped: bool = False
    float_scale: float | None = None
    _read_bytes: int = 0
    _packets: int = 0
    _packet_s: float = 0.0

    @property
    def duration_s(self) -> float:
        """The decoded duration in seconds so far."""
        return self.frames / self.probe.sample_rate_hz if self.frames else 0.0

    @property
    def padded_s(self) -> float:
        """The duration in seconds in a decoder that keeps the encoder padding; at least `duration_s`."""
        held_s = self._packets * self._packet_s if self.probe.codec in _CONSTANT_FRAMES else 0.0
        return max(self.duration_s, held_s)

    @property
    def all_damage(self) -> tuple[Damage, ...]:
        """What could not be decoded so far, and the frames that are missing from the file."""
        return merged_damage(self.probe.damage, self.damage, self.duration_s)

    @property
    def _size(self) -> int:
        return sum(end - begin for begin, end in self.probe.ranges) or self.source.size

    @property
    def _block_frames(self) -> int:
        return max(1, limits.BLOCK_SAMPLES // self.probe.channels)

    def blocks(self) -> Iterator[Block]:
        """Yield float32 arrays of shape (frames, channels) with a full scale of 1; all samples are finite.

        Raises:
            NotARecording: The file cannot be opened as audio.
        """
        for block in self.stored_blocks():
            yield np.multiply(block, np.float32(scale_of(block)), dtype=np.float32)

    def stored_blocks(self) -> Iterator[Stored]:
        """Yield the samples in their stored type: integers stay integers, see `scale_of`.

        Raises:
            NotARecording: The file cannot be opened as audio.
        """
        of_time = int(limits.MAX_DECODED_S * self.probe.sample_rate_hz)
        limit = min(of_time, limits.MAX_DECODED_SAMPLES // self.probe.channels)
        scale = self.float_scale = self._scale_of_floats(limit)
        for block in self._raw_blocks():
            # integers pass unchanged: their scale is known, and multiplying would cost a copy
            scaled = block if scale == 1.0 else np.asarray(block * np.float32(1 / scale), np.float32)
            sound = self._finite(scaled) if scaled.dtype.kind == "f" else scaled
            self.frames += len(sound)
            yield sound
            if self.frames >= limit:
                self.stopped = True
                return

    def _raw_blocks(self) -> Iterator[Stored]:
        return self._from_sndfile() if self.probe.is_plain_wav else self._from_ffmpeg()

    def _scale_of_floats(self, limit: int) -> float:
        """Read all floating-point PCM in advance: the full scale depends on all samples."""
        if not self.probe.codec.startswith("pcm_f"):
            return 1.0
        from preflight.media.frames import ScaleMeter

        meter, frames = ScaleMeter(), 0
        for block in Decoder(self.source, self.probe)._raw_blocks():  # a separate decoder with its own counts
            meter.add(block)
            frames += len(block)
            if frames >= limit:
                break
        return meter.scale()

    def _finite(self, block: Stored) -> Stored:
        """Replace NaN, infinite and absurdly large samples of floating-point files with silence, and add damage."""
        if block.min(initial=0) >= -limits.MAX_SAMPLE and block.max(initial=0) <= limits.MAX_SAMPLE:
            return block
        good = np.abs(block) <= limits.MAX_SAMPLE  # False for NaN as well
        bad, rate = np.flatnonzero(~good.all(axis=1)), self.probe.sample_rate_hz
        for run in np.split(bad, np.flatnonzero(np.diff(bad) > rate * MERGE_WITHIN_S) + 1):
            start, end = (self.frames + int(run[0])) / rate, (self.frames + int(run[-1]) + 1) / rate
            self._add_damage(start, end, start, end)
        return np.where(good, block, block.dtype.type(0))

    def _add_damage(self, start_s: float, end_s: float, at_s: float, until_s: float) -> None:
        last = self.damage[-1] if self.damage else None
        if last and start_s <= last.end_s + MERGE_WITHIN_S:
            self.damage[-1] = Damage(last.start_s, max(end_s, last.end_s), last.at_s, until_s)
        else:
            self.damage.append(Damage(start_s, end_s, at_s, until_s))

    def _from_sndfile(self) -> Iterator[Stored]:
        import soundfile

        from preflight.errors import NotARecording

        # libsndfile's conversion to float takes eight times as long as reading integers
        floats = "float64" if self.exact and self.probe.codec.startswith("pcm_f64") else "float32"
        kind = cast("Literal['int16', 'int32', 'float32']", _STORED_AS.get(self.probe.codec, floats))
        try:
            with self._open_sndfile() as file:
                while len(block := file.read(self._block_frames, dtype=kind, always_2d=True)):
                    yield cast("Stored", block)
        except soundfile.LibsndfileError as error:
            raise NotARecording(f"the WAV header is not usable ({error.error_string})") from error

    @contextmanager
    def _open_sndfile(self) -> Iterator[SoundFile]:
        """Open the samples of a WAV without its header.

        libsndfile stops at the first data chunk, and rejects headers that other programs accept.

        Raises:
            CannotOpen: Reading failed.
        """
        import soundfile

        wav = cast("WavHeader", self.probe.wav)  # only a plain WAV is read by libsndfile
        samples = RangeReader(self.source, wav.ranges)
        file_object: Any = samples  # soundfile takes any file object, although its type does not say so
        rate, endian = wav.sample_rate_hz, "BIG" if wav.codec.endswith("be") else "LITTLE"
        subtype = _SUBTYPES[wav.codec.removesuffix("le").removesuffix("be")]
        with soundfile.SoundFile(
            file_object, format="RAW", subtype=subtype, endian=endian, samplerate=rate, channels=wav.channels
        ) as file:
            yield file
        if samples.error is not None:  # libsndfile treats a failed read as the end of the file
            raise samples.error

    def _from_ffmpeg(self) -> Iterator[Block]:
        for part in self._trimmed(self._ffmpeg_parts()):
            yield part.T

    def _trimmed(self, parts: Iterator[Block]) -> Iterator[Block]:
        """Drop the encoder padding after the end that the container declares."""
        declared = self.probe.declared_duration_s
        # FFmpeg trims MP3 by its Info frame, but outputs the whole last AAC frame
        if self.probe.codec != "aac" or not declared:
            yield from parts
            return
        end, position = round(declared * self.probe.sample_rate_hz), 0
        late: list[Block] = []
        for part in parts:
            keep = min(max(0, end - position), part.shape[1])
            position += part.shape[1]
            if keep:
                yield part[:, :keep]
            if keep < part.shape[1]:
                late.append(part[:, keep:])
            if position > end + _CODEC_PADDING_FRAMES:
                yield from late
                late = []
        # the rest of `late` is within two frames of the end: padding

    def _ffmpeg_parts(self) -> Iterator[Block]:
        """Yield arrays of shape (channels, frames)."""
        from preflight.media.containers import DECODER_ERRORS, audio_track, open_container
        from preflight.media.frames import FrameCollector, FrameConverter

        with open_container(self.source, self.probe.ranges) as container:
            stream = audio_track(container, self.probe.audio_track)
            if stream is None:
                return
            converter = FrameConverter(self.probe.sample_rate_hz, self.probe.channels, self.changes)
            collector = FrameCollector(self._block_frames, exact=self.exact)
            for packet in self._packets_of(container.demux(stream), converter):
                try:
                    for frame in stream.decode(packet):
                        self._packet_s = max(self._packet_s, frame.samples / frame.sample_rate)
                        if frame.is_corrupt:  # decoded in spite of an error in the packet
                            self._note_lost(packet, stream, converter.position_s)
                        for converted in converter.frames(frame):
                            yield from collector.add(converted)
                except DECODER_ERRORS:  # a damaged packet can also decode to a frame that cannot be converted
                    self._note_lost(packet, stream, converter.position_s)
            with suppress(*DECODER_ERRORS):
                for converted in converter.frames(None):
                    yield from collector.add(converted)
            try:
                yield from collector.end()
            except DECODER_ERRORS:
                self._add_damage(*[converter.position_s] * 4)

    def _packets_of(self, demuxed: Packets, converter: FrameConverter) -> Packets:
        """Yield the packets, to the end or to where the demuxer fails: the rest is unreadable then."""
        from preflight.media.containers import DECODER_ERRORS

        try:
            for packet in demuxed:
                # unknown, for example, of packets that a parser has split
                if (position := packet.pos) is not None:
                    self._read_bytes = max(self._read_bytes, position + packet.size)
                self._packets += packet.size > 0
                yield packet
        except DECODER_ERRORS:  # of the demuxer: what its caller raises does not get here
            unread_s, end_s = self._unread_s(converter.position_s), converter.position_s
            if unread_s > 0:
                self._add_damage(end_s, end_s + unread_s, end_s, end_s)

    def _unread_s(self, position_s: float) -> float:
        """Return the seconds missing after `position_s`: by the header, or else by the bytes per second so far."""
        declared = self.probe.header_duration_s
        if declared is not None and position_s >= declared - MERGE_WITHIN_S:
            return 0.0  # all audio was read: the rest of the file is something else
        by_bytes = position_s * (self._size / self._read_bytes - 1) if self._read_bytes else 0.0
        return by_bytes if declared is None else declared - position_s

    def _note_lost(self, packet: Packet[AudioStream], stream: AudioStream, position_s: float) -> None:
        base = packet.time_base or stream.time_base
        if packet.pts is None or base is None:
            self._add_damage(position_s, position_s, position_s, position_s)
            return
        start = float((packet.pts - (stream.start_time or 0)) * base)
        end = start + float((packet.duration or 0) * base)
        self._add_damage(max(0.0, start), max(0.0, end), position_s, position_s)


_STORED_AS: Final = {"pcm_u8": "int16"} | {
    f"pcm_s{bits}{order}": "int16" if bits == 16 else "int32" for bits in (16, 24, 32) for order in ("le", "be")
}
_SUBTYPES = {
    "pcm_u8": "PCM_U8",
    "pcm_s16": "PCM_16",
    "pcm_s24": "PCM_24",
    "pcm_s32": "PCM_32",
    "pcm_f32": "FLOAT",
    "pcm_f64": "DOUBLE",
    "pcm_alaw": "ALAW",
    "pcm_mulaw": "ULAW",
}


def scale_of(block: Stored) -> float:
    """Return the factor that brings the samples of `block` to a full scale of 1."""
    return 1.0 if block.dtype.kind == "f" else 0.5 ** (8 * block.dtype.itemsize - 1)
