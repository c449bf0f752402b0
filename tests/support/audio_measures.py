"""What the meters find in sound that is made in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from preflight.analysis.analysis import Ending
from preflight.analysis.analyze import listen
from preflight.analysis.vad.speech import SpeechMeter
from preflight.media.probe import Probe
from preflight.profile import DEFAULT
from preflight.rules import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from preflight.analysis.analysis import Decoded, Heard
    from preflight.report import Finding

    Sound = NDArray[np.float32]

BLOCK: Final = 48_000


class SoundPass:
    """A pass over `sound`, (frames,) or (frames, channels), in blocks of `block` frames."""

    def __init__(self, sound: Sound, rate: int, codec: str = "pcm_f32le", block: int = BLOCK) -> None:
        self._sound = np.atleast_2d(sound.T).T
        self._block = block
        self.probe = Probe("wav", codec, rate, self._sound.shape[1])
        self.ending = Ending(len(sound) / rate)
        self.ear = SpeechMeter(rate)

    def blocks(self) -> Iterator[Sound]:
        for start in range(0, len(self._sound), self._block):
            yield self._sound[start : start + self._block]


def heard(sound: Sound, rate: int, *, codec: str = "pcm_f32le", block: int = BLOCK) -> Heard:
    """What all meters find in `sound`."""
    decoded, _ = listen(SoundPass(np.asarray(sound, np.float32), rate, codec, block))
    assert decoded is not None
    assert decoded.heard is not None
    return decoded.heard


def measured(sound: Sound, rate: int) -> dict[str, float]:
    """Every measurement of `sound`."""
    decoded, _ = listen(SoundPass(np.asarray(sound, np.float32), rate))
    assert decoded is not None
    return decoded.measurements


def judged(sound: NDArray[Any], rate: int) -> tuple[Decoded, dict[str, Finding]]:
    """What the meters find in `sound`, and by its rule what the default profile says of it."""
    sound_pass = SoundPass(np.asarray(sound, np.float32), rate)
    decoded, _ = listen(sound_pass)
    assert decoded is not None
    subject = Subject(".wav", 1000, "recording", None, None, sound_pass.probe, decoded)
    return decoded, {finding.rule: finding for finding in DEFAULT.findings(subject)}


def tone(dbfs: float, seconds: float, rate: int = 48_000, hz: float = 1000.0, phase: float = 0.0) -> Sound:
    """A sine with its peak at `dbfs`; `phase` in degrees."""
    time = np.arange(round(seconds * rate)) / rate
    return np.asarray(10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * time + np.radians(phase)), np.float32)


def stereo(sound: Sound) -> Sound:
    """`sound` in both channels."""
    return np.stack((sound, sound), axis=1)
