"""Options of `fix`: what is accepted, and which edits they select."""

from __future__ import annotations

from typing import Any

import pytest

from preflight.errors import InvalidFixOptions
from preflight.fixes.options import EDIT_KINDS, MINIMAL, FixOptions
from preflight.rules import RULES


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"edits": frozenset({"denoise"})}, "unknown edit 'denoise'"),
        ({"to": "ogg"}, "unknown format 'ogg'"),
        ({"keep": "end"}, "unknown part to keep 'end'"),
        ({"start_s": 5.0, "end_s": 5.0}, "must end after it starts"),
        ({"start_s": 5.0, "end_s": 4.0}, "must end after it starts"),
        ({"start_s": -1.0}, "must end after it starts"),
        ({"start_s": float("nan")}, "must end after it starts"),
        ({"start_s": float("inf")}, "must end after it starts"),
        ({"end_s": float("inf")}, "must end after it starts"),
        ({"end_s": float("nan")}, "must end after it starts"),
        ({"loudness_lufs": 3.0}, "3 LUFS is not suitable"),
        ({"loudness_lufs": -50.0}, "-50 LUFS is not suitable"),
        ({"loudness_lufs": float("nan")}, "nan LUFS is not suitable"),
        ({"limit": True}, "limiting needs a target loudness"),
    ],
)
def test_invalid_options(options: Any, words: str) -> None:
    with pytest.raises(InvalidFixOptions, match=words) as caught:
        FixOptions(**options)
    assert caught.value.hint


@pytest.mark.parametrize(
    "options",
    [
        {}, {"to": "wav"}, {"keep": "longest-run"}, {"start_s": 0.0}, {"end_s": 0.1}, {"start_s": 1.0, "end_s": 1.001},
        {"loudness_lufs": -9.0}, {"loudness_lufs": -40.0, "limit": True}, {"edits": set(EDIT_KINDS)},
    ],
)  # fmt: skip
def test_valid_options(options: Any) -> None:
    FixOptions(**options)


def test_edits_may_be_any_collection() -> None:
    assert FixOptions(edits=["mono", "mono"]).edits == {"mono"}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "expected"), [({}, False), ({"start_s": 0.0}, True), ({"end_s": 9.0}, True), ({"keep": "start"}, False)]
)
def test_whether_the_window_is_given(options: Any, expected: bool) -> None:
    assert FixOptions(**options).has_window == expected


@pytest.mark.parametrize(
    ("options", "found", "writes_file", "expected"),
    [
        ({}, {"hum", "edge-silence"}, False, set()),
        ({}, {"hum", "edge-silence"}, True, {"trim-silence"}),
        ({"unsafe": True}, {"hum", "edge-silence"}, False, {"trim-silence", "notch-hum"}),
        ({"unsafe": True}, {"out-of-phase"}, False, {"fix-polarity", "mono"}),
        ({"unsafe": True}, {"noisy"}, True, set()),
        ({"edits": {"high-pass"}}, set(), False, {"high-pass"}),
        ({"edits": {"mono"}}, {"edge-silence"}, True, {"mono", "trim-silence"}),
    ],
)  # fmt: skip
def test_which_edits_are_made(options: Any, found: set[str], writes_file: bool, expected: set[str]) -> None:
    assert FixOptions(**options).edits_for(frozenset(found), writes_file=writes_file) == expected


def test_every_edit_names_existing_rules() -> None:
    rules = set(RULES)
    for name, kind in EDIT_KINDS.items():
        assert set(kind.rules) <= rules, name
        assert kind.description[0].islower()


def test_the_default_asks_for_nothing() -> None:
    assert FixOptions() == MINIMAL
    assert MINIMAL.edits_for(frozenset({"hum", "too-quiet", "long-pause"}), writes_file=True) == frozenset()
