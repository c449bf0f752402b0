"""Whole runs of `fix` with options: format, part to keep, loudness, hum, offset, pauses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import preflight
from preflight import FixOptions
from tests.support.make_audio import FIXTURES, PAUSE_S, RATE, at_rate, quiet, story, talk, wav
from tests.support.selection import parametrize_some

SPEECH = talk(24)


def edited(sound: Any, folder: Path, rate: int = RATE, ending: str = ".wav", **options: Any) -> preflight.Fixed:
    path = folder / "take.wav"
    path.write_bytes(wav(sound, rate, "FLOAT"))
    fixed = preflight.fix(path, folder / f"out{ending}", options=FixOptions(**options), force=True)
    assert fixed.after is not None
    assert fixed.after.verdict == "ready"
    return fixed


def measured(fixed: preflight.Fixed) -> dict[str, float]:
    assert fixed.after is not None
    return fixed.after.measurements


def rules(fixed: preflight.Fixed) -> set[str]:
    assert fixed.after is not None
    return {finding.rule for finding in fixed.after.findings}


@parametrize_some("gain_db", [-40, -20, 0], fast=1)
@pytest.mark.parametrize("ending", [".wav", ".m4a", ".mp3"])
def test_the_loudness_is_normalized_with_one_gain(gain_db: float, ending: str, tmp_path: Path) -> None:
    sound = SPEECH * np.float32(10 ** (gain_db / 20))
    fixed = edited(sound, tmp_path, ending=ending, to=ending[1:], loudness_lufs=-24.0)
    assert measured(fixed)["integrated_loudness_lufs"] == pytest.approx(-24, abs=0.2)
    if ending == ".wav":
        out, _ = soundfile.read(tmp_path / "out.wav", dtype="float64")
        factor = out @ sound / (sound @ sound.astype(np.float64))
        assert np.abs(out - factor * sound).max() < 2e-4  # dither and the last bit


def test_the_gain_stops_where_a_peak_reaches_the_limit(tmp_path: Path) -> None:
    fixed = edited(SPEECH, tmp_path, loudness_lufs=-10.0)
    assert measured(fixed)["true_peak_dbtp"] == pytest.approx(-3, abs=0.1)
    assert measured(fixed)["integrated_loudness_lufs"] < -15


@parametrize_some("rate", [16_000, 48_000], fast=1)
def test_with_a_limiter_the_target_loudness_is_reached(rate: int, tmp_path: Path) -> None:
    sound = SPEECH if rate == RATE else np.repeat(SPEECH, 3)
    fixed = edited(sound, tmp_path, rate, loudness_lufs=-14.0, limit=True)
    assert measured(fixed)["integrated_loudness_lufs"] == pytest.approx(-14, abs=0.2)
    assert measured(fixed)["true_peak_dbtp"] == pytest.approx(-3, abs=0.1)
    out = soundfile.info(tmp_path / "out.wav")
    assert out.frames == len(sound)


def test_silence_has_no_loudness(tmp_path: Path) -> None:
    path = tmp_path / "quiet.wav"
    path.write_bytes(wav(0.0004 * SPEECH, subtype="FLOAT"))
    with pytest.raises(preflight.CannotFix, match="too quiet"):
        preflight.fix(
            path,
            tmp_path / "out.wav",
            options=FixOptions(loudness_lufs=-20.0),
            profile=preflight.PROFILES["default"].changed(ignore=["no-speech"]),
        )
    assert not (tmp_path / "out.wav").exists()


def test_offset_and_hum_and_rumble(tmp_path: Path) -> None:
    time = np.arange(len(SPEECH)) / RATE
    hum = sum(0.02 / number * np.sin(2 * np.pi * 60 * number * time) for number in range(1, 5))
    spoiled = (0.5 * SPEECH + 0.08 + hum + 0.05 * np.sin(2 * np.pi * 25 * time)).astype(np.float32)
    before = preflight.check(_written(spoiled, tmp_path))
    assert {"dc-offset", "hum"} <= {finding.rule for finding in before.findings}
    fixed = edited(spoiled, tmp_path, edits=frozenset({"remove-dc", "notch-hum", "high-pass"}))
    assert not {"dc-offset", "hum"} & rules(fixed)
    assert measured(fixed)["snr_db"] > before.measurements["snr_db"] + 10
    assert [edit.rule for edit in fixed.edits] == ["dc-offset", "", "hum", ""]
    everything = edited(spoiled, tmp_path, unsafe=True)
    assert not {"dc-offset", "hum"} & rules(everything)
    assert "high-pass" not in [edit.name for edit in everything.edits]


def _written(sound: Any, folder: Path) -> Path:
    path = folder / "before.wav"
    path.write_bytes(wav(sound, subtype="FLOAT"))
    return path


def test_edits_that_change_the_sound_are_made_only_on_request(tmp_path: Path) -> None:
    fixed = edited(SPEECH + 0.08, tmp_path)
    assert (fixed.action, fixed.edits) == ("keep", ())
    assert "dc-offset" in rules(fixed)


@pytest.mark.parametrize("second", [1.0, -1.0, 0.0])
def test_one_channel_of_two(second: float, tmp_path: Path) -> None:
    fixed = edited(np.stack([SPEECH, np.float32(second) * SPEECH], axis=1), tmp_path, edits=frozenset({"mono"}))
    out, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert out.ndim == 1
    assert np.abs(out - SPEECH).max() < 2**-14
    rule = {1.0: "false-stereo", -1.0: "out-of-phase", 0.0: "dead-channel"}[second]
    assert next((edit.rule, edit.safe) for edit in fixed.edits) == (rule, second == 1.0)


def test_long_pauses_are_shortened(tmp_path: Path) -> None:
    sound = np.concatenate([story(), quiet(5), story(), quiet(0.8), story()])
    fixed = edited(sound, tmp_path, edits=frozenset({"shorten-pauses"}))
    assert fixed.after is not None
    lost = len(sound) / RATE - (fixed.after.file.duration_s or 0)
    assert lost == pytest.approx(4, abs=0.7)
    assert lost == pytest.approx(-sum(edit.seconds for edit in fixed.edits), abs=0.01)
    assert measured(fixed)["longest_pause_s"] == pytest.approx(1, abs=0.4)
    out, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert np.abs(out[: len(story())] - sound[: len(story())]).max() < 2**-14
    assert np.abs(out[-len(story()) :] - sound[-len(story()) :]).max() < 2**-14


def test_silence_at_the_ends_is_cut_away(tmp_path: Path) -> None:
    sound = np.concatenate([quiet(12), SPEECH, quiet(14)])
    fixed = edited(sound, tmp_path, edits=frozenset({"trim-silence"}))
    assert fixed.after is not None
    assert fixed.after.file.duration_s == pytest.approx(24.8, abs=0.6)
    assert next((edit.name, edit.safe) for edit in fixed.edits) == ("trim-silence", True)
    # what has to be written anyway is trimmed, too; what is ready stays as it is
    path = tmp_path / "take.flac"
    path.write_bytes(wav(sound, form="FLAC"))
    assert [edit.name for edit in preflight.plan(path).edits] == ["trim-silence", "convert"]
    assert edited(sound, tmp_path).action == "keep"
    assert edited(SPEECH, tmp_path, edits=frozenset({"trim-silence"})).action == "keep"


def test_a_requested_part(tmp_path: Path) -> None:
    fixed = edited(SPEECH, tmp_path, start_s=3.0, end_s=15.5)
    assert fixed.after is not None
    assert fixed.after.file.duration_s == pytest.approx(12.5, abs=1e-6)
    for start, end, words in ((3.0, 9.0, "below the 0:10.0 minimum"), (23.0, None, "below the 0:10.0 minimum")):
        with pytest.raises(preflight.CannotFix, match=words):
            preflight.plan(tmp_path / "take.wav", options=FixOptions(start_s=start, end_s=end))


@pytest.mark.parametrize("to", ["wav", "m4a", "mp3"])
def test_another_format(to: str, tmp_path: Path) -> None:
    fixed = preflight.fix(FIXTURES / "good.m4a", tmp_path, options=FixOptions(to=to))  # type: ignore[arg-type]
    assert fixed.after is not None
    assert (fixed.after.file.container, fixed.action) == (to, "keep" if to == "m4a" else "convert")


@pytest.mark.slow
def test_the_best_part_has_the_most_clean_speech(tmp_path: Path) -> None:
    said, spoiled = talk(150), np.clip(talk(150) * 8, -0.5, 0.5)
    path = tmp_path / "long.wav"
    sound = np.concatenate([spoiled, quiet(60), said, quiet(PAUSE_S), said])
    path.write_bytes(wav(sound))
    window = {keep: _window(path, keep) for keep in ("best", "start")}
    assert window["best"][0] > 150
    assert window["start"][0] == 0
    assert window["best"][1] - window["best"][0] > 280


def _window(path: Path, keep: Any) -> tuple[float, float]:
    fixed = preflight.fix(path, path.with_name("out.wav"), options=FixOptions(keep=keep), force=True)
    before, _ = soundfile.read(path, dtype="float32")
    after, _ = soundfile.read(path.with_name("out.wav"), dtype="float32")
    assert fixed.lossless
    piece = after[RATE : 3 * RATE]
    starts = np.flatnonzero(before[: len(before) - len(piece)] == piece[0]).tolist()
    at = next(at for at in starts if np.array_equal(before[at : at + len(piece)], piece))
    return at / RATE - 1, at / RATE - 1 + len(after) / RATE


def test_music_and_faint_speech_at_the_ends_are_not_silence(tmp_path: Path) -> None:
    tone = (0.1 * np.sin(np.arange(8 * RATE) * 0.1)).astype(np.float32)
    for ends in (tone, 0.02 * story()):
        path = tmp_path / "take.flac"
        path.write_bytes(wav(np.concatenate([quiet(4), SPEECH, quiet(1), ends]), form="FLAC"))
        (edit, *_) = preflight.plan(path).edits
        assert edit.name == "trim-silence"
        assert edit.seconds == pytest.approx(-3.5, abs=0.3)


@parametrize_some(("rate", "channels"), [(16_000, 1), (44_100, 1), (44_100, 2), (48_000, 2)], fast=1)
def test_mp3_is_as_loud_as_its_source(rate: int, channels: int, tmp_path: Path) -> None:
    sound = np.repeat(SPEECH, 3) if rate > RATE else SPEECH
    fixed = edited(np.stack([sound] * channels, axis=1), tmp_path, rate, ".mp3", to="mp3")
    assert measured(fixed)["rms_dbfs"] == pytest.approx(fixed.before.measurements["rms_dbfs"], abs=0.05)


@pytest.mark.slow
def test_a_loudness_out_of_reach_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(wav(SPEECH))
    with pytest.raises(preflight.CannotFix, match="even with limiting it reaches only"):
        preflight.fix(path, tmp_path / "out.wav", options=FixOptions(loudness_lufs=-9.0, limit=True))
    assert not (tmp_path / "out.wav").exists()
    (edit, *_) = preflight.plan(path, options=FixOptions(loudness_lufs=-10.0)).edits
    fixed = preflight.fix(path, tmp_path / "out.wav", options=FixOptions(loudness_lufs=-10.0))
    gained = measured(fixed)["integrated_loudness_lufs"] - fixed.before.measurements["integrated_loudness_lufs"]
    assert edit.db == pytest.approx(gained, abs=0.2)
    assert f"{measured(fixed)['integrated_loudness_lufs']:.0f}" in edit.what


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".m4a", ".mp3", ".wav"])
def test_a_requested_part_of_five_minutes_is_accepted(ending: str, tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav(at_rate(talk(310), 8000), 8000))
    fixed = preflight.fix(path, tmp_path / f"out{ending}", options=FixOptions(start_s=5.0, end_s=305.0))
    assert fixed.after is not None
    assert fixed.after.file.duration_s == pytest.approx(300, abs=0.6)


def test_only_pauses_in_what_is_kept_are_shortened(tmp_path: Path) -> None:
    sound = np.concatenate([story(), story(), quiet(5), story()])
    fixed = edited(sound, tmp_path, start_s=0.0, end_s=20.0, edits=frozenset({"shorten-pauses"}))
    assert fixed.after is not None
    removed_s = sum(edit.seconds for edit in fixed.edits)
    assert fixed.after.file.duration_s == pytest.approx(len(sound) / RATE + removed_s, abs=0.01)
    assert edited(SPEECH, tmp_path, edits=frozenset({"mono", "shorten-pauses"})).action == "keep"
