"""Measure what is promised about speed, and the peers beside it, in one run; write docs/benchmarks.md.

Usage: ``make bench``. `ffprobe` is measured too where it is installed; onetake itself does not need it.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import av
import numpy as np
import soundfile

import preflight

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures"
RUNS = 15
QUICK_FILES = 1_000
PROBED_FILES = 40


class Row(NamedTuple):
    """One line of the table: what was measured, ours and the peer's milliseconds, and what is promised."""

    what: str
    ours_ms: float
    peer: str
    peer_ms: float | None
    promise: str


def main() -> None:
    """Measure everything and write the page."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [start_up(), cold_check(folder), quick_check(folder)]
    text = page(rows)
    (ROOT / "docs" / "benchmarks.md").write_text(text, encoding="utf-8")
    print(text)


def start_up() -> Row:
    """`onetake --version` beside the interpreter alone."""
    ours, bare = in_turn(onetake("--version"), [sys.executable, "-c", "pass"])
    return Row("`onetake --version`, whole process", ours, "`python -c pass`", bare, "at most 60 ms more")


def cold_check(folder: Path) -> Row:
    """A whole check of 30 s of 48 kHz stereo, as a process."""
    speech, _ = soundfile.read(FIXTURES / "good.wav", dtype="float32")
    path = folder / "take.wav"
    soundfile.write(path, np.resize(speech, (48_000 * 30, 2)), 48_000)
    ours, bare = in_turn(onetake("check", str(path)), [sys.executable, "-c", "import numpy, soundfile"])
    return Row(
        "`onetake check` of a 30 s WAV, whole process", ours, "`import numpy, soundfile`", bare, "at most 450 ms"
    )


def quick_check(folder: Path) -> Row:
    """`check(quick=True)` on 1,000 files, in process, beside one `ffprobe` a file."""
    originals = [FIXTURES / name for name in ("good.wav", "good.mp3", "good.m4a", "stereo.m4a", "prompt.wav")]
    files = []
    for number in range(QUICK_FILES):
        original = originals[number % len(originals)]
        files.append(folder / f"{number}{original.suffix}")
        os.link(shutil.copy(original, folder / "copy"), files[-1])
        (folder / "copy").unlink()
    preflight.check(files[0], quick=True)
    ours = milliseconds(lambda: [preflight.check(file, quick=True) for file in files]) / len(files)
    peer = None
    if shutil.which("ffprobe"):
        commands = [["ffprobe", "-v", "error", "-show_streams", "-show_format", str(f)] for f in files[:PROBED_FILES]]
        peer = statistics.median(milliseconds(partial(run, command)) for command in commands)
    return Row("`check(quick=True)`, a file, mean of 1,000", ours, "`ffprobe`", peer, "under 1 ms")


def onetake(*arguments: str) -> list[str]:
    """The command line of the installed command."""
    return [str(Path(sys.executable).with_name("onetake")), *arguments]


def run(command: Sequence[str]) -> None:
    """Run `command` and throw its output away."""
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def in_turn(*commands: list[str]) -> list[float]:
    """The median milliseconds of each command, run in turn so that a busy moment hits all alike."""
    times: list[list[float]] = [[] for _ in commands]
    for number in range(RUNS + 1):
        for spent, command in zip(times, commands, strict=True):
            taken = milliseconds(partial(run, command))
            if number:  # the first round fills the caches
                spent.append(taken)
    return [statistics.median(spent) for spent in times]


def milliseconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e3


def page(rows: Sequence[Row]) -> str:
    """The page as Markdown."""
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, {platform.system()} "
        f"{platform.machine()}, Python {platform.python_version()}, PyAV {av.__version__}. Times in milliseconds, each "
        "beside its peer in the same run; trust the ratios more than the figures.",
        "",
        "| what | ours | peer | its time | ours / peer | promised |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        peer = "not installed" if row.peer_ms is None else f"{row.peer_ms:.2f}"
        ratio = "" if row.peer_ms is None else f"{row.ours_ms / row.peer_ms:.3f}"
        lines.append(f"| {row.what} | {row.ours_ms:.2f} | {row.peer} | {peer} | {ratio} | {row.promise} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
