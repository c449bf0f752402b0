"""Any recording as blocks of samples, with an account of what could not be decoded.

WAV goes through libsndfile, everything else through FFmpeg, packet by packet: a packet that cannot be decoded
costs that packet, not the rest of the take.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from preflight import limits
from preflight.analysis.analysis import Damage, Ending, merged_damage
from preflight.media.byte_ranges import RangeReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.stream import AudioStream
    from av.packet import Packet
    from numpy.typing import NDArray
    from soundfile import SoundFile

    from preflight.input.source import Source
    from preflight.media.probe import Probe

    Block = NDArray[np.float32]
    Stored = NDArray[np.int16 | np.int32 | np.float32]

_NEAR_S = 0.1
"""Losses no further apart than this are one."""
_IN_FRAMES = frozenset({"aac", "mp3"})
"""Codings whose packets all hold as many samples: encoders pad both ends, and not every decoder takes that away."""
_CODEC_PADDING_FRAMES = 2 * 2048
"""FFmpeg keeps the last frame of AAC whole; up to two frames (of SBR, 2048) behind the declared end are padding."""


@dataclass
class Decoder:
    """One pass over a recording.

    Attributes:
        source: The open recording.
        probe: What its headers say.
        frames: Decoded so far (a frame is one sample of every channel).
        damage: What could not be decoded so far.
        changes: Where sample rate or channels changed on the way: (seconds, rate, channels). What follows is
            converted to the first.
        stopped: Whether decoding was given up at `limits.MAX_DECODED_S` or `limits.MAX_DECODED_SAMPLES`.
        float_scale: What floating-point samples are divided by; None before they were looked at.
    """

    source: Source
    probe: Probe
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
        """Seconds decoded so far."""
        return self.frames / self.probe.sample_rate_hz if self.frames else 0.0

    @property
    def padded_s(self) -> float:
        """Seconds that a decoder finds which keeps what the encoder padded; no less than `duration_s`."""
        held_s = self._packets * self._packet_s if self.probe.codec in _IN_FRAMES else 0.0
        return max(self.duration_s, held_s)

    @property
    def ending(self) -> Ending:
        """How it went, so far."""
        damage = merged_damage(self.probe.damage, self.damage, self.duration_s)
        scale = self.float_scale or 1.0
        return Ending(self.duration_s, damage, tuple(self.changes), self.stopped, self.padded_s, scale)

    @property
    def _size(self) -> int:
        return sum(end - begin for begin, end in self.probe.ranges) or self.source.size

    @property
    def _block_frames(self) -> int:
        return max(1, limits.BLOCK_SAMPLES // self.probe.channels)

    def blocks(self) -> Iterator[Block]:
        """Yield float32 arrays of shape (frames, channels), full scale at ±1, all samples finite.

        Raises:
            NotARecording: The file cannot be opened as audio.
        """
        for block in self.stored_blocks():
            yield np.multiply(block, np.float32(scale_of(block)), dtype=np.float32)

    def stored_blocks(self) -> Iterator[Stored]:
        """Yield the same samples as they are stored: whole numbers stay so, see `scale_of`.

        Raises:
            NotARecording: The file cannot be opened as audio.
        """
        of_time = int(limits.MAX_DECODED_S * self.probe.sample_rate_hz)
        limit = min(of_time, limits.MAX_DECODED_SAMPLES // self.probe.channels)
        scale = self.float_scale = self._scale_of_floats(limit)
        for block in self._raw_blocks():
            scaled = block if scale == 1.0 else np.asarray(block * np.float32(1 / scale), np.float32)
            sound = self._finite(scaled) if scaled.dtype == np.float32 else scaled
            self.frames += len(sound)
            yield sound
            if self.frames >= limit:
                self.stopped = True
                return

    def _raw_blocks(self) -> Iterator[Stored]:
        return self._from_sndfile() if self.probe.is_plain_wav else self._from_ffmpeg()

    def _scale_of_floats(self, limit: int) -> float:
        """Read floating-point PCM once more, before it is used: only all of it shows what its full scale is."""
        if not self.probe.codec.startswith("pcm_f"):
            return 1.0
        from preflight.media.float_scale import ScaleMeter

        meter, frames = ScaleMeter(), 0
        for block in Decoder(self.source, self.probe)._raw_blocks():  # a pass of its own, with its own counts
            meter.add(block)
            frames += len(block)
            if frames >= limit:
                break
        return meter.scale()

    def _finite(self, block: Stored) -> Stored:
        """Floating-point files can hold values that are no numbers; they are silenced and counted as damage."""
        if block.min(initial=0) >= -limits.MAX_SAMPLE and block.max(initial=0) <= limits.MAX_SAMPLE:
            return block
        good = np.abs(block) <= limits.MAX_SAMPLE
        bad = np.flatnonzero(~good.all(axis=1))
        rate = self.probe.sample_rate_hz
        for run in np.split(bad, np.flatnonzero(np.diff(bad) > rate * _NEAR_S) + 1):
            start, end = (self.frames + int(run[0])) / rate, (self.frames + int(run[-1]) + 1) / rate
            self._add_damage(start, end, start, end)
        return np.where(good, block, np.float32(0))

    def _add_damage(self, start_s: float, end_s: float, at_s: float, until_s: float) -> None:
        last = self.damage[-1] if self.damage else None
        if last and start_s <= last.end_s + _NEAR_S:
            self.damage[-1] = Damage(last.start_s, max(end_s, last.end_s), last.at_s, until_s)
        else:
            self.damage.append(Damage(start_s, end_s, at_s, until_s))

    def _from_sndfile(self) -> Iterator[Stored]:
        import soundfile

        from preflight.errors import NotARecording

        # libsndfile's own conversion to floating point takes eight times as long as reading whole numbers
        kind = _STORED_AS.get(self.probe.codec, "float32")
        try:
            with self._open_sndfile() as file:
                while len(block := file.read(self._block_frames, dtype=kind, always_2d=True)):
                    yield block
        except soundfile.LibsndfileError as error:
            raise NotARecording(f"its WAV header cannot be used ({error.error_string})") from error

    @contextmanager
    def _open_sndfile(self) -> Iterator[SoundFile]:
        """A WAV that every reader understands, or the bare samples of one that only `riff` does.

        Raises:
            CannotOpen: The disk or the network behind the file failed.
        """
        import soundfile

        wav = self.probe.wav
        if wav is None or (wav.is_standard and not wav.size_unknown):
            self.source.rewind()
            with soundfile.SoundFile(self.source.fd, closefd=False) as file:
                yield file
            return
        samples = RangeReader(self.source, wav.ranges)
        rate, endian = wav.sample_rate_hz, "BIG" if wav.form == "rifx" else "LITTLE"
        subtype = _SUBTYPES[wav.codec.removesuffix("le").removesuffix("be")]
        with soundfile.SoundFile(
            samples, format="RAW", subtype=subtype, endian=endian, samplerate=rate, channels=wav.channels
        ) as file:
            yield file
        if samples.error is not None:  # libsndfile takes a failed read for the end
            raise samples.error

    def _from_ffmpeg(self) -> Iterator[Block]:
        for part in self._trimmed(self._ffmpeg_parts()):
            yield part.T

    def _trimmed(self, parts: Iterator[Block]) -> Iterator[Block]:
        """Drop the encoder's padding behind the end that the container declares."""
        declared = self.probe.declared_duration_s
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
        # what is left in `late` lies within two frames of the end: padding

    def _ffmpeg_parts(self) -> Iterator[Block]:
        """Yield arrays of shape (channels, frames)."""
        from preflight.media.containers import DECODER_ERRORS, audio_track, open_container
        from preflight.media.frames import Conform, Gathered

        with open_container(self.source, self.probe.ranges) as container:
            stream = audio_track(container, self.probe.audio_track)
            if stream is None:
                return
            conform = Conform(self.probe.sample_rate_hz, self.probe.channels, self.changes)
            gathered = Gathered(self._block_frames)
            packets = container.demux(stream)
            while (packet := self._next(packets, conform.position_s)) is not None:
                try:
                    for frame in stream.decode(packet):
                        self._packet_s = max(self._packet_s, frame.samples / frame.sample_rate)
                        if frame.is_corrupt:
                            self._note_lost(packet, stream, conform.position_s)
                        for conforming in conform.frames(frame):
                            yield from gathered.add(conforming)
                except DECODER_ERRORS:  # a broken packet can also decode to a frame of a form that cannot be converted
                    self._note_lost(packet, stream, conform.position_s)
            with suppress(*DECODER_ERRORS):
                for conforming in conform.frames(None):
                    yield from gathered.add(conforming)
            try:
                yield from gathered.end()
            except DECODER_ERRORS:
                self._add_damage(*[conform.position_s] * 4)

    def _next(self, packets: Iterator[Packet[AudioStream]], position_s: float) -> Packet[AudioStream] | None:
        """The next packet; None at the end, and where the demuxer fails: what follows is not to be had then."""
        from preflight.media.containers import DECODER_ERRORS

        try:
            packet = next(packets, None)
        except DECODER_ERRORS:
            unread_s = self._unread_s(position_s)
            if unread_s > 0:
                self._add_damage(position_s, position_s + unread_s, position_s, position_s)
            return None
        if packet is not None and packet.pos is not None:
            self._read_bytes = max(self._read_bytes, packet.pos + packet.size)
        self._packets += packet is not None and packet.size > 0
        return packet

    def _unread_s(self, position_s: float) -> float:
        """What is missing behind `position_s`: what the header tells, or as much as stood before in as many bytes."""
        told = self.probe.header_duration_s
        if told is not None and position_s >= told - _NEAR_S:
            return 0.0  # something else stands behind the sound
        by_bytes = position_s * (self._size / self._read_bytes - 1) if self._read_bytes else 0.0
        return by_bytes if told is None else told - position_s

    def _note_lost(self, packet: Packet[AudioStream], stream: AudioStream, position_s: float) -> None:
        base = packet.time_base or stream.time_base
        if packet.pts is None or base is None:
            self._add_damage(position_s, position_s, position_s, position_s)
            return
        start = float((packet.pts - (stream.start_time or 0)) * base)
        end = start + float((packet.duration or 0) * base)
        self._add_damage(max(0.0, start), max(0.0, end), position_s, position_s)


_STORED_AS = {"pcm_u8": "int16"} | {
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
    """What the samples of `block` are multiplied by to have their full scale at ±1."""
    return 1.0 if block.dtype == np.float32 else 0.5 ** (8 * block.dtype.itemsize - 1)
