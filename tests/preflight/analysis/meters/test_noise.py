"""Speech is judged against what sounds, and noise only where the pauses are quieter than the speech."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.audio_measures import judged
from tests.support.make_audio import RATE, quiet, story


@pytest.mark.parametrize("room", ["digital", "room"])
def test_a_little_speech_in_a_long_silence_is_little_speech(room: str) -> None:
    long = quiet(40) if room == "room" else np.zeros(40 * RATE, np.float32)
    decoded, findings = judged(np.concatenate((long, story()[: 6 * RATE], long)), RATE)
    assert {"edge-silence", "little-speech"} <= set(findings)
    assert not {"unsure-voice", "no-speech"} & set(findings)
    assert len(findings["edge-silence"].spans) == 2
    assert decoded.measurements["leading_silence_s"] == pytest.approx(40, abs=1)


@pytest.mark.parametrize("dbfs", [-50, -60, -75])
def test_a_very_low_level_has_no_negative_ratio(dbfs: float) -> None:
    gain = 10 ** (dbfs / 20) / np.sqrt(np.mean(story() ** 2))
    faint = np.rint(story() * gain * 32768) / 32768
    decoded, findings = judged(faint, RATE)
    assert decoded.measurements.get("snr_db", 0.0) >= 0
    assert all("-" not in finding.message.split("dB above")[0][-6:] for finding in findings.values())


@pytest.mark.parametrize("seed", range(3))
def test_speech_under_louder_noise_has_no_ratio(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.5, len(story()))
    measured = judged(story() * 0.2 + noise, RATE)[0].measurements
    assert measured.get("snr_db", 0.0) >= 0
