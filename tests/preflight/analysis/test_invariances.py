"""What must not depend on gain, polarity, order of channels, blocks or what comes before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from preflight.analysis.frames_and_spectra import Grid
from preflight.analysis.meters.bandwidth import BandwidthMeter
from preflight.analysis.meters.channels import ChannelMeter, LayoutMeter
from preflight.analysis.meters.clipping import ClippingMeter
from preflight.analysis.meters.dropouts import DropoutMeter
from preflight.analysis.meters.loudness import LoudnessMeter
from preflight.analysis.meters.peak_and_rms import LevelMeter
from preflight.analysis.meters.true_peak import TruePeakMeter
from tests.support import make_audio as making
from tests.support.chunks import chunks_of

RATE = 24_000
METERS: dict[str, Callable[[Grid], Any]] = {
    "bandwidth": BandwidthMeter,
    "channels": ChannelMeter,
    "clipping": ClippingMeter,
    "dropouts": DropoutMeter,
    "levels": LevelMeter,
    "loudness": LoudnessMeter,
    "true peak": TruePeakMeter,
}
LEVELS = {
    "rms_dbfs",
    "sample_peak_dbfs",
    "true_peak_dbtp",
    "integrated_loudness_lufs",
    "momentary_max_lufs",
    "short_term_max_lufs",
}
BY_CHANNEL = {"left_dc_offset_percent", "right_dc_offset_percent"}


def speech() -> Any:
    """Two channels of eight seconds, with a gap, a click, and a clipped second."""
    talk = making.at_rate(making.talk(8), RATE).astype(np.float64)
    sound = np.stack((talk, 0.6 * np.roll(talk, 9)), axis=1)
    loud = slice(3 * RATE, 4 * RATE)
    top = 0.7 * np.abs(sound[loud]).max()
    sound[loud] = sound[loud].clip(-top, top)
    at = int(np.abs(talk[2 * RATE : 3 * RATE]).argmax()) + 2 * RATE
    sound[at : at + 480] = 0
    sound[5 * RATE, 0] += 0.3
    return sound


SPEECH = speech()


def measured(sound: Any, block: int = 48_000) -> dict[str, float]:
    chunks = chunks_of(sound, RATE, block)
    meters = [make(chunks[0].grid) for make in METERS.values()]
    for chunk in chunks:
        for meter in meters:
            meter.add(chunk)
    return {name: value for meter in meters for name, value in meter.measurements().items()}


PLAIN = measured(SPEECH)


def test_the_signal_has_something_to_measure() -> None:
    assert {"bandwidth_hz", "loudness_range_lu", *LEVELS} <= set(PLAIN)
    assert PLAIN["dropouts"] >= 1
    assert PLAIN["clicks"] == 1


@pytest.mark.parametrize("block", [1_000, 4_801, 200_000])
def test_the_blocks_of_the_decoder_do_not_matter(block: int) -> None:
    assert measured(SPEECH, block) == PLAIN


@pytest.mark.parametrize("gain", [0.5, 0.8, 1.2])
def test_gain_shifts_levels_and_nothing_else(gain: float) -> None:
    shift = 20 * np.log10(gain)
    for name, value in measured(gain * SPEECH).items():
        if name in LEVELS:
            assert value == pytest.approx(PLAIN[name] + shift, abs=0.03), name
        elif name.endswith("dc_offset_percent"):
            assert value == pytest.approx(gain * PLAIN[name], abs=2e-3), name
        else:
            assert value == pytest.approx(PLAIN[name], abs=0.02, rel=0.01), name


def test_polarity_does_not_matter() -> None:
    for name, value in measured(-SPEECH).items():
        expected = -PLAIN[name] if name.endswith("dc_offset_percent") else PLAIN[name]
        assert value == pytest.approx(expected, abs=0.011, rel=1e-3), name


def test_the_order_of_the_channels_does_not_matter() -> None:
    found = measured(SPEECH[:, ::-1])
    for name in set(PLAIN) - BY_CHANNEL:
        assert found[name] == pytest.approx(PLAIN[name], abs=0.011, rel=1e-3), name
    left, right = sorted(BY_CHANNEL)
    assert (found[left], found[right]) == (PLAIN[right], PLAIN[left])


def test_a_second_identical_channel_adds_3_lu_and_nothing_else() -> None:
    """BS.1770 adds the power of the channels."""
    mono, twice = measured(SPEECH[:, :1]), measured(np.repeat(SPEECH[:, :1], 2, axis=1))
    for name, value in mono.items():
        shift = 3.01 if name.endswith("_lufs") else 0
        assert twice[name] == pytest.approx(value + shift, abs=0.011), name


@pytest.mark.parametrize("frames", [1, 7, 100, 333])
def test_silence_before_the_sound_moves_only_times(frames: int) -> None:
    padded = np.concatenate((np.zeros((frames * 240, 2)), SPEECH))
    found = measured(padded)
    for name in ("sample_peak_dbfs", "true_peak_dbtp", "dropouts", "clicks", "clipped_runs"):
        assert found[name] == pytest.approx(PLAIN[name], abs=0.011), name
    assert found["integrated_loudness_lufs"] == pytest.approx(PLAIN["integrated_loudness_lufs"], abs=0.1)
    assert found["momentary_max_lufs"] == pytest.approx(PLAIN["momentary_max_lufs"], abs=0.02)


def test_the_layout_follows_the_order_of_the_channels() -> None:
    def facts(sound: Any) -> Any:
        chunks = chunks_of(sound, RATE)
        meter = LayoutMeter(chunks[0].grid)
        for chunk in chunks:
            meter.add(chunk)
        return meter.facts()

    three = np.column_stack((SPEECH, -0.5 * SPEECH[:, 0]))
    forward, backward = facts(three), facts(three[:, ::-1])
    assert forward.levels_dbfs == backward.levels_dbfs[::-1]
    assert forward.best == 2 - backward.best
    assert forward.opposite == ((0, 2), (1, 2))
    assert backward.opposite == ((0, 1), (0, 2))
