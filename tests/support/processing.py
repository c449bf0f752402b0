"""What devices and programs do to speech: gates, noise reduction, few bits, lossy codecs, edits and lost buffers."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import av
import numpy as np

from tests.support import make_audio as making
from tests.support.defects import Defect, moving_mean, noise, resampled, top_hz

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.defects import Sound, Speech

_CODED = {"opus": ("ogg", "libopus"), "mp3": ("mp3", "libmp3lame"), "aac": ("ipod", "aac")}
_NOISE_DB = 45.0
_LOST = 0.9
"""Of the bandwidth."""


def in_a_room(speech: Speech) -> Sound:
    """`speech` with the noise of a quiet room."""
    return speech.sound + noise(len(speech.sound), "pink", 31) * np.float32(speech.level / 10 ** (_NOISE_DB / 20))


def gate(sound: Sound, rate: int, threshold_db: float, reduction_db: float, hold_s: float = 0.08) -> Sound:
    """A noise gate: below `threshold_db` under the peak for `hold_s`, it reduces the level by `reduction_db`."""
    level = np.sqrt(moving_mean(sound.astype(np.float64) ** 2, rate // 100))
    is_open = level > np.abs(sound).max() * 10 ** (threshold_db / 20)
    held = moving_mean(is_open.astype(np.float64), round(2 * hold_s * rate)) > 0
    gain = np.where(held, 1.0, 10 ** (-reduction_db / 20))
    return np.asarray(sound * moving_mean(gain, max(3, rate // 500)), np.float32)


def hard_gate(sound: Sound, rate: int, threshold_db: float) -> Sound:
    """A gate without hold or fades: digital silence wherever 10 ms are below `threshold_db` under the peak."""
    frame = rate // 100
    frames = sound[: len(sound) // frame * frame].reshape(-1, frame)
    is_open = np.sqrt((frames**2).mean(axis=1)) > np.abs(sound).max() * 10 ** (threshold_db / 20)
    return np.asarray((frames * is_open[:, None]).ravel(), np.float32)


def subtracted(sound: Sound, rate: int, floor: float = 0.02) -> Sound:
    """Spectral subtraction: the mean spectrum of the quietest tenth is taken twice from each (Boll, 1979)."""
    size = 1 << round(np.log2(0.032 * rate))
    window = np.sqrt(np.hanning(size + 1)[:-1])
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(sound, size), size)[:: size // 2]
    spectra = np.fft.rfft(frames * window, axis=1)
    powers = np.abs(spectra) ** 2
    order = np.argsort(powers.sum(axis=1))
    quiet = powers[order[len(order) // 50 : len(order) // 10]].mean(axis=0)
    gain = np.sqrt(np.maximum(1 - 2 * quiet / np.maximum(powers, 1e-20), floor**2))
    pieces = np.fft.irfft(spectra * gain, size, axis=1) * window
    whole = np.zeros(len(pieces) * size // 2 + size)
    for at, piece in enumerate(pieces):
        whole[at * size // 2 : at * size // 2 + size] += piece
    return np.asarray(whole[size : size + len(sound)], np.float32)


def filtered(sound: Sound, rate: int, name: str, options: str) -> Sound:
    """What a filter of FFmpeg makes of `sound`."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=rate, format="flt", layout="mono")
    effect, sink = graph.add(name, options), graph.add("abuffersink")
    source.link_to(effect)
    effect.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound.reshape(1, -1)), format="flt", layout="mono")
    frame.sample_rate = rate
    graph.push(frame)
    graph.push(None)
    parts = []
    while True:
        try:
            parts.append(graph.pull().to_ndarray().ravel())
        except (av.error.EOFError, av.error.BlockingIOError):
            return np.concatenate(parts).astype(np.float32)


def coded(sound: Sound, rate: int, codec: str, bit_rate: int) -> tuple[Sound, int]:
    """`sound` encoded and decoded again, and its sample rate: Opus works at 48 kHz."""
    muxer, encoder = _CODED[codec]
    if codec == "opus" and rate not in (8000, 12_000, 16_000, 24_000, 48_000):
        sound, rate = resampled(sound, rate, 48_000), 48_000
    data = making.coded(sound, muxer, encoder, rate=rate, bit_rate=bit_rate)
    with av.open(io.BytesIO(data), "r") as given:
        frames = [frame.to_ndarray() for frame in given.decode(audio=0)]
        rate = given.streams.audio[0].rate
    return np.concatenate(frames, axis=1).mean(axis=0).astype(np.float32), rate


def gated(speech: Speech) -> Iterator[Defect]:
    """Gates: they are not dropouts."""
    sound, rate = in_a_room(speech), speech.rate
    for threshold in (-35, -28):
        cut = hard_gate(sound, rate, threshold)
        yield Defect("hard gate", f"at {threshold} dB", cut, "gated", True, wrong=("dropouts",))
    yield Defect("soft gate", "25 dB", gate(sound, rate, -35, 25), "gated", True, wrong=("dropouts",))


def denoised(speech: Speech) -> Iterator[Defect]:
    """Noise reduction that leaves less than a room has."""
    hiss = noise(len(speech.sound), "white", 32) * np.float32(speech.level / 10 ** (20 / 20))
    noisy = speech.sound + hiss
    for name, sound in (
        ("spectral subtraction", subtracted(noisy, speech.rate)),
        ("afftdn", filtered(noisy, speech.rate, "afftdn", "nr=30:nf=-40")),
    ):
        yield Defect("noise reduction", name, sound, "denoised", True, wrong=("dropouts", "babble"))


def coarse(speech: Speech) -> Iterator[Defect]:
    """Few bits: what is below the last one is silence, and no dropout."""
    for bits in (8, 6):
        steps = 2.0 ** (bits - 1)
        sound = np.asarray(np.rint(speech.sound / np.abs(speech.sound).max() * 0.9 * steps) / steps, np.float32)
        yield Defect("few bits", f"{bits} bits", sound, "dropouts", False)


def low_bit_rates(speech: Speech) -> Iterator[Defect]:
    """Lossy codecs that leave out high frequencies, where the speech has these."""
    whole_hz = top_hz(speech.sound, speech.rate)
    for codec, bit_rate in (("opus", 6), ("opus", 8), ("mp3", 16), ("mp3", 32), ("aac", 24)):
        sound, rate = coded(speech.sound, speech.rate, codec, bit_rate * 1000)
        if top_hz(sound, rate) < _LOST * whole_hz:
            yield Defect(
                "low bit rate", f"{codec} {bit_rate} kbit/s", sound, "narrow-band", True,
                rate=rate, codec=codec, bit_rate_bps=bit_rate * 1000,
            )  # fmt: skip


def spliced(speech: Speech) -> Iterator[Defect]:
    """Pieces taken out of the middle of words, and buffers in the wrong order."""
    sound, spans, taken = speech.sound, [], 0
    parts, at = [], 0
    for moment in speech.voiced:
        start = round(moment * speech.rate)
        parts.append(sound[at:start])
        spans.append(((start - taken) / speech.rate, (start - taken) / speech.rate))
        at, taken = start + speech.rate // 8, taken + speech.rate // 8
    cut = np.concatenate([*parts, sound[at:]])
    yield Defect("splice", "1/8 s taken out", cut, "splices", True, spans=tuple(spans))
    swapped, spans = sound.copy(), []
    for moment in speech.voiced:
        start, size = round(moment * speech.rate), 1024
        swapped[start : start + size], swapped[start + size : start + 2 * size] = (
            sound[start + size : start + 2 * size], sound[start : start + size],
        )  # fmt: skip
        spans.append((start / speech.rate, (start + 2 * size) / speech.rate))
    yield Defect("swapped buffers", "1024 samples", swapped, "splices", True, spans=tuple(spans))


def popping(speech: Speech) -> Iterator[Defect]:
    """Plosives: bursts of air below 100 Hz."""
    time = np.arange(round(0.12 * speech.rate)) / speech.rate
    burst = np.sin(2 * np.pi * 35 * time) * np.exp(-25 * time) * np.minimum(1, time / 0.004)
    sound, spans = speech.sound.copy(), []
    for moment in speech.voiced:
        start = round(moment * speech.rate)
        sound[start : start + len(burst)] += np.asarray(burst, np.float32) * np.float32(8 * speech.level)
        spans.append((start / speech.rate, (start + len(burst)) / speech.rate))
    yield Defect("plosive", "18 dB above the voice", sound, "plosives", True, spans=tuple(spans))


def one_sided(speech: Speech) -> Iterator[Defect]:
    """Dropouts in one channel of two, and a polarity that changes halfway."""
    other, spans = speech.sound.copy(), []
    for moment in speech.voiced:
        start = round(moment * speech.rate)
        other[start : start + speech.rate // 20] = 0
        spans.append((start / speech.rate, (start + speech.rate // 20) / speech.rate))
    yield Defect(
        "dropout in one channel", "50 ms", np.stack((speech.sound, other), axis=1), "dropouts", True, spans=tuple(spans)
    )
    half = len(speech.sound) // 2
    flipped = np.concatenate((speech.sound[:half], -speech.sound[half:]))
    yield Defect("polarity", "flips halfway", np.stack((speech.sound, flipped), axis=1), "out-of-phase", True)
