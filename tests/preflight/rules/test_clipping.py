"""The rules about full scale: clipped samples, samples above full scale, and a wrong full scale."""

from __future__ import annotations

from preflight.media.probe import Probe
from tests.support.analyses import changed, finding, findings

FLOAT = Probe("wav", "pcm_f32le", 48_000, 1, bits=32)


def test_clipped() -> None:
    found = finding("clipped", changed({"clipped_percent": 0.31}, clipped=((3.1, 3.2), (8.0, 8.1))))
    assert found.message == (
        "0.31 % of the samples are clipped (limit 0.05 %), in 2 places, first at 0:03.1: lower the input gain and "
        "record again"
    )
    assert (found.value, found.limit, found.spans) == (0.31, 0.05, ((3.1, 3.2), (8.0, 8.1)))
    assert findings("clipped", changed({"clipped_percent": 0.05}, clipped=((3.1, 3.2),))) == []


def test_float_scale() -> None:
    found = finding("float-scale", changed(float_scale=32768.0))
    assert (found.severity, found.value, found.limit, found.fix) == ("error", 32768.0, 1.0, "scale")
    assert "full scale of 32768 instead of 1" in found.message
    assert findings("float-scale", changed()) == []


def test_above_full_scale() -> None:
    found = finding("above-full-scale", changed({"sample_peak_dbfs": 6.02}, probe=FLOAT))
    assert (found.severity, found.value, found.limit, found.fix) == ("error", 6.02, 0.0, "gain")
    assert "peak at +6.0 dBFS" in found.message
    assert findings("above-full-scale", changed({"sample_peak_dbfs": 0.05}, probe=FLOAT)) == []
    # lossy decoders exceed full scale, and no gain of the packets prevents it
    assert findings("above-full-scale", changed({"sample_peak_dbfs": 6.02})) == []
