"""Several short takes become one that is long enough: equally loud, with a breath between, without clicks."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

import preflight
from preflight.fixes.join import BREATH_S
from tests.support.make_audio import FIXTURES, RATE, at_rate, m4a, mp3, quiet, story, wav


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.fixture
def takes(tmp_path: Path) -> list[Path]:
    """Three of one voice, in three formats, at three levels, with much silence at the ends of the second."""
    return [
        write(tmp_path / "a.wav", wav(0.3 * story())),
        write(tmp_path / "b.m4a", m4a(np.concatenate([quiet(3), story(), quiet(4)]))),
        write(tmp_path / "c.mp3", mp3(at_rate(1.3 * story(), 44_100), 44_100, bit_rate=128_000)),
    ]


@pytest.mark.parametrize("ending", [".wav", ".m4a", ".mp3"])
def test_takes_of_every_kind_become_one(ending: str, takes: list[Path], tmp_path: Path) -> None:
    joined = preflight.join(takes, tmp_path / f"out{ending}")
    assert joined.after.verdict == "ready"
    assert joined.after.file.sample_rate_hz == 44_100
    assert joined.after.file.duration_s == pytest.approx(3 * 11.5 + 2 * BREATH_S, abs=1.0)
    assert not {"gated", "dropouts", "clipped", "long-pause"} & {finding.rule for finding in joined.after.findings}
    assert joined.after.measurements["true_peak_dbtp"] < 0


def test_all_are_equally_loud_and_stand_where_it_says(takes: list[Path], tmp_path: Path) -> None:
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
    assert sorted(gaps)[-2] == pytest.approx(BREATH_S, abs=0.25)


def test_nothing_clicks(tmp_path: Path) -> None:
    """Takes that begin and end in the middle of a wave."""
    hard = story()[RATE // 2 : -RATE]
    takes = [write(tmp_path / f"{number}.wav", wav(hard)) for number in range(2)]
    joined = preflight.join(takes, tmp_path / "out.wav")
    assert joined.after.measurements["clicks"] == 0
    sound, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    edge = round(joined.parts[1].at_s * rate)
    assert np.abs(sound[:2]).max() < 0.01
    assert np.abs(sound[edge : edge + 2]).max() < 0.01


def test_the_same_takes_become_the_same_file(takes: list[Path], tmp_path: Path) -> None:
    for name in ("one.wav", "two.wav"):
        preflight.join(takes, tmp_path / name)
    assert (tmp_path / "one.wav").read_bytes() == (tmp_path / "two.wav").read_bytes()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["prompt.wav"], "nothing to join"), (["prompt.wav", "prompt.m4a"], "0:10.2 are needed"),
        (["good.wav", "text.mp3"], "text.mp3: it is a text file"), (["good.wav", "silent.m4a"], "silent.m4a"),
        (["good.wav", "damaged.mp3"], "damaged.mp3"), (["good.wav"] * 27, "at most 5:00.0"),
    ],
)  # fmt: skip
def test_what_cannot_be_joined(names: list[str], words: str, tmp_path: Path) -> None:
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


def test_a_take_is_heard_whatever_its_channels(tmp_path: Path) -> None:
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
