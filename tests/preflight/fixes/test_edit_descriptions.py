"""What plans and results say about each change."""

from __future__ import annotations

import pytest

from preflight.fixes.edit_descriptions import (
    NO_DSP,
    DspSettings,
    cut_edit,
    dsp_edits,
    encoding_edits,
    gain_edit,
    remux_edit,
    scale_edit,
)
from preflight.fixes.encoding_target import Target
from preflight.fixes.options import EDIT_KINDS
from preflight.media.probe import Probe

MEASURED = {"integrated_loudness_lufs": -30.0, "true_peak_dbtp": -12.0}
WAV = Probe("wav", "pcm_s24le", 48_000, 2, bits=24)
NOTHING: frozenset[str] = frozenset()


def test_a_cut() -> None:
    edit = cut_edit((10.5, 70.5), 100.0, "too-long", "cut at pauses")
    assert (edit.name, edit.rule, edit.seconds, edit.safe) == ("cut", "too-long", -40.0, False)
    assert edit.what == "keep 0:10.5 to 1:10.5 of 1:40.0, cut at pauses"
    assert cut_edit((1.0, 2.0), 3.0, "edge-silence", "").name == "trim-silence"


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (DspSettings(invert=True), "fix-polarity"), (DspSettings(remove_dc=True), "remove-dc"),
        (DspSettings(high_pass_hz=80.0), "high-pass"), (DspSettings(hum_hz=50.0), "notch-hum"),
        (DspSettings(pauses=((1.0, 2.0), (5.0, 5.5))), "shorten-pauses"),
    ],
)  # fmt: skip
def test_each_step_of_the_processing_has_one_edit(settings: DspSettings, name: str) -> None:
    (edit,) = dsp_edits(settings, MEASURED)
    assert edit.name == name
    assert edit.what == EDIT_KINDS[name].description
    assert edit.safe == EDIT_KINDS[name].is_safe
    assert edit.seconds == (-1.5 if name == "shorten-pauses" else 0.0)


def test_no_processing_no_edit() -> None:
    assert dsp_edits(NO_DSP, MEASURED) == []
    assert not NO_DSP.changes_samples


@pytest.mark.parametrize(
    ("settings", "changes", "filters"),
    [
        (DspSettings(invert=True), True, False), (DspSettings(remove_dc=True), True, True),
        (DspSettings(high_pass_hz=80.0), True, True), (DspSettings(hum_hz=50.0), True, True),
        (DspSettings(gain_db=-1.0), True, False), (DspSettings(loudness_lufs=-20.0), True, False),
        (DspSettings(pauses=((1.0, 2.0),)), False, False),
    ],
)  # fmt: skip
def test_what_the_processing_changes(settings: DspSettings, changes: bool, filters: bool) -> None:
    assert (settings.changes_samples, settings.filters) == (changes, filters)


@pytest.mark.parametrize(
    ("lufs", "limit", "db", "words"),
    [
        (-24.0, False, 6.0, "normalize the loudness to -24 LUFS"),
        (-36.0, False, -6.0, "normalize the loudness to -36 LUFS"),
        (
            -16.0,
            False,
            9.0,
            "raise the loudness to -21.0 LUFS: -16 LUFS would bring a peak above -3 dBTP (use --limit)",
        ),
        (-16.0, True, 14.0, "normalize the loudness to -16 LUFS, and limit peaks at -3 dBTP"),
    ],
)
def test_loudness(lufs: float, limit: bool, db: float, words: str) -> None:
    (edit,) = dsp_edits(DspSettings(loudness_lufs=lufs, limit=limit), MEASURED)
    assert (edit.db, edit.what, edit.safe) == (db, words, False)


def test_loudness_that_was_not_measured() -> None:
    (edit,) = dsp_edits(DspSettings(loudness_lufs=-20.0), {})
    assert edit.db is None


def test_gain_and_scale() -> None:
    gain = gain_edit(-2.345, 1.3)
    assert (gain.what, gain.db) == ("lower the level by 2.3 dB: a peak at +1.3 dB would clip at full scale", -2.35)
    scale = scale_edit(32768.0)
    assert (scale.db, scale.rule, scale.what) == (-90.31, "float-scale", "divide the samples by 32768")


@pytest.mark.parametrize(
    ("tracks", "words"),
    [
        ({}, "copy the AAC audio unchanged into a new M4A"),
        ({"audio_tracks": 3, "audio_track": 1}, "copy the AAC audio unchanged into a new M4A (audio track 2 of 3)"),
    ],
)
def test_copied_packets(tracks: dict[str, int], words: str) -> None:
    edit = remux_edit(Probe("mov", "aac", 48_000, 2, **tracks), "m4a", "unsupported-format", size_change=-7)  # type: ignore[arg-type]
    assert (edit.what, edit.safe, edit.bytes) == (words, True, -7)


@pytest.mark.parametrize(
    ("target", "container", "expected"),
    [
        (Target(48_000, 2, 24), "wav", [("convert", "write WAV (24-bit PCM)", True)]),
        (Target(48_000, 2, bit_rate_bps=320_000), "mp3",
         [("convert", "write MP3 (320 kbit/s, encoded once)", False)]),
        (Target(44_100, 2), "wav",
         [("resample", "resample from 48000 Hz to 44100 Hz", False), ("convert", "write WAV (16-bit PCM)", True)]),
        (Target(96_000, 2), "wav",
         [("resample", "resample from 48000 Hz to 96000 Hz", True), ("convert", "write WAV (16-bit PCM)", True)]),
        (Target(48_000, 1, downmix=(0.5, 0.5)), "wav",
         [("fold-down", "downmix 2 channels to mono", False), ("convert", "write WAV (16-bit PCM)", True)]),
        (Target(48_000, 1, downmix=(0.0, 1.0)), "wav",
         [("fold-down", "keep channel 2 of 2, which has the voice", False),
          ("convert", "write WAV (16-bit PCM)", True)]),
    ],
)  # fmt: skip
def test_encoding(target: Target, container: str, expected: list[tuple[str, str, bool]]) -> None:
    edits = encoding_edits(WAV, container, target, NOTHING, size_change=5)  # type: ignore[arg-type]
    assert [(edit.name, edit.what, edit.safe) for edit in edits] == expected
    assert edits[-1].bytes == 5


@pytest.mark.parametrize(
    ("found", "rule", "safe"),
    [
        ({"false-stereo"}, "false-stereo", True), ({"dead-channel"}, "dead-channel", False),
        ({"too-many-channels", "false-stereo"}, "too-many-channels", False), (set(), "", False),
    ],
)  # fmt: skip
def test_the_finding_that_a_downmix_fixes(found: set[str], rule: str, safe: bool) -> None:
    target = Target(48_000, 1, downmix=(1.0, 0.0))
    edit, _ = encoding_edits(WAV, "wav", target, frozenset(found), size_change=0)
    assert (edit.rule, edit.safe) == (rule, safe)


def test_the_audio_track_that_is_used() -> None:
    facts = Probe("matroska", "opus", 48_000, 2, audio_tracks=2, audio_track=1)
    (edit,) = encoding_edits(facts, "wav", Target(48_000, 2), NOTHING, size_change=0)
    assert edit.what == "write WAV (16-bit PCM) from audio track 2 of 2"
