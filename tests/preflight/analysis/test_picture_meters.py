"""Drawing data of a single pass: the waveform of everything, the rest of what is measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from preflight.analysis.meters.loudness import LoudnessMeter
from preflight.analysis.picture_meters import PictureMeters
from preflight.analysis.pictures import Pictures
from tests.support.chunks import chunks_of, sine

RATE = 16_000


def drawn(sound: Any, measured_s: float) -> Pictures:
    """The drawing data where only the chunks that begin before `measured_s` are measured."""
    chunks = chunks_of(sound, RATE)
    pictures, loudness = PictureMeters(chunks[0].grid), LoudnessMeter(chunks[0].grid)
    for chunk in chunks:
        is_measured = chunk.start < measured_s * RATE
        pictures.add(chunk, measured=is_measured)
        if is_measured:
            loudness.add(chunk)
    return pictures.pictures(loudness if measured_s else None)


def test_all_pictures_of_a_measured_recording() -> None:
    pictures = drawn(sine(1000, 8, RATE, 0.5), measured_s=8)
    assert pictures.spectrogram is not None
    assert pictures.momentary is not None
    assert pictures.short_term is not None
    assert pictures.spectrogram.columns * pictures.spectrogram.column_s == pytest.approx(8, abs=0.2)
    assert pictures.momentary.first_s == pytest.approx(0.2)
    assert pictures.short_term.first_s == pytest.approx(1.5)


def test_the_waveform_goes_on_where_nothing_is_measured() -> None:
    pictures = drawn(sine(1000, 8, RATE, 0.5), measured_s=4)
    columns = len(pictures.waveform.highs[0]) / 2
    assert columns * pictures.waveform.column_s == pytest.approx(8, abs=0.02)
    assert pictures.spectrogram is not None
    assert pictures.spectrogram.columns * pictures.spectrogram.column_s == pytest.approx(4, abs=0.2)


def test_only_the_waveform_without_any_measurement() -> None:
    pictures = drawn(sine(1000, 8, RATE, 0.5), measured_s=0)
    assert (pictures.spectrogram, pictures.momentary, pictures.short_term) == (None, None, None)
    assert np.frombuffer(pictures.waveform.highs[0], "<i2").max() == pytest.approx(0.5 * 32767, abs=2)
