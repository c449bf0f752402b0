"""The rules about level: too quiet, too loud."""

from __future__ import annotations

import pytest

from preflight.media.probe import Probe
from preflight.profile import STRICT
from tests.support.analyses import changed, finding, findings

FLOAT = Probe("wav", "pcm_f32le", 48_000, 1, bits=32)


@pytest.mark.parametrize(
    ("measurements", "message"),
    [
        ({"speech_level_dbfs": -40.0}, "speech level -40.0 dBFS RMS, below -36 dBFS"),
        ({"rms_dbfs": -50.0}, "level -50.0 dBFS RMS, below -45 dBFS"),
    ],
)
def test_too_quiet(measurements: dict[str, float], message: str) -> None:
    assert finding("too-quiet", changed(measurements)).message.startswith(message)


def test_only_one_level_is_reported_as_too_quiet() -> None:
    assert len(findings("too-quiet", changed({"speech_level_dbfs": -50.0, "rms_dbfs": -60.0}))) == 1


@pytest.mark.parametrize(
    ("measurements", "message"),
    [
        ({"rms_dbfs": -8.0}, "level -8.0 dBFS RMS, above -10 dBFS: lower the input gain"),
        ({"sample_peak_dbfs": 3.2}, "peak 3.2 dBFS, above 3 dBFS: lower the input gain"),
    ],
)
def test_too_loud(measurements: dict[str, float], message: str) -> None:
    assert finding("too-loud", changed(measurements)).message == message


@pytest.mark.parametrize("rule", ["too-quiet", "too-loud"])
def test_a_normal_level(rule: str) -> None:
    assert findings(rule, changed()) == []


def test_the_strict_profile_has_its_own_limits() -> None:
    quiet, loud = changed({"rms_dbfs": -24.0}), changed({"sample_peak_dbfs": -2.0})
    assert [found.limit for found in findings("too-quiet", quiet, STRICT)] == [-23.0]
    assert [found.limit for found in findings("too-loud", loud, STRICT)] == [-3.0]


def test_silence_is_not_too_quiet() -> None:
    assert findings("too-quiet", changed({"rms_dbfs": -120.0, "sample_peak_dbfs": -120.0})) == []


@pytest.mark.parametrize(("rms", "count"), [(-6.0, 0), (-3.0, 1)])
def test_floating_point_samples_are_as_loud_as_after_the_gain(rms: float, count: int) -> None:
    assert len(findings("too-loud", changed({"rms_dbfs": rms, "sample_peak_dbfs": 6.02}, probe=FLOAT))) == count
