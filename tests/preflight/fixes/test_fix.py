"""Whole runs of `fix`: only what is needed is changed, and cuts lie in pauses."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import preflight
from preflight.checks import analyze, report_of
from preflight.fixes.fix import fix_analyzed
from tests.support import make_audio as making
from tests.support.make_audio import NOISE_DBFS, PAUSE_S, RATE, coded, m4a, mp3, quiet, story, talk, wav

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.make_audio import Sound

pytestmark = pytest.mark.slow

FADE = RATE // 100
CLEAR = RATE // 10


def integers_of(path: Path | str, start: int = 0, stop: int | None = None) -> NDArray[np.int32]:
    sound, _ = soundfile.read(path, dtype="int32", start=start, stop=stop, always_2d=True)
    return np.asarray(sound, np.int32)


def level_dbfs(sound: NDArray[np.int32]) -> float:
    return float(10 * np.log10(np.mean((sound / 2.0**31) ** 2)))


def fixed_to(path: Path, out: Path) -> preflight.Fixed:
    fixed = preflight.fix(path, out)
    assert fixed.after is not None
    assert fixed.after.verdict == "ready"
    assert preflight.check(out).verdict == "ready"
    return fixed


def test_too_long_is_cut_inside_a_pause_and_otherwise_untouched(long_take: Path, tmp_path: Path) -> None:
    out = tmp_path / "cut.wav"
    fixed = fixed_to(long_take, out)
    kept = integers_of(out)
    assert fixed.lossless
    assert 10 * RATE <= len(kept) <= 300 * RATE
    assert len(kept) > 285 * RATE  # as much as the pauses allow
    given = integers_of(long_take, stop=len(kept) + CLEAR)
    assert np.array_equal(kept[:-FADE], given[: len(kept) - FADE])
    for near in (given[len(kept) - CLEAR : len(kept)], given[len(kept) :]):
        assert level_dbfs(near) < NOISE_DBFS + 3
    assert "cut at pauses" in fixed.edits[0].what


def test_a_long_mp3_is_cut_the_same_way(tmp_path: Path) -> None:
    path, out = tmp_path / "long.mp3", tmp_path / "cut.wav"
    path.write_bytes(mp3(making.at_rate(talk(320), 8000), 8000, bit_rate=24_000))
    fixed = fixed_to(path, out)
    assert (fixed.action, fixed.lossless) == ("convert", False)
    assert fixed.after is not None
    assert 285 < (fixed.after.file.duration_s or 0) < 300


def test_without_a_pause_a_long_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "drone.wav"
    path.write_bytes(wav(np.tile(story()[4 * RATE : 5 * RATE], 301), subtype="PCM_U8"))
    with pytest.raises(preflight.CannotFix, match="no pause"):
        preflight.fix(path, tmp_path / "out.wav")
    assert not (tmp_path / "out.wav").exists()


def test_too_large_becomes_a_smaller_wav_while_that_fits(tmp_path: Path) -> None:
    path, out = tmp_path / "large.wav", tmp_path / "fit.wav"
    sound = np.stack([making.at_rate(talk(64), 48_000)] * 2, axis=1)
    path.write_bytes(wav(sound, 48_000, "DOUBLE"))
    fixed = fixed_to(path, out)
    assert fixed.after is not None
    assert (fixed.after.file.codec, fixed.after.file.sample_rate_hz) == ("pcm_s24le", 48_000)
    assert out.stat().st_size <= 20_000_000
    assert not fixed.lossless
    again, _ = soundfile.read(out, dtype="float64")
    assert np.abs(again - sound).max() < 2 * 2**-23


def test_too_large_for_any_wav_becomes_m4a(tmp_path: Path) -> None:
    path = tmp_path / "large.wav"
    path.write_bytes(wav(np.stack([making.at_rate(talk(29), 192_000)] * 2, axis=1), 192_000))
    (tmp_path / "out").mkdir()
    fixed = preflight.fix(path, tmp_path / "out")
    assert fixed.after is not None
    assert (fixed.after.verdict, fixed.after.file.container, fixed.after.file.channels) == ("ready", "m4a", 2)
    assert fixed.after.file.bytes <= 20_000_000
    assert fixed.after.file.duration_s == pytest.approx(29, abs=0.05)
    with pytest.raises(preflight.CannotFix, match=r"a WAV would be 22\.3 MB"):
        preflight.fix(path, tmp_path / "out.wav")


def test_a_lossy_result_is_shorter_than_the_limit(tmp_path: Path) -> None:
    path, out = tmp_path / "almost.flac", tmp_path / "out.m4a"
    path.write_bytes(wav(making.at_rate(talk(299.95), 8000), 8000, form="FLAC"))
    fixed = fixed_to(path, out)
    assert fixed.after is not None
    assert (fixed.after.file.duration_s or 0) < 299.9
    assert "too-long" not in {finding.rule for finding in fixed.after.findings}


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_flac_becomes_the_same_samples(subtype: str, tmp_path: Path) -> None:
    path, out = tmp_path / "take.flac", tmp_path / "take.wav"
    path.write_bytes(wav(talk(12), form="FLAC", subtype=subtype))
    assert fixed_to(path, out).lossless
    assert np.array_equal(integers_of(path), integers_of(out))
    assert soundfile.info(out).subtype == subtype


@pytest.mark.parametrize(("muxer", "codec"), [("ipod", "alac"), ("mov", "pcm_s16le"), ("aiff", "pcm_s16be")])
def test_lossless_codings_become_the_same_samples(muxer: str, codec: str, tmp_path: Path) -> None:
    path, out = tmp_path / "take", tmp_path / "take.wav"
    sound = talk(12)
    path.write_bytes(coded(sound, muxer, codec))
    assert fixed_to(path, out).lossless
    assert np.abs(integers_of(out)[:, 0] / 2.0**31 - sound).max() <= 2**-15


def test_damage_is_cut_out(tmp_path: Path) -> None:
    path, out = tmp_path / "damaged.mp3", tmp_path / "whole.wav"
    path.write_bytes(making.rotten(mp3(talk(60)), 0.3, 2000))
    report = preflight.check(path)
    damage = next(finding for finding in report.errors if finding.rule == "damaged")
    assert damage.spans[0][0] == pytest.approx(18, abs=0.5)
    assert 0 < (damage.value or 0) < 0.5
    fixed = fixed_to(path, out)
    assert fixed.after is not None
    # from the first pause behind the damage (at 24.2 s) to the end
    assert fixed.after.file.duration_s == pytest.approx(60 - 24.2 + PAUSE_S / 2, abs=0.6)


def test_damage_that_leaves_too_little_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "damaged.mp3"
    path.write_bytes(making.rotten(mp3(talk(16)), 0.5, 2000))
    report = preflight.check(path)
    assert (report.verdict, [finding.fix for finding in report.errors]) == ("rejected", [None])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_nan_and_huge_samples_are_damage(value: float, tmp_path: Path) -> None:
    sound = talk(30)
    sound[14 * RATE : 14 * RATE + 4000] = value
    path, out = tmp_path / "float.wav", tmp_path / "whole.wav"
    path.write_bytes(wav(sound, subtype="FLOAT"))
    report = preflight.check(path)
    damage = next(finding for finding in report.errors if finding.rule == "damaged")
    assert damage.spans == ((14.0, 14.25),)
    assert all(np.isfinite(number) for number in report.measurements.values())
    fixed_to(path, out)
    kept, _ = soundfile.read(out, dtype="float32")
    # to the middle of the pause before the hole
    assert len(kept) == pytest.approx(len(story()) + PAUSE_S / 2 * RATE, abs=CLEAR)
    assert np.abs(kept - sound[: len(kept)])[:-FADE].max() < 2**-20


def test_a_downmix_keeps_the_level_of_the_voice(tmp_path: Path) -> None:
    path, out = tmp_path / "array.wav", tmp_path / "mono.wav"
    sound = talk(12)
    path.write_bytes(wav(np.stack([sound, sound, sound * 0, sound * 0], axis=1)))
    fixed = fixed_to(path, out)
    assert "keep channel 1 of 4, which has the voice" in [edit.what for edit in fixed.edits]
    assert not fixed.lossless
    again, _ = soundfile.read(out, dtype="float32")
    assert np.abs(again - sound).max() < 2**-14


def test_dither_is_the_same_every_time(tmp_path: Path) -> None:
    path = tmp_path / "take.m4a"
    path.write_bytes(coded(talk(12), "mov", "aac"))
    for name in ("one.wav", "two.wav"):
        fixed_to(path, tmp_path / name)
    assert (tmp_path / "one.wav").read_bytes() == (tmp_path / "two.wav").read_bytes()


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("ending", [".m4a", ".mp3"])
def test_every_sample_rate_can_be_encoded(rate: int, ending: str, tmp_path: Path) -> None:
    path, out = tmp_path / "take.flac", tmp_path / f"take{ending}"
    path.write_bytes(wav(making.at_rate(talk(11), rate), rate, form="FLAC"))
    fixed = fixed_to(path, out)
    assert fixed.after is not None
    assert fixed.after.file.duration_s == pytest.approx(11, abs=2 * 1152 / min(rate, 48_000))
    assert fixed.after.file.sample_rate_hz == min(rate, 48_000)
    assert fixed.after.measurements["rms_dbfs"] == pytest.approx(fixed.before.measurements["rms_dbfs"], abs=0.5)


@pytest.mark.parametrize("name", ["take.mp3", "take.m4a"])
def test_a_prompt_is_never_cut(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes((mp3 if name.endswith("mp3") else m4a)(np.concatenate((story(), quiet(1)))))
    with pytest.raises(preflight.CannotFix, match="shorter than"):
        preflight.fix(path, tmp_path / "out.wav", role="prompt", prompt_text="Words.")


FORMATS = {
    "take.wav": lambda: wav(talk(12)),
    "take.flac": lambda: wav(talk(12), form="FLAC"),
    "take.mp3": lambda: mp3(talk(12)),
    "take.m4a": lambda: m4a(talk(12)),
    "take.mov": lambda: coded(talk(12), "mov", "aac"),
    "take.ogg": lambda: coded(making.at_rate(talk(12), 48_000), "ogg", "libopus", rate=48_000),
}
OPTIONS = {
    "nothing": {},
    "part": {"start_s": 1.0, "end_s": 11.5},
    "mp3": {"to": "mp3"},
    "loudness": {"loudness_lufs": -26.0},
    "high-pass": {"edits": frozenset({"high-pass"})},
}


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", FORMATS)
def test_the_plan_is_what_is_done(name: str, options: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FORMATS[name]())
    wanted = preflight.FixOptions(**OPTIONS[options])  # type: ignore[arg-type]
    planned = preflight.plan(path, options=wanted)
    (tmp_path / "out").mkdir()
    fixed = preflight.fix(path, tmp_path / "out", options=wanted)
    assert fixed.after is not None
    assert fixed.after.verdict == "ready"
    assert (planned.path, planned.after) == (None, None)
    assert (planned.action, planned.lossless) == (fixed.action, fixed.lossless)
    # only an encoder's overshoot, which a plan cannot know, adds an edit
    names = [edit.name for edit in fixed.edits if edit.name != "gain"]
    assert [edit.name for edit in planned.edits if edit.name != "gain"] == names
    again = preflight.fix(fixed.path or "", tmp_path / f"again{Path(fixed.path or '').suffix}")
    assert (again.action, again.edits) == ("keep", ())


def test_a_ready_recording_is_copied_byte_for_byte(tmp_path: Path) -> None:
    for name in ("good.wav", "good.mp3", "good.m4a"):
        fixed = preflight.fix(making.FIXTURES / name, tmp_path)
        assert (fixed.action, fixed.lossless, fixed.edits) == ("keep", True, ())
        assert (tmp_path / name).read_bytes() == (making.FIXTURES / name).read_bytes()


def test_an_analyzed_recording_is_fixed_without_another_analysis(tmp_path: Path) -> None:
    path = tmp_path / "take.flac"
    path.write_bytes(wav(talk(12), form="FLAC"))
    analysis = analyze(path, to_end=True)
    done: list[tuple[float, float | None]] = []
    fixed = fix_analyzed(path, tmp_path / "out.wav", analysis, on_progress=lambda *seconds: done.append(seconds))
    assert fixed.before == report_of(analysis)
    starts = sum(1 for before, after in pairwise([(1e9, None), *done]) if after[0] < before[0])
    assert starts == 2  # writing the result, and checking it
    assert max(seconds for seconds, _ in done) > 10


@pytest.mark.parametrize(
    ("make", "suffix"),
    [(wav, ".wav"), (partial(wav, form="FLAC"), ".flac"), (lambda sound: coded(sound, "adts", "aac"), ".aac")],
    ids=["copied", "converted", "packets copied"],
)
def test_a_recording_that_changes_after_its_check_is_refused(
    make: Callable[[Sound], bytes], suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"take{suffix}"
    path.write_bytes(make(talk(12)))
    analysis = analyze(path, to_end=True)
    other = tmp_path / "other"
    other.write_bytes(make(talk(13)))
    other.replace(path)  # as a recorder or a synchronized folder does it
    with pytest.raises(preflight.CannotFix, match="changed after its check"):
        fix_analyzed(path, tmp_path / "out.wav" if suffix != ".aac" else tmp_path / "out.m4a", analysis)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_profile_may_not_change_the_contract(tmp_path: Path) -> None:
    profile = preflight.PROFILES["default"].changed(ignore=["too-short"])
    for call in (preflight.plan, lambda path, **settings: preflight.fix(path, tmp_path / "out.wav", **settings)):
        with pytest.raises(preflight.BadProfile):
            call(making.FIXTURES / "good.wav", profile=profile)


@pytest.mark.parametrize("role", ["recording", "prompt"])
def test_a_result_that_would_be_rejected_is_not_written(role: str, tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(wav(np.concatenate((quiet(6), story()[: 6 * RATE], quiet(6)))))
    options = preflight.FixOptions(start_s=0.0, end_s=5.5) if role == "prompt" else preflight.FixOptions(end_s=9.0)
    with pytest.raises(preflight.CannotFix):
        preflight.fix(path, tmp_path / "out.wav", role=role, options=options, prompt_text="Words.")  # type: ignore[arg-type]
    assert [file.name for file in tmp_path.iterdir()] == ["take.wav"]
