"""The meters for what is drawn: they run in the same pass as all others, so that a drawing decodes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight.analysis.meters.envelope import EnvelopeMeter
from preflight.analysis.meters.spectrogram import SpectrogramMeter
from preflight.analysis.pictures import Pictures

if TYPE_CHECKING:
    from preflight.analysis.framing import Chunk, Grid
    from preflight.analysis.meters.loudness import LoudnessMeter


class PictureMeters:
    """Measure the envelope of the whole recording, and the spectrogram of the part that the other meters measure.

    Args:
        grid: The grid of the chunks.
    """

    def __init__(self, grid: Grid) -> None:
        self._envelope = EnvelopeMeter(grid)
        self._spectrogram = SpectrogramMeter(grid)

    def add(self, chunk: Chunk, *, measured: bool) -> None:
        """Add the next chunk; `measured` says whether the other meters measure it, too."""
        self._envelope.add(chunk)
        if measured:
            self._spectrogram.add(chunk)

    def pictures(self, loudness: LoudnessMeter | None) -> Pictures:
        """Return the drawing data, after all chunks were added.

        Args:
            loudness: The loudness meter of the same pass; None where nothing was measured.
        """
        return Pictures(
            waveform=self._envelope.waveform(),
            spectrogram=self._spectrogram.spectrogram(),
            momentary=loudness.momentary() if loudness else None,
            short_term=loudness.short_term() if loudness else None,
        )
