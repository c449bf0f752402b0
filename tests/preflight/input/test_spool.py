"""All types of recordings give the same results: path, bytes, file object, samples and pydub segment."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from pydub import AudioSegment

import preflight
from preflight.input import spool
from preflight.input.recording import SpooledFile
from tests.support.make_audio import FIXTURES, RATE
from tests.support.selection import parametrize_some
from tests.support.sources import content_of

FILES = sorted(path for path in FIXTURES.iterdir() if path.suffix not in (".py", ".txt"))
GOOD = FIXTURES / "good.wav"


def piped(path: Path, stack: contextlib.ExitStack) -> Any:
    process = stack.enter_context(subprocess.Popen(["cat", path], stdout=subprocess.PIPE))
    return process.stdout


def packed(path: Path, stack: contextlib.ExitStack) -> Any:
    return stack.enter_context(gzip.open(io.BytesIO(gzip.compress(path.read_bytes(), 1))))


FORMS: dict[str, Callable[[Path, contextlib.ExitStack], preflight.Recording]] = {
    "str": lambda path, _: str(path),
    "bytes": lambda path, _: path.read_bytes(),
    "bytearray": lambda path, _: bytearray(path.read_bytes()),
    "memoryview": lambda path, _: memoryview(path.read_bytes()),
    "file": lambda path, stack: stack.enter_context(path.open("rb")),
    "unbuffered file": lambda path, stack: stack.enter_context(path.open("rb", buffering=0)),
    "BytesIO": lambda path, _: io.BytesIO(path.read_bytes()),
    "pipe": piped,
    "gzip": packed,
}


def without_name(report: preflight.Report) -> preflight.Report:
    """Return a report without the parts that depend on the name."""
    findings = tuple(finding for finding in report.findings if finding.rule != "extension-mismatch")
    verdict = "ready" if not any(finding.severity == "error" for finding in findings) else report.verdict
    return msgspec.structs.replace(report, path="", findings=findings, verdict=verdict)


@parametrize_some("path", FILES, fast=5, ids=lambda path: path.name)
def test_all_types_of_recordings_give_the_same_report(path: Path) -> None:
    expected = preflight.check(path)
    with contextlib.ExitStack() as stack:
        for name, form in FORMS.items():
            found = preflight.check(form(path, stack))
            if "file" in name or name == "str":
                assert found == expected, name
            assert without_name(found) == without_name(expected), name


@pytest.mark.parametrize("way", ["quick", "many"])
def test_all_types_give_the_same_report_with_quick_and_check_many(way: str) -> None:
    with contextlib.ExitStack() as stack:
        given_forms = [form(GOOD, stack) for form in FORMS.values()]
        if way == "quick":
            reports = [preflight.check(form, quick=True) for form in given_forms]
        else:
            reports = list(preflight.check_many(given_forms, workers=2))
    assert len({msgspec.json.encode(without_name(report)) for report in reports}) == 1


def test_display_names() -> None:
    segment = AudioSegment(bytes(64_000), sample_width=2, frame_rate=16_000, channels=1)
    named = io.BytesIO(b"")
    named.name = "a\udcff\x1b[31m.wav"
    with GOOD.open("rb") as file:
        given_forms: list[Any] = [b"", io.BytesIO(), named, file, (np.zeros(9), RATE), segment]
        names = [preflight.check(form).path for form in given_forms]
        assert names == ["<bytes>", "<file>", "a\\xff\x1b[31m.wav", str(GOOD), "<samples>", "<AudioSegment>"]
        assert [preflight.display_name(form) for form in given_forms] == names
    with open(os.open(GOOD, os.O_RDONLY), "rb") as numbered:  # noqa: PTH123
        assert preflight.check(numbered).path == "<file>"


@pytest.mark.parametrize("name", ["\ud800.wav", "a\0.wav", "", "/"])
def test_an_impossible_name_is_a_finding(name: str) -> None:
    assert [finding.rule for finding in preflight.check(name).findings] == ["unreadable"]


@pytest.mark.parametrize("mode", ["rb", "r+b"])
def test_a_file_object_is_read_from_its_start_and_keeps_its_position(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(GOOD.read_bytes())
    with path.open(mode) as file:
        file.seek(100)
        assert preflight.check(file) == preflight.check(path)
        assert file.tell() == 100
        assert not file.closed


def test_buffered_writes_are_part_of_the_recording() -> None:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        file.write(GOOD.read_bytes())
        assert preflight.check(file).file.sha256 == preflight.check(GOOD).file.sha256


def test_a_seekable_stream_is_read_from_its_start_and_keeps_its_position() -> None:
    """This includes a stream that was just written and is at its end."""
    data = GOOD.read_bytes()
    written = io.BytesIO()
    written.write(data)
    for stream, position in ((written, len(data)), (unpacked(gzip.compress(data)), 0), (io.BytesIO(data), 0)):
        for _ in range(2):
            assert preflight.check(stream).file.sha256 == preflight.check(GOOD).file.sha256
            assert stream.tell() == position


def test_a_broken_stream_keeps_its_position() -> None:
    broken = unpacked(gzip.compress(GOOD.read_bytes())[:5000])
    broken.read(100)
    assert preflight.check(broken).verdict == "rejected"
    assert broken.tell() == 100


def test_a_pipe_is_read_from_its_position() -> None:
    with subprocess.Popen(["cat", GOOD], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(4) == b"RIFF"
        assert preflight.check(process.stdout).file.bytes == GOOD.stat().st_size - 4
        assert process.stdout.read() == b""


def test_non_contiguous_and_typed_buffers_are_accepted() -> None:
    data = GOOD.read_bytes()
    twice = np.frombuffer(data, np.uint8).repeat(2)
    views = (twice.data[::2], np.frombuffer(data, np.int16).data, np.frombuffer(data, np.float32).data)
    assert all(content_of(view) == data for view in views)
    assert content_of(np.zeros(0).data) == b""


def test_a_member_of_a_zip_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "takes.zip", "w") as archive:
        archive.write(GOOD, "good.wav")
    with zipfile.ZipFile(tmp_path / "takes.zip") as archive, archive.open("good.wav") as member:
        report = preflight.check(member)
    assert (report.path, report.verdict) == ("good.wav", "ready")


@parametrize_some("where", ["no /proc", "no memory files", "neither"], fast=1)
@pytest.mark.parametrize("form", ["bytes", "file", "BytesIO"])
def test_spooling_without_proc_and_memfd(
    where: str, form: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without /proc, the spooled file has a name, and is deleted afterward."""
    if where != "no memory files":
        monkeypatch.setattr(spool, "_DESCRIPTORS", tmp_path / "none")
    if where != "no /proc":
        monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with contextlib.ExitStack() as stack:
        recording = FORMS[form](GOOD, stack)
        if form == "file":
            recording.seek(100)  # type: ignore[union-attr]
        assert preflight.check(recording).file.sha256 == preflight.check(GOOD).file.sha256
        if form == "file":
            assert recording.tell() == 100  # type: ignore[union-attr]
    assert list(tmp_path.iterdir()) == []


def test_a_closed_or_write_only_file_object_raises(tmp_path: Path) -> None:
    with (tmp_path / "new.wav").open("wb") as writing, pytest.raises(ValueError, match="not open for reading"):
        preflight.check(writing)
    closed = io.BytesIO(GOOD.read_bytes())
    closed.close()
    with pytest.raises(ValueError, match="closed"):
        preflight.check(closed)


def unpacked(data: bytes) -> gzip.GzipFile:
    return gzip.GzipFile(fileobj=io.BytesIO(data))


def streams_that_break() -> Iterator[tuple[Any, str]]:
    yield unpacked(gzip.compress(GOOD.read_bytes())[:5000]), "ended before"
    yield unpacked(b"no gzip at all"), "not a gzipped"
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    yield os.fdopen(reading, "rb", buffering=0), "no data yet"
    os.close(writing)


def test_a_failing_stream_is_a_finding_or_cannot_be_fixed(tmp_path: Path) -> None:
    for stream, words in streams_that_break():
        (finding,) = preflight.check(stream).findings
        assert finding.rule == "unreadable"
        assert words in finding.message
        assert "\n" not in finding.message
        stream.close()
    with pytest.raises(preflight.CannotFix, match="not a gzipped"):
        preflight.fix(unpacked(b"no gzip at all"), tmp_path / "out.wav")
    assert list(tmp_path.iterdir()) == []


def test_an_endless_stream_is_read_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MAX_BYTES", 3_000_000)
    with open("/dev/zero", "rb") as endless:  # noqa: PTH123
        (finding,) = preflight.check(endless).findings
    assert "more than 3.0 MB" in finding.message
    assert "more than 3.0 MB" in preflight.check(bytes(3_000_001)).findings[0].message


# --- fixing ------------------------------------------------------------------------------------------------------


@parametrize_some("name", FORMS, fast=3)
def test_all_types_are_fixed_to_the_same_bytes(name: str, tmp_path: Path) -> None:
    for path in (GOOD, FIXTURES / "voice-message.ogg"):
        expected = preflight.fix(path, tmp_path / "expected.wav", force=True)
        with contextlib.ExitStack() as stack:
            fixed = preflight.fix(FORMS[name](path, stack), tmp_path / "out.wav", force=True)
        assert fixed.action == expected.action
        assert (tmp_path / "out.wav").read_bytes() == (tmp_path / "expected.wav").read_bytes()
        with contextlib.ExitStack() as stack:
            assert preflight.plan(FORMS[name](path, stack)).edits == preflight.plan(path).edits


def test_fixing_into_a_folder_names_the_file_after_the_recording(tmp_path: Path) -> None:
    data = GOOD.read_bytes()
    named = io.BytesIO(data)
    named.name = "../../take.m4a"
    samples = soundfile.read(GOOD)
    with GOOD.open("rb") as file:
        for recording in (data, io.BytesIO(data), named, samples, AudioSegment.from_wav(GOOD), file):
            preflight.fix(recording, tmp_path)
    names = {"bytes.wav", "file.wav", "take.wav", "samples.wav", "AudioSegment.wav", "good.wav"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert all(path.read_bytes() == data for path in tmp_path.iterdir())


def test_a_fix_does_not_overwrite_the_file_of_its_file_object(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(GOOD.read_bytes())
    with path.open("rb") as file, pytest.raises(preflight.BadOutput, match="take itself"):
        preflight.fix(file, path, force=True)


def test_join_and_prompt_accept_all_types(tmp_path: Path) -> None:
    prompt = soundfile.read(FIXTURES / "prompt.wav")
    joined = preflight.join([GOOD.read_bytes(), prompt, io.BytesIO(GOOD.read_bytes())], tmp_path / "joined.wav")
    assert [part.path for part in joined.parts] == ["<bytes>", "<samples>", "<file>"]
    content = (tmp_path / "joined.wav").read_bytes()
    clips = preflight.prompt_clips(content)
    assert clips == preflight.prompt_clips(io.BytesIO(content)) == preflight.prompt_clips(tmp_path / "joined.wav")
    clip, fixed = preflight.cut_prompt(soundfile.read(io.BytesIO(content)), tmp_path, prompt_text="What is said.")
    assert clip == clips[0]
    assert fixed.path == str(tmp_path / "samples.wav")
    assert clip.seconds < 8


def test_the_progress_of_a_fix_restarts_with_each_pass(tmp_path: Path) -> None:
    seen: list[tuple[float, float | None]] = []
    source, out = FIXTURES / "voice-message.ogg", tmp_path / "out.wav"
    fixed = preflight.fix(source, out, on_progress=lambda done, total: seen.append((done, total)))
    assert fixed.action == "convert"
    # analyzed, written, analyzed: a worker reports now and then, so a short pass may be reported incompletely
    assert any(after[0] < before[0] for before, after in pairwise(seen))
    assert max(done for done, _ in seen) == pytest.approx(fixed.before.file.duration_s, abs=1)
    seen.clear()
    preflight.plan(source, on_progress=lambda done, total: seen.append((done, total)))
    assert seen


def test_a_spooled_file_is_deleted_afterward() -> None:
    with spool.as_path(b"x") as path:
        assert isinstance(path, SpooledFile)
        assert content_of(path) == b"x"
    assert not Path(path).exists()
    assert preflight.check(GOOD.read_bytes()).verdict == "ready"


@settings(max_examples=60)
@given(content=st.binary(max_size=3000))
def test_random_bytes_are_rejected_without_an_exception(content: bytes) -> None:
    for form in (content, io.BytesIO(content)):
        assert preflight.check(form).verdict == "rejected"
