"""CPU seconds per hour of audio: what a check costs, on one core or on many."""

from __future__ import annotations

import resource
import shutil
from typing import TYPE_CHECKING, Final

from benchmarks import batch, recordings
from benchmarks.speed import FFMPEG_FILTERS
from benchmarks.table import Promise, Row, Table
from benchmarks.timer import CHECKED, in_turn, onetake, process

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.timer import Work

_SECONDS: Final = 299
"""AAC and MP3 of 300 s last longer with padding: too long, the part to keep is measured in a second pass."""
_HOUR_S: Final = 3600
_BESIDE_FFMPEG: Final = Promise("aim 0.45", 0.45)
_NOTE: Final = (
    "User plus system time of the command and all its processes (`getrusage`, children that were waited for), divided "
    f"by the duration of the audio. One file of {_SECONDS} s of 48 kHz stereo, beside `ffmpeg -af {FFMPEG_FILTERS}`; "
    f"and a folder of {batch.FILES} files of {batch.SECONDS} s of 44.1 kHz stereo, a third each WAV, MP3, M4A."
)


def tables(folder: Path) -> list[Table]:
    """Measure with recordings made in `folder`."""
    rows = [_single(form, folder / f"take.{form}") for form in recordings.FORMS]
    halves = (folder / "many" / "odd", folder / "many" / "even")
    batch.fill(halves)
    works = [process(onetake("check", folder / "many", "--jobs", str(jobs)), CHECKED) for jobs in (1, 2)]
    hours = batch.FILES * batch.SECONDS / _HOUR_S
    for jobs, cpu_s in zip((1, 2), in_turn(*works, rounds=3, warm_up=False, measure=child_cpu_s), strict=True):
        rows.append(Row(f"{batch.FILES} files, `--jobs {jobs}`", cpu_s / hours))
    return [Table("CPU seconds per hour of audio", "s", rows, _NOTE)]


def _single(form: str, path: Path) -> Row:
    path.write_bytes(recordings.stored(recordings.stereo(_SECONDS), form))
    works = [process(onetake("check", path), CHECKED)]
    if shutil.which("ffmpeg"):
        command = ["ffmpeg", "-v", "error", "-nostats", "-i", str(path), "-af", FFMPEG_FILTERS, "-f", "null", "-"]
        works.append(process(command))
    hours = _SECONDS / _HOUR_S
    ours, *peers = (cpu_s / hours for cpu_s in in_turn(*works, measure=child_cpu_s))
    path.unlink()
    return Row(form.upper(), ours, "`ffmpeg`", peers[0] if peers else None, [_BESIDE_FFMPEG])


def child_cpu_s(work: Work) -> float:
    """Return the CPU seconds of the processes that `work` starts and waits for, and of theirs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
