"""Level over time and level of each channel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAME_S = 0.01
"""10 ms: short enough to show the closure of a plosive, long enough for one period of a low voice."""
_FLOOR_POWER = 1e-12


class LevelMeter:
    """RMS in frames of 10 ms, sample peak, and the power of each channel.

    Args:
        sample_rate_hz: Frames a second.
        channels: Number of channels.
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._length = max(1, round(sample_rate_hz * FRAME_S))
        self._rest = np.empty(0, np.float32)
        self._frames: list[NDArray[np.float32]] = []
        self._power = np.zeros(channels)
        self._count = 0
        self._peak = 0.0

    def add(self, block: NDArray[np.float32]) -> None:
        """Take the next samples, shape (frames, channels), full scale at ±1."""
        if not len(block):
            return
        self._peak = max(self._peak, float(block.max()), -float(block.min()))
        self._power += np.einsum("fc,fc->c", block, block, dtype=np.float64)
        self._count += len(block)
        power = np.concatenate((self._rest, np.einsum("fc,fc->f", block, block) / block.shape[1]))
        whole = len(power) // self._length * self._length
        self._frames.append(power[:whole].reshape(-1, self._length).mean(axis=1))
        self._rest = power[whole:]

    def frame_levels_dbfs(self) -> NDArray[np.float32]:
        """RMS of every whole 10 ms frame over all channels, in dBFS, not below -120."""
        power = np.concatenate(self._frames) if self._frames else np.empty(0, np.float32)
        return np.asarray(10 * np.log10(np.maximum(power, _FLOOR_POWER)), dtype=np.float32)

    def channel_levels_dbfs(self) -> NDArray[np.float64]:
        """RMS of each channel over the whole take, in dBFS, not below -120."""
        return np.asarray(10 * np.log10(np.maximum(self._power / max(1, self._count), _FLOOR_POWER)))

    def measurements(self) -> dict[str, float]:
        """``rms_dbfs`` over all channels and ``sample_peak_dbfs``, neither below -120."""
        mean = float(self._power.mean()) / max(1, self._count)
        return {"rms_dbfs": _decibels(mean), "sample_peak_dbfs": _decibels(self._peak**2)}


def _decibels(power: float) -> float:
    return round(10 * math.log10(max(power, _FLOOR_POWER)), 2) + 0.0  # + 0.0: never "-0.0"
