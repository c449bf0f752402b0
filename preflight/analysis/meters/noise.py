"""Speech level, noise floor and pauses: the level over time, read with the speech detector beside it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.decibels import decibels
from preflight.analysis.spans import merged, true_runs
from preflight.analysis.vad.silero import WINDOW
from preflight.analysis.vad.speech import SAMPLES_PER_FRAME

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.framing import Samples
    from preflight.analysis.meters.levels import LevelMeter
    from preflight.analysis.vad.speech import SpeechTrack
    from preflight.report import Span

_SPEAKING: Final = 0.5
_MAYBE_SPEAKING: Final = 0.1
_CLEAR_WINDOWS: Final = 3
"""96 ms on both sides of what may be speech: there words fade in and out, and rooms ring on."""
_ENOUGH_FRAMES: Final = 30
_QUIETEST_SHARE: Final = 0.05
_DIGITAL_SILENCE: Final = 10**-9.5
"""-95 dBFS: less than the last bit of 16-bit audio, which every microphone moves."""
_LOWEST_FLOOR: Final = 1e-8
_ABOVE_FLOOR: Final = 10**0.8
_TOLD_APART: Final = 0.15
"""Of the recording has to be speech: with less the detector does not know this voice, and what it takes for pauses are
none."""
_SOUNDING: Final = 0.01
"""-20 dB below the speech: what is weaker does not compete with it."""
_OF_SOUND: Final = 0.5
"""Speech in a long silence is little of the recording, and most of what is heard in it."""
_LEAST_SPEECH_S: Final = 0.5
_REACH_S: Final = 0.3


@dataclass(frozen=True)
class SpeechLevels:
    """Numbers that need both level and detector.

    Attributes:
        measurements: By name.
        speech: Where somebody speaks, to the edges of the sound.
    """

    measurements: dict[str, float]
    speech: tuple[Span, ...]


def speech_levels(level_meter: LevelMeter, track: SpeechTrack, duration_s: float) -> SpeechLevels:
    """Hold the level against the detector.

    Args:
        level_meter: Has heard the recording.
        track: Of the speech detector.
        duration_s: How much of it the detector has heard.

    Returns:
        ``speech_s``, ``speech_percent``, ``speech_of_sound_percent`` (of what is not 20 dB below the speech),
        ``noise_floor_dbfs``; and where enough of it is speech to know the pauses, ``digital_silence_percent`` (of what
        is no speech), ``speech_level_dbfs``, ``snr_db`` (left out below 0), ``leading_silence_s``,
        ``trailing_silence_s``, ``longest_pause_s``.
    """
    frame_s, probabilities = level_meter.frame_s, track.probabilities
    powers = level_meter.frame_powers()[: int(duration_s / frame_s + 0.5)]
    spans = track.spans(duration_s)
    # in place, and in whole numbers: of hours, each of these arrays has megabytes
    at = np.arange(len(powers), dtype=np.int32)
    at *= SAMPLES_PER_FRAME
    at //= WINDOW
    np.minimum(at, max(0, len(probabilities) - 1), out=at)
    quiet = powers[~_widened(probabilities > _MAYBE_SPEAKING)[at]] if len(probabilities) else powers
    spoken = powers[(probabilities >= _SPEAKING)[at]] if len(probabilities) else powers[:0]
    level = float(spoken.mean(dtype=np.float64)) if len(spoken) else 0.0
    said_s = sum(end - start for start, end in spans)
    of_sound = min(1.0, said_s / max(frame_s * float((powers > level * _SOUNDING).sum()), 1e-9)) if level else 0.0
    vad_is_reliable = said_s > _TOLD_APART * duration_s or (said_s >= _LEAST_SPEECH_S and of_sound >= _OF_SOUND)
    floor, silent_percent = _floor(powers, quiet, vad_is_reliable=vad_is_reliable)
    edges = _to_the_sound(spans, powers, frame_s, max(floor, _LOWEST_FLOOR))
    told = sum(end - start for start, end in edges)
    found = {
        "speech_s": round(told, 2),
        "speech_percent": round(100 * told / duration_s, 1) if duration_s else 0.0,
        "speech_of_sound_percent": round(100 * of_sound, 1),
        "noise_floor_dbfs": decibels(floor),
    }
    if vad_is_reliable and len(spoken):
        if level > 2 * floor:  # else the pauses are as loud as the voice, and the floor is not known
            found["snr_db"] = round(min(120.0, decibels(level - floor) - decibels(floor)), 2)
        gaps = [after[0] - before[1] for before, after in pairwise(edges)]
        found |= {
            "digital_silence_percent": silent_percent,
            "speech_level_dbfs": decibels(level),
            "leading_silence_s": round(edges[0][0], 3),
            "trailing_silence_s": round(max(0.0, duration_s - edges[-1][1]), 3),
            "longest_pause_s": round(max(gaps, default=0.0), 3),
        }
    return SpeechLevels(found, edges)


def _widened(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    wide = np.pad(flags, _CLEAR_WINDOWS)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(wide, 2 * _CLEAR_WINDOWS + 1).any(axis=1))


def _floor(powers: Samples, quiet: Samples, *, vad_is_reliable: bool) -> tuple[float, float]:
    """The floor's power, and how much of the quiet is digital silence, in percent."""
    if not len(powers):
        return 0.0, 0.0
    if len(quiet) < _ENOUGH_FRAMES or not vad_is_reliable:
        quiet = np.sort(powers)[: max(1, int(_QUIETEST_SHARE * len(powers)))]
    alive = quiet[quiet > _DIGITAL_SILENCE]
    silent_percent = round(100 * (1 - len(alive) / len(quiet)), 1) + 0.0
    # what was cut to digital silence tells nothing of the room
    return float(np.median(alive if len(alive) >= _ENOUGH_FRAMES else quiet)), silent_percent


def _to_the_sound(spans: tuple[Span, ...], powers: Samples, frame_s: float, floor: float) -> tuple[Span, ...]:
    """`spans` moved to where the sound next to their ends begins and ends: the detector is late by a window or two."""
    moved = []
    for span in spans:
        start = _edge(powers, span[0], frame_s, floor, forward=True)
        end = _edge(powers, span[1], frame_s, floor, forward=False)
        moved.append((start, end) if start < end else span)
    edges = np.array(moved, np.float64).reshape(-1, 2)
    return merged(edges[:, 0], edges[:, 1], 0.0)


def _edge(powers: Samples, moment: float, frame_s: float, floor: float, *, forward: bool) -> float:
    reach, at = round(_REACH_S / frame_s), round(moment / frame_s)
    low, high = max(0, at - reach), min(len(powers), at + reach)
    runs = true_runs(powers[low:high] > floor * _ABOVE_FLOOR) + low
    if not len(runs):
        return moment
    # of the sounds around, the one that the detector's edge lies in or is nearest to
    distance = np.maximum(np.maximum(runs[:, 0] - at, at - runs[:, 1]), 0)
    begin, end = runs[int(np.argmin(distance))]
    return float((begin if forward else end) * frame_s)
