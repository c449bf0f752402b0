"""The envelope holds the lowest and the highest sample of each column, for each channel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from preflight.analysis.meters.envelope import EnvelopeMeter
from tests.support.chunks import measured_by, white_noise

RATE = 16_000
FRAME = 160


def envelope(sound: Any) -> tuple[Any, Any, float]:
    """Shape (channels, columns): lows and highs, full scale 1; and the seconds of a column."""
    waveform = measured_by(EnvelopeMeter, sound, RATE).waveform()
    lows, highs = (
        np.stack([np.frombuffer(side, "<i2") for side in sides]) / 32767 for sides in (waveform.lows, waveform.highs)
    )
    return lows, highs, waveform.column_s


def test_each_frame_of_a_short_recording_is_a_column() -> None:
    sound = white_noise(0.2, 50 * FRAME).clip(-1, 1)
    lows, highs, column_s = envelope(sound)
    frames = sound.reshape(-1, FRAME)
    assert column_s == 0.01
    assert lows[0] == pytest.approx(frames.min(axis=1), abs=2e-5)
    assert highs[0] == pytest.approx(frames.max(axis=1), abs=2e-5)


def test_channels_are_kept_apart() -> None:
    lows, highs, _ = envelope(np.stack((np.full(RATE, 0.5), np.full(RATE, -0.25)), axis=1))
    assert highs[0] == pytest.approx(0.5, abs=2e-5)
    assert lows[1] == pytest.approx(-0.25, abs=2e-5)


def test_what_is_beyond_full_scale_is_drawn_at_full_scale() -> None:
    lows, highs, _ = envelope(np.resize([3.0, -3.0], RATE))
    assert (highs.max(), lows.min()) == (1, -1)


@pytest.mark.parametrize("seconds", [1, 20, 100])
def test_the_number_of_columns_is_bounded(seconds: int) -> None:
    lows, _, column_s = envelope(np.full(seconds * RATE, 0.5))
    assert lows.shape[1] <= 1200
    assert lows.shape[1] * column_s >= seconds


def test_the_padding_of_the_last_frame_is_drawn_as_zero() -> None:
    lows, highs, _ = envelope(np.full(FRAME + 1, 0.5))
    assert lows[0].tolist()[0] == pytest.approx(0.5, abs=2e-5)
    assert (lows[0].tolist()[1], highs[0].tolist()[1]) == (0, pytest.approx(0.5, abs=2e-5))
