"""`fix` clips no peak: one gain brings peaks below full scale, and the plan says how much."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import preflight
from preflight.fixes.convert import FixJob, add_headroom, downmix, without_overshoot
from preflight.fixes.edit_descriptions import DspSettings, Edit
from preflight.fixes.encoding_target import Target
from preflight.fixes.options import FixOptions
from preflight.fixes.plan import Plan
from tests.support.fix_analyses import analysis_of, report_with
from tests.support.make_audio import FIXTURES, RATE, at_rate, coded, m4a, mp3, quiet, story, talk, wav

HOT = np.float32(2.0) * story() / np.abs(story()).max()
"""Speech that peaks at +6 dBFS."""


def decoded(path: Path) -> NDArray[np.float32]:
    from preflight.input.source import Source
    from preflight.media.decoder import Decoder
    from preflight.media.probe import probe

    with Source.open(path) as source:
        return np.concatenate(list(Decoder(source, probe(source)).blocks()))


def gain_of(fixed: preflight.Fixed) -> float:
    return sum(edit.db or 0.0 for edit in fixed.edits if edit.name == "gain")


def fixed_to(out: Path, data: bytes, suffix: str = ".wav", **options: object) -> preflight.Fixed:
    path = out.with_name("hot" + suffix)
    path.write_bytes(data)
    wanted = FixOptions(**options)  # type: ignore[arg-type]
    planned = preflight.plan(path, out, options=wanted)
    fixed = preflight.fix(path, out, options=wanted)
    assert fixed.after is not None
    assert fixed.action == "rewrap" or fixed.after.measurements["sample_peak_dbfs"] < 0
    assert gain_of(planned) == pytest.approx(gain_of(fixed), abs=1.5)
    return fixed


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("form", ["RF64", "WAV"])
def test_hot_floating_point_is_scaled_not_clipped(subtype: str, form: str, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    window: dict[str, object] = {} if form == "RF64" else {"start_s": 0.5, "end_s": 11.0}
    fixed = fixed_to(out, wav(HOT, subtype=subtype, form=form), ".wav", **window)
    assert gain_of(fixed) == pytest.approx(-7, abs=0.6)
    gain = next(edit for edit in fixed.edits if edit.name == "gain")
    assert ("dB" in gain.what, gain.rule) == (True, "above-full-scale")
    assert "clipped" not in [finding.rule for report in (fixed.before, fixed.after) for finding in report.findings]  # type: ignore[union-attr]
    start = 0 if form == "RF64" else RATE // 2
    given = HOT[start : start + len(decoded(out))] * np.float32(10 ** (gain_of(fixed) / 20))
    inner = slice(RATE // 50, -RATE // 50)
    assert np.abs(decoded(out)[inner, 0] - given[inner]).max() < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["wav", "m4a", "mp3"])
@pytest.mark.parametrize("kind", ["m4a", "mp3", "opus", "vorbis"])
def test_codecs_that_decode_above_full_scale(kind: str, ending: str, tmp_path: Path) -> None:
    flat = np.clip(2 * HOT, -1, 1)
    fine = at_rate(flat, 48_000)
    makers = {
        "m4a": lambda: m4a(flat),
        "mp3": lambda: mp3(flat),
        "opus": lambda: coded(fine, "ogg", "libopus", rate=48_000),
        "vorbis": lambda: coded(np.stack((fine, fine), axis=1), "ogg", "vorbis", rate=48_000, coding={"strict": "-2"}),
    }
    suffix = {"m4a": ".m4a", "mp3": ".mp3"}.get(kind, ".ogg")
    fixed = fixed_to(tmp_path / f"out.{ending}", makers[kind](), suffix, to=ending, start_s=0.2)
    assert fixed.before.measurements["sample_peak_dbfs"] > 0.3
    if fixed.action == "convert":
        assert gain_of(fixed) < -1


@pytest.mark.slow
def test_headroom_of_a_downmix_and_of_a_cut(tmp_path: Path) -> None:
    quiet = np.float32(0.001) * np.roll(HOT, 3000)
    fixed = fixed_to(tmp_path / "four.wav", wav(np.stack((quiet, HOT, quiet, quiet), axis=1), subtype="FLOAT"))
    assert gain_of(fixed) == pytest.approx(-7, abs=0.3)
    path, long = tmp_path / "long.wav", at_rate(talk(301), 8000)
    path.write_bytes(wav(long * np.float32(2 / np.abs(long).max()), 8000, "FLOAT"))
    assert gain_of(preflight.fix(path, tmp_path / "short.wav")) < -6


@pytest.mark.slow
def test_a_resampled_take_has_headroom(tmp_path: Path) -> None:
    flat = np.clip(at_rate(3 * HOT, 96_000), -0.99, 0.99)
    fixed = fixed_to(tmp_path / "out.m4a", wav(flat, 96_000, "PCM_16"), to="m4a")
    assert gain_of(fixed) < 0


def test_headroom_of_joined_takes_and_prompt_clips(tmp_path: Path) -> None:
    path = tmp_path / "hot.wav"
    sentence, _ = soundfile.read(FIXTURES / "prompt.wav", dtype="float32")
    take = np.concatenate((quiet(1), sentence, quiet(1), story(), quiet(1)))
    path.write_bytes(wav(take * np.float32(2 / np.abs(take).max()), subtype="FLOAT"))
    joined = preflight.join([path, path], tmp_path / "joined.wav")
    assert joined.after.measurements["sample_peak_dbfs"] < -0.5
    assert all(part.gain_db < -6 for part in joined.parts)
    _, clip = preflight.cut_prompt(path, tmp_path / "clip.wav", prompt_text="One. Two.")
    assert clip.after is not None
    assert clip.after.measurements["sample_peak_dbfs"] < 0


def test_no_gain_where_nothing_clips(tmp_path: Path) -> None:
    sound = story() * np.float32(0.999 / np.abs(story()).max())
    fixed = fixed_to(tmp_path / "out.wav", wav(sound, subtype="FLOAT"), to="wav", start_s=0.0, end_s=11.0)
    assert gain_of(fixed) == 0


@pytest.mark.slow
@settings(max_examples=8)
@given(
    peak=st.floats(0.5, 40),
    seed=st.integers(0, 99),
    channels=st.integers(1, 3),
    spikes=st.lists(st.integers(0, len(HOT) - 1), max_size=4),
)
def test_no_sample_of_the_result_is_at_full_scale(peak: float, seed: int, channels: int, spikes: list[int]) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.01, (len(HOT), channels))
    sound = HOT[:, np.newaxis] + noise
    sound[spikes] *= 1.5
    sound *= peak / np.abs(sound).max()
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "in.wav", Path(folder) / "out.wav"
        path.write_bytes(wav(sound.astype(np.float32), subtype="FLOAT"))
        preflight.fix(path, out, options=FixOptions(start_s=0.1))
        whole, _ = soundfile.read(out, dtype="int32", always_2d=True)
    assert np.abs(whole.astype(np.int64)).max() < 2**31 - 2**8


def job(**fields: Any) -> FixJob:
    analysis = analysis_of(**fields)
    return FixJob("take.wav", analysis, report_with(analysis), preflight.PROFILES["default"], FixOptions())


def conversion(container: Any = "m4a", **dsp: Any) -> Plan:
    edits = tuple(Edit(name=name, rule="", what="", safe=True) for name in ("cut", "convert"))
    return Plan("convert", container, None, Target(48_000, 1), DspSettings(**dsp), edits)


@pytest.mark.parametrize(
    ("codec", "peak_db", "plan"),
    [
        ("pcm_s16le", 0.0, conversion("wav")),  # integers cannot lie above full scale
        ("flac", 0.0, conversion("wav")),
        ("pcm_f32le", -0.02, conversion("wav")),
        ("aac", -6.0, conversion("m4a")),
        ("aac", 3.0, Plan("rewrap", "m4a")),
        ("pcm_f32le", 3.0, conversion("wav", loudness_lufs=-20.0)),  # has a gain of its own
    ],
)
def test_headroom_that_is_known_without_decoding(codec: str, peak_db: float, plan: Plan) -> None:
    """The path does not exist, so decoding it would fail."""
    measured = {"sample_peak_dbfs": peak_db, "true_peak_dbtp": peak_db}
    assert add_headroom(job(codec=codec, measurements=measured), plan) is plan


@pytest.mark.parametrize(
    ("codec", "peak_db", "plan"),
    [
        ("pcm_f32le", 0.0, conversion("wav")), ("aac", -0.5, conversion("m4a")),
        ("pcm_s16le", -20.0, conversion("wav", high_pass_hz=80.0)),  # a filter can raise peaks
    ],
)  # fmt: skip
def test_headroom_that_has_to_be_measured(codec: str, peak_db: float, plan: Plan) -> None:
    measured = {"sample_peak_dbfs": peak_db, "true_peak_dbtp": peak_db}
    with pytest.raises(preflight.CannotOpen):
        add_headroom(job(codec=codec, measurements=measured), plan)


def test_the_peak_of_a_job_has_a_margin() -> None:
    peak = job(measurements={"sample_peak_dbfs": -6.02}).peak
    assert 0.5 < peak < 0.51


def test_without_a_format_nothing_is_converted() -> None:
    with pytest.raises(preflight.CannotFix, match="format is unknown"):
        _ = job(probe=None).facts


def test_overshoot_lowers_the_level_a_little_more_each_time() -> None:
    plan = without_overshoot(conversion(), 0.5)
    assert plan is not None
    assert plan.dsp.gain_db == pytest.approx(-0.8)
    assert [edit.name for edit in plan.edits] == ["cut", "gain", "convert"]
    lower = without_overshoot(plan, 0.1)
    assert lower is not None
    assert lower.dsp.gain_db == pytest.approx(-1.2)
    assert [edit.name for edit in lower.edits] == ["cut", "gain", "convert"]
    assert lower.edits[1].db == pytest.approx(-1.2)


@pytest.mark.parametrize(
    ("plan", "peak_db"), [(conversion(), 0.0), (conversion("wav"), 3.0), (Plan("rewrap", "mp3"), 3.0)]
)
def test_no_overshoot_no_change(plan: Plan, peak_db: float) -> None:
    assert without_overshoot(plan, peak_db) is None


@given(
    weights=st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=6),
    frames=st.integers(0, 50),
)
def test_a_downmix_is_the_weighted_sum(weights: list[float], frames: int) -> None:
    block = np.random.default_rng(1).uniform(-1, 1, (frames, len(weights))).astype(np.float32)
    (mixed,) = downmix(iter([block]), tuple(weights))
    assert mixed.shape == (frames, 1)
    assert mixed[:, 0] == pytest.approx(block @ np.array(weights, np.float32), abs=1e-5)
