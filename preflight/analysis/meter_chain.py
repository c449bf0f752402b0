"""All meters on one pass over the sound: blocks in, an `Analysis` out."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from preflight.analysis.analysis import Analysis
from preflight.analysis.frames_and_spectra import ChunkCutter, Grid
from preflight.analysis.meters import hum
from preflight.analysis.meters.bandwidth import BandwidthMeter
from preflight.analysis.meters.channels import ChannelMeter, LayoutMeter
from preflight.analysis.meters.clipping import ClippingMeter
from preflight.analysis.meters.dropouts import DropoutMeter
from preflight.analysis.meters.loudness import LoudnessMeter
from preflight.analysis.meters.music import MusicMeter
from preflight.analysis.meters.peak_and_rms import LevelMeter
from preflight.analysis.meters.pictures import PictureMeters
from preflight.analysis.meters.plosives import PlosiveMeter
from preflight.analysis.meters.true_peak import TruePeakMeter
from preflight.analysis.resample import Downmix
from preflight.analysis.spans import pauses_between_speech
from preflight.analysis.speech_and_noise_levels import speech_levels
from preflight.analysis.vad import speech

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from preflight.analysis.frames_and_spectra import Chunk
    from preflight.media.probe import Probe

MAX_CHANNELS: Final = 2
"""More channels get only levels and layout: measurements of their mix would describe audio that does not exist."""
_COARSE_CODECS: Final = frozenset({"pcm_u8", "pcm_alaw", "pcm_mulaw"})


class Meter(Protocol):
    """What every meter provides."""

    def add(self, chunk: Chunk) -> None:
        """Measure the next chunk."""

    def measurements(self) -> dict[str, float]:
        """The results, when all chunks were added."""
        ...


_SIMPLE_METERS: Final[tuple[Callable[[Grid], Meter], ...]] = (TruePeakMeter, ChannelMeter)
"""Meters that return nothing but measurements."""


class MeterChain:
    """Measures a recording block by block.

    Results do not depend on how the sound is cut into blocks: see `preflight.analysis.frames_and_spectra`.

    Args:
        facts: What the headers say.
        detector: The speech detector; None for a recording of more than `MAX_CHANNELS` channels.
        measure_s: Seconds after which only levels, channel layout and waveform go on; None for all of the recording.
        pictures: Whether to keep what can be drawn.
    """

    def __init__(
        self,
        facts: Probe,
        detector: speech.SpeechMeter | None,
        *,
        measure_s: float | None = None,
        pictures: bool = False,
    ) -> None:
        self._grid = grid = Grid.at(facts.sample_rate_hz, facts.channels)
        self._rows = ChunkCutter(grid)
        self._levels, self._layout = LevelMeter(grid), LayoutMeter(grid)
        self._is_folded = facts.channels > MAX_CHANNELS
        is_coarse = facts.codec in _COARSE_CODECS
        self._sound = _SoundMeters(grid, detector, coarse=is_coarse) if detector else None
        self._measure_s = measure_s
        drawn = dataclasses.replace(grid, channels=1) if self._is_folded else grid
        self._pictures = PictureMeters(drawn) if pictures else None

    @property
    def seconds(self) -> float:
        """Seconds added."""
        return self._levels.seconds

    def add(self, block: NDArray[Any], scale: float) -> None:
        """Measure the next block, of shape (frames, channels), whose full scale is 1 / `scale`."""
        self._add(self._rows.add(block, scale))

    def analysis(self) -> Analysis:
        """The results, when all blocks were added: everything but what the decoder and the caller know."""
        self._add(self._rows.end())
        sound, levels = self._sound, self._levels
        pictures = self._pictures.pictures(sound.loudness if sound else None) if self._pictures else None
        found = Analysis() if sound is None or not sound.seconds else sound.analysis(levels)
        measurements = levels.measurements() if levels.seconds else {}
        if found.is_measured:
            measurements = {"measured_s": round(found.measured_s, 3), **measurements, **found.measurements}
        return msgspec.structs.replace(
            found,
            decoded_s=levels.seconds,
            measurements=measurements,
            channels=self._layout.facts(),
            pauses=tuple(pauses_between_speech(levels, found.speech)),
            frame_s=levels.frame_s,
            frame_powers=levels.frame_powers().astype("<f4", copy=False).tobytes(),
            pictures=pictures,
        )

    def _add(self, chunks: Iterable[Chunk]) -> None:
        for chunk in chunks:
            self._levels.add(chunk)
            self._layout.add(chunk)
            sound = self._sound
            is_measured = sound is not None and (self._measure_s is None or sound.seconds < self._measure_s)
            if sound is not None and is_measured:
                sound.add(chunk)
            if self._pictures is not None:
                self._pictures.add(chunk.folded() if self._is_folded else chunk, measured=is_measured)


class _SoundMeters:
    """The meters for one or two channels.

    Attributes:
        loudness: The meter that can be drawn, too.
    """

    def __init__(self, grid: Grid, detector: speech.SpeechMeter, *, coarse: bool) -> None:
        self._rate = grid.sample_rate_hz
        self._samples = 0
        self._detector, self._hum, self._music = detector, hum.HumMeter(grid), MusicMeter(grid)
        self._speech_mix, self._hum_mix = (Downmix(grid, kind.SAMPLES_PER_FRAME) for kind in (speech, hum))
        self._clipping = ClippingMeter(grid, coarse=coarse)
        self._dropouts = DropoutMeter(grid, coarse=coarse)
        self._plosives = PlosiveMeter(grid)
        self.loudness = LoudnessMeter(grid)
        simple = (meter(grid) for meter in _SIMPLE_METERS)
        self._bandwidth = BandwidthMeter(grid)
        placed = (self._clipping, self._dropouts, self._plosives)
        self._meters: tuple[Meter, ...] = (self.loudness, *simple, self._bandwidth, *placed)

    @property
    def seconds(self) -> float:
        return self._samples / self._rate

    def add(self, chunk: Chunk) -> None:
        self._samples += chunk.filled
        self._detector.add(self._speech_mix.add(chunk))
        self._hum.add(self._hum_mix.add(chunk))
        self._music.add(chunk)
        for meter in self._meters:
            meter.add(chunk)

    def analysis(self, levels: LevelMeter) -> Analysis:
        self._hum.end()
        self._music.end()
        voice = self._detector.result()
        talk = speech_levels(levels, voice.track, self.seconds)
        measurements = {name: value for meter in self._meters for name, value in meter.measurements().items()}
        measurements |= self._hum.measurements()
        tones = self._music.measurements(hum.mains_hz(measurements))
        whines = (tones, self._bandwidth.whine())
        measurements |= tones | max(whines, key=lambda found: found.get("whine_dbfs", -120.0))
        if "speech_level_dbfs" in talk.measurements:
            measurements |= voice.background
        if voice.room_decay_s is not None and "speech_level_dbfs" in talk.measurements:
            measurements["room_decay_s"] = round(voice.room_decay_s, 2)
        if voice.voices is not None and (split := voice.voices.split()) is not None:
            measurements |= {
                "second_voice_cosine": round(split.cosine, 3),
                "second_voice_percent": round(100 * split.share, 1),
                "second_pitch_percent": voice.voices.second_pitch_percent,
            }
        return Analysis(
            measured_s=self.seconds,
            measurements={**measurements, "voice_like_s": voice.voice_like_s, **talk.measurements},
            speech=talk.speech,
            clipped=self._clipping.spans(),
            dropouts=self._dropouts.spans(),
            clicks=self._dropouts.clicks(),
            splices=self._dropouts.splices(),
            plosives=self._plosives.spans(),
            voices=voice.voices,
        )
