"""The quick check of many files, beside ffprobe."""

from __future__ import annotations

import os
import shutil
import statistics
from pathlib import Path
from typing import Final

import preflight
from benchmarks.table import Promise, Row, Table
from benchmarks.timer import milliseconds, process
from tests.support.make_audio import FIXTURES

_FILES: Final = 1_000
_PROBED_FILES: Final = 40
_ORIGINALS: Final = ("good.wav", "good.mp3", "good.m4a", "stereo.m4a", "prompt.wav")


def tables(folder: Path) -> list[Table]:
    """Measure with recordings made in `folder`."""
    files = _linked(folder)
    preflight.check(files[0], quick=True)
    ours = milliseconds(lambda: [preflight.check(file, quick=True) for file in files]) / len(files)
    what = f"`check(quick=True)`, one file, mean of {_FILES:,}"
    row = Row(what, ours, "`ffprobe`, median", _ffprobe(files[:_PROBED_FILES]), [Promise("under 1 ms", 1, "ours")])
    return [Table("Quick check", "ms", [row], "In process, headers only; `ffprobe` is one process per file.")]


def _linked(folder: Path) -> list[Path]:
    originals = [Path(shutil.copy(FIXTURES / name, folder / name)) for name in _ORIGINALS]
    files = []
    for number in range(_FILES):
        original = originals[number % len(originals)]
        files.append(folder / f"{number}{original.suffix}")
        os.link(original, files[-1])
    return files


def _ffprobe(files: list[Path]) -> float | None:
    if not shutil.which("ffprobe"):
        return None
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_format"]
    return statistics.median(milliseconds(process([*command, str(file)])) for file in files)
