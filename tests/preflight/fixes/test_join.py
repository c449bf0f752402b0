"""Short takes become one recording: equally loud, with pauses between them, without clicks."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import preflight
from preflight.fixes.convert import FixJob
from preflight.fixes.join_parts import PAUSE_S, arrange
from preflight.fixes.options import FixOptions
from tests.support.fix_analyses import analysis_of, report_with
from tests.support.make_audio import FIXTURES, RATE, at_rate, m4a, mp3, quiet, story, wav
from tests.support.selection import parametrize_some
from tests.support.voices import HIGH, LOW, voice, write_voices


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.fixture
def takes(tmp_path: Path) -> list[Path]:
    """Three takes of one voice, in three formats, at three levels, with long silence at the ends of the second."""
    return [
        write(tmp_path / "a.wav", wav(0.3 * story())),
        write(tmp_path / "b.m4a", m4a(np.concatenate([quiet(3), story(), quiet(4)]))),
        write(tmp_path / "c.mp3", mp3(at_rate(1.3 * story(), 44_100), 44_100, bit_rate=128_000)),
    ]


@parametrize_some("ending", [".wav", ".m4a", ".mp3"], fast=1)
def test_takes_in_different_formats_are_joined(ending: str, takes: list[Path], tmp_path: Path) -> None:
    joined = preflight.join(takes, tmp_path / f"out{ending}")
    assert joined.after.verdict == "ready"
    assert joined.after.file.sample_rate_hz == 44_100
    assert joined.after.file.duration_s == pytest.approx(3 * 11.5 + 2 * PAUSE_S, abs=1.0)
    assert not {"gated", "dropouts", "clipped", "long-pause"} & {finding.rule for finding in joined.after.findings}
    assert joined.after.measurements["true_peak_dbtp"] < 0


def test_a_take_that_changes_after_its_check_is_refused(tmp_path: Path) -> None:
    first, second = (write(tmp_path / name, wav(story())) for name in ("a.wav", "b.wav"))
    other = write(tmp_path / "other", wav(0.9 * story()[::-1]))
    done = [0.0]

    def replace_first(seconds: float, _: float | None) -> None:
        if seconds <= done[-1] and other.exists():  # the first take is analyzed: the second one begins
            other.replace(first)
        done.append(seconds)

    with pytest.raises(preflight.CannotFix, match=r"a\.wav changed after its check"):
        preflight.join([first, second], tmp_path / "out.wav", on_progress=replace_first)
    assert not other.exists()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.wav", "b.wav"]


def test_a_take_with_another_voice_is_named(tmp_path: Path) -> None:
    low, high = (write_voices(tmp_path / f"{speed}.wav", speed) for speed in (LOW, HIGH))
    again = write(tmp_path / "again.wav", wav(0.5 * voice(LOW)[:160_000]))
    joined = preflight.join([low, high, again], tmp_path / "out.wav")
    (warning,) = joined.warnings
    assert warning.startswith(f"{high}: its voice differs from those of the other takes (likeness 0.")
    assert preflight.join([low, again], tmp_path / "one.wav").warnings == ()


def test_a_take_that_is_given_twice_is_named(takes: list[Path], tmp_path: Path) -> None:
    copy = Path(shutil.copy(takes[0], tmp_path / f"copy{takes[0].suffix}"))
    joined = preflight.join([takes[0], takes[1], takes[0], copy], tmp_path / "out.wav")
    assert [warning for warning in joined.warnings if "leave one out" in warning] == [
        f"{takes[0]} is given twice: leave one out",
        f"{copy} has the content of {takes[0]}: leave one out",
    ]


@pytest.mark.slow
def test_all_takes_are_equally_loud_and_start_where_reported(takes: list[Path], tmp_path: Path) -> None:
    joined = preflight.join(takes, tmp_path / "out.wav")
    sound, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    loudness = []
    for part in joined.parts:
        piece = sound[round(part.at_s * rate) : round((part.at_s + part.end_s - part.start_s) * rate)]
        (tmp_path / "piece.wav").write_bytes(wav(piece, rate))
        loudness.append(preflight.check(tmp_path / "piece.wav").measurements["integrated_loudness_lufs"])
    assert max(loudness) - min(loudness) < 0.5
    speech = joined.after.speech
    gaps = [after[0] - before[1] for before, after in pairwise(speech)]
    assert sorted(gaps)[-2] == pytest.approx(PAUSE_S, abs=0.25)


@pytest.mark.slow
def test_cuts_in_speech_do_not_click(tmp_path: Path) -> None:
    """Takes that start and end in the middle of a word."""
    hard = story()[RATE // 2 : -RATE]
    takes = [write(tmp_path / f"{number}.wav", wav(hard)) for number in range(2)]
    joined = preflight.join(takes, tmp_path / "out.wav")
    assert joined.after.measurements["clicks"] == 0
    sound, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    edge = round(joined.parts[1].at_s * rate)
    assert np.abs(sound[:2]).max() < 0.01
    assert np.abs(sound[edge : edge + 2]).max() < 0.01


@pytest.mark.slow
def test_the_same_takes_become_the_same_file(takes: list[Path], tmp_path: Path) -> None:
    for name in ("one.wav", "two.wav"):
        preflight.join(takes, tmp_path / name)
    assert (tmp_path / "one.wav").read_bytes() == (tmp_path / "two.wav").read_bytes()


@parametrize_some(
    ("names", "words"),
    [
        (["prompt.wav"], "only one take"), (["prompt.wav", "prompt.m4a"], "below the 0:10.2 minimum"),
        (["good.wav", "text.mp3"], "text.mp3: it is a text file"), (["good.wav", "silent.m4a"], "silent.m4a"),
        (["good.wav", "damaged.mp3"], "damaged.mp3"), (["good.wav"] * 27, "above the 5:00.0 maximum"),
    ],
    fast=5,
)  # fmt: skip
def test_takes_that_cannot_be_joined(names: list[str], words: str, tmp_path: Path) -> None:
    with pytest.raises(preflight.CannotFix, match=words) as caught:
        preflight.join([FIXTURES / name for name in names], tmp_path / "out.wav")
    assert caught.value.hint
    assert not list(tmp_path.iterdir())


def test_no_take_is_overwritten(takes: list[Path], tmp_path: Path) -> None:
    before = takes[1].read_bytes()
    for out in (takes[1], tmp_path):
        with pytest.raises(preflight.BadOutput):
            preflight.join(takes, out, force=True)
    (tmp_path / "out.wav").write_text("mine")
    with pytest.raises(preflight.OutputExists):
        preflight.join(takes, tmp_path / "out.wav")
    assert takes[1].read_bytes() == before
    assert (tmp_path / "out.wav").read_text() == "mine"


@pytest.mark.slow
def test_the_voice_is_kept_from_any_channel_layout(tmp_path: Path) -> None:
    """Opposite polarity would cancel; and two channels are louder than the one they become."""
    one = 0.4 * story()
    takes = [
        write(tmp_path / "mono.wav", wav(one)),
        write(tmp_path / "both.wav", wav(np.stack([one, one], axis=1))),
        write(tmp_path / "opposite.wav", wav(np.stack([one, -one], axis=1))),
        write(tmp_path / "dead.wav", wav(np.stack([one, 0 * one], axis=1))),
    ]
    joined = preflight.join(takes, tmp_path / "out.wav")
    assert joined.after.file.channels == 1
    sound, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    levels = [
        20 * np.log10(np.std(sound[round(part.at_s * rate) : round((part.at_s + part.end_s - part.start_s) * rate)]))
        for part in joined.parts
    ]
    assert max(levels) - min(levels) < 0.3


def job(*, name: str = "take.wav", **fields: Any) -> FixJob:
    analysis = analysis_of(name=name, **fields)
    return FixJob(name, analysis, report_with(analysis), preflight.PROFILES["default"], FixOptions())


SPEECH = ((2.0, 5.0), (6.0, 9.0))
SILENCES = ((0.0, 2.0), (5.0, 6.0), (9.0, 12.0))


def test_takes_are_trimmed_to_half_a_pause_at_each_end() -> None:
    takes = [job(name=f"{number}.wav", seconds=12.0, speech=SPEECH, pauses=SILENCES) for number in range(3)]
    parts = arrange(takes, [1.0, 0.0, -1.0])
    assert [(part.path, part.gain_db) for part in parts] == [("0.wav", 1.0), ("1.wav", 0.0), ("2.wav", -1.0)]
    assert [(part.start_s, part.end_s) for part in parts] == [pytest.approx((1.7, 9.3))] * 3
    assert [part.at_s for part in parts] == pytest.approx([0.0, 7.6, 15.2])


def test_a_take_without_silence_gets_a_pause() -> None:
    takes = [job(seconds=12.0, speech=((0.0, 12.0),), pauses=()) for _ in range(2)]
    first, second = arrange(takes, [0.0, 0.0])
    assert (first.start_s, first.end_s) == (0.0, 12.0)
    assert second.at_s == pytest.approx(12.0 + PAUSE_S)


def test_a_take_with_a_little_silence_gets_the_rest_of_the_pause() -> None:
    takes = [job(seconds=12.0, speech=((0.1, 11.8),), pauses=()) for _ in range(2)]
    assert arrange(takes, [0.0, 0.0])[1].at_s == pytest.approx(12.0 + PAUSE_S - 0.2 - 0.1)


def test_a_take_without_detected_speech_is_kept_completely() -> None:
    takes = [job(seconds=12.0, speech=(), pauses=()) for _ in range(2)]
    assert arrange(takes, [0.0, 0.0])[1].at_s == pytest.approx(12.0 + PAUSE_S)


@pytest.mark.parametrize("rates", [(16_000, 16_000), (16_000, 44_100)])
@pytest.mark.parametrize("lengths", [(6.0, 6.0), (3.0, 4.0, 8.0)])
def test_the_result_has_the_length_of_its_parts(
    rates: tuple[int, int], lengths: tuple[float, ...], tmp_path: Path
) -> None:
    takes = []
    for number, seconds in enumerate(lengths):
        rate = rates[number % 2]
        take = at_rate(story()[: round(seconds * RATE)], rate)
        takes.append(write(tmp_path / f"{number}.wav", wav(take, rate)))
    joined = preflight.join(takes, tmp_path / "out.wav")
    last = joined.parts[-1]
    info = soundfile.info(tmp_path / "out.wav")
    assert info.samplerate == max(rates)
    assert info.frames / info.samplerate == pytest.approx(last.at_s + last.end_s - last.start_s, abs=0.002)


@pytest.mark.slow
def test_the_pause_has_the_noise_of_the_quietest_take(tmp_path: Path) -> None:
    """Digital silence between takes would be a dropout."""
    cropped = story()[RATE // 2 : -RATE]
    takes = [write(tmp_path / f"{number}.wav", wav(cropped)) for number in range(2)]
    joined = preflight.join(takes, tmp_path / "out.wav")
    sound, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    first, second = joined.parts
    gap = sound[round((first.end_s - first.start_s + 0.02) * rate) : round((second.at_s - 0.02) * rate)]
    assert len(gap) > 0.2 * rate
    level = 20 * np.log10(np.std(gap))
    assert -90 < level <= -59


@pytest.mark.slow
def test_stereo_stays_only_if_all_takes_are_stereo(tmp_path: Path) -> None:
    both = write(tmp_path / "stereo.wav", wav(np.stack([story(), 0.9 * story()], axis=1)))
    one = write(tmp_path / "mono.wav", wav(story()))
    assert preflight.join([both, both], tmp_path / "two.wav").after.file.channels == 2
    assert preflight.join([both, one], tmp_path / "one.wav").after.file.channels == 1
