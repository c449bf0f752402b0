"""Peak memory of a check of ten minutes and of two hours; Linux only."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

import numpy as np
import soundfile

from benchmarks import recordings
from benchmarks.processes import family, peak_mb
from benchmarks.table import Promise, Row, Table
from benchmarks.timer import CHECKED, onetake

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SHORT_MIN: Final = 10
_LONG_MIN: Final = 120
_FORMS: Final = ("wav", "m4a")
_POLL_S: Final = 0.003
_BOUND: Final = Promise("under 200 MB", 200, "ours")
_CONSTANT: Final = Promise("within 10 % of ten minutes", 1.1)
_PROFILES: Final = {
    "default": ((), (_BOUND, _CONSTANT)),
    "everything measured": (("--ignore", "too-long,too-large"), (_BOUND,)),
}
_NOTE: Final = (
    "The peak resident memory (`VmHWM`) of the command and that of its worker process, added; libraries that both load "
    "count twice. 48 kHz stereo, 10^6 bytes. Everything is measured, and the level every 10 ms and the speech "
    "probability every 32 ms are kept; by default the part that `fix` keeps is then decoded and measured again. "
    "FFmpeg's index of the packets of an M4A takes about 90 bytes a packet, 15 MB an hour."
)


def tables(folder: Path) -> list[Table]:
    """Measure with recordings made in `folder`."""
    if sys.platform != "linux":
        return [Table("Memory", "MB", [], "Measured on Linux only.")]
    minute = recordings.stereo(60)
    rows = []
    for form in _FORMS:
        paths = {minutes: folder / f"{minutes}.{form}" for minutes in (_SHORT_MIN, _LONG_MIN)}
        for minutes, path in paths.items():
            if form == "m4a":
                recordings.repeated(recordings.stored(minute, "m4a"), minutes, path)
            else:
                write_wav(minute, minutes, path)
        rows += [_row(form, profile, paths) for profile in _PROFILES]
        for path in paths.values():
            path.unlink()
    return [Table("Memory", "MB", rows, _NOTE)]


def write_wav(minute: recordings.Sound, minutes: int, path: Path) -> None:
    """Write the same minute `minutes` times."""
    whole = np.rint(np.clip(minute, -1, 1) * 32767).astype(np.int16)
    with soundfile.SoundFile(path, "w", recordings.RATE, 2, "PCM_16") as file:
        for _ in range(minutes):
            file.write(whole)


def _row(form: str, profile: str, paths: dict[int, Path]) -> Row:
    flags, promises = _PROFILES[profile]
    short, long = (peaks_mb(onetake("check", paths[minutes], *flags)) for minutes in sorted(paths))
    what = f"{form.upper()} of two hours, {profile}: {_parts(long)}"
    return Row(what, sum(long), f"ten minutes: {_parts(short)}", sum(short), promises)


def _parts(peaks: Sequence[float]) -> str:
    return " + ".join(f"{peak:.0f}" for peak in peaks)


def peaks_mb(command: Sequence[str]) -> list[float]:
    """Return the peak memory of each process, the command's first."""
    peaks: dict[int, float] = {}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            for number in family(process.pid):
                peak = peak_mb(number)
                if peak is not None:  # peaks only grow; the first may be the parent's, before exec
                    peaks[number] = peak
            time.sleep(_POLL_S)
    finally:
        process.kill()
    if process.returncode not in CHECKED:
        raise RuntimeError(f"{command[0]} ended with status {process.returncode}")
    return list(peaks.values())
