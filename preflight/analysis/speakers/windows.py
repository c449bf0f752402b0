"""Choose windows that are spread over the speech of a take, and embed their voices.

    frames    |s|s| |s|s|s|s| | |s|s|s|…     32 ms each; s: the detector finds speech
    speech    |s|s|s|s|s|s|s|s|s|…           the pauses are left out
    windows   |---------|                    of 1.6 s, every 0.8 s
                   |---------|
                        |---------|

How long the take will be is not known, and memory must not grow with it: as soon as twice as many windows are kept as
are embedded in the end, every other one is dropped, and from then on only every other one is kept. Frames between these
are only counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from preflight.analysis.speakers.encoder import Ge2eEncoder
from preflight.analysis.speakers.overlap import second_pitches
from preflight.analysis.speakers.voices import Voices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.frames_and_spectra import Samples
    from preflight.report import Span

EMBEDDED: Final = 16
"""Windows that are embedded: they take about 0.15 s of CPU time, however long the take is."""
_FEWEST_VOICED: Final = 100
"""Pieces of 64 ms: with fewer, one of them is more than a percent."""
_FRAME: Final = 512
# As Silero's threshold: what is less certain may be a breath or a noise.
_SPEECH: Final = 0.5


class Encoder(Protocol):
    """What maps windows of speech to vectors.

    Attributes:
        window: Samples in a window, at 16 kHz.
    """

    window: int

    def embed(self, windows: Samples) -> Samples:
        """Return a vector of norm 1 for each row of `windows`, which has the shape (windows, `window`)."""
        ...


class VoiceMeter:
    """Keep windows of speech, and embed them when all of the take was added.

    Args:
        frame_s: Seconds from one frame of the speech detector to the next, about 32 ms.
        encoder: Embeds them; by default GE2E.
    """

    def __init__(self, frame_s: float, encoder: Encoder | None = None) -> None:
        self._frame_s = frame_s
        self._encoder = encoder or Ge2eEncoder()
        self._frames_per_window = -(-self._encoder.window // _FRAME)
        self._frames = 0
        self._speech_frames = 0
        self._start = 0  # of the next window, among the frames of speech
        self._step = self._frames_per_window // 2
        self._places = np.empty(0, np.intp)
        self._speech = np.empty((0, _FRAME), np.float32)
        self._kept: list[tuple[Span, Samples]] = []

    def add(self, frames: Samples, probabilities: NDArray[np.float32]) -> None:
        """Add the next frames.

        Args:
            frames: Shape (frames, 512), at 16 kHz.
            probabilities: Shape (frames,), of speech.
        """
        places = np.flatnonzero(probabilities >= _SPEECH)
        self._speech_frames, before = self._speech_frames + len(places), self._speech_frames
        places = places[max(0, self._start - before) :]
        self._places = np.concatenate((self._places, self._frames + places))
        self._speech = np.concatenate((self._speech, frames[places]))
        self._frames += len(frames)
        while len(self._places) >= self._frames_per_window:
            self._keep()

    def _keep(self) -> None:
        first, last = self._places[[0, self._frames_per_window - 1]].tolist()
        span = (round(first * self._frame_s, 3), round((last + 1) * self._frame_s, 3))
        # a copy: the array of all frames must not be kept for the sake of one window
        self._kept.append((span, self._speech.reshape(-1)[: self._encoder.window].copy()))
        self._start += self._step
        self._places, self._speech = self._places[self._step :], self._speech[self._step :]
        if len(self._kept) == 2 * EMBEDDED:
            del self._kept[1::2]
            self._step *= 2

    def windows(self) -> list[tuple[Span, Samples]]:
        """Return up to `EMBEDDED` of the windows, evenly spread, each with its start and end in the take in seconds."""
        count = min(EMBEDDED, len(self._kept))
        return [self._kept[at] for at in np.linspace(0, len(self._kept) - 1, count).round().astype(int)]

    def voices(self) -> Voices:
        """Return the embeddings of `windows`, and how much of their sound has a second pitch."""
        chosen = self.windows()
        windows = (
            np.stack([window for _, window in chosen]) if chosen else np.empty((0, self._encoder.window), np.float32)
        )
        vectors = self._encoder.embed(windows).astype("<f4", copy=False).tobytes()
        # every other one: in a short take each overlaps the next by half
        voiced, second = np.array([second_pitches(window) for _, window in chosen[::2]], int).reshape(-1, 2).sum(axis=0)
        percent = round(100 * float(second) / float(voiced), 1) if voiced >= _FEWEST_VOICED else 0.0
        return Voices(vectors=vectors, spans=tuple(span for span, _ in chosen), second_pitch_percent=percent)
