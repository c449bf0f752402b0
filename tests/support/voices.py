"""Speech of different voices, made of one recording: played faster, pitch and formants rise together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from tests.support.make_audio import RATE, story

LOW, HIGH = 0.7, 1.45
"""Speeds whose voices are two people to the encoder."""


def voice(speed: float = 1.0) -> NDArray[np.float32]:
    """Return speech of 11.5 s divided by `speed`, as if a person with a shorter vocal tract spoke, at `RATE`."""
    sound = story()
    at = np.arange(0, len(sound) - 1, speed)
    return np.asarray(np.interp(at, np.arange(len(sound)), sound), np.float32)


def write_voices(path: Path, *speeds: float) -> Path:
    """Write the voices one after another as a WAV file."""
    soundfile.write(path, np.concatenate([voice(speed) for speed in speeds]), RATE)
    return path
