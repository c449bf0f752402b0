"""Numbers, sizes, times and file facts as text."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight import FileFacts, Report
from preflight.display.text import clock, describe_file, describe_sound, megabytes, number_beside, seconds_beside

FACTS = FileFacts(
    container="m4a",
    codec="aac",
    bytes=1_234_567,
    duration_s=61.25,
    sample_rate_hz=44_100,
    channels=2,
    bit_rate_bps=128_000,
    sha256=None,
)
REPORT = Report(path="a", role="recording", verdict="ready", method="decoded", file=FACTS, measurements={}, findings=())


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0.0 kB"), (99_999, "100.0 kB"), (100_000, "0.1 MB"), (28_800_000, "28.8 MB"), (12_000_000_000, "12.0 GB")],
)
def test_sizes(count: int, text: str) -> None:
    assert megabytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "limit", "text"),
    [(4.1, 10, "4.1 s"), (9.96, 10, "9.9 s"), (10.0001, 10, "10.0001 s"), (8, 8, "8.0 s"), (330.44, 300, "330.4 s")],
)
def test_seconds_beside_a_limit(seconds: float, limit: float, text: str) -> None:
    assert seconds_beside(seconds, limit) == text


@given(seconds=st.floats(0, 1000), limit=st.sampled_from([8.0, 10.0, 300.0]))
def test_displayed_seconds_are_on_the_side_of_the_limit_where_they_are(seconds: float, limit: float) -> None:
    shown = float(seconds_beside(seconds, limit).removesuffix(" s"))
    assert (shown - limit) * (seconds - limit) >= 0


@given(value=st.floats(-1000, 1000), limit=st.sampled_from([-60.0, 0.0, 0.5, 5.0, 20.0]), decimals=st.integers(0, 2))
def test_a_displayed_number_is_on_its_side_of_the_limit(value: float, limit: float, decimals: int) -> None:
    shown = number_beside(value, limit, decimals)
    assert (float(shown) - limit) * (value - limit) >= 0
    if abs(value - limit) > 1e-6:
        assert float(shown) != limit
    assert len(shown.partition(".")[2]) >= decimals


@pytest.mark.parametrize(
    ("value", "limit", "decimals", "text"),
    [(4.98, 5, 1, "4.98"), (-29.96, -30, 1, "-29.96"), (20.3, 20, 0, "20.3"), (7, 5, 0, "7"), (5, 5, 1, "5.0")],
)
def test_numbers_beside_a_limit(value: float, limit: float, decimals: int, text: str) -> None:
    assert number_beside(value, limit, decimals) == text


def test_a_file_in_one_line() -> None:
    assert describe_file(FACTS) == "m4a (aac), 1:01.2, 44100 Hz, stereo, 128 kbit/s, 1.2 MB"
    six = msgspec.structs.replace(FACTS, channels=6, duration_s=None, bit_rate_bps=None, codec="")
    assert describe_file(six) == "m4a (unknown), 44100 Hz, 6 channels, 1.2 MB"
    assert describe_file(msgspec.structs.replace(FACTS, container="")) == "1.2 MB"


def test_measurements_in_one_line() -> None:
    assert describe_sound(REPORT) == ""
    measured = {"true_peak_dbtp": -6.04, "speech_percent": 95.5, "measured_s": 30.0}
    report = msgspec.structs.replace(REPORT, measurements=measured)
    assert describe_sound(report) == "true peak -6.0 dBTP, speech 96 %, measured over the first 0:30.0"


def test_hours() -> None:
    assert clock(3725.55) == "1:02:05.5"
