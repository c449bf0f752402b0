"""All meters on one pass over the sound, in two halves that can be in two processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from preflight.meters import hum, speech
from preflight.meters.bandwidth import BandwidthMeter
from preflight.meters.channels import ChannelMeter
from preflight.meters.clipping import ClippingMeter
from preflight.meters.downmix import Downmix
from preflight.meters.dropouts import DropoutMeter
from preflight.meters.loudness import LoudnessMeter
from preflight.meters.true_peak import TruePeakMeter

if TYPE_CHECKING:
    from preflight.meters.grid import Chunk, Grid
    from preflight.meters.speech import SpeechTrack
    from preflight.report import Span


@dataclass(frozen=True)
class VoiceHeard:
    """What the meters found that listen to the mix of the channels.

    Attributes:
        track: Probability of speech over time.
        measurements: By name.
    """

    track: SpeechTrack
    measurements: dict[str, float]


class VoiceBridge:
    """The meters that listen to the mix of the channels: speech, hum, bandwidth.

    Args:
        grid: Of the recording.
    """

    def __init__(self, grid: Grid) -> None:
        self._speech, self._hum, self._bandwidth = speech.SpeechMeter(grid), hum.HumMeter(grid), BandwidthMeter(grid)
        self._for_speech = Downmix(grid, speech.SAMPLES_PER_FRAME)
        self._for_hum = Downmix(grid, hum.SAMPLES_PER_FRAME)

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        mixed = chunk.mixed_spectra()
        self._bandwidth.add(chunk, mixed)
        self._speech.add(self._for_speech.add(chunk, mixed))
        self._hum.add(self._for_hum.add(chunk, mixed))

    def result(self) -> VoiceHeard:
        """What was found, when all chunks were given."""
        self._speech.end()
        self._hum.end()
        meters = self._bandwidth, self._hum, self._speech
        measurements = {name: value for meter in meters for name, value in meter.measurements().items()}
        return VoiceHeard(self._speech.track(), measurements)


@dataclass(frozen=True)
class WaveHeard:
    """What the meters found that listen to each channel.

    Attributes:
        measurements: By name.
        clipped: Where samples are clipped.
        dropouts: Where sound is missing or doubled.
        clicks: Single samples that lie outside the wave.
    """

    measurements: dict[str, float]
    clipped: tuple[Span, ...]
    dropouts: tuple[Span, ...]
    clicks: tuple[Span, ...]


class WaveBridge:
    """The meters that listen to each channel: loudness, true peak, clipping, dropouts, channels.

    Args:
        grid: Of the recording.
        coarse: Whether the samples have 8 bits or are companded.
    """

    def __init__(self, grid: Grid, *, coarse: bool = False) -> None:
        self._clipping = ClippingMeter(grid, coarse=coarse)
        self._dropouts = DropoutMeter(grid, coarse=coarse)
        others = LoudnessMeter(grid), TruePeakMeter(grid), ChannelMeter(grid)
        self._meters = (*others, self._clipping, self._dropouts)

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        for meter in self._meters:
            meter.add(chunk)

    def result(self) -> WaveHeard:
        """What was found, when all chunks were given."""
        measurements = {name: value for meter in self._meters for name, value in meter.measurements().items()}
        return WaveHeard(measurements, self._clipping.spans(), self._dropouts.spans(), self._dropouts.clicks())
