"""Analyses for tests of the rules: a good recording, changed in one respect."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from preflight.analysis.analysis import Analysis
from preflight.media.probe import Probe
from preflight.media.wav_header import WavHeader
from preflight.profile import DEFAULT, Profile
from preflight.report import Finding
from preflight.rules import RULES

WAV: Final = Probe("wav", "pcm_s16le", 44_100, 1, bits=16, estimated_duration_s=60.0)
MP3: Final = Probe("mp3", "mp3", 44_100, 1, estimated_duration_s=60.0)
M4A: Final = Probe("m4a", "aac", 44_100, 1, estimated_duration_s=60.0)
HEADER: Final = WavHeader("pcm_s16le", 44_100, 1, 2, 16, 44, 88_200, 88_200, declared_bits=16)
MEASUREMENTS: Final = {
    "rms_dbfs": -20.0,
    "sample_peak_dbfs": -3.0,
    "speech_level_dbfs": -18.0,
    "clipped_percent": 0.0,
    "speech_s": 50.0,
    "speech_percent": 80.0,
    "speech_of_sound_percent": 90.0,
    "voice_like_s": 30.0,
    "leading_silence_s": 0.5,
    "trailing_silence_s": 0.5,
    "longest_pause_s": 0.5,
    "noise_floor_dbfs": -65.0,
    "snr_db": 45.0,
    "digital_silence_percent": 0.0,
    "hum_db": 2.0,
    "hum_dbfs": -80.0,
    "hum_hz": 50.0,
    "bandwidth_hz": 15_000.0,
    "dc_offset_percent": 0.0,
    "channel_difference_db": 0.5,
    "fold_down_loss_db": 0.5,
    "side_level_db": -20.0,
    "measured_s": 60.0,
}
GOOD: Final = Analysis(
    suffix=".wav",
    size=5_000_000,
    probe=WAV,
    decoded_s=60.0,
    measured_s=60.0,
    measurements=MEASUREMENTS,
    speech=((0.5, 30.0), (30.5, 59.5)),
)
"""One minute of clean speech, for which no rule has a finding."""


def changed(measurements: dict[str, float] | None = None, **fields: Any) -> Analysis:
    """Return `GOOD` with other fields, and with other values for some measurements."""
    return msgspec.structs.replace(GOOD, measurements={**GOOD.measurements, **(measurements or {})}, **fields)


def seconds(duration_s: float, **fields: Any) -> Analysis:
    """Return `GOOD` with another duration."""
    return changed(decoded_s=duration_s, **fields)


def headers_only(probe: Probe, **fields: Any) -> Analysis:
    """Return the analysis of a recording of which only the headers were read."""
    return Analysis(suffix=".wav", size=5_000_000, method="headers", probe=probe, **fields)


def findings(rule: str, analysis: Analysis, profile: Profile = DEFAULT) -> list[Finding]:
    """Return the findings of one rule."""
    return list(RULES[rule].judge(profile.apply(RULES[rule]), analysis))


def finding(rule: str, analysis: Analysis) -> Finding:
    """Return the only finding of one rule."""
    (found,) = findings(rule, analysis)
    return found
