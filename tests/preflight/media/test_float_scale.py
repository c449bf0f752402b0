"""Floating-point files with the range of integers are reported and scaled; corrupt samples do not change the scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import preflight
from preflight.media.float_scale import ScaleMeter
from tests.preflight.fixes.test_convert import decoded
from tests.support.make_audio import story, wav


def scale_of(sound: Any) -> float:
    meter = ScaleMeter()
    for start in range(0, len(sound), 30_000):
        meter.add(sound[start : start + 30_000])
    return meter.scale()


@pytest.mark.parametrize("form", ["WAV", "RF64"])
@pytest.mark.parametrize(("full", "whole"), [(2.0**15, True), (2.0**15, False), (2.0**23, False), (2.0**31, False)])
def test_unscaled_integers_are_an_error_that_fix_repairs(full: float, whole: bool, form: str, tmp_path: Path) -> None:
    path, out = tmp_path / "take.wav", tmp_path / "out.wav"
    sound = story().astype(np.float64) * full
    stored = np.rint(sound) if whole else sound * 0.9
    path.write_bytes(wav(stored.astype(np.float32), subtype="FLOAT", form=form))
    report = preflight.check(path)
    finding = next(finding for finding in report.errors if finding.rule == "float-scale")
    assert (report.verdict, finding.value) == ("fixable", full)
    assert report.measurements["rms_dbfs"] < -10
    assert not {"too-loud", "dc-offset", "dropouts", "damaged"} & {finding.rule for finding in report.findings}
    fixed = preflight.fix(path, out)
    assert (fixed.action, fixed.edits[0].name) == ("convert", "scale")
    assert np.abs(decoded(out)[:, 0] - story() * (1 if whole else 0.9)).max() < 1e-4
    assert not {"float-scale", "too-loud"} & {finding.rule for finding in preflight.check(out).findings}


def test_a_full_scale_above_32_bits_is_detected() -> None:
    assert scale_of(story() * np.float32(1e30)) > 1e29


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    gain=st.floats(0.001, 60),
    glitches=st.lists(st.tuples(st.integers(0, 100_000), st.sampled_from([np.nan, np.inf, 1e30, -3e4])), max_size=5),
)
def test_a_hot_or_damaged_take_keeps_its_scale(gain: float, glitches: list[tuple[int, float]]) -> None:
    sound = story()[:120_000] * np.float32(gain)
    for place, value in glitches:
        sound[place] = value
    assert scale_of(sound) == 1.0


def test_the_full_scale_of_silence_is_one() -> None:
    assert scale_of(np.empty(0, np.float32)) == 1.0
    assert scale_of(np.zeros(9000, np.float32)) == 1.0
    assert scale_of(np.full(9000, np.nan, np.float32)) == 1.0
