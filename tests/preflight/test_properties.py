"""Properties for arbitrary bytes: always a verdict, never an exception, in bounded time."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import preflight
from preflight.analysis.spans import MIN_PAUSE_S, find_pauses
from preflight.display.text import clock
from preflight.fixes.cut_points import first_cut_after, last_cut_before
from tests.support import make_audio as making
from tests.support.make_audio import FIXTURES, chunk, form_chunk, integers, riff, talk

DATA = {
    file.name: file.read_bytes()
    for file in sorted(FIXTURES.iterdir())
    if file.suffix in (".wav", ".mp3", ".m4a", ".ogg", ".flac", ".aac", ".qta") and file.stat().st_size > 1000
}
NAMES = st.sampled_from(sorted(DATA))
OFTEN = settings(max_examples=30)
ENDINGS = st.sampled_from([".wav", ".mp3", ".m4a", ".bin"])


def look(data: bytes, ending: str) -> preflight.Report:
    """Check the bytes, and fix them if the verdict is fixable."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"take{ending}"
        path.write_bytes(data)
        report = preflight.check(path)
        quick = preflight.check(path, quick=True)
        assert quick.method == "headers"
        if report.verdict != "rejected":
            fix(path, Path(folder) / "out")
    assert msgspec.json.decode(msgspec.json.encode(report), type=preflight.Report) == report
    assert (report.verdict == "ready") == (not report.errors)
    found = {finding.rule for one in (report, quick) for finding in one.findings}
    assert "not-examined" not in found  # a bug in onetake
    return report


def fix(path: Path, out: Path) -> None:
    out.mkdir()
    try:
        fixed = preflight.fix(path, out)
    except preflight.CannotFix as refusal:
        if "pause" not in refusal.message:
            raise
    else:
        assert fixed.after is not None
        assert fixed.after.verdict == "ready"


@OFTEN
@given(st.binary(max_size=4000), ENDINGS)
def test_random_bytes(data: bytes, ending: str) -> None:
    assert look(data, ending).verdict == "rejected"


@OFTEN
@given(NAMES, st.floats(0, 1), ENDINGS)
def test_truncated_anywhere(name: str, part: float, ending: str) -> None:
    data = DATA[name]
    look(data[: int(len(data) * part)], ending)


@pytest.mark.slow
@OFTEN
@given(NAMES, st.lists(st.tuples(st.floats(0, 0.999), st.binary(min_size=1, max_size=40)), max_size=8))
def test_overwritten_anywhere(name: str, spots: list[tuple[float, bytes]]) -> None:
    data = DATA[name]
    rotten = bytearray(data)
    for part, new in spots:
        at = int(len(data) * part)
        rotten[at : at + len(new)] = new
    look(bytes(rotten), ".m4a")


@pytest.mark.slow
@OFTEN
@given(NAMES, st.integers(0, 400), st.integers(0, 255), st.integers(1, 8))
def test_overwritten_headers(name: str, at: int, value: int, count: int) -> None:
    data = DATA[name]
    look(data[:at] + bytes([value]) * count + data[at + count :], ".wav")


@OFTEN
@given(st.integers(0, 0xFFFF), st.sampled_from([0, 4, 8, 16, 24]))
@example(0x00FF, 16)
@example(0x1600, 16)
def test_any_format_tag_of_a_wav(tag: int, bits: int) -> None:
    sound = integers(talk(1))
    look(riff(form_chunk(tag, bits=bits, align=2), chunk(b"data", sound)), ".wav")


@pytest.mark.slow
@OFTEN
@given(st.binary(min_size=4, max_size=4))
def test_any_sample_entry_of_an_m4a(name: bytes) -> None:
    look(DATA["good.m4a"].replace(b"mp4a", name), ".m4a")


@pytest.mark.slow
@OFTEN
@given(NAMES, NAMES, st.floats(0, 1), st.floats(0, 1))
@example("truncated.m4a", "truncated.m4a", 0.25, 0.5)  # a frame of 34 channels, which cannot be converted
def test_spliced(first: str, second: str, part: float, other: float) -> None:
    one, two = DATA[first], DATA[second]
    look(one[: int(len(one) * part)] + two[int(len(two) * other) :], ".mp3")


@given(st.floats(0, 1e6))
def test_a_clock_does_not_round_up(seconds: float) -> None:
    parts = [float(part) for part in clock(seconds).split(":")]
    read = sum(part * 60**place for place, part in enumerate(reversed(parts)))
    assert read <= seconds + 1e-6
    assert seconds - read < 0.1 + 1e-6
    assert all(part < 60 for part in parts[1:])


def takes() -> st.SearchStrategy[list[tuple[bool, int]]]:
    """Return levels of alternating speech and silence, in frames of 10 ms."""
    return st.lists(st.tuples(st.booleans(), st.integers(1, 300)), min_size=1, max_size=30)


@given(takes(), st.floats(0, 60))
def test_cuts_are_inside_pauses(stretches: list[tuple[bool, int]], moment: float) -> None:
    levels = np.concatenate([np.full(count, -20.0 if loud else -70.0) for loud, count in stretches])
    pauses = find_pauses(levels.astype(np.float32), 0.01)
    end = len(levels) / 100
    for start, stop in pauses:
        assert 0 <= start < stop <= end + 1e-9
        assert stop - start >= MIN_PAUSE_S - 1e-6
        assert (levels[round(start * 100) : round(stop * 100)] == -70).all()
    late, early = last_cut_before(pauses, moment), first_cut_after(pauses, moment)
    assert late is None or late <= moment
    assert early is None or early >= moment
    for cut in (late, early):
        assert (
            cut is None or any(start + 0.09 <= cut <= stop - 0.09 for start, stop in pauses) or near(pauses, cut, end)
        )


def near(pauses: list[tuple[float, float]], cut: float, end: float) -> bool:
    """A cut requested inside the first or last tenth of a pause."""
    return any(start <= cut <= stop for start, stop in pauses) and cut <= end


@pytest.mark.parametrize("levels", [[], [-70.0] * 500, [-20.0] * 500])
def test_a_recording_without_contrast_has_no_pauses(levels: list[float]) -> None:
    assert find_pauses(np.array(levels, np.float32), 0.01) == []


def test_the_pauses_of_a_known_recording_are_found(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(making.wav(making.talk(40)))
    from preflight.checks import analyze

    analysis = analyze(path)
    story_s = len(making.story()) / making.RATE
    found = find_pauses(analysis.frame_levels_dbfs(), analysis.frame_s)
    for number in range(1, 4):
        start = number * story_s + (number - 1) * making.PAUSE_S
        assert any(low <= start + 0.05 and high >= start + making.PAUSE_S - 0.05 for low, high in found)
