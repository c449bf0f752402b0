"""Clipping is found after lossy encoding and resampling; limiters, compressors and clean speech cause no finding."""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING, Final

import av
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from preflight.analysis.frames_and_spectra import Grid
from preflight.analysis.meters.clipping import ClippingMeter
from preflight.analysis.meters.plateaus import PlateauDetector
from tests.support.audio_measures import judged
from tests.support.chunks import measured_by
from tests.support.make_audio import RATE, coded, story

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from preflight.report import Span

    Sound = NDArray[np.float32]

HIGH_RATE: Final = 48_000
TOLERANCE_S: Final = 0.06
"""Codecs shift and smear by up to a block."""
CODECS: Final[dict[str, tuple[str, str, int] | None]] = {
    "none": None,
    "aac-64": ("ipod", "aac", 64_000),
    "aac-128": ("ipod", "aac", 128_000),
    "mp3-64": ("mp3", "libmp3lame", 64_000),
    "mp3-128": ("mp3", "libmp3lame", 128_000),
    "opus-32": ("ogg", "libopus", 32_000),
    "opus-48": ("ogg", "libopus", 48_000),
}


def resampled(sound: NDArray[np.float64], rate: int, new_rate: int) -> NDArray[np.float64]:
    """`sound` at another rate, by a band limit as sharp as it can be."""
    spectrum = np.fft.rfft(sound)
    count = len(sound) * new_rate // rate
    padded = np.zeros(count // 2 + 1, complex)
    kept = min(len(spectrum), len(padded))
    padded[:kept] = spectrum[:kept]
    return np.asarray(np.fft.irfft(padded, count) * (new_rate / rate), np.float64)


@functools.cache
def speech() -> NDArray[np.float64]:
    """The committed speech at 48 kHz, with a peak of 1."""
    sound = resampled(story().astype(np.float64), RATE, HIGH_RATE)
    return np.asarray(sound / np.abs(sound).max(), np.float64)


def clipped(percent: float, ceiling: float = 0.6, lower: float = 1.0) -> NDArray[np.float64]:
    """Speech with so many samples cut off at `ceiling`; `lower` raises the lower ceiling."""
    top = np.quantile(np.abs(speech()), 1 - percent / 100)
    return np.asarray(np.clip(speech(), -top * lower, top) * (ceiling / top), np.float64)


def limited(gain: float, release: int) -> NDArray[np.float64]:
    """Speech through a limiter that looks ahead by 1 ms: every loud peak gets the same level and keeps its shape."""
    blocks = np.abs(speech())[: len(speech()) // 48 * 48].reshape(-1, 48).max(axis=1) * gain
    envelope = np.maximum.reduce([np.roll(blocks, shift) for shift in (-1, 0, 1)])
    for number in range(1, len(envelope)):
        envelope[number] = max(envelope[number], envelope[number - 1] * (1 - 1 / release))
    around = np.interp(np.arange(len(speech())), 48 * np.arange(len(envelope)) + 24, envelope)
    return np.asarray(0.9 * gain * speech() / np.maximum(around, 1), np.float64)


def decoded(sound: NDArray[np.float64], codec: str, rate: int = HIGH_RATE) -> NDArray[np.float32]:
    """What a player gets after the encoding."""
    encoding = CODECS[codec]
    if encoding is None:
        return sound.astype(np.float32)
    muxer, name, bit_rate = encoding
    data = coded(sound.astype(np.float32), muxer, name, rate=rate, bit_rate=bit_rate)
    with av.open(io.BytesIO(data), "r") as file:
        return np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])


def measured(sound: Sound, rate: int = HIGH_RATE) -> tuple[float, tuple[Span, ...]]:
    """Percent clipped and the spans of a sound of shape (frames,) or (frames, channels)."""
    sound = sound.reshape(len(sound), -1)
    meter = measured_by(ClippingMeter, sound, rate)
    return meter.measurements()["clipped_percent"], meter.spans()


def require_places(sound: NDArray[np.float64], spans: tuple[Span, ...]) -> None:
    """The spans cover what is clipped in `sound`, at 48 kHz, and nothing else."""
    places = np.flatnonzero(np.abs(sound) >= 0.99999 * np.abs(sound).max()) / HIGH_RATE
    begins, ends = np.array(spans).T
    near = (places[:, None] >= begins - TOLERANCE_S) & (places[:, None] <= ends + TOLERANCE_S)
    assert near.any(axis=1).mean() > 0.8
    assert near.any(axis=0).mean() > 0.9
    assert (begins[1:] > ends[:-1]).all()


@pytest.mark.parametrize("percent", [1, 3, 10])
@pytest.mark.parametrize("codec", CODECS)
def test_clipping_is_found_after_every_codec(codec: str, percent: float) -> None:
    sound = clipped(percent)
    value, spans = measured(decoded(sound, codec))
    assert 0.4 * percent < value < 1.2 * percent
    require_places(sound, spans)


@pytest.mark.parametrize("percent", [25, 40])
@pytest.mark.parametrize("codec", ["aac-128", "mp3-128"])
def test_heavy_clipping_is_found_after_codecs_at_high_bit_rates(codec: str, percent: float) -> None:
    """At low bit rates codecs leave no plateaus of it: docs/rules.md."""
    sound = decoded(clipped(percent), codec)
    assert 0.25 * percent < measured(sound)[0] < 1.2 * percent


@pytest.mark.parametrize("percent", [1, 5])
@pytest.mark.parametrize("codec", ["none", "aac-64"])
def test_clipping_is_found_after_resampling(codec: str, percent: float) -> None:
    sound = clipped(percent)
    value, spans = measured(decoded(resampled(sound, HIGH_RATE, RATE), codec, RATE), RATE)
    assert 0.4 * percent < value < 1.2 * percent
    require_places(sound, spans)


def test_one_clipped_polarity_is_enough() -> None:
    sound = decoded(clipped(10, lower=9.0), "aac-64")  # 3.75 % of all samples
    assert measured(sound)[0] == pytest.approx(3.75, rel=0.5)
    assert measured(-sound)[0] == pytest.approx(measured(sound)[0])


def test_one_clipped_channel_is_enough() -> None:
    sound = decoded(clipped(3), "mp3-64")
    clean = decoded(0.5 * speech(), "mp3-64")
    count = min(len(sound), len(clean))
    both, spans = measured(np.stack((clean[:count], sound[:count]), axis=1))
    alone, spans_alone = measured(sound[:count])
    assert both == pytest.approx(alone / 2, rel=0.01)
    assert spans == spans_alone


@pytest.mark.parametrize("codec", ["none", "aac-64", "mp3-64", "opus-32"])
@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(lambda: 0.4 * speech(), id="clean"),
        pytest.param(lambda: 0.98 * speech(), id="normalized"),
        pytest.param(lambda: limited(2, 50), id="limited by 6 dB"),
        pytest.param(lambda: limited(4, 5), id="limited by 12 dB, fast"),
    ],
)
def test_sound_that_is_not_clipped(sound: Callable[[], NDArray[np.float64]], codec: str) -> None:
    # a lossy codec may put single peaks of a normalized take beyond full scale
    assert measured(decoded(sound(), codec))[0] < 0.01


def test_exact_runs_are_counted_exactly() -> None:
    sound = clipped(3)
    value, _ = measured(sound.astype(np.float32))
    assert value == pytest.approx(3, rel=0.02)


def test_the_finding_names_share_and_places() -> None:
    _, findings = judged(decoded(clipped(3), "aac-64"), HIGH_RATE)
    finding = findings["clipped"]
    assert finding.value == pytest.approx(3, rel=0.4)
    assert f"{len(finding.spans)} places" in finding.message
    require_places(clipped(3), finding.spans)


def test_a_long_recording_full_of_plateaus_is_measured_to_its_end_in_bounded_memory() -> None:
    one = decoded(clipped(20), "mp3-128")
    times = 240 * HIGH_RATE // len(one)  # more plateaus than are kept
    detector = PlateauDetector()
    measured_by(lambda _: detector, np.tile(one, times).reshape(-1, 1), HIGH_RATE)
    once = PlateauDetector()
    measured_by(lambda _: once, one.reshape(-1, 1), HIGH_RATE)
    assert len(once.places()) == len(detector.places()) == 2, "both polarities are clipped"
    for single, many in zip(once.places(), detector.places(), strict=True):
        assert many.runs == pytest.approx(times * single.runs, rel=0.02)
        assert many.samples == pytest.approx(times * single.samples, rel=0.02)
        assert len(many.begins) <= 10_000
        assert many.begins[: len(single.begins) // 2].tolist() == single.begins[: len(single.begins) // 2].tolist()


def test_a_single_high_sample_at_the_end_of_a_chunk() -> None:
    grid = Grid.at(HIGH_RATE, 1)
    for position in range(4 * grid.row - 2, 4 * grid.row + 2):
        sound = np.zeros(8 * grid.row, np.float32)
        sound[position] = 0.5
        assert measured(sound) == (0, ())


@settings(max_examples=60, deadline=None)
@example(np.array([1e-45], np.float32), 1400)  # its shares round to 0 or to itself
@given(
    arrays.arrays(
        np.float32, st.integers(1, 4000), elements=st.floats(-1e6, 1e6, width=32), fill=st.floats(-1, 1, width=32)
    ),
    st.sampled_from([1400, 8000, 192_000]),
)
def test_spans_lie_in_the_recording_in_order(sound: Sound, rate: int) -> None:
    value, spans = measured(sound, rate)
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(edges)
    assert all(0 <= edge <= len(sound) / rate for edge in edges)
    assert 0 <= value <= 100
