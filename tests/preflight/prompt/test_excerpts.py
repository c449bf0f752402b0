"""Excerpts are exact to the sample, and become mono at 16 kHz for speech models."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preflight.input.source import Source
from preflight.media.probe import probe
from preflight.prompt.excerpts import excerpts, to_mono_16k
from tests.support.make_audio import RATE, story, wav


@settings(max_examples=10)
@given(spans=st.lists(st.tuples(st.floats(0, 10), st.floats(0.01, 3)), min_size=1, max_size=8))
def test_excerpts_are_exact_to_the_sample(spans: list[tuple[float, float]]) -> None:
    sound = story()
    wanted = [(start, min(start + length, len(sound) / RATE)) for start, length in spans]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "take.wav"
        path.write_bytes(wav(sound))
        with Source.open(path) as source:
            found = list(excerpts(source, probe(source), wanted))
    assert [span for span, _ in found] == sorted(wanted)
    for (start, end), block in found:
        assert np.array_equal(block[:, 0], sound[round(start * RATE) : round(end * RATE)])


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_audio_of_any_format_becomes_mono_at_16_khz(rate: int, channels: int) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)
    sound = to_mono_16k(np.repeat(tone[:, None], channels, axis=1).astype(np.float32), rate)
    assert len(sound) == pytest.approx(2 * 16000, rel=0.01)
    inner = sound[1600:-1600]
    assert np.argmax(np.abs(np.fft.rfft(inner))) * 16000 / len(inner) == pytest.approx(440, rel=0.01)
    assert np.abs(inner).max() == pytest.approx(0.5, rel=0.02)


def test_no_audio_stays_no_audio() -> None:
    assert len(to_mono_16k(np.zeros((0, 2), np.float32), 48_000)) == 0
