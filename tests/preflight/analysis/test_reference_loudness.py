"""The loudness meter against a plain implementation of the standards, sample by sample."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preflight.analysis.frames_and_spectra import Grid
from preflight.analysis.meters.loudness import LoudnessMeter, integrated, loudness_range
from tests.support import make_audio as making
from tests.support.chunks import measured_by, white_noise

RATE = 48_000
STEP = RATE // 10
# BS.1770-5, annex 1, tables 1 and 2
STAGES = (
    ((1.53512485958697, -2.69169618940638, 1.19839281085285), (-1.69065929318241, 0.73248077421585)),
    ((1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621)),
)


def filtered(sound: Any) -> Any:
    """Both stages as difference equations, shape (frames, channels)."""
    return np.stack([_through(channel) for channel in sound.T.tolist()], axis=1)


def _through(samples: list[float]) -> list[float]:
    for (b0, b1, b2), (a1, a2) in STAGES:
        out, x1, x2, y1, y2 = [], 0.0, 0.0, 0.0, 0.0
        for x0 in samples:
            y0 = b0 * x0 + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2
            out.append(y0)
            x2, x1, y2, y1 = x1, x0, y1, y0
        samples = out
    return samples


def blocks(weighted: Any, seconds: float) -> Any:
    """The power of each block of so many seconds, moved by 100 ms, summed over the channels."""
    size = round(seconds * RATE)
    starts = range(0, len(weighted) - size + 1, STEP)
    return np.array([(weighted[at : at + size] ** 2).mean(axis=0).sum() for at in starts])


def loudness(power: float) -> float:
    return -0.691 + 10 * math.log10(power)


def gated(powers: Any, relative_lu: float) -> Any:
    absolute = powers[[loudness(power) > -70 for power in powers]]
    gate = loudness(absolute.mean()) + relative_lu
    return absolute[[loudness(power) > gate for power in absolute]]


def reference(sound: Any) -> dict[str, float]:
    weighted = filtered(sound)
    momentary, short_term = blocks(weighted, 0.4), blocks(weighted, 3)
    low, high = np.percentile(gated(short_term, -20), (10, 95))
    return {
        "integrated_loudness_lufs": loudness(gated(momentary, -10).mean()),
        "loudness_range_lu": loudness(high) - loudness(low),
        "momentary_max_lufs": loudness(momentary.max()),
        "short_term_max_lufs": loudness(short_term.max()),
    }


def speech() -> Any:
    talk = making.at_rate(making.talk(4), RATE)[: 4 * RATE]
    return np.stack((talk, 0.5 * np.roll(talk, 20)), axis=1).astype(np.float64)


def steps_of_noise() -> Any:
    """Two seconds each at levels from -20 to -80 dBFS: some blocks are below each gate."""
    levels = np.repeat(10 ** (np.array([-80, -30, -20, -45, -25]) / 20), 2 * RATE)
    return (levels * white_noise(1, 10 * RATE))[:, np.newaxis]


@pytest.mark.parametrize("make", [speech, steps_of_noise])
def test_the_meter_agrees_with_the_standard(make: Any) -> None:
    sound = make()
    assert Grid.at(RATE, 1).frame * 10 == STEP
    found = measured_by(LoudnessMeter, sound, RATE).measurements()
    expected = reference(sound)
    assert found["integrated_loudness_lufs"] == pytest.approx(expected["integrated_loudness_lufs"], abs=0.02)
    assert found["loudness_range_lu"] == pytest.approx(expected["loudness_range_lu"], abs=0.1)
    # the meter moves by 10 ms instead of 100: it may find a louder window, never a quieter one
    for name in ("momentary_max_lufs", "short_term_max_lufs"):
        assert expected[name] - 0.02 <= found[name] <= expected[name] + 0.6


POWERS = st.lists(st.floats(-90, 0), min_size=1, max_size=40)


@settings(max_examples=40)
@given(POWERS)
def test_the_gates_agree_with_the_standard(levels: list[float]) -> None:
    powers = np.array([10 ** ((level + 0.691) / 10) for level in levels])
    is_gated = not (powers > 10 ** ((-70 + 0.691) / 10)).any()
    assert (integrated(powers) is None, loudness_range(powers) is None) == (is_gated, is_gated)
    if max(levels) > -69.99:
        assert integrated(powers) == pytest.approx(loudness(gated(powers, -10).mean()), abs=1e-9)
        low, high = np.percentile(gated(powers, -20), (10, 95))
        assert loudness_range(powers) == pytest.approx(10 * math.log10(high / low), abs=1e-9)


@settings(max_examples=40)
@given(POWERS, st.floats(-20, 0))
def test_gain_shifts_the_integrated_loudness(levels: list[float], gain_db: float) -> None:
    """While no block crosses the absolute gate."""
    powers = np.array([10 ** ((max(level, -49) + 0.691) / 10) for level in levels])
    before, after = integrated(powers), integrated(powers * 10 ** (gain_db / 10))
    assert before is not None
    assert after == pytest.approx(before + gain_db, abs=1e-6)
