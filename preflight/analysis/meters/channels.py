"""DC offset of each channel, and the relation of the two channels of a stereo recording."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.decibels import decibels

if TYPE_CHECKING:
    from preflight.analysis.framing import Chunk, Grid

_NAMES: Final = {1: ("",), 2: ("left_", "right_")}
# -120 dB: keeps the logarithms finite.
_LOWEST_POWER: Final = 1e-12


class ChannelMeter:
    """Measure the DC offset; for two channels also their difference, correlation, and the loss of their mono mix.

    Args:
        grid: The grid of the chunks; one or two channels.
    """

    def __init__(self, grid: Grid) -> None:
        self._sums = np.zeros(grid.channels)
        self._energies = np.zeros(grid.channels)
        self._product = 0.0
        self._count = 0
        self._frame = grid.frame
        self._identical = True

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        samples = chunk.samples
        # sums of float32 over hours would lose their last digits: each frame in float32, their sum in float64
        self._sums += chunk.frame_means.sum(axis=1, dtype=np.float64) * self._frame
        self._energies += chunk.frame_powers.sum(axis=1, dtype=np.float64) * self._frame
        self._count += chunk.filled
        if len(samples) == 2:
            self._identical = self._identical and chunk.distinct == 1
            self._product += float(np.dot(samples[0], samples[1]))

    def measurements(self) -> dict[str, float]:
        """Return the DC offset and, for two channels, their relation.

        ``dc_offset_percent``: of full scale, the largest of all channels. For two channels also
        ``left_dc_offset_percent`` and ``right_dc_offset_percent``; ``channel_difference_db``, the level of the louder
        channel relative to the other; ``channel_correlation``, Pearson's r, -1 to 1; ``fold_down_loss_db``, how much
        weaker the mean of both channels is than the channels; ``side_level_db``, the level of side (L - R) relative to
        mid (L + R), -120 for identical channels. All but the offsets ignore the offsets.
        """
        count = max(1, self._count)
        offsets = self._sums / count
        percents = [round(100 * float(offset), 3) + 0.0 for offset in offsets]
        found = {"dc_offset_percent": max(percents, key=abs)}
        if len(percents) == 2:
            found |= {f"{side}dc_offset_percent": percent for side, percent in zip(_NAMES[2], percents, strict=True)}
            found |= self._relation(offsets, count)
        return found

    def _relation(self, offsets: np.ndarray[tuple[int], np.dtype[np.float64]], count: int) -> dict[str, float]:
        # variances and covariance: E(x²) - E(x)², E(xy) - E(x)·E(y)
        left, right = (max(_LOWEST_POWER, float(power)) for power in self._energies / count - offsets**2)
        product = self._product / count - float(offsets.prod())
        # the powers of (L + R) / 2 and (L - R) / 2
        mid = max(_LOWEST_POWER, (left + right + 2 * product) / 4)
        side = 0.0 if self._identical else max(0.0, (left + right - 2 * product) / 4)
        return {
            "channel_difference_db": round(abs(10 * math.log10(left / right)), 2),
            "channel_correlation": round(max(-1.0, min(1.0, product / math.sqrt(left * right))), 4) + 0.0,
            "fold_down_loss_db": round(max(0.0, 10 * math.log10((left + right) / 2 / mid)), 2),
            "side_level_db": decibels(side / mid),
        }
