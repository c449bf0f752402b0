"""Channels: the one with the voice is kept, inverted ones are found, and speakers are not summed silently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import preflight
from preflight.fixes.options import FixOptions
from tests.support.audio_measures import judged
from tests.support.make_audio import RATE, quiet, story, wav

N = len(story())


def noise(level: float, seed: int) -> Any:
    return (np.random.default_rng(seed).normal(0, level, N)).astype(np.float32)


def rules(report: preflight.Report) -> set[str]:
    return {finding.rule for finding in report.findings}


def written(path: Path, *channels: Any) -> Path:
    path.write_bytes(wav(np.stack(channels, axis=1).astype(np.float32)))
    return path


@pytest.mark.parametrize("at", [0, 2, 3])
def test_the_channel_with_the_voice_is_kept(at: int, tmp_path: Path) -> None:
    channels = [noise(0.02, seed) for seed in range(4)]  # louder than the voice's pauses, and steady
    channels[at] = story()
    fixed = preflight.fix(written(tmp_path / "field.wav", *channels), tmp_path / "out.wav")
    out, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert np.abs(out - story()).max() < 1e-4
    assert f"keep channel {at + 1} of 4" in next(edit.what for edit in fixed.edits if edit.name == "fold-down")


def test_an_inverted_pair_of_four_is_found_and_not_mixed(tmp_path: Path) -> None:
    path = written(tmp_path / "four.wav", story(), noise(0.001, 1), -0.9 * story(), noise(0.001, 2))
    report = preflight.check(path)
    assert {"too-many-channels", "out-of-phase"} <= rules(report)
    assert "1 and 3" in next(finding.message for finding in report.findings if finding.rule == "out-of-phase")
    preflight.fix(path, tmp_path / "out.wav")
    out, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert np.sqrt(np.mean(out**2)) == pytest.approx(np.sqrt(np.mean(story() ** 2)), rel=0.01)


def test_polarity_is_fixed_where_it_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path / "pair.wav", story(), -0.8 * story())
    fixed = preflight.fix(path, tmp_path / "out.wav", options=FixOptions(edits=frozenset({"fix-polarity"})))
    out, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert out.shape == (N, 2)
    assert np.abs(out[:, 1] - 0.8 * story()).max() < 1e-4
    assert fixed.after is not None
    assert "out-of-phase" not in rules(fixed.after)


def test_polarity_that_flips_halfway_is_found() -> None:
    sign = np.where(np.arange(N) < N // 2, 1, -1)
    decoded, findings = judged(np.stack((story(), sign * story()), axis=1), RATE)
    (span,) = findings["out-of-phase"].spans
    assert span == pytest.approx((N / 2 / RATE, N / RATE), abs=0.5)
    assert decoded.channels is not None
    assert decoded.channels.flipped


@pytest.mark.parametrize("sign", [1, -1])
def test_polarity_that_stays_does_not_flip(sign: int) -> None:
    decoded, _ = judged(np.stack((story() + noise(0.002, 1), sign * story() + noise(0.002, 2)), axis=1), RATE)
    assert decoded.channels is not None
    assert not decoded.channels.flipped
    assert decoded.channels.opposite == (() if sign > 0 else ((0, 1),))


@pytest.mark.parametrize("count", [2, 3])
def test_one_speaker_per_channel_is_a_finding(count: int, tmp_path: Path) -> None:
    channels = [np.tile(quiet(1), N // RATE + 1)[:N] for _ in range(count)]
    for turn, start in enumerate(range(0, N, 2 * RATE)):
        channels[turn % 2][start : start + 2 * RATE] = story()[start : start + 2 * RATE]
    path = written(tmp_path / "interview.wav", *channels)
    report = preflight.check(path)
    assert "separate-speakers" in rules(report)
    fixed = preflight.fix(path, tmp_path / "out.wav", options=FixOptions(edits=frozenset({"mono"})))
    assert "keep channel" in next(edit.what for edit in fixed.edits if edit.name == "fold-down")


def test_a_stereo_recording_of_one_voice_has_one_speaker() -> None:
    for other in (0.7 * np.roll(story(), 30), 0.3 * story(), 0.001 * noise(1, 3)):
        assert "separate-speakers" not in judged(np.stack((story(), other), axis=1), RATE)[1]
