"""Where somebody speaks, by the Silero detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from preflight.analysis.framing import Grid
from preflight.analysis.spans import merged, true_runs
from preflight.analysis.vad.silero import WINDOW, Detector
from preflight.analysis.vad.voicing import VoicingMeter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.framing import Samples
    from preflight.report import Span

SAMPLES_PER_FRAME: Final = 160
"""16 kHz."""
_BATCH: Final = 64
_ON: Final = 0.5
_OFF: Final = 0.35
"""The detector's own defaults: speech begins above the first and ends below the second."""
_SHORTEST_S: Final = 0.1
_SHORTEST_GAP_S: Final = 0.1


@dataclass(frozen=True)
class SpeechTrack:
    """Probability of speech over time.

    Attributes:
        probabilities: One a window.
        window_s: Seconds of a window, about 32 ms.
    """

    probabilities: Samples
    window_s: float

    def spans(self, duration_s: float) -> tuple[Span, ...]:
        """Where somebody speaks: gaps below 0.1 s closed, and what is shorter than that left out."""
        runs = true_runs(hysteresis(self.probabilities)) * self.window_s
        spans = merged(runs[:, 0], np.minimum(runs[:, 1], duration_s), _SHORTEST_GAP_S)
        return tuple(span for span in spans if span[1] - span[0] >= _SHORTEST_S)


@dataclass(frozen=True)
class SpeechHeard:
    """What the detector found.

    Attributes:
        track: Probability of speech over time.
        voice_like_s: Seconds that sound like a voice although the detector hears none.
    """

    track: SpeechTrack
    voice_like_s: float


class SpeechDetector(Protocol):
    """Who listens for speech: a `SpeechMeter`, here or in another process."""

    def add(self, samples: Samples) -> None:
        """Take the next samples of the downmix at `SAMPLES_PER_FRAME`."""

    def heard(self) -> SpeechHeard:
        """What was found, when all samples were given."""


class SpeechMeter:
    """Probability of speech every 32 ms, and what sounds like a voice where the detector hears none.

    Args:
        sample_rate_hz: Of the recording, not of the downmix.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._window_s = WINDOW / SAMPLES_PER_FRAME * Grid.at(sample_rate_hz, 1).frame_s
        self._detector = Detector()
        self._rest = np.empty(0, np.float32)
        self._found: list[Samples] = []
        self._voicing = VoicingMeter(self._window_s)

    def add(self, samples: Samples) -> None:
        """Take the next samples of the downmix at `SAMPLES_PER_FRAME`."""
        wave = np.concatenate((self._rest, samples))
        whole = len(wave) // (_BATCH * WINDOW) * _BATCH * WINDOW
        self._rest = wave[whole:]
        for start in range(0, whole, _BATCH * WINDOW):
            self._take(wave[start : start + _BATCH * WINDOW].reshape(_BATCH, WINDOW))

    def heard(self) -> SpeechHeard:
        """What was found, when all samples were given; the last window is filled up with zeros."""
        if len(self._rest):
            count = -(-len(self._rest) // WINDOW)
            self._take(np.pad(self._rest, (0, count * WINDOW - len(self._rest))).reshape(count, WINDOW))
            self._rest = self._rest[:0]
        found = np.concatenate(self._found) if self._found else np.empty(0, np.float32)
        return SpeechHeard(SpeechTrack(found, self._window_s), round(self._voicing.voiced_s(), 2))

    def _take(self, windows: Samples) -> None:
        found = self._detector.probabilities(windows)
        self._found.append(found)
        self._voicing.add(windows, found < _OFF)


def hysteresis(probabilities: Samples) -> NDArray[np.bool_]:
    """True from where the probability rises to `_ON` until it falls below `_OFF`."""
    decided = np.where(probabilities >= _ON, 1, np.where(probabilities < _OFF, 0, -1))
    last = np.maximum.accumulate(np.where(decided >= 0, np.arange(len(decided)), 0))
    return np.asarray(decided[last] == 1)
