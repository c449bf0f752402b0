"""Prompt clips: complete sentences between pauses, short enough, the cleanest first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import preflight
from preflight import FixOptions
from preflight.analysis.analysis import Analysis
from preflight.checks import analyze
from preflight.prompt.clips import candidates, cut_analyzed
from tests.support.fix_analyses import analysis_of
from tests.support.make_audio import FIXTURES, RATE, chunk, form_chunk, quiet, riff, story, wav

OTHERS = Path(__file__).resolve().parents[4] / "shared" / "audio"
REAL = (
    "OpenVoice__resources_example_reference.mp3",
    "OpenVoice__resources_demo_speaker2.mp3",
    "CosyVoice__asset_cross_lingual_prompt.wav",
    "faster-whisper__tests_data_jfk.flac",
)


def sentence() -> Any:
    """One sentence of 4 s."""
    sound, _ = soundfile.read(FIXTURES / "prompt.wav", dtype="float32")
    return np.asarray(sound, np.float32)


def recording(path: Path, *parts: Any) -> Path:
    """The parts with a pause of a second around each."""
    path.write_bytes(wav(np.concatenate([piece for part in parts for piece in (quiet(1), part)] + [quiet(1)])))
    return path


def noisy(sound: Any, dbfs: float = -40.0) -> Any:
    return sound + np.random.default_rng(5).normal(0, 10 ** (dbfs / 20), len(sound)).astype(np.float32)


def clipped(sound: Any) -> Any:
    return np.clip(sound * 4, -0.3, 0.3)


def test_a_clean_clip_comes_before_one_with_noise_or_clipping(tmp_path: Path) -> None:
    clean = sentence()
    path = recording(tmp_path / "take.wav", noisy(clean), clipped(clean), clean, noisy(clean, -30), story())
    clips = preflight.prompt_clips(path, count=4)
    place = 3 + 2 * len(clean) / RATE
    assert clips[0].start_s == pytest.approx(place, abs=0.5)
    assert clips[0].clipped_percent == 0
    assert [clip.score for clip in clips] == sorted((clip.score for clip in clips), reverse=True)
    spoiled = [clip for clip in clips[1:] if clip.start_s < place - 1]
    assert any(clip.clipped_percent > 0.1 for clip in spoiled)
    assert all(clip.score < clips[0].score - 3 for clip in clips[1:])


def require_whole(path: Path, clips: tuple[preflight.PromptClip, ...]) -> None:
    """Make sure that the speech detector is silent for 80 ms at both ends of each."""
    analysis = analyze(path, to_end=True)
    assert analysis.speech
    for clip in clips:
        assert 3 <= clip.seconds <= 7.5
        for start, end in ((clip.start_s, clip.start_s + 0.08), (clip.end_s - 0.08, clip.end_s)):
            assert not [span for span in analysis.speech if span[0] < end - 0.002 and span[1] > start + 0.002], clip
        assert any(span[0] < clip.end_s and span[1] > clip.start_s for span in analysis.speech)


def test_no_clip_starts_or_ends_inside_a_word(tmp_path: Path) -> None:
    path = recording(tmp_path / "take.wav", sentence(), story(), sentence()[: 2 * RATE], sentence())
    clips = preflight.prompt_clips(path, count=50)
    assert len(clips) >= 2
    require_whole(path, clips)


@pytest.mark.slow
@pytest.mark.skipif(not OTHERS.is_dir(), reason="the real recordings are not here")
@pytest.mark.parametrize("name", REAL)
def test_clips_of_real_speech(name: str, tmp_path: Path) -> None:
    path = OTHERS / name
    clips = preflight.prompt_clips(path, count=10)
    assert clips
    require_whole(path, clips)
    for ending in (".wav", ".mp3", ".m4a"):
        fixed = cut(path, clips[0], tmp_path / f"clip{ending}")
        assert fixed.after is not None
        assert (fixed.after.verdict, fixed.after.role) == ("ready", "prompt")
        assert (fixed.after.file.duration_s or 9) < 7.9


def cut(path: Path, clip: preflight.PromptClip, out: Path) -> preflight.Fixed:
    options = FixOptions(start_s=clip.start_s, end_s=clip.end_s)
    return preflight.fix(path, out, role="prompt", prompt_text="Some words.", options=options)


def test_a_clip_is_cut_to_the_sample(tmp_path: Path) -> None:
    path = recording(tmp_path / "take.wav", story(), sentence())
    (clip,) = preflight.prompt_clips(path)
    fixed = cut(path, clip, tmp_path / "clip.wav")
    assert fixed.lossless
    given, _ = soundfile.read(path, dtype="int16")
    kept, _ = soundfile.read(tmp_path / "clip.wav", dtype="int16")
    fade = RATE // 100
    start = round(clip.start_s * RATE)
    assert np.array_equal(kept[fade:-fade], given[start + fade : start + len(kept) - fade])


@pytest.mark.parametrize(("start", "end"), [(0.0, 8.0), (0.0, 7.95), (1.0, 1.2), (60.0, 64.0)])
def test_a_part_of_another_length_is_not_a_prompt_clip(start: float, end: float, tmp_path: Path) -> None:
    path = recording(tmp_path / "take.wav", story())
    options = FixOptions(start_s=start, end_s=end)
    with pytest.raises(preflight.CannotFix, match=r"below|above|after the end"):
        preflight.fix(path, tmp_path / "clip.wav", role="prompt", prompt_text="Words.", options=options)
    assert not (tmp_path / "clip.wav").exists()


@pytest.mark.parametrize(
    "name", ["text.mp3", "silent.m4a", "good.wav", "missing.wav", "surround.m4a", "header-only.wav"]
)
def test_a_recording_without_a_clip_is_refused(name: str) -> None:
    with pytest.raises(preflight.CannotFix) as caught:
        preflight.prompt_clips(FIXTURES / name)
    assert caught.value.message
    assert caught.value.hint


def test_headers_that_describe_no_audio(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(riff(form_chunk(channels=0), chunk(b"data", bytes(3000))))
    with pytest.raises(preflight.CannotFix):
        preflight.prompt_clips(path)


def speech_of(*spans: tuple[float, float], seconds: float = 30.0) -> Analysis:
    return analysis_of(seconds, speech=spans, pauses=())


def test_candidates_start_and_end_in_pauses() -> None:
    analysis = speech_of((2.0, 6.0), (7.0, 11.0), (11.05, 14.0))
    # the gap of 50 ms is too short for a cut, so the second and the third span stay together: 7 s
    assert candidates(analysis) == [(6.75, 14.25), (1.75, 6.25)]


@pytest.mark.parametrize(
    ("speech", "expected"),
    [
        ((), []),  # no speech
        (((2.0, 3.5),), []),  # too short
        (((2.0, 10.0),), []),  # too long
        (((0.0, 5.0),), []),  # no pause before it
        (((0.1, 5.0),), [(0.0, 5.25)]),  # 0.1 s are enough at the start of the recording
        (((25.0, 30.0),), []),  # no pause behind it
        (((2.0, 2.5), (6.0, 6.5)), []),  # mostly silence
        (((2.0, 6.0), (6.1, 9.1)), []),  # no pause inside, and too long
    ],
)
def test_which_parts_are_candidates(
    speech: tuple[tuple[float, float], ...], expected: list[tuple[float, float]]
) -> None:
    assert candidates(speech_of(*speech)) == expected


def test_candidates_are_limited_and_spread() -> None:
    """A word per second: every start has several ends, of which at most two are measured."""
    analysis = speech_of(*((at, at + 0.8) for at in range(1, 200)), seconds=201.0)
    found = candidates(analysis)
    assert len(found) == 24
    starts = [start for start, _ in found]
    assert max(starts.count(start) for start in starts) <= 2
    assert all(3 <= end - start <= 7.5 for start, end in found)


def test_an_analyzed_recording_is_cut_without_another_analysis(tmp_path: Path) -> None:
    path = recording(tmp_path / "take.wav", story(), sentence())
    analysis = analyze(path, to_end=True)
    clip, fixed = cut_analyzed(path, tmp_path / "clip.wav", analysis, prompt_text="Some words.")
    assert fixed.after is not None
    assert fixed.after.role == "prompt"
    assert fixed.after.file.duration_s == pytest.approx(clip.seconds, abs=0.001)
    with pytest.raises(preflight.CannotFix, match="prompt clip 9 does not exist") as caught:
        cut_analyzed(path, tmp_path / "other.wav", analysis, number=9, prompt_text=None)
    assert caught.value.hint == "choose 1 to 1"
