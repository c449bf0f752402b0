"""The WAV file of a recording: the microphone's own samples, bit for bit."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from onetake.studio.capture import Captured, write_wav
from tests.support.studio import as_chromium

EVERY = np.arange(-32768, 32768, dtype=np.int16)


def written(folder: Path, samples: NDArray[np.float32], rate: int = 44_100) -> tuple[Captured, NDArray[np.int32]]:
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    (folder / "samples").write_bytes(np.asarray(samples, "<f4").tobytes())
    out = io.BytesIO()
    captured = write_wav(folder / "samples", out, rate, channels)
    out.seek(0)
    content, found = soundfile.read(out, dtype="int32")
    assert found == rate
    return captured, content


def test_every_16_bit_sample_survives_chromium_scaling(tmp_path: Path) -> None:
    captured, content = written(tmp_path, as_chromium(EVERY))
    assert captured == Captured(65_536, 1, 16)
    np.testing.assert_array_equal(content >> 16, EVERY)


def test_every_16_bit_sample_survives_equal_scaling(tmp_path: Path) -> None:
    captured, content = written(tmp_path, EVERY.astype(np.float32) / np.float32(32768))
    assert captured.bits == 16
    np.testing.assert_array_equal(content >> 16, EVERY)


@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=300))
def test_any_take_survives(tmp_path_factory: pytest.TempPathFactory, samples: list[int]) -> None:
    given_samples = np.array(samples, np.int16)
    captured, content = written(tmp_path_factory.mktemp("take"), as_chromium(given_samples))
    assert captured.bits == 16
    np.testing.assert_array_equal(content >> 16, given_samples)


def test_equal_channels_are_merged_and_different_ones_are_not(tmp_path: Path) -> None:
    captured, content = written(tmp_path, as_chromium(np.stack((EVERY, EVERY), 1)))
    assert (captured.channels, content.ndim) == (1, 1)
    other = EVERY.copy()
    other[-1] -= 1
    captured, content = written(tmp_path, as_chromium(np.stack((EVERY, other), 1)))
    assert captured.channels == 2
    np.testing.assert_array_equal(content[:, 1] >> 16, other)


def test_what_is_not_16_bit_is_written_with_24(tmp_path: Path) -> None:
    sound = np.asarray(0.5 * np.sin(np.arange(1000) / 7), np.float32)
    captured, content = written(tmp_path, sound)
    assert captured.bits == 24
    np.testing.assert_allclose(content / 2**31, sound, atol=2**-23)


def test_beyond_full_scale_and_not_finite_is_limited(tmp_path: Path) -> None:
    _, content = written(tmp_path, np.array([2, -2, np.nan, np.inf, 0.123456], np.float32))
    np.testing.assert_allclose(content / 2**31, [1, -1, 0, 0, 0.123456], atol=2**-22)


def test_an_incomplete_frame_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "samples").write_bytes(as_chromium(EVERY[:10]).tobytes() + b"\x00\x01")
    assert write_wav(tmp_path / "samples", io.BytesIO(), 48_000, 2).frames == 5
