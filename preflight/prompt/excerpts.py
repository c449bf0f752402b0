"""Decode parts of a recording, as it is or in the format of speech models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from preflight.analysis.frames_and_spectra import ChunkCutter, Grid
from preflight.analysis.resample import Downmix
from preflight.analysis.vad.speech import SAMPLES_PER_FRAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.frames_and_spectra import Samples
    from preflight.input.source import Source
    from preflight.media.decoder import Block
    from preflight.media.probe import Probe
    from preflight.report import Span


def excerpts(source: Source, facts: Probe, spans: list[Span]) -> Iterator[tuple[Span, Block]]:
    """Decode a recording once, and yield the audio of each of `spans`.

    Only the blocks of the spans that are not complete yet are kept in memory.

    Args:
        source: The open recording.
        facts: Its format.
        spans: (start, end) in seconds, in any order.
    """
    from preflight.media.decoder import Decoder

    rate = facts.sample_rate_hz
    waiting = sorted(spans)
    held: list[Block] = []
    begin = position = 0
    for block in Decoder(source, facts).blocks():
        held.append(block)
        position += len(block)
        # in order of their starts: an excerpt that is complete may wait for a longer one that started before it
        while waiting and position >= round(waiting[0][1] * rate):
            span = waiting.pop(0)
            joined = np.concatenate(held)
            yield span, joined[round(span[0] * rate) - begin : round(span[1] * rate) - begin]
        first = round(waiting[0][0] * rate) if waiting else position
        # blocks before the next excerpt are no longer needed
        while held and begin + len(held[0]) <= first:
            begin += len(held.pop(0))
        if not waiting:
            return


def to_mono_16k(block: Block, sample_rate_hz: int) -> Samples:
    """Downmix and resample audio of shape (frames, channels) to mono at 16 kHz, as for the speech detector."""
    if block.shape[1] > 2:
        block = block.mean(axis=1, keepdims=True)
    grid = Grid.at(sample_rate_hz, block.shape[1])
    rows, downmix = ChunkCutter(grid), Downmix(grid, SAMPLES_PER_FRAME)
    parts = [downmix.add(chunk) for chunk in rows.add(block)]
    parts += [downmix.add(chunk) for chunk in rows.end()]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)
