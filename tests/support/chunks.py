"""Sound made in memory, cut into chunks, and given to a single meter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from preflight.analysis.frames_and_spectra import Chunk, ChunkCutter, Grid

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


class ChunkMeter(Protocol):
    def add(self, chunk: Chunk) -> None: ...


M = TypeVar("M", bound=ChunkMeter)


def chunks_of(sound: NDArray[Any], rate: int, block: int = 48_000) -> list[Chunk]:
    """The chunks of `sound`, (frames,) or (frames, channels), given in blocks of `block` frames.

    They are short, so that most of what is measured crosses a border.
    """
    planes = np.atleast_2d(np.asarray(sound, np.float32).T).T
    cutter = ChunkCutter(Grid.at(rate, planes.shape[1]), rows=4)
    chunks = [chunk for at in range(0, len(planes), block) for chunk in cutter.add(planes[at : at + block])]
    return [*chunks, *cutter.end()]


def measured_by(make: Callable[[Grid], M], sound: NDArray[Any], rate: int) -> M:
    """The meter that `make` returns for the grid of `sound`, after all chunks were added."""
    chunks = chunks_of(sound, rate)
    meter = make(chunks[0].grid)
    for chunk in chunks:
        meter.add(chunk)
    return meter


def sine(hz: float, seconds: float, rate: int, amplitude: float = 1.0) -> NDArray[np.float64]:
    """A sine that begins at a zero crossing."""
    return np.asarray(amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate))


def white_noise(rms: float, count: int, seed: int = 1) -> NDArray[np.float64]:
    """Gaussian noise."""
    return np.random.default_rng(seed).normal(0, rms, count)
