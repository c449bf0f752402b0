"""What is behind a voice: music, other voices, rumble, buzz and whine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.support.defects import Defect, Speech, moving_mean, noise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.defects import Sound

_CHORDS = ((0, 4, 7), (-3, 0, 4), (5, 9, 12), (7, 11, 14))
_LOWEST_HZ = 220.0


def chords(seconds: float, rate: int, beat_s: float = 1.6) -> Sound:
    """Slow chords, as an organ or strings hold them."""
    return _notes(seconds, rate, [(at * beat_s, beat_s, _CHORDS[at % 4]) for at in range(int(seconds / beat_s) + 1)], 0)


def arpeggio(seconds: float, rate: int, step_s: float = 0.2) -> Sound:
    """Plucked single notes, one after the other."""
    steps = [(at * step_s, 0.9, (_CHORDS[at // 6 % 4][at % 3] + 12 * (at % 2),)) for at in range(int(seconds / step_s))]
    return _notes(seconds, rate, steps, 5.0)


def band(seconds: float, rate: int, beat_s: float = 0.45) -> Sound:
    """Chords, a bass and drums."""
    beats = range(int(seconds / beat_s))
    bass = [(at * beat_s, beat_s, (_CHORDS[at // 4 % 4][0] - 24,)) for at in beats]
    sound = chords(seconds, rate, 4 * beat_s) + 1.5 * _notes(seconds, rate, bass, 4.0)
    time = np.arange(round(0.25 * rate)) / rate
    kick = np.sin(2 * np.pi * 60 * time * np.exp(-4 * time)) * np.exp(-14 * time)
    snare = noise(len(time), "white", 9) * np.exp(-20 * time)
    for at in beats:
        start = round(at * beat_s * rate)
        hit = (kick * 4 if at % 2 == 0 else snare * 0.7)[: len(sound) - start]
        sound[start : start + len(hit)] += hit.astype(np.float32)
    return sound


def _notes(seconds: float, rate: int, notes: Sequence[tuple[float, float, tuple[int, ...]]], fall: float) -> Sound:
    """Notes with a start, a length and pitches in semitones; `fall` is how fast they decay, in 1/s."""
    sound = np.zeros(round(seconds * rate))
    for start, length, pitches in notes:
        begin = round(start * rate)
        time = np.arange(min(round(length * rate), len(sound) - begin)) / rate
        if not len(time):
            continue
        shape = np.minimum(1, time / 0.01) * np.minimum(1, (time[-1] - time) / 0.03) * np.exp(-fall * time)
        for pitch in pitches:
            hz = _LOWEST_HZ * 2 ** (pitch / 12)
            partials = sum(np.sin(2 * np.pi * n * hz * time + n) / n**1.3 for n in range(1, 9) if n * hz < 0.45 * rate)
            sound[begin : begin + len(time)] += shape * partials
    return np.asarray(sound, np.float32)


PIECES = {"chords": chords, "arpeggio": arpeggio, "band": band}


def below(speech: Speech, background: Sound, ratio_db: float) -> Sound:
    """`speech` with a background `ratio_db` below it."""
    own = np.sqrt(np.mean(background.astype(np.float64) ** 2))
    return np.asarray(speech.sound + background * (speech.level / own / 10 ** (ratio_db / 20)), np.float32)


def musical(speech: Speech) -> Iterator[Defect]:
    """Music under the voice, and alone."""
    seconds = len(speech.sound) / speech.rate
    for name, make in PIECES.items():
        piece = make(seconds + 1, speech.rate)[: len(speech.sound)]
        for ratio in (5, 10, 15):
            yield Defect(
                "music under the voice", f"{name}, {ratio} dB below", below(speech, piece, ratio), "music", True
            )
        alone = piece * np.float32(0.3 / np.abs(piece).max())
        yield Defect("music alone", name, alone, "music", True)


def babble(speech: Speech, others: int = 6) -> Sound:
    """Several voices at once: `speech` itself from other places, at other speeds, backwards and forwards."""
    generator = np.random.default_rng(12)
    total = np.zeros(len(speech.sound))
    for number in range(others):
        speed = 0.85 + 0.3 * number / max(1, others - 1)
        at = np.arange(len(speech.sound)) * speed + generator.uniform(0, len(speech.sound))
        total += np.interp(at % (len(speech.sound) - 1), np.arange(len(speech.sound)), speech.sound)
    return total.astype(np.float32)


def babbling(speech: Speech) -> Iterator[Defect]:
    """Other people who talk behind the voice."""
    for others in (3, 6):
        for ratio in (10, 15):
            sound = below(speech, babble(speech, others), ratio)
            yield Defect("babble", f"{others} voices, {ratio} dB below", sound, "babble", True)


def rumbling(speech: Speech) -> Iterator[Defect]:
    """Noise below 60 Hz: traffic, wind, a table that is touched."""
    spectrum = np.fft.rfft(noise(len(speech.sound), "white", 21))
    hz = np.fft.rfftfreq(len(speech.sound), 1 / speech.rate)
    wave = np.fft.irfft(spectrum / (1 + (hz / 40) ** 6), len(speech.sound))
    for ratio in (0, 10):
        sound = below(speech, wave.astype(np.float32), ratio)
        yield Defect("rumble", f"{ratio} dB below the voice", sound, "rumble", True, wrong=("noisy",))


def buzzing(speech: Speech) -> Iterator[Defect]:
    """Mains pulses: as strong at the 40th harmonic as at the first, as dimmers and ground loops make them."""
    time = np.arange(len(speech.sound)) / speech.rate
    for mains in (50, 60):
        lines = sum(np.cos(2 * np.pi * mains * n * time) for n in range(1, 41))
        sound = below(speech, np.asarray(lines, np.float32), 30)
        yield Defect("buzz", f"{mains} Hz, 30 dB below", sound, "hum", True)


def whining(speech: Speech) -> Iterator[Defect]:
    """One steady tone: a fan, a charger, a screen."""
    time = np.arange(len(speech.sound)) / speech.rate
    for hz in (1000, 15_625):
        for dbfs in (-45, -55):
            if hz < 0.45 * speech.rate:
                tone = np.asarray(np.sin(2 * np.pi * hz * time) * 10 ** (dbfs / 20), np.float32)
                yield Defect("whine", f"{hz} Hz at {dbfs} dBFS", speech.sound + tone, "whine", True)


def roaring(speech: Speech) -> Iterator[Defect]:
    """Noise that swells and fades, as a street or the sea: it is noise, and no music or babble."""
    hiss = noise(len(speech.sound), "pink", 23).astype(np.float64)
    swell = moving_mean(np.abs(noise(len(speech.sound), "white", 24)).astype(np.float64), speech.rate)
    swell = (swell - swell.min()) / (swell.max() - swell.min()) + 0.1
    for name in ("music", "babble"):
        sound = below(speech, (hiss * swell).astype(np.float32), 15)
        yield Defect("unsteady noise", "15 dB below", sound, name, False)
