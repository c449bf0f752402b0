"""The downmix: length, alignment, pass band and stop band at several rates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preflight.analysis.frames_and_spectra import ChunkCutter, Grid
from preflight.analysis.resample import Downmix
from tests.support.chunks import chunks_of, sine, white_noise


def mixed(sound: np.ndarray[tuple[int, ...], np.dtype[np.float64]], rate: int, samples_per_frame: int = 160):  # type: ignore[no-untyped-def]
    chunks = chunks_of(sound, rate)
    downmix = Downmix(chunks[0].grid, samples_per_frame)
    return np.concatenate([downmix.add(chunk) for chunk in chunks])


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("count", [100, 12_345, 100_000])
def test_the_mix_is_as_long_as_the_recording(rate: int, count: int) -> None:
    frame = Grid.at(rate, 1).frame
    assert len(mixed(np.ones(count), rate)) == count * 160 // frame


@pytest.mark.parametrize("hz", [100, 1000, 6000])
def test_a_tone_keeps_level_and_phase(hz: int) -> None:
    found = mixed(sine(hz, 2, 48_000, 0.5), 48_000)
    inside = slice(1000, -1000)  # the tone's onset has all frequencies
    assert np.abs(found - sine(hz, 2, 16_000, 0.5))[inside].max() < 2e-3


@pytest.mark.parametrize("hz", [8_100, 12_000, 20_000])
def test_a_tone_above_the_new_nyquist_frequency_is_removed(hz: int) -> None:
    assert np.abs(mixed(sine(hz, 2, 48_000, 0.5), 48_000)[1000:-1000]).max() < 1e-3


def test_an_impulse_stays_where_it_is() -> None:
    sound = np.zeros(96_000)
    for at in (3_000, 38_400, 60_000):  # the second is the first sample of a chunk
        sound[at] = 1
    found = np.abs(mixed(sound, 48_000))
    assert sorted(np.argsort(found)[-3:].tolist()) == [1_000, 12_800, 20_000]


def test_a_low_rate_is_upsampled() -> None:
    found = mixed(sine(440, 2, 8_000, 0.5), 8_000)
    assert np.abs(found - sine(440, 2, 16_000, 0.5))[1000:-1000].max() < 2e-3


def test_2_khz_for_the_hum_meter() -> None:
    found = mixed(sine(50, 4, 44_100, 0.1), 44_100, samples_per_frame=20)
    assert np.abs(found - sine(50, 4, 2_000, 0.1))[200:-200].max() < 1e-3


def test_two_channels_are_averaged() -> None:
    left, right = white_noise(0.1, 32_000), white_noise(0.1, 32_000, seed=2)
    both = mixed(np.stack((left, left + right), axis=1), 16_000)
    assert np.abs(both - mixed(left + right / 2, 16_000)).max() < 1e-5


@settings(max_examples=10, deadline=None)
@given(st.sampled_from([8_000, 22_050, 44_100, 48_000]), st.integers(1, 60_000), st.integers(0, 9))
def test_the_mix_does_not_depend_on_the_blocks(rate: int, count: int, seed: int) -> None:
    sound = white_noise(0.1, count, seed)
    whole = mixed(sound, rate)
    grid = Grid.at(rate, 1)
    cutter, downmix = ChunkCutter(grid), Downmix(grid, 160)
    block = max(1, count // 7)
    parts = []
    for at in range(0, count, block):
        parts += [downmix.add(chunk) for chunk in cutter.add(sound[at : at + block, np.newaxis])]
    parts += [downmix.add(chunk) for chunk in cutter.end()]
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("hz", [100, 1000, 5000])
def test_the_power_of_noise_in_the_band_is_kept(hz: int) -> None:
    """A band-limited signal keeps its power at the lower rate."""
    band = np.fft.rfft(white_noise(0.1, 96_000))
    bins = np.arange(len(band)) / 2
    band[(bins < hz) | (bins > 1.2 * hz)] = 0
    sound = np.fft.irfft(band)
    found = mixed(sound, 48_000)
    assert (found[1000:-1000] ** 2).mean() == pytest.approx((sound**2).mean(), rel=0.1)


@pytest.mark.parametrize("gain", [-2.0, 0.25])
def test_resampling_is_linear(gain: float) -> None:
    sound = white_noise(0.1, 60_000)
    assert np.allclose(mixed(gain * sound, 48_000), gain * mixed(sound, 48_000), atol=1e-5)


def test_the_power_of_the_kept_band_is_kept() -> None:
    """White noise at 48 kHz has a third of its power below 8 kHz; the taper takes about a twentieth of that."""
    found = mixed(white_noise(0.3, 480_000), 48_000)
    assert np.mean(np.square(found)) == pytest.approx(0.09 / 3, rel=0.1)


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000, 192_000])
@pytest.mark.parametrize("missing", [0, 1, 3, 50])
def test_the_mix_reaches_the_last_sample_wherever_a_row_ends(rate: int, missing: int) -> None:
    grid = Grid.at(rate, 1)
    for rows in (1, 4, 5):
        count = rows * grid.row - missing
        assert len(mixed(np.ones(count), rate)) == count * 160 // grid.frame


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 30_000), st.sampled_from([(8_000, 160), (16_000, 20), (44_100, 160), (1_000, 160)]))
def test_the_mix_has_any_length_that_a_recording_has(count: int, setting: tuple[int, int]) -> None:
    rate, samples_per_frame = setting
    assert len(mixed(np.ones(count), rate, samples_per_frame)) == count * samples_per_frame // Grid.at(rate, 1).frame


def test_an_impulse_near_the_end_is_in_the_mix() -> None:
    sound = np.zeros(4 * Grid.at(48_000, 1).row - 30)
    sound[-60] = 1
    assert int(np.abs(mixed(sound, 48_000)).argmax()) == (len(sound) - 60) // 3
