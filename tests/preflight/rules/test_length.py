"""The rules about duration and size: each limit, and the message beside it."""

from __future__ import annotations

import pytest

from preflight import limits
from tests.support.analyses import M4A, MP3, changed, finding, findings, seconds


@pytest.mark.parametrize(
    ("duration_s", "message"),
    [
        (4.1, "4.1 s long, below the 10 s minimum: record more, or join several takes (onetake join)"),
        (9.9996, "9.9 s long, below the 10 s minimum: record more, or join several takes (onetake join)"),
    ],
)
def test_too_short(duration_s: float, message: str) -> None:
    found = finding("too-short", seconds(duration_s))
    assert (found.severity, found.message, found.limit) == ("error", message, 10.0)
    assert found.fix is None


def test_exactly_ten_seconds_are_long_enough() -> None:
    assert findings("too-short", seconds(10.0)) == []


@pytest.mark.parametrize(("probe", "count"), [(MP3, 1), (M4A, 1), (None, 0)])
def test_only_a_lossy_recording_near_the_minimum_gets_a_warning(probe: object, count: int) -> None:
    fields = {} if probe is None else {"probe": probe}
    assert [found.severity for found in findings("too-short", seconds(10.05, **fields))] == ["warning"] * count


def test_too_long() -> None:
    found = finding("too-long", seconds(330.4))
    assert found.message == "330.4 s long, above the 300 s maximum: trim it (onetake fix)"
    assert (found.fix, found.spans) == ("trim", ((300.0, 330.4),))
    assert findings("too-long", seconds(300.0)) == []


def test_too_long_with_encoder_padding() -> None:
    found = finding("too-long", seconds(299.99, probe=MP3, padded_s=300.04))
    assert (found.severity, found.value, found.fix) == ("error", 300.04, "trim")
    assert "299.9 s long, but 300.04 s in decoders that keep the encoder padding" in found.message


def test_a_lossy_recording_near_the_maximum_gets_a_warning() -> None:
    assert finding("too-long", seconds(299.95, probe=M4A)).severity == "warning"
    assert findings("too-long", seconds(299.95)) == []


@pytest.mark.parametrize(
    ("rule", "duration_s", "role", "message"),
    [
        ("too-short", 10.05, "recording", "10.05 s long, within 0.1 s of the 10 s limit, so another decoder may find "
         "it too short: record a little more"),
        ("too-long", 299.95, "recording", "299.9 s long, within 0.1 s of the 300 s limit, so another decoder may find "
         "it too long: cut off a little"),
        ("prompt-too-long", 7.95, "prompt", "7.9 s long, within 0.1 s of the 8 s limit, so another decoder may find "
         "it too long: cut off a little silence"),
    ],
)  # fmt: skip
def test_a_warning_near_a_limit_says_what_to_do(rule: str, duration_s: float, role: str, message: str) -> None:
    assert finding(rule, seconds(duration_s, role=role, probe=M4A)).message == message


def test_a_recording_whose_decoding_was_stopped_is_too_long() -> None:
    found = finding("too-long", seconds(21_600.0, stopped=True))
    assert "more than 6:00:00.0 long" in found.message
    assert found.fix is None


def test_prompt_too_long() -> None:
    found = finding("prompt-too-long", seconds(8.0, role="prompt"))
    assert found.message == "8.0 s long, but a prompt clip must be shorter than 8 s: choose one sentence"
    assert findings("prompt-too-long", seconds(7.99, role="prompt")) == []
    assert findings("prompt-too-long", seconds(60.0)) == []
    assert finding("prompt-too-long", seconds(7.95, role="prompt", probe=MP3)).severity == "warning"
    assert finding("prompt-too-long", seconds(7.95, role="prompt", probe=MP3, padded_s=8.0)).severity == "error"


def test_the_limits_of_recordings_do_not_apply_to_prompts() -> None:
    for rule in ("too-short", "too-long"):
        assert findings(rule, seconds(4.0, role="prompt")) == []


@pytest.mark.parametrize(
    ("size", "severities"),
    [
        (limits.SAFE_BYTES, []),
        (limits.SAFE_BYTES + 1, ["warning"]),
        (limits.MAX_BYTES, ["warning"]),
        (limits.MAX_BYTES + 1, ["error"]),
    ],
)
def test_too_large(size: int, severities: list[str]) -> None:
    assert [found.severity for found in findings("too-large", changed(size=size))] == severities


def test_only_a_recording_is_shrunk() -> None:
    found = finding("too-large", changed(size=30_000_000))
    assert (found.message, found.fix) == ("30.0 MB, above the 20 MB maximum: shrink it (onetake fix)", "shrink")
    assert finding("too-large", changed(size=30_000_000, role="prompt")).fix is None
