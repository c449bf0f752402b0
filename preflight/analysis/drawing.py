"""What is to be drawn, kept on the same pass over the sound as everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight.analysis.meters.envelope import EnvelopeMeter
from preflight.analysis.meters.spectrogram import SpectrogramMeter
from preflight.analysis.pictures import Pictures

if TYPE_CHECKING:
    from preflight.analysis.framing import Chunk, Grid
    from preflight.analysis.meters.loudness import LoudnessMeter


class Sketch:
    """Keeps the envelope of everything, and the spectrogram of what the meters hear.

    Args:
        grid: Of the recording.
    """

    def __init__(self, grid: Grid) -> None:
        self._envelope = EnvelopeMeter(grid)
        self._spectrogram = SpectrogramMeter(grid)

    def add(self, chunk: Chunk, *, heard: bool) -> None:
        """Take the next chunk; `heard` says whether the other meters hear it, too."""
        self._envelope.add(chunk)
        if heard:
            self._spectrogram.add(chunk)

    def pictures(self, loudness: LoudnessMeter | None) -> Pictures:
        """What was kept, when all chunks were given.

        Args:
            loudness: Has heard the same; None where nothing was heard.
        """
        return Pictures(
            waveform=self._envelope.waveform(),
            spectrogram=self._spectrogram.spectrogram(),
            momentary=loudness.momentary() if loudness else None,
            short_term=loudness.short_term() if loudness else None,
        )
