"""Speech over time: the probabilities of Silero VAD, and the spans of speech that follow from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.frames_and_spectra import Grid
from preflight.analysis.meters.babble import BabbleMeter, band_powers
from preflight.analysis.meters.gate import GateMeter
from preflight.analysis.meters.room_decay import RoomDecayMeter
from preflight.analysis.spans import merged, true_runs
from preflight.analysis.vad.silero import FRAME, WINDOW, SileroVad
from preflight.analysis.vad.voicing import VoicingMeter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.frames_and_spectra import Samples
    from preflight.analysis.speakers.voices import Voices
    from preflight.analysis.speakers.windows import Encoder, VoiceMeter
    from preflight.report import Span

SAMPLES_PER_FRAME: Final = 160
"""16 kHz, the rate that the detector was trained at."""
# Windows that the encoder evaluates at once: 4 s.
_BATCH: Final = 128
# The defaults of Silero's `get_speech_timestamps`: `threshold`, and `neg_threshold` = `threshold` - 0.15.
_ON: Final = 0.5
_OFF: Final = 0.35
_SHORTEST_S: Final = 0.1
# Silero's `min_silence_duration_ms`. Its `min_speech_duration_ms` is 250: short words count here.
_SHORTEST_GAP_S: Final = 0.1


@dataclass(frozen=True)
class SpeechTrack:
    """Probability of speech over time.

    Attributes:
        probabilities: Shape (windows,), each 0 to 1.
        window_s: Seconds from one window to the next, about 32 ms.
    """

    probabilities: Samples
    window_s: float

    def spans(self, duration_s: float) -> tuple[Span, ...]:
        """Return the spans of speech in seconds: gaps of up to 0.1 s are closed, shorter spans are left out.

        Args:
            duration_s: The recording's. The last window may be longer than it, the last span is not.

        >>> SpeechTrack(np.array([0.1, 0.9, 0.9, 0.4, 0.9, 0.1]), window_s=0.25).spans(duration_s=1.5)
        ((0.25, 1.25),)
        """
        runs = true_runs(hysteresis(self.probabilities)) * self.window_s
        spans = merged(runs[:, 0], np.minimum(runs[:, 1], duration_s), _SHORTEST_GAP_S)
        return tuple(span for span in spans if span[1] - span[0] >= _SHORTEST_S)


@dataclass(frozen=True)
class SpeechResult:
    """What the detector found.

    Attributes:
        track: Probability of speech over time.
        voice_like_s: Seconds that resemble a voice although the detector finds no speech there.
        room_decay_s: Seconds in which sound falls by 60 dB after words; None where too few words end freely.
        voices: The voices in the speech; None unless requested.
        background: See `BabbleMeter.measurements` and `GateMeter.measurements`.
    """

    track: SpeechTrack
    voice_like_s: float
    room_decay_s: float | None = None
    voices: Voices | None = None
    background: dict[str, float] = field(default_factory=dict)


class SpeechMeter:
    """Measure the probability of speech every 32 ms, and voicing where the detector finds no speech.

    Args:
        sample_rate_hz: The recording's, not the downmix's.
        speakers: Embed the voices, too.
        encoder: Embeds them; by default GE2E.
    """

    def __init__(self, sample_rate_hz: int, *, speakers: bool = False, encoder: Encoder | None = None) -> None:
        # a frame is not exactly 10 ms at every rate (see Grid), so that a window is not exactly 32 ms
        self._window_s = WINDOW / SAMPLES_PER_FRAME * Grid.at(sample_rate_hz, 1).frame_s
        self._vad = SileroVad()
        self._rest = np.empty(0, np.float32)
        self._probabilities: list[Samples] = []
        self._voicing = VoicingMeter(self._window_s)
        self._babble, self._gate = BabbleMeter(), GateMeter()
        self._room = RoomDecayMeter(self._window_s * FRAME / WINDOW)
        self._voices: VoiceMeter | None = None
        if speakers:
            from preflight.analysis.speakers.windows import VoiceMeter

            self._voices = VoiceMeter(self._window_s, encoder)

    def add(self, samples: Samples) -> None:
        """Add the next samples of the downmix, shape (samples,), at `SAMPLES_PER_FRAME`."""
        wave = np.concatenate((self._rest, samples))
        whole = len(wave) // (_BATCH * WINDOW) * _BATCH * WINDOW
        self._rest = wave[whole:]
        for start in range(0, whole, _BATCH * WINDOW):
            self._measure(wave[start : start + _BATCH * WINDOW].reshape(_BATCH, WINDOW))

    def result(self) -> SpeechResult:
        """Return the result, after all samples were added; the last window is padded with zeros."""
        if len(self._rest):
            count = -(-len(self._rest) // WINDOW)
            self._measure(np.pad(self._rest, (0, count * WINDOW - len(self._rest))).reshape(count, WINDOW))
            self._rest = self._rest[:0]
        probabilities = np.concatenate(self._probabilities) if self._probabilities else np.empty(0, np.float32)
        return SpeechResult(
            SpeechTrack(probabilities, self._window_s),
            round(self._voicing.voiced_s(), 2),
            self._room.decay_s(),
            self._voices.voices() if self._voices is not None else None,
            {**self._babble.measurements(), **self._gate.measurements()},
        )

    def _measure(self, windows: Samples) -> None:
        probabilities = self._vad.probabilities(windows)
        self._probabilities.append(probabilities)
        self._voicing.add(windows, probabilities < _OFF)
        self._room.add(self._vad.powers)
        bands = band_powers(self._vad.powers)
        self._babble.add(bands)
        self._gate.add(bands)
        if self._voices is not None:
            self._voices.add(windows, probabilities)


def hysteresis(probabilities: Samples) -> NDArray[np.bool_]:
    """Return true from where the probability rises to 0.5 until it falls below 0.35.

    >>> hysteresis(np.array([0.4, 0.6, 0.4, 0.3, 0.4])).tolist()
    [False, True, True, False, False]
    """
    # 1: surely on, 0: surely off, -1: as before
    decided = np.where(probabilities >= _ON, 1, np.where(probabilities < _OFF, 0, -1))
    last = np.maximum.accumulate(np.where(decided >= 0, np.arange(len(decided)), 0))
    return np.asarray(decided[last] == 1)
