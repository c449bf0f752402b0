"""The envelope of the waveform, for drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.columns import Columns
from preflight.analysis.pictures import Waveform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.framing import Chunk, Grid

_MAX_COLUMNS: Final = 1200
_FULL_SCALE: Final = 32767


class EnvelopeMeter:
    """Keep the lowest and the highest sample of each channel, over time.

    Args:
        grid: The grid of the chunks.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._columns = Columns(_MAX_COLUMNS)

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk."""
        frames = -(-chunk.filled // self._grid.frame)
        wave = chunk.wave[:, self._grid.lead : self._grid.lead + frames * self._grid.frame]
        framed = wave.reshape(len(wave), frames, self._grid.frame)
        # Columns keeps maxima: the lowest sample is kept as the highest of the negated ones
        self._columns.add(np.stack((-framed.min(axis=2), framed.max(axis=2)), axis=2).transpose(1, 0, 2))

    def waveform(self) -> Waveform:
        """Return the envelope, after all chunks were added."""
        found = self._columns.highest().reshape(-1, self._grid.channels, 2)
        return Waveform(
            column_s=self._columns.width * self._grid.frame_s,
            lows=tuple(_as_bytes(-found[:, channel, 0]) for channel in range(self._grid.channels)),
            highs=tuple(_as_bytes(found[:, channel, 1]) for channel in range(self._grid.channels)),
        )


def _as_bytes(samples: NDArray[np.float32]) -> bytes:
    """Return samples as little-endian int16, clipped to full scale."""
    return np.rint(np.clip(samples, -1, 1) * _FULL_SCALE).astype("<i2").tobytes()
