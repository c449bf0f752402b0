"""Any recording as blocks of float32, with an account of what could not be decoded.

WAV goes through libsndfile, everything else through FFmpeg, packet by packet: a packet that cannot be decoded
costs that packet, not the rest of the take.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from preflight import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler
    from av.audio.stream import AudioStream
    from av.packet import Packet
    from numpy.typing import NDArray

    from preflight.probe import Probe
    from preflight.source import Source

    Block = NDArray[np.float32]

_BLOCK_SAMPLES = 131_072
"""Of all channels together: what a block takes does not grow with them."""
_NEAR_S = 0.1
"""Losses no further apart than this are one."""
_CODEC_PADDING_FRAMES = 2 * 2048
"""FFmpeg keeps the last frame of AAC whole; up to two frames (of SBR, 2048) behind the declared end are padding."""


@dataclass(frozen=True)
class Damage:
    """A stretch that could not be decoded.

    Attributes:
        start_s: Where it begins on the recording's own timeline.
        end_s: Where it ends there.
        at_s: Where it stands in the decoded sound.
        until_s: Where the decoded sound is whole again: `at_s`, where the stretch is missing from it; later
            where silence stands in its place.
    """

    start_s: float
    end_s: float
    at_s: float
    until_s: float


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
        stopped: Whether decoding was given up at `limits.MAX_DECODED_S`.
    """

    source: Source
    probe: Probe
    frames: int = 0
    damage: list[Damage] = field(default_factory=list)
    changes: list[tuple[float, int, int]] = field(default_factory=list)
    stopped: bool = False

    @property
    def duration_s(self) -> float:
        """Seconds decoded so far."""
        return self.frames / self.probe.sample_rate_hz

    @property
    def _block_frames(self) -> int:
        return max(1, _BLOCK_SAMPLES // self.probe.channels)

    def blocks(self) -> Iterator[Block]:
        """Yield float32 arrays of shape (frames, channels), full scale at ±1, all samples finite.

        Raises:
            NotARecording: The file cannot be opened as audio.
        """
        limit = int(limits.MAX_DECODED_S * self.probe.sample_rate_hz)
        blocks = self._from_sndfile() if self.probe.is_plain_wav else self._from_ffmpeg()
        for block in blocks:
            sound = self._finite(block)
            self.frames += len(sound)
            yield sound
            if self.frames >= limit:
                self.stopped = True
                return

    def _finite(self, block: Block) -> Block:
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

    def _from_sndfile(self) -> Iterator[Block]:
        import soundfile

        from preflight.errors import NotARecording

        self.source.rewind()
        try:
            with soundfile.SoundFile(self.source.fd, closefd=False) as file:
                while len(block := file.read(self._block_frames, dtype="float32", always_2d=True)):
                    yield block
        except soundfile.LibsndfileError as error:
            raise NotARecording(f"its WAV header cannot be used ({error.error_string})") from error

    def _from_ffmpeg(self) -> Iterator[Block]:
        parts: list[Block] = []
        held = 0
        for part in self._trimmed(self._ffmpeg_parts()):
            parts.append(part)
            held += part.shape[1]
            if held >= self._block_frames:
                yield np.concatenate(parts, axis=1).T
                parts, held = [], 0
        if parts:
            yield np.concatenate(parts, axis=1).T

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
        """Yield arrays of shape (channels, frames), one a frame of the codec."""
        from preflight.containers import DECODER_ERRORS, audio_track, open_container

        with open_container(self.source) as container:
            stream = audio_track(container)
            if stream is None:
                return
            conform = _Conform(self)
            for packet in _packets(container.demux(stream), DECODER_ERRORS):
                yield from self._packet_parts(packet, stream, conform)
            with suppress(*DECODER_ERRORS):
                yield from conform.parts(None)

    def _packet_parts(self, packet: Packet[AudioStream], stream: AudioStream, conform: _Conform) -> Iterator[Block]:
        from preflight.containers import DECODER_ERRORS

        try:
            for frame in stream.decode(packet):
                if frame.is_corrupt:
                    self._note_lost(packet, stream, conform.position_s)
                yield from conform.parts(frame)
        except DECODER_ERRORS:  # a broken packet can also decode to a frame of a form that cannot be converted
            self._note_lost(packet, stream, conform.position_s)

    def _note_lost(self, packet: Packet[AudioStream], stream: AudioStream, position_s: float) -> None:
        base = packet.time_base or stream.time_base
        if packet.pts is None or base is None:
            self._add_damage(position_s, position_s, position_s, position_s)
            return
        start = float((packet.pts - (stream.start_time or 0)) * base)
        end = start + float((packet.duration or 0) * base)
        self._add_damage(max(0.0, start), max(0.0, end), position_s, position_s)


class _Conform:
    """Bring every frame to the rate and channels of the first."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._wanted = (decoder.probe.sample_rate_hz, decoder.probe.channels)
        self._now = self._wanted
        self._resampler: AudioResampler | None = None
        self._frames = 0

    @property
    def position_s(self) -> float:
        return self._frames / self._wanted[0]

    def parts(self, frame: AudioFrame | None) -> Iterator[Block]:
        """The samples of `frame`; with None, what a conversion still held back."""
        form = (frame.sample_rate, frame.layout.nb_channels) if frame else None
        if form != self._now:
            yield from self._flush()
        if frame is None or form is None:
            return
        if form != self._now:
            self._now = form
            self._note_change(form)
            self._resampler = None if form == self._wanted else self._conversion()
        if self._resampler is None:
            yield self._counted(_samples(frame))
            return
        frame.pts = None
        for out in self._resampler.resample(frame):
            yield self._counted(_samples(out))

    def _note_change(self, form: tuple[int, int]) -> None:
        changes, at_s = self._decoder.changes, self.position_s
        if changes and at_s - changes[-1][0] < _NEAR_S:
            at_s = changes.pop()[0]  # FFmpeg tells the new rate one frame after the new channels
        changes.append((at_s, *form))

    def _conversion(self) -> AudioResampler:
        import av

        rate, channels = self._wanted
        return av.AudioResampler(format="fltp", layout="mono" if channels == 1 else f"{channels}c", rate=rate)

    def _flush(self) -> Iterator[Block]:
        resampler, self._resampler = self._resampler, None
        if resampler is not None:
            for out in resampler.resample(None):
                yield self._counted(_samples(out))

    def _counted(self, part: Block) -> Block:
        self._frames += part.shape[1]
        return part


def _packets(
    packets: Iterator[Packet[AudioStream]], errors: tuple[type[Exception], ...]
) -> Iterator[Packet[AudioStream]]:
    """The packets until the demuxer ends or fails: what follows a failure of the demuxer is not to be had."""
    while True:
        try:
            packet = next(packets, None)
        except errors:
            return
        if packet is None:
            return
        yield packet


_SCALE = {"u8": 128.0, "s16": 32768.0, "s32": 2147483648.0}


def _samples(frame: AudioFrame) -> Block:
    """The samples of a frame as float32 of shape (channels, frames), full scale at ±1."""
    array = frame.to_ndarray()
    if not frame.format.is_planar:
        array = array.reshape(-1, frame.layout.nb_channels).T
    kind = frame.format.name.rstrip("p")
    if kind in ("flt", "dbl"):
        return array.astype(np.float32, copy=False)
    offset = 128 if kind == "u8" else 0
    return np.asarray((array.astype(np.float64) - offset) / _SCALE[kind], dtype=np.float32)
