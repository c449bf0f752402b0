"""A folder of recordings, with one worker process and with two."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks import recordings
from benchmarks.table import Promise, Row, Table
from benchmarks.timer import CHECKED, in_turn, onetake, process

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILES: Final = 200
SECONDS: Final = 15
_RATE: Final = 44_100
_ORIGINALS: Final = 4
_ROUNDS: Final = 5
_NOTE: Final = (
    f"`onetake check` of a folder of {FILES} files of {SECONDS} s, 44.1 kHz stereo, a third each WAV, MP3, M4A; "
    "whole processes. Two commands at once, each with one worker and half of the files, show the limit of the machine."
)


def tables(folder: Path) -> list[Table]:
    """Measure with recordings made in `folder`."""
    halves = (folder / "odd", folder / "even")
    fill(halves)
    one = process(onetake("check", folder, "--jobs", "1"), CHECKED)
    two = process(onetake("check", folder, "--jobs", "2"), CHECKED)
    separate = partial(_at_once, [onetake("check", half, "--jobs", "1") for half in halves])
    one_ms, two_ms, separate_ms = in_turn(one, two, separate, rounds=_ROUNDS, warm_up=False)
    promise = Promise("at least 1.9 times as fast with two workers", 1 / 1.9)
    rows = [
        Row("`--jobs 2`", two_ms, "`--jobs 1`", one_ms, [promise]),
        Row("`--jobs 2`", two_ms, "two commands at once", separate_ms),
    ]
    return [Table("Many files", "ms", rows, _NOTE)]


def fill(halves: Sequence[Path]) -> None:
    """Write half of the files into each of two new folders."""
    for half in halves:
        half.mkdir(parents=True)
    originals = []
    for seed in range(_ORIGINALS):
        sound = recordings.stereo(SECONDS, _RATE, seed)
        for form in recordings.FORMS:
            originals.append(halves[0].parent / f"original-{seed}.{form}")
            originals[-1].write_bytes(recordings.stored(sound, form, _RATE))
    for number in range(FILES):
        original = originals[number % len(originals)]
        shutil.copy(original, halves[number // len(originals) % 2] / f"{number:03}{original.suffix}")
    for original in originals:
        original.unlink()


def _at_once(commands: Sequence[Sequence[str]]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(commands)) as pool:
        for done in [pool.submit(process(command, CHECKED)) for command in commands]:
            done.result()
