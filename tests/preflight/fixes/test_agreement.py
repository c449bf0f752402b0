"""`check` and `fix` agree: fixable recordings become ready, and rejected ones are refused."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import preflight
from tests.soak.fix_matrix import cases, fix_case
from tests.support.make_audio import FIXTURES, RATE, m4a, mp3, rotten, story, talk, wav

pytestmark = pytest.mark.slow

RECORDINGS: Final = sorted(path for path in FIXTURES.iterdir() if path.suffix not in (".py", ".txt", ".md"))
TAKES: Final = {
    ".mp3": mp3(talk(14.0)),
    ".m4a": m4a(talk(14.0)),
    ".wav": wav(talk(14.0)),
    ".aac": (FIXTURES / "raw.aac").read_bytes(),
}
HEADERS: Final = {
    "mp3": mp3(talk(14.0)),
    "mp3, variable": mp3(talk(14.0), vbr=True),
    "mp3, without a header": mp3(talk(14.0), xing=False),
    "m4a": m4a(talk(14.0)),
    "m4a, fragmented": m4a(talk(14.0), fragmented=True),
    "wav": wav(talk(14.0)),
    "wav, 24 bits": wav(talk(14.0), subtype="PCM_24"),
}
EVERY: Final = 29
"""Of the cases of `make soak`."""


def require_agreement(path: Path, folder: Path) -> preflight.Report:
    out = folder / "fixed"
    out.mkdir()
    report = preflight.check(path)
    if report.verdict == "rejected":
        with pytest.raises(preflight.CannotFix):
            preflight.plan(path)
        with pytest.raises(preflight.CannotFix):
            preflight.fix(path, out)
        assert not list(out.iterdir())
    else:
        fixed = preflight.fix(path, out)
        assert fixed.after is not None
        assert fixed.after.verdict == "ready"
        planned = preflight.plan(path)
        assert (planned.action, planned.edits) == (fixed.action, fixed.edits)
    return report


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_committed_recordings(path: Path, tmp_path: Path) -> None:
    require_agreement(path, tmp_path)


@pytest.mark.parametrize("seconds", [9, 12])
def test_two_complete_mp3_in_one_file(seconds: int, tmp_path: Path) -> None:
    path = tmp_path / "two.mp3"
    path.write_bytes(2 * mp3(talk(seconds)))
    require_agreement(path, tmp_path)


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(sorted(HEADERS)), share=st.floats(0.72, 0.97))
def test_headers_alone_do_not_call_an_incomplete_file_ready(name: str, share: float) -> None:
    data = HEADERS[name]
    content = data[: round(len(data) * share)]
    quick = preflight.check(content, quick=True)
    if quick.verdict == "ready":
        assert preflight.check(content).verdict == "ready"


@settings(max_examples=25, deadline=None)
@given(
    ending=st.sampled_from(sorted(TAKES)),
    place=st.floats(0, 1),
    size=st.integers(1, 30_000),
    seed=st.integers(0, 2**32 - 1),
    how=st.sampled_from(["overwritten", "zeroed", "removed", "inserted", "truncated"]),
)
def test_damaged_recordings(ending: str, place: float, size: int, seed: int, how: str) -> None:
    data = TAKES[ending]
    at = round(place * len(data))
    noise = np.random.default_rng(seed).bytes(size)
    changed = {
        "overwritten": data[:at] + noise[: len(data) - at] + data[at + size :],
        "zeroed": data[:at] + bytes(min(size, len(data) - at)) + data[at + size :],
        "removed": data[:at] + data[at + size :],
        "inserted": data[:at] + noise + data[at:],
        "truncated": data[:at],
    }[how]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"take{ending}"
        path.write_bytes(changed)
        require_agreement(path, Path(folder))


@settings(max_examples=6, deadline=None)
@given(place=st.floats(0.05, 0.95), count=st.integers(100, 6000), seconds=st.sampled_from([11, 21]))
def test_damage_near_the_minimum_length(place: float, count: int, seconds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.mp3"
        path.write_bytes(rotten(mp3(talk(seconds)), place, count))
        require_agreement(path, Path(folder))


@settings(max_examples=4, deadline=None)
@given(holes=st.lists(st.integers(0, 20 * RATE), min_size=1, max_size=3))
def test_nan_samples(holes: list[int]) -> None:
    sound = talk(21)
    for start in holes:
        sound[start : start + 800] = np.nan
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nan.wav"
        path.write_bytes(wav(sound, subtype="FLOAT"))
        require_agreement(path, Path(folder))


def test_a_long_recording_without_a_pause_is_rejected_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "drone.wav"
    path.write_bytes(wav(np.tile(story()[4 * RATE : 5 * RATE], 301), subtype="PCM_U8"))
    report = require_agreement(path, tmp_path)
    assert report.verdict == "rejected"
    assert "no pause" in report.errors[0].message


def test_a_sample_of_all_formats_and_defects(tmp_path: Path) -> None:
    done: Counter[str] = Counter()
    for number, case in enumerate(cases()):
        if number % EVERY == 0:
            try:
                done[fix_case(case, tmp_path)] += 1
            except Exception as error:
                raise AssertionError(f"{case.name}: {error!r}") from error
    assert done["convert"] > 5
    assert done["rename"] + done["rewrap"] > 0
