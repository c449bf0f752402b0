"""Recordings in every form that tests need, made from the committed speech in fixtures/."""

from __future__ import annotations

import functools
import io
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np
import soundfile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Sound = NDArray[np.float32]

FIXTURES: Final = Path(__file__).parents[2] / "fixtures"
RATE: Final = 16_000
PAUSE_S: Final = 0.6
NOISE_DBFS: Final = -66.0
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


@functools.cache
def story() -> Sound:
    """The speech of good.wav, 11.5 s at `RATE`, shape (frames,)."""
    sound, _ = soundfile.read(FIXTURES / "good.wav", dtype="float32")
    return np.asarray(sound, np.float32)


def quiet(seconds: float, rate: int = RATE) -> Sound:
    """The noise of a quiet room."""
    noise = np.random.default_rng(11).normal(0, 10 ** (NOISE_DBFS / 20), round(seconds * rate))
    return np.asarray(noise, np.float32)


def talk(seconds: float) -> Sound:
    """The story, repeated with pauses in between, of exactly this duration; shape (frames,) at `RATE`."""
    once = np.concatenate((story(), quiet(PAUSE_S)))
    frames = round(seconds * RATE)
    return np.asarray(np.tile(once, frames // len(once) + 1)[:frames], np.float32)


def at_rate(sound: Sound, rate: int) -> Sound:
    """`sound` at another rate, by straight lines: for tests about form, not about quality."""
    there = np.arange(round(len(sound) * rate / RATE)) * (RATE / rate)
    return np.asarray(np.interp(there, np.arange(len(sound)), sound), np.float32)


def wav(sound: Sound, rate: int = RATE, subtype: str = "PCM_16", form: str = "WAV") -> bytes:
    """`sound`, (frames,) or (frames, channels), as written by libsndfile."""
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, rate, subtype=subtype, format=form)
    return buffer.getvalue()


def integers(sound: Sound, bits: int = 16) -> bytes:
    """`sound` as little-endian whole numbers of 16 or 32 bits."""
    top = 2 ** (bits - 1)
    whole = np.clip(np.rint(sound.astype(np.float64) * top), -top, top - 1)
    return bytes(whole.astype(f"<i{bits // 8}").tobytes())


def chunk(name: bytes, data: bytes, size: int | None = None) -> bytes:
    """A RIFF chunk, padded to an even length; `size` is what its header claims."""
    return name + struct.pack("<I", len(data) if size is None else size) + data + b"\0" * (len(data) % 2)


def form_chunk(
    tag: int = 1, channels: int = 1, rate: int = RATE, bits: int = 16, *, align: int | None = None, more: bytes = b""
) -> bytes:
    """The format chunk of a WAV."""
    align = channels * bits // 8 if align is None else align
    base = struct.pack("<HHIIHH", tag, channels, rate, min(rate * align, 2**32 - 1), align, bits)
    return chunk(b"fmt ", base + more)


def riff(*chunks: bytes, size: int | None = None) -> bytes:
    """A WAV of these chunks; `size` is what its header claims."""
    body = b"WAVE" + b"".join(chunks)
    return chunk(b"RIFF", body, size)


def coded(
    sound: Sound,
    muxer: str,
    codec: str,
    *,
    rate: int = RATE,
    bit_rate: int = 48_000,
    muxing: Mapping[str, str] | None = None,
    coding: Mapping[str, str] | None = None,
    tracks: int = 1,
) -> bytes:
    """`sound`, (frames,) or (frames, channels), coded by FFmpeg at `bit_rate` or as `coding` says."""
    frames = np.ascontiguousarray(sound.reshape(len(sound), -1))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coded"  # an index in front of the sound is only written where a name is known
        with av.open(str(path), "w", format=muxer, options=dict(muxing or {})) as output:
            streams = [_stream(output, codec, rate, frames.shape[1], bit_rate, coding) for _ in range(tracks)]
            for stream in streams:
                _encode(output, stream, frames, rate)
        return path.read_bytes()


def _encode(output: Any, stream: Any, frames: Sound, rate: int) -> None:
    frame = av.AudioFrame.from_ndarray(frames.reshape(1, -1), format="flt", layout=_LAYOUTS[frames.shape[1]])
    frame.sample_rate = rate
    output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def _stream(output: Any, codec: str, rate: int, channels: int, bit_rate: int, coding: Mapping[str, str] | None) -> Any:
    stream = output.add_stream(codec, rate=rate, layout=_LAYOUTS[channels], options=dict(coding or {}))
    stream.bit_rate = bit_rate
    if codec in ("alac", "flac"):
        stream.codec_context.format = "s16p" if codec == "alac" else "s16"
    return stream


def mp3(sound: Sound, rate: int = RATE, *, bit_rate: int = 48_000, xing: bool = True, vbr: bool = False) -> bytes:
    """`sound` as MP3, with or without the header frame that declares its length, and without an ID3 tag."""
    muxing = {"write_xing": str(int(xing)), "id3v2_version": "0"}
    coding = {"b": "0", "q": "4", "flags": "+qscale", "global_quality": "472"} if vbr else None
    return coded(sound, "mp3", "libmp3lame", rate=rate, bit_rate=0 if vbr else bit_rate, muxing=muxing, coding=coding)


def m4a(sound: Sound, rate: int = RATE, *, bit_rate: int = 48_000, fragmented: bool = False) -> bytes:
    """`sound` as AAC in M4A, with the index in front of the sound."""
    flags = "frag_keyframe+empty_moov+default_base_moof" if fragmented else "faststart"
    muxing = {"movflags": flags} | ({"frag_duration": "1000000"} if fragmented else {})
    return coded(sound, "ipod", "aac", rate=rate, bit_rate=bit_rate, muxing=muxing)


def copied(
    data: bytes, muxer: str, *, shift_s: float = 0.0, gap_s: float = 0.0, muxing: Mapping[str, str] | None = None
) -> bytes:
    """The coded sound of `data` in another container, beginning `shift_s` later, with a gap in the times after 5 s."""
    buffer = io.BytesIO()
    options = dict(muxing or {})
    with av.open(io.BytesIO(data), "r") as given, av.open(buffer, "w", format=muxer, options=options) as output:
        track = given.streams.audio[0]
        copy = output.add_stream_from_template(track)
        for packet in given.demux(track):
            if packet.dts is None:
                continue
            is_after_gap = packet.dts * packet.time_base > 5
            shift = round((shift_s + gap_s * is_after_gap) / float(packet.time_base))
            packet.stream = copy
            packet.pts, packet.dts = (packet.pts or 0) + shift, packet.dts + shift
            output.mux(packet)
    return buffer.getvalue()


def with_video(sound: Sound | None, muxer: str = "mp4", *, audio: str = "aac") -> bytes:
    """Grey moving pictures, with sound or without."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=muxer) as output:
        video = output.add_stream("mpeg4", rate=1)
        video.width = video.height = 32
        stream = None if sound is None else _stream(output, audio, RATE, 1, 48_000, None)
        for _ in range(12):
            output.mux(video.encode(av.VideoFrame(32, 32, "yuv420p")))
        output.mux(video.encode(None))
        if stream is not None and sound is not None:
            _encode(output, stream, sound.reshape(-1, 1), RATE)
    return buffer.getvalue()


def patched(data: bytes, box: bytes, offset: int, new: bytes) -> bytes:
    """An MP4 with `new` written `offset` bytes behind the name of its first `box`."""
    at = data.index(box) + 4 + offset
    return data[:at] + new + data[at + len(new) :]


def id3(*frames: tuple[bytes, bytes]) -> bytes:
    """An ID3v2.3 tag."""
    body = b"".join(name + struct.pack(">IH", len(data), 0) + data for name, data in frames)
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + body


def rotten(data: bytes, at: float, count: int) -> bytes:
    """`data` with `count` bytes overwritten at the part `at` of its length."""
    start = int(len(data) * at)
    return data[:start] + np.random.default_rng(3).bytes(count) + data[start + count :]


def sparse(path: Path, size: int, head: bytes = b"") -> Path:
    """A file of `size` bytes that occupies hardly any."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    return path


def packets(path: Path) -> list[bytes]:
    """The packets of a file."""
    return packets_in(path.read_bytes())


def packets_in(data: bytes) -> list[bytes]:
    """The packets of a file's content."""
    with av.open(io.BytesIO(data), "r") as container:
        return [bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size]
