"""Defects of known strength and place, put into clean speech."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Sound = NDArray[np.float32]
    Spans = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Defect:
    """A recording with one defect.

    Attributes:
        kind: What was done to it.
        strength: How much of it, in words.
        sound: The recording, (frames,) or (frames, channels).
        rule: The rule that must find it.
        is_strong: Whether it has to be found; weaker ones must not be.
        measurement: The measurement of its strength; empty if there is none.
        value: The true value of that measurement.
        tolerance: How far the measurement may be off.
        spans: Where it is, in seconds; empty when it is everywhere.
        wrong: Rules that would name it wrongly.
        rate: Samples a second, where they are not the speech's.
        codec: The codec of its file.
        bit_rate_bps: The bit rate of its file, where the codec is lossy.
    """

    kind: str
    strength: str
    sound: Sound
    rule: str
    is_strong: bool
    measurement: str = ""
    value: float = 0.0
    tolerance: float = 0.0
    spans: Spans = ()
    wrong: tuple[str, ...] = ()
    rate: int | None = None
    codec: str = "pcm_f32le"
    bit_rate_bps: int | None = None


@dataclass(frozen=True)
class Speech:
    """Clean speech to put defects into.

    Attributes:
        sound: One channel, at least ten seconds.
        rate: Samples a second.
        voiced: Moments in seconds that surely contain speech.
    """

    sound: Sound
    rate: int
    voiced: tuple[float, ...]

    @property
    def level(self) -> float:
        """RMS of the speech: where 0.2 s are not 16 dB below the loudest, as in ITU-T P.56."""
        power = self.sound.astype(np.float64) ** 2
        around = moving_mean(power, self.rate // 5)
        return float(np.sqrt(power[around > around.max() / 40].mean()))


def top_hz(sound: Sound, rate: int) -> float:
    """The end of the highest 100 Hz that are less than 65 dB below the strongest, over all of `sound`."""
    power = np.abs(np.fft.rfft(sound.astype(np.float64))) ** 2
    bands = np.add.reduceat(power, np.arange(0, len(power), max(1, 100 * len(sound) // rate)))
    return 100.0 * float(np.flatnonzero(bands > bands.max() * 10**-6.5)[-1] + 1)


def clean(sound: Sound, rate: int) -> Speech:
    """Clean speech without what is before the first and after the last of it."""
    loud = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max())
    trimmed = sound[loud[0] : loud[-1] + 1]
    return Speech(trimmed, rate, voiced_moments(trimmed, rate, 4))


def moving_mean(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """The mean of `count` values around each; of as many zeros beyond the ends."""
    sums = np.cumsum(np.pad(values, (count // 2 + 1, count - count // 2)))
    return np.asarray((sums[count:] - sums[:-count])[: len(values)] / count)


def voiced_moments(sound: Sound, rate: int, count: int) -> tuple[float, ...]:
    """Moments at least a second apart around which the sound is loud for half a second."""
    power = moving_mean(sound.astype(np.float64) ** 2, rate // 2)
    low = np.minimum.reduce([np.roll(power, shift) for shift in (-rate // 8, 0, rate // 8)])
    low[: rate // 2], low[-rate // 2 :] = 0, 0
    found: list[float] = []
    for at in np.argsort(low)[::-1]:
        if all(abs(at / rate - other) > 1 for other in found):
            found.append(float(at / rate))
            if len(found) == count:
                break
    return tuple(sorted(found))


def resampled(sound: Sound, rate: int, wanted: int, top_hz: float | None = None) -> Sound:
    """`sound` at another rate, without anything above `top_hz`."""
    count = round(len(sound) * wanted / rate)
    spectrum = np.fft.rfft(sound.astype(np.float64))
    if top_hz is not None:
        spectrum[np.fft.rfftfreq(len(sound), 1 / rate) > top_hz] = 0
    out = np.zeros(count // 2 + 1, complex)
    shared = min(len(out), len(spectrum))
    out[:shared] = spectrum[:shared]
    return np.asarray(np.fft.irfft(out, count) * count / len(sound), np.float32)


def noise(count: int, colour: str, seed: int = 1) -> Sound:
    """White or pink noise with an RMS of 1."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=count))
    if colour == "pink":
        spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
        spectrum[: len(spectrum) // 400] = 0  # what is inaudible would be most of its power
    wave = np.fft.irfft(spectrum, count)
    return np.asarray(wave / np.sqrt(np.mean(wave**2)), np.float32)


def clipped(speech: Speech) -> Iterator[Defect]:
    """Cut off at full scale, at a lower ceiling, and at a lower one with a gain afterwards."""
    for percent in (0.1, 0.3, 1.0, 2.0, 5.0):
        ceiling = float(np.quantile(np.abs(speech.sound), 1 - percent / 100))
        cut = np.clip(speech.sound, -ceiling, ceiling)
        for where, gain in (("full scale", 1 / ceiling), ("-6 dBFS", 0.5 / ceiling), ("-20 dBFS", 0.1 / ceiling)):
            whole = np.rint(cut * gain * 32767) / 32767
            sound = np.asarray(whole, np.float32)
            yield Defect(
                "clipping", f"{percent} % at {where}", sound, "clipped", True, "clipped_percent", percent,
                max(0.03, 0.15 * percent),
            )  # fmt: skip


def noisy(speech: Speech) -> Iterator[Defect]:
    """White and pink noise."""
    for ratio in (5, 10, 15, 25, 30, 40):
        for colour in ("white", "pink"):
            added = noise(len(speech.sound), colour) * np.float32(speech.level / 10 ** (ratio / 20))
            strong = ratio <= 15
            yield Defect(
                "noise", f"{colour}, SNR {ratio} dB", speech.sound + added, "noisy", strong, "snr_db", ratio, 2.5
            )


def humming(speech: Speech) -> Iterator[Defect]:
    """A fundamental and five harmonics that fall by 6 dB each."""
    time = np.arange(len(speech.sound)) / speech.rate
    for mains in (50, 60):
        for dbfs in (-30, -35, -40, -50, -75):
            lines = sum(0.5**n * np.sin(2 * np.pi * mains * (n + 1) * time + n) for n in range(6))
            added = np.asarray(lines, np.float32) * np.float32(10 ** (dbfs / 20) / np.sqrt(0.5 * 4 / 3))
            yield Defect(
                "hum",
                f"{mains} Hz, {dbfs} dBFS",
                speech.sound + added,
                "hum",
                dbfs > -60,
                "hum_dbfs" if dbfs > -50 else "",
                dbfs,
                3.0,
            )


def offset(speech: Speech) -> Iterator[Defect]:
    """A constant."""
    for percent in (0.3, 1.5, 5.0, -10.0):
        strong = abs(percent) > 1
        sound = speech.sound + np.float32(percent / 100)
        yield Defect("DC offset", f"{percent} %", sound, "dc-offset", strong, "dc_offset_percent", percent, 0.1)


def dead_channel(speech: Speech) -> Iterator[Defect]:
    """Two channels, one of them silent or far quieter."""
    hiss = noise(len(speech.sound), "white") * np.float32(1e-5)
    for what, gain in (("silent", 0.0), ("-40 dB", 0.01), ("-15 dB", 0.178)):
        sound = np.stack((speech.sound, speech.sound * np.float32(gain) + hiss * (gain > 0)), axis=1)
        yield Defect("dead channel", what, sound, "dead-channel", gain < 0.1)


def opposite(speech: Speech) -> Iterator[Defect]:
    """Two channels of opposite polarity."""
    other = noise(len(speech.sound), "white", 2) * np.float32(speech.level * 0.1)
    for what, sound, strong in (
        ("exactly", -speech.sound, True),
        ("3 dB quieter", speech.sound * np.float32(-0.7), True),
        ("with noise at 20 dB", -speech.sound + other, True),
        ("same polarity", speech.sound * np.float32(0.8), False),
    ):
        yield Defect("opposite polarity", what, np.stack((speech.sound, sound), axis=1), "out-of-phase", strong)


def narrow(speech: Speech) -> Iterator[Defect]:
    """Nothing above a frequency, at a sample rate that could hold more; with and without noise added afterwards."""
    for top in (3400, 4000, 7000):
        sound = resampled(speech.sound, speech.rate, speech.rate, float(top))
        strong = top < 6000 or speech.rate > 21_000  # at such a rate a low bandwidth is an info
        yield Defect("low-pass", f"{top} Hz", sound, "narrow-band", strong, "bandwidth_hz", top, 250.0)
        added = noise(len(sound), "white", 3) * np.float32(speech.level * 10 ** (-50 / 20))
        yield Defect("low-pass", f"{top} Hz, noise", sound + added, "narrow-band", strong, "bandwidth_hz", top, 400.0)


def dropped_out(speech: Speech) -> Iterator[Defect]:
    """Silence in words, buffers that were written twice, and clicks."""
    for milliseconds in (10, 20, 50, 100, 200):
        sound, spans = speech.sound.copy(), []
        for moment in speech.voiced:
            start = round(moment * speech.rate)
            end = start + round(milliseconds * speech.rate / 1000)
            sound[start:end] = 0
            spans.append((start / speech.rate, end / speech.rate))
        total = len(spans) * milliseconds / 1000
        yield Defect(
            "dropout", f"{milliseconds} ms", sound, "dropouts", True, "dropouts_s", total, 0.1 * total, tuple(spans)
        )
    for frames in (512, 1024, 2048):
        sound, spans = speech.sound.copy(), []
        for moment in speech.voiced:
            start = round(moment * speech.rate)
            sound[start : start + frames] = sound[start - frames : start]
            spans.append((start / speech.rate, (start + frames) / speech.rate))
        yield Defect(
            "buffer written twice", f"{frames} frames", sound, "dropouts", True, "dropouts", len(spans), 0, tuple(spans)
        )
    for size in (0.2, 0.5):
        sound, spans = speech.sound.copy(), []
        for moment in speech.voiced:
            at = round(moment * speech.rate)
            sound[at] += np.float32(size if sound[at] < 0.4 else -size)
            spans.append((at / speech.rate, (at + 1) / speech.rate))
        yield Defect("click", f"{size} of full scale", sound, "dropouts", True, "clicks", len(spans), 0, tuple(spans))


def silent_edges(speech: Speech) -> Iterator[Defect]:
    """Digital silence, or the noise of a room, before and after."""
    for seconds in (1.0, 3.0, 6.0):
        for what, level in (("digital", 0.0), ("room", 10 ** (-66 / 20))):
            extra = noise(round(seconds * speech.rate), "white", 4) * np.float32(level)
            end = (len(speech.sound) / speech.rate) + seconds
            for side, sound, span, name in (
                ("before", np.concatenate((extra, speech.sound)), (0.0, seconds), "leading_silence_s"),
                ("after", np.concatenate((speech.sound, extra)), (end - seconds, end), "trailing_silence_s"),
            ):
                yield Defect(
                    "silence", f"{seconds} s {what} {side}", sound, "edge-silence", seconds > 2.5, name, seconds, 0.4,
                    (span,) if seconds > 2.5 else (),
                )  # fmt: skip


KINDS: Final[tuple[Callable[[Speech], Iterator[Defect]], ...]] = (
    clipped,
    noisy,
    humming,
    offset,
    dead_channel,
    opposite,
    narrow,
    dropped_out,
    silent_edges,
)
