"""A recording that is too long is judged by the part that `fix` keeps of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import preflight
from preflight.checks import analyze
from preflight.fixes.kept_part import kept_part
from tests.support import backgrounds
from tests.support import make_audio as making

pytestmark = pytest.mark.slow
RATE = making.RATE
SONG_S, NOISY_S, SILENCE_S, CLEAN_S = 60, 120, 20, 290


@pytest.fixture(scope="module")
def long_take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A song, a voice in noise, silence, a clean voice, and noise."""
    generator = np.random.default_rng(7)
    parts = (
        0.3 * backgrounds.chords(SONG_S, RATE) / 8,
        making.talk(NOISY_S) + generator.normal(0, 0.05, NOISY_S * RATE),
        making.quiet(SILENCE_S),
        making.talk(CLEAN_S),
        generator.normal(0, 0.05, 30 * RATE),
    )
    path = tmp_path_factory.mktemp("long") / "take.wav"
    path.write_bytes(making.wav(np.concatenate(parts).astype(np.float32)))
    return path


def test_the_kept_part_is_judged_and_named(long_take: Path) -> None:
    report = preflight.check(long_take)
    assert report.judged is not None
    start, end = report.judged
    begin = SONG_S + NOISY_S + SILENCE_S
    assert begin - 1 < start < begin + 10
    assert begin + 200 < end < begin + CLEAN_S + 1
    assert {finding.rule for finding in report.findings} == {"too-long"}
    assert "judged by the part that this keeps, 3:" in report.findings[0].message
    assert report.measurements["measured_s"] == pytest.approx(end - start, abs=0.1)
    assert report.measurements["snr_db"] > 35
    assert all(start - 0.1 <= a < b <= end + 0.1 for a, b in report.speech)


def test_the_kept_part_begins_and_ends_at_the_voice(long_take: Path, tmp_path: Path) -> None:
    fixed = preflight.fix(long_take, tmp_path / "fixed.wav")
    assert fixed.path is not None
    after = preflight.check(fixed.path)
    assert after.verdict == "ready"
    assert not after.findings
    assert after.measurements["leading_silence_s"] < 1
    assert after.measurements["trailing_silence_s"] < 1


def test_fix_keeps_what_check_has_judged(long_take: Path) -> None:
    assert kept_part(analyze(long_take, to_end=True)) == analyze(long_take).judged


def test_a_recording_of_five_minutes_is_judged_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(making.wav(making.talk(299)))
    report = preflight.check(path)
    assert report.judged is None
    assert report.measurements["measured_s"] == pytest.approx(299, abs=0.1)
