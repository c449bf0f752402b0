"""Rules, thresholds and the findings that they make."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.profile import DEFAULT
from preflight.rules import RULES
from tests.support.analyses import GOOD, headers_only

RULE = RULES["clipped"]
SPANS = st.lists(
    st.tuples(st.floats(0, 100), st.floats(0, 5)).map(lambda span: (span[0], span[0] + span[1])), max_size=30
)


def test_a_good_recording_has_no_findings() -> None:
    assert DEFAULT.findings(GOOD) == ()


def test_nothing_is_reported_about_the_audio_if_only_headers_were_read() -> None:
    assert GOOD.probe is not None
    assert DEFAULT.findings(headers_only(GOOD.probe)) == ()


def test_numbers_are_rounded_to_three_decimals() -> None:
    finding = RULE.finding("message", value=1.23456, limit=1, spans=((0.12345, 0.98765),))
    assert (finding.value, finding.spans) == (1.235, ((0.123, 0.988),))


def test_overlapping_and_touching_spans_are_merged_and_sorted() -> None:
    spans = ((5.0, 6.0), (1.0, 3.0), (2.0, 4.0), (4.0, 4.5), (7.0, 7.0), (7.0, 7.0))
    assert RULE.finding("message", spans=spans).spans == ((1.0, 4.5), (5.0, 6.0), (7.0, 7.0))


@given(spans=SPANS)
def test_merged_spans_are_ordered_and_do_not_overlap(spans: list[tuple[float, float]]) -> None:
    merged = RULE.finding("message", spans=tuple(spans)).spans
    moments = [moment for span in merged for moment in span]
    assert moments == sorted(moments)


def test_at_most_500_spans_are_kept() -> None:
    assert len(RULE.finding("message", spans=tuple((at, at + 0.5) for at in range(1000))).spans) == 500


def test_a_threshold_is_found_by_its_name() -> None:
    assert RULE["max_clipped_percent"] == 0.05
    with pytest.raises(StopIteration):
        RULE["max_other"]
