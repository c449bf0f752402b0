"""Results do not depend on container, blocks, threads, processes or how many recordings are checked at a time."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import soundfile
from msgspec.structs import replace

import preflight
from preflight.analysis.analyze import analyze_source
from preflight.batch import analyze_many
from preflight.checks import analyze
from preflight.input.source import Source
from preflight.worker import process
from preflight.worker.pool import end_all
from tests.support import make_audio as making
from tests.support.make_audio import FIXTURES, RATE, quiet, talk
from tests.support.selection import parametrize_some
from tests.support.worker_jobs import count_jobs

F_SETPIPE_SZ: Final = 1031
"""Of Linux, fcntl(2)."""


def containers(channels: int) -> dict[str, bytes]:
    """The same samples, of 16 bits, in containers that lose none."""
    sound = talk(14)
    if channels == 2:
        sound = np.stack((sound, 0.7 * np.roll(sound, 40)), axis=1)
    sound = (np.rint(np.clip(3 * sound, -1, 1) * 32767) / 32768).astype(np.float32)  # it clips here and there
    sound[5 * RATE : 5 * RATE + 160] = 0  # a dropout
    return {
        "take.wav": making.wav(sound),
        "take.flac": making.wav(sound, form="FLAC"),
        "take.aiff": making.wav(sound, form="AIFF"),
        "take.caf": making.wav(sound, form="CAF"),
        "take.m4a": making.coded(sound, "ipod", "alac", rate=RATE),
        "take.mka": making.coded(sound, "matroska", "pcm_s16le", rate=RATE),
    }


@pytest.mark.parametrize("channels", [1, 2])
def test_the_container_makes_no_difference(channels: int, tmp_path: Path) -> None:
    seen = {}
    for name, data in containers(channels).items():
        (tmp_path / name).write_bytes(data)
        report = preflight.check(tmp_path / name)
        about_sound = [finding for finding in report.findings if not preflight.RULES[finding.rule].is_contract]
        seen[name] = (report.measurements, report.speech, about_sound)
    expected = seen["take.wav"]
    assert expected[1]
    assert {"clipped", "dropouts"} <= {finding.rule for finding in expected[2]}
    for name, sound in seen.items():
        assert sound == expected, name


@parametrize_some("block_samples", [997, 1 << 24], fast=1)
@pytest.mark.parametrize(
    "name", ["good.wav", "stereo.m4a", "good.mp3", "lossless.flac", "voice-message.ogg", "surround.m4a"]
)
def test_blocks_and_processes_make_no_difference(
    name: str, block_samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = FIXTURES / name
    expected = analyze(path)
    assert next(analyze_many([path])) == expected
    monkeypatch.setattr("preflight.limits.BLOCK_SAMPLES", block_samples)
    with Source.open(path) as source:
        found = analyze_source(source, measure_s=300.0)
    known = replace(found, name=expected.name, suffix=path.suffix, size=expected.size, sha256=expected.sha256)
    assert known == expected


@pytest.mark.parametrize("name", ["damaged.mp3", "surround.m4a", "truncated.wav", "text.mp3"])
def test_where_no_process_can_be_started_the_report_is_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    apart = preflight.check(FIXTURES / name)
    end_all()
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert preflight.check(FIXTURES / name) == apart


def minute(path: Path) -> Path:
    """A minute of sentences of 4 s, with a second of silence before each."""
    sentence, _ = soundfile.read(FIXTURES / "prompt.wav", dtype="float32")
    sound = np.tile(np.concatenate((quiet(1), sentence)), 12)
    path.write_bytes(making.wav(sound) if path.suffix == ".wav" else making.coded(sound, "ipod", "aac", rate=RATE))
    return path


@parametrize_some("name", ["minute.wav", "minute.m4a"], fast=1)
@pytest.mark.slow
def test_without_memfd_and_with_small_pipes_all_commands_work(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS: pipes of 64 KiB, no anonymous shared memory."""
    path = minute(tmp_path / name)
    options = preflight.FixOptions(start_s=5.0, end_s=30.0)

    def results(way: str) -> tuple[object, ...]:
        out = tmp_path / f"{way}{path.suffix}"
        fixed = preflight.fix(path, out, options=options)
        clip, _ = preflight.cut_prompt(path, tmp_path / f"{way}-prompt{path.suffix}", prompt_text="Some words.")
        return preflight.check(path), fixed.edits, out.read_bytes(), clip, preflight.prompt_clips(path)

    expected = results("linux")
    end_all()
    monkeypatch.delattr(os, "memfd_create", raising=False)
    popen = subprocess.Popen

    def with_small_pipes(*arguments: Any, **settings: Any) -> subprocess.Popen[bytes]:
        child = popen(*arguments, **settings)
        for pipe in filter(None, (child.stdin, child.stdout)):
            fcntl.fcntl(pipe, F_SETPIPE_SZ, 65536)
        return child

    if sys.platform == "linux":
        monkeypatch.setattr(subprocess, "Popen", with_small_pipes)
    monkeypatch.setattr(process, "_SILENT_S", 20.0)
    assert results("macos") == expected
    end_all()


@pytest.mark.parametrize("call", ["check", "fix", "prompt"])
def test_a_take_is_analyzed_once_per_command(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = minute(tmp_path / "minute.m4a")
    jobs = count_jobs(monkeypatch)
    out = tmp_path / "out.m4a"
    calls: dict[str, Callable[[], object]] = {
        "check": lambda: preflight.check(path),
        "fix": lambda: preflight.fix(path, out, options=preflight.FixOptions(start_s=5.0, end_s=30.0)),
        "prompt": lambda: preflight.cut_prompt(path, out, prompt_text="Some words."),
    }
    calls[call]()
    assert jobs.count(str(path)) == 1
    assert len(jobs) == (1 if call == "check" else 2)  # and what was written is checked


@pytest.mark.slow
def test_many_at_a_time_make_no_difference() -> None:
    names = ("good.m4a", "text.mp3", "damaged.mp3", "missing.wav", "stereo.m4a", "telephone.wav", "surround.m4a")
    paths = [FIXTURES / name for name in names]
    alone = [preflight.check(path) for path in paths]
    for workers in (1, 2, 3):
        assert list(preflight.check_many(paths, workers=workers)) == alone


@pytest.mark.parametrize("name", ["good.wav", "stereo.m4a", "damaged.mp3", "telephone.wav"])
def test_the_length_of_a_chunk_makes_no_difference(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Source.open(FIXTURES / name) as source:
        expected = analyze_source(source)
    monkeypatch.setattr("preflight.analysis.frames_and_spectra._ROWS_PER_CHUNK", 5)
    with Source.open(FIXTURES / name) as source:
        found = analyze_source(source)
    assert found.measurements == pytest.approx(expected.measurements, abs=0.11)  # some are rounded to 0.1
    for spans in ("speech", "pauses", "clipped", "dropouts", "clicks"):
        assert getattr(found, spans) == getattr(expected, spans)
