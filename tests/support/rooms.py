"""Speech in simulated rooms: impulse responses of known reverberation time, and what they do to speech."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.support.defects import Defect, noise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tests.support.defects import Sound, Speech

_EDGES_HZ = (0, 500, 1000, 2000, 4000, 8000, 100_000)
_DECAYS = (1.15, 1.04, 0.93, 0.82, 0.71, 0.6)
_FIRST_REFLECTION_S = 0.0025
_SOUND_M_S = 343.0


def impulse_response(rate: int, decay_s: float, direct_db: float, seed: int = 1) -> NDArray[np.float64]:
    """The direct sound, then noise that falls by 60 dB in `decay_s`, high frequencies faster than low ones.

    `direct_db` is the direct-to-reverberant ratio.
    """
    count = round(1.1 * decay_s * rate)
    time = np.arange(count) / rate
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=count))
    hz = np.fft.rfftfreq(count, 1 / rate)
    tail = np.zeros(count)
    for low, high, factor in zip(_EDGES_HZ, _EDGES_HZ[1:], _DECAYS, strict=False):
        band = np.where((hz >= low) & (hz < high), spectrum, 0)
        tail += np.fft.irfft(band, count) * 10 ** (-3 * time / (decay_s * factor))
    tail[: round(_FIRST_REFLECTION_S * rate)] = 0
    tail *= np.sqrt(10 ** (-direct_db / 10) / np.sum(tail**2))
    tail[0] = 1.0
    return tail


def box(rate: int, size_m: tuple[float, float, float], reflected: float, seconds: float) -> NDArray[np.float64]:
    """The impulse response of an empty box, by image sources (Allen and Berkley, J. Acoust. Soc. Am. 65, 1979).

    `reflected` is the share of the pressure that each wall reflects. Late reflections have random signs, which a box
    with rigid walls does not have: without them they would add up to a pulse.
    """
    response = np.zeros(round(seconds * rate) + 2)
    axes = []
    for length, source, microphone in zip(size_m, (0.9, 1.2, 1.3), (2.7, 1.9, 1.5), strict=True):
        order = np.arange(-int(seconds * _SOUND_M_S / 2 / length) - 1, int(seconds * _SOUND_M_S / 2 / length) + 2)
        place = np.concatenate((2 * order * length + source, 2 * order * length - source)) - microphone
        axes.append((place, np.concatenate((np.abs(2 * order), np.abs(2 * order - 1)))))
    (across, a), (deep, b), (up, c) = axes
    for place, bounces in zip(across, a, strict=True):
        distance = np.sqrt(place**2 + deep[:, None] ** 2 + up[None, :] ** 2).ravel()
        at = (distance / _SOUND_M_S * rate).astype(np.int64)
        near = at < len(response)
        total = (bounces + b[:, None] + c[None, :]).ravel()
        np.add.at(response, at[near], reflected ** total[near] / distance[near])
    response = response[int(np.argmax(response > 0)) :]
    signs = np.random.default_rng(0).choice([-1.0, 1.0], len(response))
    signs[: rate // 100] = 1
    return np.asarray(response * signs, np.float64)


def convolved(sound: Sound, response: NDArray[np.float64]) -> Sound:
    """`sound` in that room, as long as before, with the same peak."""
    size = 1 << (len(sound) + len(response) - 2).bit_length()
    wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)[: len(sound)]
    return np.asarray(wet * (np.abs(sound).max() / np.abs(wet).max()), np.float32)


def reverberant(speech: Speech) -> Iterator[Defect]:
    """Rooms from a furnished one to a church, near and far from the microphone."""
    for decay_s in (0.2, 0.6, 0.8, 1.2):
        for direct_db in (6, 0, -6):
            if decay_s > 0.5 and direct_db > 0:
                continue  # neither has to be found nor must not be
            wet = convolved(speech.sound, impulse_response(speech.rate, decay_s, direct_db))
            strength = f"RT60 {decay_s} s, direct {direct_db:+d} dB"
            yield Defect("reverberation", strength, wet, "reverberant", decay_s >= 0.6)
    wet = convolved(speech.sound, box(speech.rate, (4.0, 3.0, 2.5), 0.9, 0.8))
    yield Defect("reverberation", "box of 4 by 3 by 2.5 m with hard walls", wet, "reverberant", True)
    wet = convolved(speech.sound, impulse_response(speech.rate, 0.8, 0))
    hiss = noise(len(wet), "white", 7) * np.float32(speech.level / 10)
    yield Defect("reverberation", "RT60 0.8 s, direct +0 dB, SNR 20 dB", wet + hiss, "reverberant", True)
