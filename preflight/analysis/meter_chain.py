"""All meters on one pass over the sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from preflight.analysis.analysis import Heard
from preflight.analysis.downmix import Downmix
from preflight.analysis.meters import hum
from preflight.analysis.meters.bandwidth import BandwidthMeter
from preflight.analysis.meters.channels import ChannelMeter
from preflight.analysis.meters.clipping import ClippingMeter
from preflight.analysis.meters.dropouts import DropoutMeter
from preflight.analysis.meters.loudness import LoudnessMeter
from preflight.analysis.meters.true_peak import TruePeakMeter
from preflight.analysis.speech_levels import speech_levels
from preflight.analysis.vad import speech

if TYPE_CHECKING:
    from collections.abc import Callable

    from preflight.analysis.framing import Chunk, Grid
    from preflight.analysis.meters.levels import LevelMeter


class Meter(Protocol):
    """What all of them can do."""

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk."""

    def measurements(self) -> dict[str, float]:
        """What was found, when all chunks were given."""


_MEASURING: Final[tuple[Callable[[Grid], Meter], ...]] = (
    TruePeakMeter,
    ChannelMeter,
    BandwidthMeter,
)
"""The meters of which nothing but the measurements is wanted."""


class MeterChain:
    """The meters that say how one or two channels sound.

    Args:
        grid: Of the recording.
        ear: Who listens for speech.
        coarse: Whether the samples have 8 bits or are companded.

    Attributes:
        loudness: The meter that can be drawn, too.
    """

    def __init__(self, grid: Grid, ear: speech.SpeechDetector, *, coarse: bool = False) -> None:
        self._rate = grid.sample_rate_hz
        self._samples = 0
        self._ear, self._hum = ear, hum.HumMeter(grid)
        self._for_ear, self._for_hum = (Downmix(grid, kind.SAMPLES_PER_FRAME) for kind in (speech, hum))
        self._clipping = ClippingMeter(grid, coarse=coarse)
        self._dropouts = DropoutMeter(grid, coarse=coarse)
        self.loudness = LoudnessMeter(grid)
        measuring = (meter(grid) for meter in _MEASURING)
        self._meters: tuple[Meter, ...] = (self.loudness, *measuring, self._clipping, self._dropouts)

    @property
    def seconds(self) -> float:
        """How much they have heard."""
        return self._samples / self._rate

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        self._samples += chunk.filled
        self._ear.add(self._for_ear.add(chunk))  # first: it may have a core of its own
        self._hum.add(self._for_hum.add(chunk))
        for meter in self._meters:
            meter.add(chunk)

    def heard(self, levels: LevelMeter) -> Heard | None:
        """What was found, when all chunks were given; None where there was none.

        Args:
            levels: Has heard the same.
        """
        if not self._samples:
            return None
        self._hum.end()
        voice = self._ear.heard()
        talk = speech_levels(levels, voice.track, self.seconds)
        measurements = {name: value for meter in self._meters for name, value in meter.measurements().items()}
        measurements |= self._hum.measurements()
        return Heard(
            seconds=self.seconds,
            measurements={**measurements, "voice_like_s": voice.voice_like_s, **talk.measurements},
            speech=talk.speech,
            clipped=self._clipping.spans(),
            dropouts=self._dropouts.spans(),
            clicks=self._dropouts.clicks(),
        )
