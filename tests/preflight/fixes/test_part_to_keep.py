"""Which part of a recording is kept: cut at pauses, undamaged, and the one with the most clean speech."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import preflight
from preflight import limits
from preflight.checks import analyze
from preflight.errors import CannotFix
from preflight.fixes.options import FixOptions
from preflight.fixes.part_to_keep import SpanIndex, choose_window, kept_part, requested_window, trim_silence
from preflight.media.damage import Damage
from tests.support import backgrounds
from tests.support import make_audio as making
from tests.support.fix_analyses import analysis_of, pauses_every, speech_between

LIMIT = limits.MAX_DURATION_S


def chosen(
    seconds: float, keep: Any = "best", *, is_damaged: bool = False, **fields: Any
) -> tuple[float, float] | None:
    return choose_window(analysis_of(seconds, **fields), LIMIT, keep, is_damaged=is_damaged)


@pytest.mark.parametrize("seconds", [1.0, 60.0, 300.0])
@pytest.mark.parametrize("keep", ["best", "start", "longest-run"])
def test_a_short_recording_is_kept_completely(seconds: float, keep: str) -> None:
    assert chosen(seconds, keep) is None


@pytest.mark.parametrize("keep", ["best", "start", "longest-run"])
def test_a_long_recording_is_cut_in_the_middle_of_pauses(keep: str) -> None:
    window = chosen(700.0, keep)
    assert window is not None
    start, end = window
    assert start == 0 or start % 10 == pytest.approx(9.5)
    assert end % 10 == pytest.approx(9.5)
    assert 285 < end - start <= limits.WRITE_BELOW_S


def test_start_keeps_the_start() -> None:
    # the first five minutes are spoiled, and kept all the same
    window = chosen(700.0, "start", clipped=((0.0, 300.0),))
    assert window == (0.0, 299.5)


def test_best_avoids_clipping() -> None:
    window = chosen(700.0, clipped=((20.0, 200.0),))
    assert window is not None
    assert window[0] > 190


@pytest.mark.parametrize("flaw", ["dropouts", "clicks"])
def test_best_avoids_dropouts_and_clicks(flaw: str) -> None:
    flaws = tuple((float(moment), moment + 0.01) for moment in range(5, 100, 10))
    fields: dict[str, Any] = {flaw: flaws}
    window = chosen(700.0, **fields)
    assert window is not None
    assert window[0] > 80  # one flaw costs no more than the bonus of an earlier window


def test_best_keeps_the_most_speech() -> None:
    pauses = (*pauses_every(10.0, 300.0, 8.0), *((moment - 1, moment) for moment in range(310, 700, 10)))
    window = chosen(700.0, pauses=pauses)
    assert window is not None
    assert window[0] > 250


def test_an_earlier_window_wins_if_it_is_nearly_as_good() -> None:
    # 5 s of clipping cost 50 s; 0.5 s cost 5 s, less than the bonus of the earlier window
    assert (chosen(700.0, clipped=((1.0, 6.0),)) or (0.0,))[0] > 0
    assert (chosen(700.0, clipped=((1.0, 1.5),)) or (1.0,))[0] == 0


def test_longest_run_ignores_short_pauses() -> None:
    pauses = (*pauses_every(10.0, 340.0, 3.0), *((moment - 1.0, moment) for moment in range(350, 700, 10)))
    window = chosen(700.0, "longest-run", pauses=pauses)
    assert window is not None
    assert window[0] > 300


def test_without_speech_any_window_is_good() -> None:
    window = chosen(700.0, speech=(), measured_s=0.0)
    assert window is not None
    assert window[0] == 0


def test_without_a_pause_it_cannot_be_cut() -> None:
    with pytest.raises(CannotFix, match="no pause") as caught:
        chosen(700.0, pauses=())
    assert caught.value.hint


def test_damage_is_cut_out() -> None:
    damage = (Damage(12.0, 13.0, 12.0, 13.0),)
    window = chosen(60.0, is_damaged=True, damage=damage)
    assert window == (19.5, 60.0)
    # damage that is only a warning stays
    assert chosen(60.0, damage=damage) is None


def test_damage_is_a_place_to_cut_if_there_are_no_pauses() -> None:
    damage = (Damage(22.0, 23.0, 22.0, 23.0),)
    assert chosen(60.0, is_damaged=True, damage=damage, pauses=()) in ((0.0, 22.0), (23.0, 60.0))


def test_too_much_damage_leaves_nothing() -> None:
    damage = tuple(Damage(float(at), at + 1.0, float(at), at + 1.0) for at in range(5, 60, 9))
    with pytest.raises(CannotFix, match=r"the longest undamaged part .* below the 0:10\.0 minimum"):
        chosen(60.0, is_damaged=True, damage=damage, pauses=())


def test_the_longest_result_is_respected() -> None:
    assert choose_window(analysis_of(299.8), 299.5, "best", is_damaged=False) == (0.0, 289.5)


@given(
    seconds=st.floats(301, 2000),
    period=st.floats(3, 40),
    keep=st.sampled_from(["best", "start", "longest-run"]),
    clipped=st.floats(0, 1),
)
def test_windows_are_always_within_limits_and_in_pauses(
    seconds: float, period: float, keep: Any, clipped: float
) -> None:
    pauses = pauses_every(period, seconds)
    at = clipped * seconds
    window = chosen(seconds, keep, pauses=pauses, clipped=((at, min(seconds, at + 5)),))
    assert window is not None
    assert limits.WRITE_ABOVE_S <= window[1] - window[0] <= limits.WRITE_BELOW_S
    for moment in window:
        edges = (0.0, seconds)
        assert moment in edges or any(start <= moment <= end for start, end in pauses)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, 20.0, (0.0, 20.0)), (5.0, None, (5.0, 60.0)), (5.0, 1000.0, (5.0, 60.0)), (1.25, 11.25, (1.25, 11.25)),
    ],
)  # fmt: skip
def test_a_requested_window(start: float | None, end: float | None, expected: tuple[float, float]) -> None:
    assert requested_window(FixOptions(start_s=start, end_s=end), 60.0, "recording", LIMIT) == expected


@pytest.mark.parametrize(
    ("start", "end", "seconds", "role", "words"),
    [
        (0.0, 9.9, 60.0, "recording", "below the 0:10.0 minimum"), (55.0, None, 60.0, "recording", "0:05.0|0:55.0"),
        (70.0, 90.0, 60.0, "recording", "starts at 1:10.0, after the end of the recording at 1:00.0"),
        (0.0, 301.0, 400.0, "recording", "above the 5:00.0 maximum"),
        (0.0, 0.4, 60.0, "prompt", "below"), (0.0, 7.95, 60.0, "prompt", "above the 0:07.9 maximum"),
    ],
)  # fmt: skip
def test_an_impossible_window(start: float, end: float | None, seconds: float, role: Any, words: str) -> None:
    with pytest.raises(CannotFix, match=words) as caught:
        requested_window(FixOptions(start_s=start, end_s=end), seconds, role, LIMIT)
    assert caught.value.hint


def test_a_requested_window_is_shortened_for_a_lossy_encoder() -> None:
    options = FixOptions(start_s=10.0, end_s=310.0)
    assert requested_window(options, 400.0, "recording", limits.WRITE_BELOW_S) == (10.0, 309.5)


@pytest.mark.parametrize(
    ("pauses", "window", "expected"),
    [
        ([(0.0, 5.0), (55.0, 60.0)], None, (4.5, 55.5)),  # both ends
        ([(0.0, 5.0)], None, (4.5, 60.0)),  # only the start
        ([(0.0, 0.6), (59.5, 60.0)], None, None),  # too little to trim
        ([(20.0, 25.0)], None, None),  # a pause in the middle
        ([(0.0, 5.0), (38.0, 44.0)], (0.0, 41.0), (4.5, 38.5)),  # the end of a window
        ([(0.0, 25.0), (35.0, 60.0)], None, (24.5, 35.5)),  # just long enough
        ([(0.0, 26.0), (34.0, 60.0)], None, None),  # the rest would be too short
        ([], (3.0, 30.0), (3.0, 30.0)),
    ],
)
def test_silence_is_trimmed(pauses: Any, window: Any, expected: Any) -> None:
    assert trim_silence(pauses, window, 60.0) == expected


def test_trimming_with_another_margin() -> None:
    assert trim_silence([(0.0, 2.0), (4.0, 9.0)], None, 9.0, margin_s=0.3, min_s=0.0) == (1.7, 4.3)


spans = st.lists(st.floats(0, 10), min_size=0, max_size=12).map(sorted).map(
    lambda edges: [(edges[number], edges[number + 1]) for number in range(0, len(edges) - 1, 2)]
)  # fmt: skip


@given(spans=spans, window=st.tuples(st.floats(0, 10), st.floats(0, 10)).map(sorted))
def test_a_span_index_counts_as_a_loop_does(spans: list[tuple[float, float]], window: list[float]) -> None:
    start, end = window
    expected = sum(max(0.0, min(end, last) - max(start, first)) for first, last in spans)
    assert SpanIndex(spans).seconds_in((start, end)) == pytest.approx(expected, abs=1e-9)


def test_speech_between_pauses() -> None:
    """The helper of these tests."""
    assert speech_between([(9.0, 10.0)], 20.0) == ((0.0, 9.0), (10.0, 20.0))


RATE = making.RATE
SONG_S, NOISY_S, SILENCE_S, CLEAN_S = 60, 120, 20, 290


@pytest.fixture(scope="module")
def long_take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A song, a voice in noise, silence, a clean voice, and noise."""
    generator = np.random.default_rng(7)
    parts = (
        0.3 * backgrounds.chords(SONG_S, RATE) / 8,
        making.talk(NOISY_S) + generator.normal(0, 0.05, NOISY_S * RATE),
        making.quiet(SILENCE_S),
        making.talk(CLEAN_S),
        generator.normal(0, 0.05, 30 * RATE),
    )
    path = tmp_path_factory.mktemp("long") / "take.wav"
    path.write_bytes(making.wav(np.concatenate(parts).astype(np.float32)))
    return path


@pytest.mark.slow
def test_the_kept_part_is_judged_and_named(long_take: Path) -> None:
    report = preflight.check(long_take)
    assert report.judged is not None
    start, end = report.judged
    begin = SONG_S + NOISY_S + SILENCE_S
    assert begin - 1 < start < begin + 10
    assert begin + 200 < end < begin + CLEAN_S + 1
    assert {finding.rule for finding in report.findings} == {"too-long"}
    assert "judged by the part that this keeps, 3:" in report.findings[0].message
    assert report.measurements["measured_s"] == pytest.approx(end - start, abs=0.1)
    assert report.measurements["snr_db"] > 35
    assert all(start - 0.1 <= a < b <= end + 0.1 for a, b in report.speech)


@pytest.mark.slow
def test_the_kept_part_begins_and_ends_at_the_voice(long_take: Path, tmp_path: Path) -> None:
    fixed = preflight.fix(long_take, tmp_path / "fixed.wav")
    assert fixed.path is not None
    after = preflight.check(fixed.path)
    assert after.verdict == "ready"
    assert not after.findings
    assert after.measurements["leading_silence_s"] < 1
    assert after.measurements["trailing_silence_s"] < 1


@pytest.mark.slow
def test_fix_keeps_what_check_has_judged(long_take: Path) -> None:
    assert kept_part(analyze(long_take, to_end=True)) == analyze(long_take).judged


@pytest.mark.slow
def test_a_recording_of_five_minutes_is_judged_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(making.wav(making.talk(299)))
    report = preflight.check(path)
    assert report.judged is None
    assert report.measurements["measured_s"] == pytest.approx(299, abs=0.1)
