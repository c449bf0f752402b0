"""Fix a recording that is too long: without re-encoding, and in constant memory."""

from __future__ import annotations

import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

import preflight
from benchmarks import recordings
from benchmarks.memory import peaks_mb, write_wav
from benchmarks.table import Promise, Row, Table
from benchmarks.timer import in_turn, onetake, process
from preflight.profile import DEFAULT

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.timer import Work

_SECONDS: Final = 330
_KEPT_S: Final = 290
_LONG_MIN: Final = 60
_BEYOND: Final = Promise("under 200 ms", 200, "ours")
_BOUND: Final = Promise("under 200 MB", 200, "ours")
_NOTE: Final = (
    f"`preflight.fix` of {_SECONDS} s of 48 kHz stereo at 192 kbit/s, cut at a pause without re-encoding, in a process "
    "that has called it before. It checks the recording before and the result after, whose voices it compares because "
    "a cut may leave another speaker's words; `beyond` excludes these two checks. "
    f"`ffmpeg -c copy` is a process that cuts at exactly {_KEPT_S} s and checks nothing; pydub loads the whole file, "
    "cuts it and re-encodes it."
)
_MEMORY_NOTE: Final = (
    "`onetake fix` of an hour of 48 kHz stereo WAV, which keeps the best five minutes: the peak resident memory of the "
    "command and that of its worker process, added."
)


def tables(folder: Path) -> list[Table]:
    """Measure with recordings made in `folder`."""
    rows = [row for form in ("mp3", "m4a") for row in _cut(folder, form)]
    found = [Table("Fixing a long recording", "ms", rows, _NOTE)]
    return [*found, _memory(folder)] if sys.platform == "linux" else found


def _cut(folder: Path, form: str) -> list[Row]:
    path, out = folder / f"long.{form}", folder / f"cut.{form}"
    path.write_bytes(recordings.stored(recordings.stereo(_SECONDS), form))
    _fix(path, out)
    works: list[Work] = [partial(_fix, path, out), partial(_examine, path), partial(_verify, out)]
    peers: dict[str, Work] = {}
    if shutil.which("ffmpeg"):
        copied = folder / f"copied.{form}"
        command = ["ffmpeg", "-v", "error", "-y", "-i", str(path), "-t", str(_KEPT_S), "-c", "copy", str(copied)]
        peers = {"`ffmpeg -c copy`": process(command), "pydub": partial(_pydub, path, folder / f"pydub.{form}")}
    ours, before, after, *theirs = in_turn(*works, *peers.values(), rounds=3)
    beyond = Row(f"{form.upper()}, beyond the two checks", max(0.0, ours - before - after), promises=[_BEYOND])
    return [beyond, *(Row(form.upper(), ours, name, taken) for name, taken in zip(peers, theirs, strict=True))]


def _fix(path: Path, out: Path) -> None:
    fixed = preflight.fix(path, out, force=True)
    if fixed.action != "rewrap":
        raise RuntimeError(f"it was re-encoded: {fixed.edits}")


def _examine(path: Path) -> None:
    from preflight.checks import analyze

    analyze(path, to_end=True)


def _verify(out: Path) -> None:
    preflight.check(out, profile=DEFAULT.with_speakers())


def _pydub(path: Path, out: Path) -> None:
    from pydub import AudioSegment

    AudioSegment.from_file(path)[: _KEPT_S * 1000].export(
        out, "ipod" if out.suffix == ".m4a" else "mp3", bitrate="192k"
    )


def _memory(folder: Path) -> Table:
    path = folder / "hour.wav"
    write_wav(recordings.stereo(60), _LONG_MIN, path)
    peaks = peaks_mb(onetake("fix", path, "-o", folder / "best.m4a"))
    path.unlink()
    parts = " + ".join(f"{peak:.0f}" for peak in peaks)
    return Table("Fixing an hour", "MB", [Row(f"WAV: {parts}", sum(peaks), promises=[_BOUND])], _MEMORY_NOTE)
