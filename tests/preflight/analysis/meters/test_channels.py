"""Channels: DC offset, correlation and layout."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import preflight
from preflight.analysis.analysis import ChannelFacts
from preflight.analysis.meters.channels import ChannelMeter, LayoutMeter
from preflight.fixes.options import FixOptions
from tests.support.audio_measures import judged
from tests.support.chunks import measured_by, sine, white_noise
from tests.support.make_audio import RATE, quiet, story, wav

TONE = sine(1000, 2, RATE, 0.5)


def relation(*channels: Any) -> dict[str, float]:
    return measured_by(ChannelMeter, np.stack(channels, axis=1), RATE).measurements()


@pytest.mark.parametrize("offset", [0.0, 0.01, -0.25])
def test_the_offset_of_one_channel(offset: float) -> None:
    assert relation(TONE + offset) == {"dc_offset_percent": pytest.approx(100 * offset, abs=1e-3)}


def test_offsets_of_two_channels() -> None:
    found = relation(TONE + 0.02, TONE - 0.05)
    assert found["left_dc_offset_percent"] == pytest.approx(2)
    assert found["right_dc_offset_percent"] == pytest.approx(-5)
    assert found["dc_offset_percent"] == pytest.approx(-5)  # the one that is further from zero


def test_identical_channels() -> None:
    found = relation(TONE, TONE)
    assert found["channel_difference_db"] == 0
    assert found["channel_correlation"] == 1
    assert found["fold_down_loss_db"] == 0
    assert found["side_level_db"] == -120


@settings(max_examples=10, deadline=None)
@given(st.floats(0.05, 0.95))
def test_one_channel_fainter_than_the_other(gain: float) -> None:
    """Left 1, right g: mid (1 + g) / 2, side (1 - g) / 2."""
    found = relation(TONE, gain * TONE)
    assert found["channel_difference_db"] == pytest.approx(-20 * math.log10(gain), abs=0.01)
    assert found["channel_correlation"] == pytest.approx(1, abs=1e-4)
    loss = 10 * math.log10((1 + gain**2) / 2 / ((1 + gain) / 2) ** 2)
    assert found["fold_down_loss_db"] == pytest.approx(loss, abs=0.01)
    assert found["side_level_db"] == pytest.approx(20 * math.log10((1 - gain) / (1 + gain)), abs=0.05)


def test_inverted_channels_cancel() -> None:
    found = relation(TONE, -TONE)
    assert found["channel_correlation"] == -1
    assert found["fold_down_loss_db"] > 60
    assert found["side_level_db"] > 60


def test_independent_channels_lose_3_db() -> None:
    found = relation(white_noise(0.1, 10 * RATE), white_noise(0.1, 10 * RATE, seed=2))
    assert found["channel_correlation"] == pytest.approx(0, abs=0.01)
    assert found["fold_down_loss_db"] == pytest.approx(3.01, abs=0.05)
    assert found["side_level_db"] == pytest.approx(0, abs=0.1)


def test_the_relation_ignores_the_offsets() -> None:
    plain, shifted = relation(TONE, 0.5 * TONE), relation(TONE + 0.2, 0.5 * TONE - 0.1)
    for name in ("channel_difference_db", "channel_correlation", "fold_down_loss_db", "side_level_db"):
        assert shifted[name] == pytest.approx(plain[name], abs=0.01)


def test_silence_has_finite_values() -> None:
    found = relation(np.zeros(RATE), np.zeros(RATE))
    assert found["channel_difference_db"] == 0
    assert all(math.isfinite(value) for value in found.values())


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
    channels = [noise(0.02, seed) for seed in range(4)]  # louder than the voice's pauses, and constant
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


def test_polarity_is_fixed_on_request(tmp_path: Path) -> None:
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


def layout(*channels: Any) -> ChannelFacts:
    return measured_by(LayoutMeter, np.stack(channels, axis=1), RATE).facts()


def test_levels_are_those_of_each_channel() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(2 * RATE) / RATE)
    facts = layout(tone, 0.1 * tone, np.zeros(2 * RATE))
    assert facts.levels_dbfs == (-3.01, -23.01, -120)
    assert facts.opposite == ()


@pytest.mark.parametrize("gain", [1.0, 0.3, -0.3, -1.0])
def test_the_correlation_of_two_channels(gain: float) -> None:
    facts = layout(story(), gain * story())
    assert facts.correlation == pytest.approx(1 if gain > 0 else -1, abs=1e-6)
    assert facts.opposite == (() if gain > 0 else ((0, 1),))


def test_the_correlation_with_added_noise() -> None:
    """Signal and noise of the same power: r = 1 / sqrt(2)."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(20 * RATE) / RATE)
    hiss = np.random.default_rng(4).normal(0, np.sqrt(0.5), 20 * RATE)
    assert layout(tone, tone + hiss).correlation == pytest.approx(np.sqrt(0.5), abs=0.005)


def test_a_channel_far_below_is_not_opposite() -> None:
    assert layout(story(), -0.005 * story()).opposite == ()  # 46 dB below: crosstalk


def test_the_seconds_that_a_channel_is_alone() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(6 * RATE) / RATE)
    time = np.arange(6 * RATE) / RATE
    facts = layout(tone * (time < 4), tone * (time >= 3))
    assert facts.alone_s == pytest.approx((3, 2), abs=0.02)
    assert facts.speakers == (0, 1)
    assert layout(tone * (time < 5.5), tone * (time >= 5)).speakers == ()  # half a second is a cough


def test_the_best_channel_has_contrast_not_level() -> None:
    assert layout(noise(0.3, 1), 0.2 * story()).best == 1


def test_rows_that_are_too_quiet_do_not_flip() -> None:
    sign = np.where(np.arange(N) < N // 2, 1, -1)
    faint = 1e-4 * story()
    assert layout(faint, sign * faint).flipped == ()


def test_the_levels_of_eight_channels_follow_their_order() -> None:
    """Each channel is 6.02 dB below the one before; the reverse order gives the reverse levels."""
    sound = sine(1000, 1, RATE)[:, np.newaxis] * 0.5 ** np.arange(1, 9)
    found = layout(*sound.T)
    assert found.levels_dbfs == pytest.approx([-3.01 - 6.02 * number for number in range(1, 9)], abs=0.02)
    assert found.best == 0
    turned = layout(*sound.T[::-1])
    assert turned.levels_dbfs == found.levels_dbfs[::-1]
    assert turned.best == 7


def test_channels_that_sound_in_turn_are_alone_for_as_long() -> None:
    """Channel n sounds for n + 1 seconds."""
    sound = np.zeros((6 * RATE, 3))
    for channel, start in enumerate((0, 1, 3)):
        sound[start * RATE : (start + channel + 1) * RATE, channel] = sine(1000, channel + 1, RATE, 0.1)
    assert layout(*sound.T).alone_s == pytest.approx((1, 2, 3), abs=0.02)


@pytest.mark.parametrize(("ratio_db", "is_alone"), [(9, False), (11, True)])
def test_a_channel_is_alone_10_db_above_the_others(ratio_db: float, is_alone: bool) -> None:
    loud = sine(1000, 2, RATE, 0.3)
    found = layout(loud, 10 ** (-ratio_db / 20) * loud).alone_s
    assert found == ((2.0 if is_alone else 0.0), 0.0)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_pairs_of_opposite_channels_are_named(count: int) -> None:
    """Of eight equal channels, so many are inverted: each of them is opposite to each of the others."""
    sound = np.tile(white_noise(0.1, RATE)[:, np.newaxis], 8)
    sound[:, :count] *= -1
    expected = {(one, other) for one in range(count) for other in range(count, 8)}
    assert set(layout(*sound.T).opposite) == expected


@pytest.mark.parametrize("angle", [0.0, 0.3, 1.0, math.pi / 2, 2.5])
def test_the_correlation_of_two_phases_is_the_cosine(angle: float) -> None:
    at = 2 * np.pi * 1000 * np.arange(RATE) / RATE
    found = relation(0.3 * np.sin(at), 0.1 * np.sin(at + angle))
    assert found["channel_correlation"] == pytest.approx(math.cos(angle), abs=1e-3)
    assert found["channel_difference_db"] == pytest.approx(9.54, abs=0.01)


def test_one_sample() -> None:
    found = relation([0.5], [0.5])
    assert found["dc_offset_percent"] == 50
    assert all(math.isfinite(value) for value in found.values())
