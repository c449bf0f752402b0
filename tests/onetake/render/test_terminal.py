"""The output of `onetake check` in pseudo-terminals of several widths, and in pipes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from onetake.console.terminal import columns_of
from tests.support.services import FIXTURES, onetake
from tests.support.terminal import COLOUR, Window


@pytest.mark.parametrize("columns", [60, 80, 140])
@pytest.mark.parametrize("name", ["good.m4a", "telephone.wav", "noise.m4a", "stereo.m4a", "empty.wav"])
def test_one_take_fits_the_terminal(home: Path, columns: int, name: str) -> None:
    window = Window(columns).show("check", str(FIXTURES / name))
    bare = window.bare_lines
    assert window.status in {0, 1}
    assert re.search(r": (ready|fixable|rejected)\b", " ".join(bare[:3]))
    assert any(line.startswith("  next: ") for line in bare)
    assert max(map(columns_of, bare)) < columns
    assert any(COLOUR.search(line) for line in window.lines)
    drawn = [line for line in bare if re.fullmatch(r" +[▁▂▃▄▅▆▇█]+", line)]
    assert len(drawn) == (0 if name in {"empty.wav", "noise.m4a"} else 1)
    if drawn:
        assert len(drawn[0]) == columns - 1
    if name == "good.m4a":
        assert re.fullmatch(r"  0:00\.0 +0:11\.5", bare[bare.index(drawn[0]) + 1])


def test_a_finding_is_marked_at_its_position(home: Path) -> None:
    sound, rate = soundfile.read(FIXTURES / "good.wav")
    soundfile.write("paused.wav", np.concatenate((sound, np.zeros(4 * rate), sound)), rate)
    bare = Window(82).show("check", "paused.wav").bare_lines
    (bars,) = [number for number, line in enumerate(bare) if re.fullmatch(r" +[▁▂▃▄▅▆▇█]+", line)]
    marks = bare[bars + 1]
    place, length = marks.index("~") - 2, marks.count("~")
    seconds = (2 * len(sound) / rate + 4) / 79
    assert abs(place * seconds - len(sound) / rate) < 1
    assert abs(length * seconds - 4) < 1
    assert any("warning long-pause" in line for line in bare)


@pytest.mark.parametrize("columns", [60, 140])
def test_several_takes_are_a_table_with_rejected_takes_first(home: Path, columns: int) -> None:
    for place, name in enumerate(
        ["录音文件很长的名字很长的名字很长的名字.wav", "a" * 90 + ".wav", "b\x1b[31m.wav", "שלום.wav"]
    ):
        shutil.copy(FIXTURES / ("good.wav" if place else "too-short.wav"), name)
    shutil.copy(FIXTURES / "empty.wav", "z.wav")
    window = Window(columns).show("check", ".")
    table = [line for line in window.bare_lines if line.startswith(("ready", "fixable", "rejected"))]
    assert window.status == 1
    assert [line.split()[0] for line in table] == ["rejected", "rejected", "ready", "ready", "ready"]
    assert max(map(columns_of, window.bare_lines)) < columns
    assert "\\x1b[31m" in "".join(table)
    assert "5 takes: 2 rejected, 3 ready" in window.lines
    assert "onetake check -v" in window.raw


@pytest.mark.slow
def test_no_colors_and_no_bars_in_pipes_or_if_disabled(home: Path) -> None:
    take = str(FIXTURES / "good.m4a")
    for declined in (
        Window(80).show("check", take, NO_COLOR="1"),
        Window(80).show("check", take, TERM="dumb"),
        Window(80).show("check", take, "--no-color"),
        Window(80).show("--no-color", "check", take),
    ):
        assert declined.status == 0
        assert not COLOUR.search(declined.raw)
    assert not set("▁▂▃▄▅▆▇█") & set(Window(80).show("check", take, PYTHONIOENCODING="ascii").raw)
    piped = onetake("check", take)
    assert not COLOUR.search(piped.out)
    assert not set("▁▂▃▄▅▆▇█") & set(piped.out)
    assert piped.out.startswith(f"{take}: ready, good\n")


def test_text_is_wrapped_between_words(home: Path) -> None:
    for arguments in (
        ("rule", "clipped"),
        ("rule",),
        ("check", "there is no recording of this name.wav"),
        ("nonsense",),
    ):
        window = Window(50).show(*arguments)
        assert max(map(columns_of, window.bare_lines)) < 50
        words = " ".join(window.raw.split())
        assert "".join(window.bare_lines).replace(" ", "") == COLOUR.sub("", words).replace(" ", "")
