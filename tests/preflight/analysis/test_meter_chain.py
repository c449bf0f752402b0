"""All meters on one pass: what is measured of how much, for any channels, and with which detector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from preflight.analysis.meter_chain import MAX_CHANNELS, MeterChain
from preflight.analysis.vad.speech import SpeechMeter, SpeechResult
from preflight.media.probe import Probe
from tests.support.chunks import sine, white_noise

if TYPE_CHECKING:
    from preflight.analysis.analysis import Analysis
    from preflight.analysis.frames_and_spectra import Samples

RATE = 16_000


class CountingDetector(SpeechMeter):
    """A speech detector that counts what it gets."""

    def __init__(self) -> None:
        super().__init__(RATE)
        self.samples = 0
        self.results = 0

    def add(self, samples: Samples) -> None:
        self.samples += len(samples)
        super().add(samples)

    def result(self) -> SpeechResult:
        self.results += 1
        return super().result()


def facts(channels: int, codec: str = "pcm_f32le") -> Probe:
    return Probe("wav", codec, RATE, channels)


def chain_of(sound: Any, *, codec: str = "pcm_f32le", scale: float = 1.0, **options: Any) -> MeterChain:
    planes = np.atleast_2d(np.asarray(sound).T).T
    channels = planes.shape[1]
    detector = options.pop("detector", SpeechMeter(RATE)) if channels <= MAX_CHANNELS else None
    chain = MeterChain(facts(channels, codec), detector, **options)
    for start in range(0, len(planes), 5_000):
        chain.add(planes[start : start + 5_000], scale)
    return chain


def analysis_of(sound: Any, **options: Any) -> Analysis:
    return chain_of(sound, **options).analysis()


def test_nothing_is_measured_of_nothing() -> None:
    analysis = analysis_of(np.zeros((0, 1), np.float32))
    assert analysis.decoded_s == analysis.measured_s == 0
    assert analysis.measurements == {}
    assert analysis.speech == analysis.pauses == ()
    assert analysis.frame_powers == b""


def test_the_measured_duration_comes_first_and_is_rounded() -> None:
    analysis = analysis_of(sine(440, 1.23456, RATE, 0.5))
    assert next(iter(analysis.measurements)) == "measured_s"
    assert analysis.measurements["measured_s"] == round(analysis.measured_s, 3)
    assert analysis.measured_s == pytest.approx(1.23456, abs=1 / RATE)


def test_seconds_are_those_of_whole_chunks_until_the_end() -> None:
    chain = chain_of(sine(440, 8, RATE, 0.5))
    assert chain.seconds == pytest.approx(6.4)  # the length of a chunk
    assert chain.analysis().decoded_s == pytest.approx(8.0)
    assert chain.seconds == pytest.approx(8.0)


def test_the_detector_gets_the_mix_at_16_khz_and_is_asked_once() -> None:
    detector = CountingDetector()
    analysis_of(sine(440, 3, RATE, 0.5), detector=detector)
    assert detector.samples == 3 * RATE
    assert detector.results == 1


@pytest.mark.parametrize("measure_s", [0.0, 6.4, 8.0])
def test_the_meters_of_sound_stop_and_the_levels_go_on(measure_s: float) -> None:
    """A chunk that begins before the limit is measured to its end."""
    sound = np.concatenate((sine(440, 13, RATE, 0.1), sine(440, 4, RATE, 0.8)))
    detector = CountingDetector()
    analysis = analysis_of(sound, measure_s=measure_s, detector=detector)
    assert analysis.decoded_s == pytest.approx(17)
    assert measure_s <= analysis.measured_s <= measure_s + 6.4
    assert analysis.measurements["sample_peak_dbfs"] == pytest.approx(-1.94, abs=0.01)
    assert detector.samples == max(0, round((analysis.measured_s - 0.025) * RATE))  # the mix lags by half a lead
    assert len(analysis.frame_levels_dbfs()) == 1700
    if measure_s:
        assert analysis.measurements["true_peak_dbtp"] == pytest.approx(-20, abs=0.1)
    else:
        assert "true_peak_dbtp" not in analysis.measurements


@pytest.mark.parametrize("channels", [3, 6])
def test_more_than_two_channels_get_levels_and_layout_only(channels: int) -> None:
    sound = np.stack([white_noise(0.1 / number, RATE) for number in range(1, channels + 1)], axis=1)
    analysis = analysis_of(sound, pictures=True)
    assert set(analysis.measurements) == {"rms_dbfs", "sample_peak_dbfs"}
    assert not analysis.is_measured
    assert analysis.decoded_s == pytest.approx(1)
    assert analysis.channels is not None
    assert len(analysis.channels.levels_dbfs) == channels
    assert analysis.channels.levels_dbfs[0] == pytest.approx(-20, abs=0.1)
    assert analysis.pictures is not None
    assert len(analysis.pictures.waveform.highs) == 1  # the mean of all channels
    assert analysis.pictures.spectrogram is None
    assert analysis.pictures.momentary is None


@pytest.mark.parametrize("channels", [1, 2])
def test_each_meter_reports(channels: int) -> None:
    sound = np.stack([white_noise(0.1, 3 * RATE, seed=number) for number in range(channels)], axis=1)
    found = analysis_of(sound).measurements
    expected = {"rms_dbfs", "true_peak_dbtp", "integrated_loudness_lufs", "clipped_percent", "dropouts", "voice_like_s"}
    assert expected <= set(found)
    assert ("channel_correlation" in found) == (channels == 2)


def test_pictures_are_kept_on_request_only() -> None:
    sound = sine(440, 4, RATE, 0.5)
    assert analysis_of(sound).pictures is None
    pictures = analysis_of(sound, pictures=True).pictures
    assert pictures is not None
    assert pictures.spectrogram is not None
    assert pictures.short_term is not None


def test_integers_are_scaled() -> None:
    sound = np.round(sine(997, 1, RATE, 0.5) * 2**15).astype(np.int16)
    found = analysis_of(sound, codec="pcm_s16le", scale=2.0**-15).measurements
    assert found["sample_peak_dbfs"] == pytest.approx(-6.02, abs=0.01)


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_alaw", "pcm_mulaw"])
def test_equal_samples_of_coarse_codecs_are_not_clipped(codec: str) -> None:
    """With eight bits the top of every wave is flat."""
    sound = np.round(sine(100, 2, RATE, 0.5) * 64) / 64
    assert analysis_of(sound, codec=codec).measurements["clipped_percent"] == 0
    assert analysis_of(np.clip(sine(100, 2, RATE, 4.0), -1, 1), codec=codec).measurements["clipped_percent"] > 30


def test_levels_of_frames_are_little_endian_powers() -> None:
    analysis = analysis_of(np.full(RATE, 0.5) * np.resize([1, -1], RATE))
    powers = np.frombuffer(analysis.frame_powers, "<f4")
    assert analysis.frame_s == 0.01
    assert powers == pytest.approx(np.full(100, 0.25), rel=1e-5)
