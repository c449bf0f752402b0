"""Speech level, noise floor, SNR and pauses: the level over time, split by the speech detector."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.meters.peak_and_rms import decibels
from preflight.analysis.spans import merged, true_runs
from preflight.analysis.vad.silero import WINDOW
from preflight.analysis.vad.speech import SAMPLES_PER_FRAME

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.frames_and_spectra import Samples
    from preflight.analysis.meters.peak_and_rms import LevelMeter
    from preflight.analysis.vad.speech import SpeechTrack
    from preflight.report import Span

_SPEECH: Final = 0.5
_POSSIBLE_SPEECH: Final = 0.1
# 96 ms before and after possible speech: there words fade in and out, and rooms reverberate.
_CLEARANCE_WINDOWS: Final = 3
# 0.3 s: fewer frames give no stable median.
_MIN_FRAMES: Final = 30
_QUIETEST_SHARE: Final = 0.05
# -95 dBFS: less than a toggling last bit of 16-bit audio (-93 dBFS), which every microphone's noise exceeds.
_DIGITAL_SILENCE: Final = 10**-9.5
_LOWEST_FLOOR: Final = 1e-8
# 8 dB.
_ABOVE_FLOOR: Final = 10**0.8
# Of the recording. With less, the detector does not recognize this voice, and what it takes for pauses is speech.
_MIN_SPEECH_SHARE: Final = 0.15
# -20 dB relative to the speech: quieter sound does not compete with it.
_NOT_BACKGROUND: Final = 0.01
# Speech within a long silence is a small share of the recording, but most of the sound in it.
_MIN_SPEECH_OF_SOUND: Final = 0.5
_MIN_SPEECH_S: Final = 0.5
# 3 dB: the speech contains the noise, so that its own power is at most that of the pauses.
_AS_LOUD: Final = 2.0
# 15 dB, and a median 12 dB above the quietest tenth: noise of a street has 6 dB.
_NEARLY_AS_LOUD: Final = 30.0
_UNEVEN: Final = 16.0
_LOW_PERCENT: Final = 10
_EDGE_SEARCH_S: Final = 0.3
_MAX_SNR_DB: Final = 120.0


@dataclass(frozen=True)
class SpeechLevels:
    """Measurements that need both the level and the speech detector.

    Attributes:
        measurements: By name; see `speech_levels`.
        speech: The spans of speech in seconds, extended to where the sound begins and ends.
    """

    measurements: dict[str, float]
    speech: tuple[Span, ...]


def speech_levels(level_meter: LevelMeter, track: SpeechTrack, duration_s: float) -> SpeechLevels:
    """Split the level over time into speech and pauses.

    Args:
        level_meter: The level meter of the whole recording.
        track: The speech detector's probabilities.
        duration_s: Seconds that the detector has analyzed.

    Returns:
        ``speech_s``, ``speech_percent``, ``speech_of_sound_percent`` (relative to the frames within 20 dB of the
        speech), ``noise_floor_dbfs``. Where there is enough speech to trust the pauses, also
        ``digital_silence_percent`` (of the frames without speech), ``speech_level_dbfs``, ``snr_db``,
        ``leading_silence_s``, ``trailing_silence_s``, ``longest_pause_s``. Where the pauses are as loud as the speech
        (see `_is_no_floor`), ``speech_level_dbfs`` and ``pause_level_dbfs`` instead of these and of the noise floor,
        and the silence at an end only where that end is quiet; where there are none, and nothing is quieter, no noise
        floor and no ``snr_db``.
    """
    frame_s, probabilities = level_meter.frame_s, track.probabilities
    powers = level_meter.frame_powers()[: int(duration_s / frame_s + 0.5)]
    spans = track.spans(duration_s)
    windows = _window_of_frames(len(powers), len(probabilities))
    if len(probabilities):
        possible = _widened(probabilities > _POSSIBLE_SPEECH)
        quiet, spoken = powers[~possible[windows]], powers[(probabilities >= _SPEECH)[windows]]
    else:
        quiet, spoken = powers, powers[:0]
    level = float(spoken.mean(dtype=np.float64)) if len(spoken) else 0.0
    detected_s = sum(end - start for start, end in spans)
    sound_s = frame_s * float((powers > level * _NOT_BACKGROUND).sum())
    share_of_sound = min(1.0, detected_s / max(sound_s, 1e-9)) if level else 0.0
    vad_is_reliable = detected_s > _MIN_SPEECH_SHARE * duration_s or (
        detected_s >= _MIN_SPEECH_S and share_of_sound >= _MIN_SPEECH_OF_SOUND
    )
    floor, lowest, silent_percent = _floor(powers, quiet, vad_is_reliable=vad_is_reliable)
    speech = _extended(spans, powers, frame_s, max(floor, _LOWEST_FLOOR))
    speech_s = sum(end - start for start, end in speech)
    found = {
        "speech_s": round(speech_s, 2),
        "speech_percent": round(100 * speech_s / duration_s, 1) if duration_s else 0.0,
        "speech_of_sound_percent": round(100 * share_of_sound, 1),
    }
    if not vad_is_reliable or not len(spoken):
        return SpeechLevels({**found, "noise_floor_dbfs": decibels(floor)}, speech)
    found["speech_level_dbfs"] = decibels(level)
    if not _is_no_floor(floor, lowest, level):
        found["noise_floor_dbfs"] = decibels(floor)
        # frames with speech contain the noise, too: its power is subtracted before the ratio
        found["snr_db"] = round(min(_MAX_SNR_DB, decibels(level - floor) - decibels(floor)), 2)
    elif len(quiet) >= _MIN_FRAMES:
        found["pause_level_dbfs"] = decibels(floor)
        return SpeechLevels(found | _quiet_ends(powers, speech, duration_s, frame_s, level), speech)
    gaps = [after[0] - before[1] for before, after in pairwise(speech)]
    found |= {
        "digital_silence_percent": silent_percent,
        "leading_silence_s": round(speech[0][0], 3),
        "trailing_silence_s": round(max(0.0, duration_s - speech[-1][1]), 3),
        "longest_pause_s": round(max(gaps, default=0.0), 3),
    }
    return SpeechLevels(found, speech)


def _window_of_frames(frames: int, windows: int) -> NDArray[np.int32]:
    """Return the index of the detector's window in which each frame begins.

    In place and as int32: for a recording of hours each of these arrays takes megabytes.
    """
    at = np.arange(frames, dtype=np.int32)
    at *= SAMPLES_PER_FRAME
    at //= WINDOW
    return np.minimum(at, max(0, windows - 1), out=at)


def _widened(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return true within three windows of a true flag."""
    wide = np.pad(flags, _CLEARANCE_WINDOWS)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(wide, 2 * _CLEARANCE_WINDOWS + 1).any(axis=1))


def _floor(powers: Samples, quiet: Samples, *, vad_is_reliable: bool) -> tuple[float, float, float]:
    """Return the power of the noise floor, that of its quietest tenth, and the percentage of digital silence.

    The floor is the median of the frames without speech; where these are few or unreliable, that of the quietest 5 %
    of all frames.
    """
    if not len(powers):
        return 0.0, 0.0, 0.0
    if len(quiet) < _MIN_FRAMES or not vad_is_reliable:
        quiet = np.sort(powers)[: max(1, int(_QUIETEST_SHARE * len(powers)))]
    alive = quiet[quiet > _DIGITAL_SILENCE]
    silent_percent = round(100 * (1 - len(alive) / len(quiet)), 1) + 0.0
    # digital silence comes from a noise gate, and says nothing about the noise under the speech
    lowest, floor = np.percentile(alive if len(alive) >= _MIN_FRAMES else quiet, (_LOW_PERCENT, 50))
    return float(floor), float(lowest), silent_percent


def _is_no_floor(floor: float, lowest: float, level: float) -> bool:
    """Whether the frames without detected speech are not noise: as loud as the speech, or nearly so and uneven.

    The detector misses parts of lively, high and character voices, and then their median is that of the voice. Noise
    of that level is even.
    """
    return level <= _AS_LOUD * floor or (level <= _NEARLY_AS_LOUD * floor and floor > _UNEVEN * lowest)


def _quiet_ends(
    powers: Samples, speech: tuple[Span, ...], duration_s: float, frame_s: float, level: float
) -> dict[str, float]:
    """Return the silence before and after the speech where it is quieter than the speech by 20 dB."""
    first, last = round(speech[0][0] / frame_s), round(speech[-1][1] / frame_s)
    ends = {
        "leading_silence_s": (speech[0][0], powers[:first]),
        "trailing_silence_s": (max(0.0, duration_s - speech[-1][1]), powers[last:]),
    }
    return {
        name: round(seconds, 3)
        for name, (seconds, part) in ends.items()
        if len(part) and float(part.mean(dtype=np.float64)) < level * _NOT_BACKGROUND
    }


def _extended(spans: tuple[Span, ...], powers: Samples, frame_s: float, floor: float) -> tuple[Span, ...]:
    """Return `spans` with their edges moved to where the sound next to them begins and ends.

    The detector reacts a window or two (32 to 64 ms) late, and misses soft consonants at the edges of words.
    """
    moved = []
    for span in spans:
        start = _edge(powers, span[0], frame_s, floor, is_start=True)
        end = _edge(powers, span[1], frame_s, floor, is_start=False)
        moved.append((start, end) if start < end else span)
    edges = np.array(moved, np.float64).reshape(-1, 2)
    return merged(edges[:, 0], edges[:, 1], 0.0)


def _edge(powers: Samples, moment: float, frame_s: float, floor: float, *, is_start: bool) -> float:
    """Return where the sound at `moment`, or the nearest one within 0.3 s, starts or ends, in seconds."""
    reach, at = round(_EDGE_SEARCH_S / frame_s), round(moment / frame_s)
    low, high = max(0, at - reach), min(len(powers), at + reach)
    runs = true_runs(powers[low:high] > floor * _ABOVE_FLOOR) + low
    if not len(runs):
        return moment
    distance = np.maximum(np.maximum(runs[:, 0] - at, at - runs[:, 1]), 0)  # 0 inside
    begin, end = runs[int(np.argmin(distance))]
    return float((begin if is_start else end) * frame_s)
