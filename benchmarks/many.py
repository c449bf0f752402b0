"""A folder of recordings, with one worker and with two."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks import takes
from benchmarks.table import Promise, Row, Table
from benchmarks.timing import CHECKED, in_turn, onetake, process

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_FILES: Final = 200
_SECONDS: Final = 15
_RATE: Final = 44_100
_ORIGINALS: Final = 4
_ROUNDS: Final = 5
_NOTE: Final = (
    f"`onetake check` of a folder of {_FILES} files of {_SECONDS} s, 44.1 kHz stereo, a third each WAV, MP3, M4A; "
    "whole processes. Two commands at once, each with a worker and half of the files, show what this machine can do."
)


def tables(folder: Path) -> list[Table]:
    """Measure it, with recordings made in `folder`."""
    halves = (folder / "odd", folder / "even")
    _fill(halves)
    one = process(onetake("check", folder, "--jobs", "1"), CHECKED)
    two = process(onetake("check", folder, "--jobs", "2"), CHECKED)
    apart = partial(_at_once, [onetake("check", half, "--jobs", "1") for half in halves])
    alone_ms, together_ms, apart_ms = in_turn(one, two, apart, rounds=_ROUNDS, warm_up=False)
    promise = Promise("at least 1.8 times as fast with two workers", 1 / 1.8)
    rows = [
        Row("`--jobs 2`", together_ms, "`--jobs 1`", alone_ms, [promise]),
        Row("`--jobs 2`", together_ms, "two commands at once", apart_ms),
    ]
    return [Table("Many files", "ms", rows, _NOTE)]


def _fill(halves: Sequence[Path]) -> None:
    for half in halves:
        half.mkdir()
    originals = []
    for seed in range(_ORIGINALS):
        sound = takes.stereo(_SECONDS, _RATE, seed)
        for form in takes.FORMS:
            originals.append(halves[0].parent / f"original-{seed}.{form}")
            originals[-1].write_bytes(takes.stored(sound, form, _RATE))
    for number in range(_FILES):
        original = originals[number % len(originals)]
        shutil.copy(original, halves[number // len(originals) % 2] / f"{number:03}{original.suffix}")
    for original in originals:
        original.unlink()


def _at_once(commands: Sequence[Sequence[str]]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(commands)) as pool:
        for done in [pool.submit(process(command, CHECKED)) for command in commands]:
            done.result()
