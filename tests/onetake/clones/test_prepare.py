"""Preparation: check, fix, cut a prompt clip, and build the request body. Nothing is sent."""

from __future__ import annotations

import pickle
import re
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

import preflight
from client import CloneOptions
from onetake.clones.prepare import (
    PreparedFile,
    analyze_take,
    plan_request,
    prepare,
    prepare_in_executor,
    prepare_request,
)
from onetake.errors import TakeRefused
from tests.onetake.clones.conftest import Recorder, request_for
from tests.preflight.prompt.test_clips import noisy, recording, sentence
from tests.support.make_audio import story
from tests.support.services import FIXTURES, PROMPT_TEXT

PROMPT = str(FIXTURES / "prompt.wav")


def prepared_file(path: Path, folder: Path, recorder: Recorder) -> PreparedFile:
    return prepare(path, analyze_take(path, recorder), folder, recorder)


@pytest.mark.parametrize("name", ["good.wav", "good.mp3", "good.m4a"])
def test_a_ready_recording_is_sent_as_it_is(tmp_path: Path, recorder: Recorder, name: str) -> None:
    file = prepared_file(FIXTURES / name, tmp_path, recorder)
    assert file.path == FIXTURES / name
    assert file.changes == ()
    assert file.report.verdict == "ready"
    assert file.source == file.report.file
    assert list(tmp_path.iterdir()) == []
    assert recorder.stages == ["check"]
    assert recorder.steps == [("check", f"{FIXTURES / name}: ready, good")]


def test_a_fixable_recording_is_copied_and_fixed(tmp_path: Path, recorder: Recorder) -> None:
    take = FIXTURES / "voice-message.ogg"
    before = take.read_bytes()
    file = prepared_file(take, tmp_path, recorder)
    assert Path(str(file.path)).parent == tmp_path / "recording"
    assert file.changes
    assert file.report.verdict == "ready"
    assert preflight.check(file.path).verdict == "ready"
    assert file.source.sha256 != file.report.file.sha256
    assert take.read_bytes() == before
    assert [name for name, _ in recorder.steps] == ["check", "fix"]
    assert recorder.stages == ["check", "fix"]


def test_a_wrong_extension_alone_needs_no_copy(tmp_path: Path, recorder: Recorder) -> None:
    file = prepared_file(FIXTURES / "wrong-name.mp3", tmp_path, recorder)
    assert file.path == FIXTURES / "wrong-name.mp3"
    assert file.changes == ()
    assert file.report.file.container != "mp3"


@pytest.mark.parametrize("name", ["too-short.wav", "silent.m4a", "protected.m4a", "text.mp3", "empty.wav"])
def test_a_recording_that_cannot_be_fixed_is_refused(tmp_path: Path, recorder: Recorder, name: str) -> None:
    with pytest.raises(TakeRefused, match=name) as caught:
        prepared_file(FIXTURES / name, tmp_path, recorder)
    assert caught.value.hint
    assert caught.value.report.verdict == "rejected"
    restored = pickle.loads(pickle.dumps(caught.value))
    assert (restored.message, restored.hint) == (caught.value.message, caught.value.hint)


def test_warnings_of_the_check_are_reported(tmp_path: Path, recorder: Recorder) -> None:
    file = prepared_file(FIXTURES / "stereo.m4a", tmp_path, recorder)
    warned = [finding for finding in file.report.findings if finding.severity == "warning"]
    assert len(recorder.warnings) >= len(warned)


def test_a_copy_that_cannot_be_written_is_reported(tmp_path: Path, recorder: Recorder) -> None:
    (tmp_path / "recording").mkdir()
    with pytest.raises(OSError, match="recording"):
        prepared_file(FIXTURES / "voice-message.ogg", tmp_path, recorder)


def test_a_request_without_prompt_has_one_file(tmp_path: Path, recorder: Recorder) -> None:
    prepared = prepare_request(request_for(), tmp_path, recorder)
    assert prepared.prompt is None
    assert prepared.comparison is None


def test_a_prompt_clip_is_checked_as_prompt(tmp_path: Path, recorder: Recorder) -> None:
    options = CloneOptions(prompt_text=PROMPT_TEXT)
    prepared = prepare_request(request_for(prompt=PROMPT, options=options), tmp_path, recorder)
    assert prepared.prompt is not None
    assert prepared.prompt.report.role == "prompt"
    assert prepared.prompt.report.verdict == "ready"
    assert prepared.comparison is None  # no speech model


def test_a_recording_is_too_long_for_a_prompt_clip(tmp_path: Path, recorder: Recorder) -> None:
    options = CloneOptions(prompt_text=PROMPT_TEXT)
    long = request_for(prompt=str(FIXTURES / "good.wav"), options=options)
    try:
        prepared = prepare_request(long, tmp_path, recorder)
    except TakeRefused as error:
        assert "good.wav" in error.message  # noqa: PT017 - both outcomes are valid, neither sends a long clip
    else:
        assert prepared.prompt is not None
        assert (prepared.prompt.report.file.duration_s or 0) < 8


@pytest.fixture(scope="module")
def long_take(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A recording with two sentences between pauses, each short enough for a prompt clip."""
    return str(recording(tmp_path_factory.mktemp("long") / "take.wav", sentence(), story(), noisy(sentence())))


def test_a_prompt_clip_is_cut_from_the_recording(tmp_path: Path, recorder: Recorder, long_take: str) -> None:
    request = request_for(take=long_take, auto_prompt=1, options=CloneOptions(prompt_text=PROMPT_TEXT))
    prepared = prepare_request(request, tmp_path, recorder)
    assert prepared.prompt is not None
    assert Path(str(prepared.prompt.path)).parent == tmp_path / "prompt"
    assert prepared.prompt.report.verdict == "ready"
    assert "prompt" in dict(recorder.steps)


def test_a_rank_beyond_the_last_clip_is_refused(tmp_path: Path, recorder: Recorder, long_take: str) -> None:
    request = request_for(take=long_take, auto_prompt=50, options=CloneOptions(prompt_text=PROMPT_TEXT))
    with pytest.raises(TakeRefused, match=r"take\.wav: .*50"):
        prepare_request(request, tmp_path, recorder)


def test_a_recording_without_clips_is_refused(tmp_path: Path, recorder: Recorder) -> None:
    request = request_for("good.wav", auto_prompt=1, options=CloneOptions(prompt_text=PROMPT_TEXT))
    with pytest.raises(TakeRefused, match=r"good\.wav"):
        prepare_request(request, tmp_path, recorder)


def test_a_plan_has_placeholders_for_links(tmp_path: Path, recorder: Recorder) -> None:
    options = CloneOptions(prompt_text=PROMPT_TEXT, accuracy=0.5, text="Hello.", model="speech-2.8-hd")
    plan = plan_request(request_for("good.mp3", prompt=PROMPT, options=options), tmp_path, recorder)
    body = plan["request"]
    assert body["audio_url"] == "https://presigned.example/recording.mp3"
    assert body["clone_prompt"]["prompt_audio_url"] == "https://presigned.example/prompt.wav"
    assert body["clone_prompt"]["prompt_text"] == PROMPT_TEXT
    assert (body["accuracy"], body["text"], body["model"]) == (0.5, "Hello.", "speech-2.8-hd")
    assert plan["changes"] == ()
    assert plan["take"].verdict == "ready"


def test_a_plan_names_the_fixes(tmp_path: Path, recorder: Recorder) -> None:
    plan = plan_request(request_for("voice-message.ogg"), tmp_path, recorder)
    assert plan["changes"]
    assert "comparison" not in plan
    assert "clone_prompt" not in plan["request"]


@pytest.mark.parametrize("name", ["good.m4a", "voice-message.ogg"])
def test_an_executor_gives_the_same_result(tmp_path: Path, recorder: Recorder, name: str) -> None:
    (tmp_path / "here").mkdir()
    here = prepare_request(request_for(name), tmp_path / "here", recorder)
    apart, warnings = prepare_in_executor(request_for(name), tmp_path / "new" / "folder")
    assert apart.take.report.file.sha256 == here.take.report.file.sha256
    assert apart.take.changes == here.take.changes
    assert list(warnings) == recorder.warnings


def test_results_and_errors_cross_process_boundaries(tmp_path: Path) -> None:
    shutil.copy(FIXTURES / "good.wav", tmp_path / "good.wav")
    (tmp_path / "bad.wav").write_text("not a recording")
    with ProcessPoolExecutor(1) as pool:
        good = pool.submit(prepare_in_executor, request_for(take=str(tmp_path / "good.wav")), tmp_path / "1")
        bad = pool.submit(prepare_in_executor, request_for(take=str(tmp_path / "bad.wav")), tmp_path / "2")
        assert good.result()[0].take.report.verdict == "ready"
        with pytest.raises(TakeRefused, match=r"bad\.wav"):
            bad.result()


def limit_files() -> None:
    """Let this process write files of 2,000 bytes at most, as on a disk that is nearly full."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of the file size")
@pytest.mark.parametrize("cut", [None, 1], ids=["recording", "prompt clip"])
def test_a_copy_that_cannot_be_written_names_the_recording(tmp_path: Path, long_take: str, cut: int | None) -> None:
    text = CloneOptions(prompt_text=PROMPT_TEXT) if cut else CloneOptions()
    request = request_for(take=long_take if cut else str(FIXTURES / "voice-message.ogg"), auto_prompt=cut, options=text)
    with ProcessPoolExecutor(1, initializer=limit_files) as pool, pytest.raises(preflight.CannotWrite) as caught:
        pool.submit(prepare_in_executor, request, tmp_path / "copies").result()
    assert re.search(r"(take\.wav|voice-message\.ogg): its fixed copy cannot be written", caught.value.message)
    assert caught.value.hint == "free some space, or set TMPDIR"
    assert [path for path in (tmp_path / "copies").rglob("*") if path.is_file()] == [], "no partial copy is left"
