"""How soon the command answers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks import takes
from benchmarks.table import Promise, Row, Table
from benchmarks.timing import CHECKED, in_turn, onetake, process

if TYPE_CHECKING:
    from pathlib import Path

_ROUNDS = 15


def tables(folder: Path) -> list[Table]:
    """Measure it, with recordings made in `folder`."""
    return [Table("Starting", "ms", [_version(), _cold_check(folder)], "Whole processes, files in the page cache.")]


def _version() -> Row:
    ours, bare = in_turn(process(onetake("--version")), process([sys.executable, "-c", "pass"]), rounds=_ROUNDS)
    promise = Promise("at most 60 ms more", 60, "difference")
    return Row("`onetake --version`", ours, "`python -c pass`", bare, [promise])


def _cold_check(folder: Path) -> Row:
    path = folder / "take.wav"
    path.write_bytes(takes.stored(takes.stereo(30), "wav"))
    imports = [sys.executable, "-c", "import numpy, soundfile"]
    ours, bare = in_turn(process(onetake("check", path), CHECKED), process(imports), rounds=_ROUNDS)
    promise = Promise("at most 450 ms", 450, "ours")
    return Row("`onetake check` of 30 s of WAV", ours, "`import numpy, soundfile`", bare, [promise])
