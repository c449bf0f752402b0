"""Recordings to measure: the speech of good.wav, as if recorded by two microphones."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import av
import numpy as np

from tests.support import make_audio as making

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Sound = NDArray[np.float32]

RATE: Final = 48_000
BIT_RATE: Final = 192_000
FORMS: Final = ("wav", "mp3", "m4a")
_LATER_S: Final = 0.25e-3
_FAINTER: Final = 0.8


def stereo(seconds: float, rate: int = RATE, seed: int = 1) -> Sound:
    """Return `seconds` of speech, shape (frames, 2): the right channel is fainter, later, and has noise of its own.

    The same text is repeated with pauses between, louder or fainter each time.
    """
    random = np.random.default_rng(seed)
    frames = round(seconds * rate)
    once = np.concatenate((resampled(making.story(), rate), np.zeros(round(making.PAUSE_S * rate), np.float32)))
    times = frames // len(once) + 1
    levels = 10 ** (random.uniform(-6, 0, times) / 20)
    voice = np.outer(levels.astype(np.float32), once).ravel()[:frames]
    right = np.roll(voice, round(_LATER_S * rate)) * np.float32(_FAINTER)
    noise = random.standard_normal((frames, 2), np.float32) * np.float32(10 ** (making.NOISE_DBFS / 20))
    return np.asarray(np.stack((voice, right), axis=1) + noise, np.float32)


def resampled(sound: Sound, rate: int) -> Sound:
    """Return `sound`, shape (frames,) at 16 kHz, at a higher rate, without anything above 8 kHz."""
    frames = round(len(sound) * rate / making.RATE)
    spectrum = np.fft.rfft(sound)
    return np.asarray(np.fft.irfft(spectrum, frames) * (frames / len(sound)), np.float32)


def stored(sound: Sound, form: str, rate: int = RATE) -> bytes:
    """Return `sound` as 16-bit WAV, or as MP3 or AAC of 192 kbit/s."""
    if form == "wav":
        return making.wav(sound, rate)
    muxer, codec = {"mp3": ("mp3", "libmp3lame"), "m4a": ("ipod", "aac")}[form]
    return making.coded(sound, muxer, codec, rate=rate, bit_rate=BIT_RATE)


def repeated(m4a: bytes, times: int, path: Path) -> None:
    """Write the packets of `m4a` `times` times, without encoding them again."""
    with av.open(io.BytesIO(m4a), "r") as given, av.open(str(path), "w", format="ipod") as output:
        track = given.streams.audio[0]
        copy = output.add_stream_from_template(track)
        packets = [bytes(packet) for packet in given.demux(track) if packet.size]
        frames = track.codec_context.frame_size
        for number in range(times * len(packets)):
            packet = av.Packet(packets[number % len(packets)])
            packet.stream = copy
            packet.time_base = Fraction(1, track.rate)
            packet.pts = packet.dts = number * frames
            packet.duration = frames
            output.mux(packet)
