"""What `onetake check` shows at a real pseudo-terminal, narrow or wide, and what it does not send to pipes."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import struct
import sys
import termios
from pathlib import Path

import numpy as np
import pytest
import soundfile

from onetake.render.terminal import columns_of
from tests.onetake.services import FIXTURES, onetake

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def at_terminal(*arguments: str, columns: int, **variables: str) -> tuple[int, list[str]]:
    """Exit status and lines of the command in a window of so many columns."""
    pid, line = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        os.environ.update({"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **variables})
        for name in {"NO_COLOR", "COLUMNS", "LINES"} - set(variables):
            os.environ.pop(name, None)
        os.execv(sys.executable, [sys.executable, "-m", "onetake", *arguments])
    shown = b""
    while True:
        try:
            piece = os.read(line, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status, [text.rpartition("\r")[2] for text in shown.decode().replace("\r\n", "\n").splitlines()]


@pytest.mark.parametrize("columns", [60, 80, 140])
@pytest.mark.parametrize("name", ["good.m4a", "telephone.wav", "noise.m4a", "stereo.m4a", "empty.wav"])
def test_one_take_fits_the_window(home: Path, columns: int, name: str) -> None:
    status, lines = at_terminal("check", str(FIXTURES / name), columns=columns)
    bare = [COLOUR.sub("", line) for line in lines]
    assert status in {0, 1}
    assert bare[0].startswith(("ready: ", "fixable: ", "rejected: "))
    assert max(map(columns_of, bare)) < columns
    assert any(COLOUR.search(line) for line in lines)
    drawn = [line for line in bare if re.fullmatch(r" +[▁▂▃▄▅▆▇█]+", line)]
    assert len(drawn) == (0 if name in {"empty.wav", "noise.m4a"} else 1)
    if drawn:
        assert len(drawn[0]) == columns - 1
    if name == "good.m4a":
        assert re.fullmatch(r"  0:00\.0 +0:11\.5", bare[bare.index(drawn[0]) + 1])


def test_a_finding_is_marked_where_it_is(home: Path) -> None:
    sound, rate = soundfile.read(FIXTURES / "good.wav")
    soundfile.write("paused.wav", np.concatenate((sound, np.zeros(4 * rate), sound)), rate)
    _, lines = at_terminal("check", "paused.wav", columns=82)
    bare = [COLOUR.sub("", line) for line in lines]
    (bars,) = [number for number, line in enumerate(bare) if re.fullmatch(r" +[▁▂▃▄▅▆▇█]+", line)]
    marks = bare[bars + 1]
    place, length = marks.index("~") - 2, marks.count("~")
    seconds = (2 * len(sound) / rate + 4) / 79
    assert abs(place * seconds - len(sound) / rate) < 1
    assert abs(length * seconds - 4) < 1
    assert any("warning long-pause" in line for line in bare)


@pytest.mark.parametrize("columns", [60, 140])
def test_many_takes_are_a_table_with_the_worst_first(home: Path, columns: int) -> None:
    for place, name in enumerate(
        ["录音文件很长的名字很长的名字很长的名字.wav", "a" * 90 + ".wav", "b\x1b[31m.wav", "שלום.wav"]
    ):
        shutil.copy(FIXTURES / ("good.wav" if place else "too-short.wav"), name)
    shutil.copy(FIXTURES / "empty.wav", "z.wav")
    status, lines = at_terminal("check", ".", columns=columns)
    table = [
        COLOUR.sub("", line) for line in lines if COLOUR.sub("", line).startswith(("ready", "fixable", "rejected"))
    ]
    assert status == 1
    assert [line.split()[0] for line in table] == ["rejected", "rejected", "ready", "ready", "ready"]
    assert max(map(columns_of, table)) < columns
    assert "\\x1b[31m" in "".join(table)
    assert lines[-1] == "5 takes: 2 rejected, 3 ready"


def test_no_colour_and_no_bars_where_they_are_not_wanted(home: Path) -> None:
    take = str(FIXTURES / "good.m4a")
    assert not any(COLOUR.search(line) for line in at_terminal("check", take, columns=80, NO_COLOR="1")[1])
    assert not any(COLOUR.search(line) for line in at_terminal("check", take, columns=80, TERM="dumb")[1])
    ascii_lines = at_terminal("check", take, columns=80, PYTHONIOENCODING="ascii")[1]
    assert not set("▁▂▃▄▅▆▇█") & set("".join(ascii_lines))
    piped = onetake("check", take)
    assert not COLOUR.search(piped.out)
    assert not set("▁▂▃▄▅▆▇█") & set(piped.out)
    assert piped.out.startswith(f"{take}: ready: ")
