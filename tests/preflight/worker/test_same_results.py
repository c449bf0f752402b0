"""What a check says does not depend on container, blocks, processes or how many are checked at a time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import preflight
from preflight.analysis.analyze import listen
from preflight.analysis.decode_session import DecodeSession
from preflight.checks import examine
from preflight.input.source import Source
from preflight.worker import process
from preflight.worker.pool import end_all
from tests.support import make_audio as making
from tests.support.make_audio import FIXTURES, RATE, talk


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


@pytest.mark.parametrize("block_samples", [997, 1 << 24])
@pytest.mark.parametrize("name", ["good.wav", "stereo.m4a", "good.mp3", "lossless.flac", "voice-message.ogg"])
def test_the_blocks_and_the_process_make_no_difference(
    name: str, block_samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = FIXTURES / name
    by_sound, apart = examine(path).subject, examine(path, whole=True).subject
    monkeypatch.setattr("preflight.limits.BLOCK_SAMPLES", block_samples)
    with Source.open(path) as source:
        here = DecodeSession(source)
        decoded, _ = listen(here, 300.0)
    assert decoded is not None
    assert decoded == apart.decoded == by_sound.decoded
    assert here.probe == apart.probe == by_sound.probe


@pytest.mark.parametrize("name", ["damaged.mp3", "surround.m4a", "truncated.wav", "text.mp3"])
def test_where_no_process_can_be_started_the_report_is_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    apart = preflight.check(FIXTURES / name)
    end_all()
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert preflight.check(FIXTURES / name) == apart


def long_take(name: str, folder: Path) -> Path:
    """A minute at 44.1 kHz: many times what any pipe holds, in both directions."""
    sound = np.tile(talk(12), 5)
    path = folder / name
    path.write_bytes(making.wav(sound) if path.suffix == ".wav" else making.coded(sound, "ipod", "aac", rate=RATE))
    return path


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="there is no shared memory here anyway")
@pytest.mark.parametrize("pipe_bytes", [4096, 65536])
@pytest.mark.parametrize("name", ["minute.wav", "minute.m4a"])
def test_without_shared_memory_and_with_small_pipes_nothing_waits_for_ever(
    name: str, pipe_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS. Both pipes fill up when the sound goes one way and what the detector hears the other."""
    path = long_take(name, tmp_path)
    options = preflight.FixOptions(start_s=5.0, end_s=30.0)
    outputs = [tmp_path / f"{way}{path.suffix}" for way in ("shared", "piped")]
    shared, fixed = preflight.check(path), preflight.fix(path, outputs[0], options=options)
    end_all()
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setattr(process, "_PIPE_BYTES", pipe_bytes)
    monkeypatch.setattr(process, "_SILENT_S", 20.0)
    assert preflight.check(path) == shared
    assert preflight.fix(path, outputs[1], options=options).edits == fixed.edits
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    end_all()


def test_many_at_a_time_make_no_difference() -> None:
    names = ("good.m4a", "text.mp3", "damaged.mp3", "missing.wav", "stereo.m4a", "telephone.wav", "surround.m4a")
    paths = [FIXTURES / name for name in names]
    alone = [preflight.check(path) for path in paths]
    for workers in (1, 2, 3):
        assert list(preflight.check_many(paths, workers=workers)) == alone
