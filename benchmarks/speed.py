"""The full check of five minutes: the command beside ffmpeg, the function beside decoding alone and pydub."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING, Final

import av
import numpy as np
import soundfile

import preflight
from benchmarks import recordings
from benchmarks.table import Promise, Row, Table
from benchmarks.timer import CHECKED, in_turn, onetake, process

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.timer import Work

_SECONDS: Final = 299
"""AAC and MP3 of 300 s last longer with padding: too long, the part to keep is measured in a second pass."""
FFMPEG_FILTERS: Final = "ebur128=peak=true,astats,silencedetect"
_BESIDE_FFMPEG: Final = Promise("at most 0.6, aim 0.4", 0.6)
_BESIDE_DECODING: Final = Promise("within 3 times", 3)
_PROMISED_BESIDE_DECODING: Final = ("mp3", "m4a")
_BLOCK: Final = 1 << 16
_COLD_NOTE: Final = (
    f"`onetake check` of {_SECONDS} s of 48 kHz stereo (WAV of 16 bits, MP3 and M4A of 192 kbit/s) as a whole process, "
    f"beside `ffmpeg -af {FFMPEG_FILTERS}`, which measures loudness, true peak, statistics and silence, but no speech."
)
_WARM_NOTE: Final = (
    "The same recordings, `preflight.check` in a process that has called it before. Decoding is PyAV, packet by packet "
    "(`frame.to_ndarray()`), and for WAV soundfile in blocks of float32. pydub reads the whole file into memory, finds "
    "sound with `detect_nonsilent(seek_step=10)`, and measures the level with `dBFS`."
)


def tables(folder: Path) -> list[Table]:
    """Measure with recordings made in `folder`."""
    paths = {form: folder / f"take.{form}" for form in recordings.FORMS}
    sound = recordings.stereo(_SECONDS)
    for form, path in paths.items():
        path.write_bytes(recordings.stored(sound, form))
    cold = [_cold(form, path) for form, path in paths.items()]
    warm = [row for form, path in paths.items() for row in _warm(form, path)]
    return [
        Table("Five minutes, the command", "ms", cold, _COLD_NOTE),
        Table("Five minutes, the function", "ms", warm, _WARM_NOTE),
    ]


def _cold(form: str, path: Path) -> Row:
    works = [process(onetake("check", path), CHECKED)]
    if shutil.which("ffmpeg"):
        command = ["ffmpeg", "-v", "error", "-nostats", "-i", str(path), "-af", FFMPEG_FILTERS, "-f", "null", "-"]
        works.append(process(command))
    ours, *peers = in_turn(*works)
    return Row(form.upper(), ours, "`ffmpeg`", peers[0] if peers else None, [_BESIDE_FFMPEG])


def _warm(form: str, path: Path) -> list[Row]:
    decode = partial(_read if form == "wav" else _decode, path)
    has_pydub = bool(shutil.which("ffprobe") and shutil.which("ffmpeg"))
    works: list[Work] = [partial(_check, path), decode, *([partial(_pydub, path)] if has_pydub else [])]
    ours, decoding, *pydub = in_turn(*works)
    promises = [_BESIDE_DECODING] if form in _PROMISED_BESIDE_DECODING else []
    return [
        Row(form.upper(), ours, "decoding", decoding, promises),
        Row(form.upper(), ours, "pydub", pydub[0] if pydub else None),
    ]


def _check(path: Path) -> None:
    report = preflight.check(path)
    if "integrated_loudness_lufs" not in report.measurements or not report.speech:
        raise RuntimeError(f"{path.name} was not measured: {report.findings}")


def _decode(path: Path) -> float:
    last = np.zeros((1, 1))
    with av.open(str(path)) as container:
        for packet in container.demux(container.streams.audio[0]):
            for frame in packet.decode():
                last = np.asarray(frame.to_ndarray())
    return float(last[0, -1])


def _read(path: Path) -> float:
    last = np.zeros(1, np.float32)
    for block in soundfile.blocks(path, _BLOCK, dtype="float32"):
        last = block
    return float(last[-1, 0])


def _pydub(path: Path) -> tuple[list[list[int]], float]:
    from pydub import AudioSegment, silence

    sound = AudioSegment.from_file(path)
    return silence.detect_nonsilent(sound, seek_step=10), sound.dBFS
