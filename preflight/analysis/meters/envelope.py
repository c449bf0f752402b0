"""The envelope of the wave, to be drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from preflight.analysis.columns import Columns
from preflight.analysis.pictures import Waveform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preflight.analysis.framing import Chunk, Grid

_MOST_COLUMNS: Final = 1200
_FULL_SCALE: Final = 32767


class EnvelopeMeter:
    """The lowest and the highest sample of each channel, over time.

    Args:
        grid: Of the chunks.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._columns = Columns(_MOST_COLUMNS)

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        frames = -(-chunk.filled // self._grid.frame)
        wave = chunk.wave[:, self._grid.lead : self._grid.lead + frames * self._grid.frame]
        framed = wave.reshape(len(wave), frames, self._grid.frame)
        self._columns.add(np.stack((-framed.min(axis=2), framed.max(axis=2)), axis=2).transpose(1, 0, 2))

    def waveform(self) -> Waveform:
        """What was found, when all chunks were given."""
        found = self._columns.highest().reshape(-1, self._grid.channels, 2)
        return Waveform(
            column_s=self._columns.width * self._grid.frame_s,
            lows=tuple(_as_bytes(-found[:, channel, 0]) for channel in range(self._grid.channels)),
            highs=tuple(_as_bytes(found[:, channel, 1]) for channel in range(self._grid.channels)),
        )


def _as_bytes(samples: NDArray[np.float32]) -> bytes:
    """As int16 in little-endian; what is beyond full scale stands at it."""
    return np.rint(np.clip(samples, -1, 1) * _FULL_SCALE).astype("<i2").tobytes()
