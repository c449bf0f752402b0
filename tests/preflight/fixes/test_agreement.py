"""`check` and `fix` agree: what is called fixable is fixed, and what is called rejected is refused."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import preflight
from tests.support.make_audio import FIXTURES, RATE, mp3, rotten, story, talk, wav

RECORDINGS = sorted(
    path for path in FIXTURES.iterdir() if path.suffix not in (".py", ".txt", ".md") and path.name != "prompt.m4a"
)


def require_agreement(path: Path, folder: Path) -> preflight.Report:
    out = folder / "fixed"
    out.mkdir()
    report = preflight.check(path)
    if report.verdict == "rejected":
        with pytest.raises(preflight.CannotFix):
            preflight.plan(path)
    else:
        fixed = preflight.fix(path, out)
        assert fixed.after is not None
        assert fixed.after.verdict == "ready"
        preflight.plan(path)
    return report


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_fixtures(path: Path, tmp_path: Path) -> None:
    require_agreement(path, tmp_path)


@pytest.mark.parametrize("seconds", [9, 12])
def test_two_whole_mp3_in_one_file(seconds: int, tmp_path: Path) -> None:
    path = tmp_path / "two.mp3"
    path.write_bytes(2 * mp3(talk(seconds)))
    require_agreement(path, tmp_path)


@settings(max_examples=6, deadline=None)
@given(place=st.floats(0.05, 0.95), count=st.integers(100, 6000), seconds=st.sampled_from([11, 21]))
def test_damage_anywhere(place: float, count: int, seconds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.mp3"
        path.write_bytes(rotten(mp3(talk(seconds)), place, count))
        require_agreement(path, Path(folder))


@settings(max_examples=4, deadline=None)
@given(holes=st.lists(st.integers(0, 20 * RATE), min_size=1, max_size=3))
def test_samples_that_are_not_numbers(holes: list[int]) -> None:
    sound = talk(21)
    for start in holes:
        sound[start : start + 800] = np.nan
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nan.wav"
        path.write_bytes(wav(sound, subtype="FLOAT"))
        require_agreement(path, Path(folder))


def test_too_long_without_a_pause_is_rejected_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "drone.wav"
    path.write_bytes(wav(np.tile(story()[4 * RATE : 5 * RATE], 301), subtype="PCM_U8"))
    report = require_agreement(path, tmp_path)
    assert report.verdict == "rejected"
    assert "no pause" in report.errors[0].message
