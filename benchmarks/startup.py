"""How long the command takes to start, and to check a short file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks import recordings
from benchmarks.table import Promise, Row, Table
from benchmarks.timer import CHECKED, in_turn, onetake, process

if TYPE_CHECKING:
    from pathlib import Path

_ROUNDS = 15


def tables(folder: Path) -> list[Table]:
    """Measure with recordings made in `folder`."""
    return [Table("Start-up", "ms", [_version(), _cold_check(folder)], "Whole processes, files in the page cache.")]


def _version() -> Row:
    ours, bare = in_turn(process(onetake("--version")), process([sys.executable, "-c", "pass"]), rounds=_ROUNDS)
    promise = Promise("at most 60 ms more", 60, "difference")
    return Row("`onetake --version`", ours, "`python -c pass`", bare, [promise])


def _cold_check(folder: Path) -> Row:
    path = folder / "take.wav"
    path.write_bytes(recordings.stored(recordings.stereo(30), "wav"))
    imports = [sys.executable, "-c", "import numpy, soundfile"]
    ours, bare = in_turn(process(onetake("check", path), CHECKED), process(imports), rounds=_ROUNDS)
    promise = Promise("at most 450 ms", 450, "ours")
    return Row("`onetake check` of 30 s of WAV", ours, "`import numpy, soundfile`", bare, [promise])
