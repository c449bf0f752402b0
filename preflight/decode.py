"""Any recording as blocks of samples, with an account of what could not be decoded.

WAV goes through libsndfile, everything else through FFmpeg, packet by packet: a packet that cannot be decoded
costs that packet, not the rest of the take.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from preflight import limits
from preflight.decoded import Damage, Ending

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from av.audio.fifo import AudioFifo
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler
    from av.audio.stream import AudioStream
    from av.packet import Packet
    from numpy.typing import NDArray

    from preflight.probe import Probe
    from preflight.source import Source

    Block = NDArray[np.float32]
    Stored = NDArray[np.int16 | np.int32 | np.float32]

_BLOCK_SAMPLES = 131_072
"""Of all channels together: what a block takes does not grow with them."""
_NEAR_S = 0.1
"""Losses no further apart than this are one."""
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
    def ending(self) -> Ending:
        """How it went, so far."""
        return Ending(self.duration_s, tuple(self.damage), tuple(self.changes), self.stopped)

    @property
    def _block_frames(self) -> int:
        return max(1, _BLOCK_SAMPLES // self.probe.channels)

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
        limit = int(limits.MAX_DECODED_S * self.probe.sample_rate_hz)
        blocks = self._from_sndfile() if self.probe.is_plain_wav else self._from_ffmpeg()
        for block in blocks:
            sound = self._finite(block) if block.dtype == np.float32 else block
            self.frames += len(sound)
            yield sound
            if self.frames >= limit:
                self.stopped = True
                return

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

        self.source.rewind()
        # libsndfile's own conversion to floating point takes eight times as long as reading whole numbers
        kind = _STORED_AS.get(self.probe.codec, "float32")
        try:
            with soundfile.SoundFile(self.source.fd, closefd=False) as file:
                while len(block := file.read(self._block_frames, dtype=kind, always_2d=True)):
                    yield block
        except soundfile.LibsndfileError as error:
            raise NotARecording(f"its WAV header cannot be used ({error.error_string})") from error

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
        from preflight.containers import DECODER_ERRORS, audio_track, open_container

        with open_container(self.source) as container:
            stream = audio_track(container)
            if stream is None:
                return
            conform, gathered = _Conform(self), _Gathered(self._block_frames)
            for packet in _packets(container.demux(stream), DECODER_ERRORS):
                try:
                    for frame in stream.decode(packet):
                        if frame.is_corrupt:
                            self._note_lost(packet, stream, conform.position_s)
                        for conforming in conform.frames(frame):
                            yield from gathered.add(conforming)
                except DECODER_ERRORS:  # a broken packet can also decode to a frame of a form that cannot be converted
                    self._note_lost(packet, stream, conform.position_s)
            with suppress(*DECODER_ERRORS):
                for conforming in conform.frames(None):
                    yield from gathered.add(conforming)
            yield from gathered.end()

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

    def frames(self, frame: AudioFrame | None) -> Iterator[AudioFrame]:
        """`frame` as it is wanted; with None, what a conversion still held back."""
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
            self._frames += frame.samples
            yield frame
            return
        frame.pts = None
        for out in self._resampler.resample(frame):
            self._frames += out.samples
            yield out

    def _note_change(self, form: tuple[int, int]) -> None:
        changes, at_s = self._decoder.changes, self.position_s
        if changes and at_s - changes[-1][0] < _NEAR_S:
            at_s = changes.pop()[0]  # FFmpeg tells the new rate one frame after the new channels
        changes.append((at_s, *form))

    def _conversion(self) -> AudioResampler:
        import av

        rate, channels = self._wanted
        return av.AudioResampler(format="fltp", layout="mono" if channels == 1 else f"{channels}c", rate=rate)

    def _flush(self) -> Iterator[AudioFrame]:
        resampler, self._resampler = self._resampler, None
        if resampler is not None:
            for out in resampler.resample(None):
                self._frames += out.samples
                yield out


class _Gathered:
    """Gathers the small frames of a codec: an array for each would cost more than its decoding."""

    def __init__(self, block_frames: int) -> None:
        self._block_frames = block_frames
        self._form: tuple[str, str, int, Fraction | None] | None = None
        self._fifo: AudioFifo | None = None

    def add(self, frame: AudioFrame) -> Iterator[Block]:
        """Take the next frame; yield arrays of shape (channels, frames)."""
        from av.audio.fifo import AudioFifo

        form = (frame.format.name, frame.layout.name, frame.sample_rate, frame.time_base)
        if self._fifo is None or form != self._form:
            yield from self.end()
            self._form, self._fifo = form, AudioFifo()
        frame.pts = None
        self._fifo.write(frame)
        while self._fifo.samples >= self._block_frames:
            yield _samples(self._fifo.read(self._block_frames))

    def end(self) -> Iterator[Block]:
        """Yield what is left."""
        if self._fifo is not None and self._fifo.samples:
            yield _samples(self._fifo.read(self._fifo.samples))


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


_STORED_AS = {"pcm_u8": "int16", "pcm_s16le": "int16", "pcm_s24le": "int32", "pcm_s32le": "int32"}
_SCALE = {"u8": 128.0, "s16": 32768.0, "s32": 2147483648.0}


def scale_of(block: Stored) -> float:
    """What the samples of `block` are multiplied by to have their full scale at ±1."""
    return 1.0 if block.dtype == np.float32 else 0.5 ** (8 * block.dtype.itemsize - 1)


def _samples(frame: AudioFrame | None) -> Block:
    """The samples of a frame as float32 of shape (channels, frames), full scale at ±1."""
    if frame is None:
        raise RuntimeError("the samples that were counted are not there")
    array = frame.to_ndarray()
    if not frame.format.is_planar:
        array = array.reshape(-1, frame.layout.nb_channels).T
    kind = frame.format.name.rstrip("p")
    if kind in ("flt", "dbl"):
        return array.astype(np.float32, copy=False)
    offset = 128 if kind == "u8" else 0
    return np.asarray((array.astype(np.float64) - offset) / _SCALE[kind], dtype=np.float32)
