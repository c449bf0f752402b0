"""A recording is the same whether it comes as a path, as bytes, through a file object, as samples or from pydub."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydub import AudioSegment

import preflight
from preflight.input import spool as storing
from preflight.input.as_path import as_path
from preflight.input.types import Stored
from tests.support.make_audio import FIXTURES, RATE

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
    """A report without what only a name tells: itself, and whether its ending is right."""
    findings = tuple(finding for finding in report.findings if finding.rule != "extension-mismatch")
    verdict = "ready" if not any(finding.severity == "error" for finding in findings) else report.verdict
    return msgspec.structs.replace(report, path="", findings=findings, verdict=verdict)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_form_makes_no_difference(path: Path) -> None:
    expected = preflight.check(path)
    with contextlib.ExitStack() as stack:
        for name, form in FORMS.items():
            found = preflight.check(form(path, stack))
            if "file" in name or name == "str":
                assert found == expected, name
            assert without_name(found) == without_name(expected), name


@pytest.mark.parametrize("way", ["quick", "many"])
def test_so_it_is_by_headers_and_many_at_a_time(way: str) -> None:
    with contextlib.ExitStack() as stack:
        given_forms = [form(GOOD, stack) for form in FORMS.values()]
        if way == "quick":
            reports = [preflight.check(form, quick=True) for form in given_forms]
        else:
            reports = list(preflight.check_many(given_forms, workers=2))
    assert len({msgspec.json.encode(without_name(report)) for report in reports}) == 1


def test_names() -> None:
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
def test_a_name_that_no_file_has_is_a_finding(name: str) -> None:
    assert [finding.rule for finding in preflight.check(name).findings] == ["unreadable"]


@pytest.mark.parametrize("mode", ["rb", "r+b"])
def test_the_file_of_a_file_object_is_used_whole_and_its_position_is_left(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(GOOD.read_bytes())
    with path.open(mode) as file:
        file.seek(100)
        assert preflight.check(file) == preflight.check(path)
        assert file.tell() == 100
        assert not file.closed


def test_what_its_owner_wrote_belongs_to_it() -> None:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        file.write(GOOD.read_bytes())
        assert preflight.check(file).file.sha256 == preflight.check(GOOD).file.sha256


def test_what_can_seek_is_taken_whole_and_left_where_it_was() -> None:
    """Also one that was just written, and is at its end."""
    data = GOOD.read_bytes()
    written = io.BytesIO()
    written.write(data)
    for stream, position in ((written, len(data)), (unpacked(gzip.compress(data)), 0), (io.BytesIO(data), 0)):
        for _ in range(2):
            assert preflight.check(stream).file.sha256 == preflight.check(GOOD).file.sha256
            assert stream.tell() == position


def test_it_is_left_there_also_where_it_cannot_be_read() -> None:
    broken = unpacked(gzip.compress(GOOD.read_bytes())[:5000])
    broken.read(100)
    assert preflight.check(broken).verdict == "rejected"
    assert broken.tell() == 100


def test_what_cannot_is_read_from_where_it_is() -> None:
    with subprocess.Popen(["cat", GOOD], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(4) == b"RIFF"
        assert preflight.check(process.stdout).file.bytes == GOOD.stat().st_size - 4
        assert process.stdout.read() == b""


def test_any_view_of_bytes() -> None:
    data = GOOD.read_bytes()
    twice = np.frombuffer(data, np.uint8).repeat(2)
    views = (twice.data[::2], np.frombuffer(data, np.int16).data, np.frombuffer(data, np.float32).data)
    assert all(content(view) == data for view in views)
    assert content(np.zeros(0).data) == b""


def test_samples_may_lie_in_any_order() -> None:
    stereo = np.random.default_rng(1).uniform(-1, 1, (2, 5000)).astype(np.float32)
    for samples in (stereo.T, stereo.T[::-1], np.ma.masked_array(stereo.T), np.repeat(stereo.T, 2, axis=0)[::2]):
        read, _ = soundfile.read(io.BytesIO(content((samples, RATE))), dtype="float32")
        assert np.array_equal(read, np.asarray(samples))


def test_a_member_of_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "takes.zip", "w") as archive:
        archive.write(GOOD, "good.wav")
    with zipfile.ZipFile(tmp_path / "takes.zip") as archive, archive.open("good.wav") as member:
        report = preflight.check(member)
    assert (report.path, report.verdict) == ("good.wav", "ready")


@pytest.mark.parametrize("where", ["no /proc", "no memory files", "neither"])
@pytest.mark.parametrize("form", ["bytes", "file", "BytesIO"])
def test_other_systems(where: str, form: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Systems without /proc get a file with a name, which is gone afterwards."""
    if where != "no memory files":
        monkeypatch.setattr(storing, "_DESCRIPTORS", tmp_path / "none")
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


# --- samples -----------------------------------------------------------------------------------------------------


WAVS = [FIXTURES / name for name in ("good.wav", "prompt.wav", "too-short.wav", "truncated.wav")]


@pytest.mark.parametrize("kind", ["int16", "int32", "float32", "float64", ">f4", ">i2"])
@pytest.mark.parametrize("path", WAVS, ids=lambda path: path.name)
def test_what_soundfile_read_is_the_file_again(path: Path, kind: str) -> None:
    expected = preflight.check(path)
    samples, rate = soundfile.read(path, dtype=np.dtype(kind).newbyteorder("=").name)
    found = preflight.check((samples.astype(kind), rate))
    assert (found.path, found.file.codec) == ("<samples>", "pcm_s16le")
    assert found.measurements == expected.measurements
    assert found.speech == expected.speech
    assert found.file.duration_s == expected.file.duration_s


def test_from_pydub() -> None:
    assert preflight.check(AudioSegment.from_wav(GOOD)).file.sha256 == preflight.check(GOOD).file.sha256
    eight = AudioSegment.from_wav(GOOD).set_sample_width(1)
    assert preflight.check(eight).measurements["snr_db"] < preflight.check(GOOD).measurements["snr_db"]
    assert preflight.check(AudioSegment.from_wav(GOOD).set_sample_width(4)).file.bytes == GOOD.stat().st_size


def test_pydub_is_not_imported_to_look_for_it() -> None:
    script = "import preflight, sys; preflight.display_name(b''); print({'numpy', 'pydub'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize(("kind", "subtype"), [("int16", "PCM_16"), ("float64", "PCM_24"), ("int32", "PCM_32")])
def test_the_wav_is_that_of_soundfile(channels: int, kind: str, subtype: str) -> None:
    bits = int(subtype[4:])
    whole = np.random.default_rng(1).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (999, channels))
    if kind == "float64":
        samples: Any = whole / 2.0 ** (bits - 1)
        shifted = (whole << 8).astype(np.int32)
    else:
        samples = shifted = whole.astype(kind)
    expected = io.BytesIO()
    soundfile.write(expected, shifted, RATE, subtype=subtype, format="WAV")
    assert content((samples, RATE)) == expected.getvalue()


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_floating_point_stays(kind: str) -> None:
    samples = (1.5 * np.sin(np.arange(64_000) / 7)).astype(kind)
    data = content((samples, RATE))
    read, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    assert rate == RATE
    assert np.array_equal(read, samples.astype(np.float32))
    assert soundfile.info(io.BytesIO(data)).subtype == "FLOAT"
    assert data == content((samples.copy(), RATE))  # no time, no name: it is known again


def content(recording: preflight.Recording) -> bytes:
    with as_path(recording) as path:
        return Path(os.fsdecode(path)).read_bytes()


SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=300)
KINDS = st.sampled_from(["int16", "int32", "float32", "float64", "uint8", "int64", "float16", "bool", "complex64"])
RATES = st.one_of(st.integers(-1, 10**6), st.floats(), st.sampled_from([8000, 44100.0, np.int64(48000), None, "8000"]))


@settings(max_examples=60)
@given(data=st.data(), shape=SHAPES, kind=KINDS, rate=RATES)
def test_any_array(data: st.DataObject, shape: tuple[int, ...], kind: str, rate: Any) -> None:
    """It is refused by a plain error, or stored whole and read back as it was."""
    samples = data.draw(arrays.arrays(kind, shape, fill=st.just(0)))
    refused = ""
    try:
        stored = content((samples, rate))
    except (TypeError, ValueError) as error:
        refused = str(error)
    if refused:
        assert len(refused) < 200
        return
    assert kind in {"int16", "int32", "float32", "float64"}
    read, read_rate = soundfile.read(io.BytesIO(stored), dtype=kind, always_2d=True)
    assert read_rate == rate
    expected = samples.reshape(len(samples), -1)
    assert np.array_equal(read, expected.astype(np.float32) if kind[0] == "f" else expected)


@settings(max_examples=60)
@given(content=st.binary(max_size=3000))
def test_random_bytes_are_no_error(content: bytes) -> None:
    for form in (content, io.BytesIO(content)):
        assert preflight.check(form).verdict == "rejected"


# --- what cannot be ----------------------------------------------------------------------------------------------

SOUND = np.zeros(1600, np.float32)
WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "number": (42, TypeError, "not int"),
    "nothing": (None, TypeError, "not NoneType"),
    "list": ([GOOD], TypeError, "not list"),
    "array": (SOUND, TypeError, "without their rate"),
    "text": (io.StringIO("a"), TypeError, "rb"),
    "order": ((RATE, SOUND), TypeError, "rate comes second"),
    "no array": (([0, 1], RATE), TypeError, "numpy array"),
    "rate of text": ((SOUND, "16000"), TypeError, "number of Hz"),
    "truth": ((SOUND, True), TypeError, "number of Hz"),
    "type": ((SOUND.astype(np.int64), RATE), TypeError, "not int64"),
    "channels first": ((SOUND.reshape(2, -1), RATE), ValueError, "transpose"),
    "three axes": ((SOUND.reshape(-1, 2, 2), RATE), ValueError, "shape"),
    "empty": ((SOUND[:0], RATE), ValueError, "no samples"),
    "nan": ((SOUND + np.nan, RATE), ValueError, "NaN"),
    "inf": ((SOUND - np.inf, RATE), ValueError, "infinite"),
    "not divided": ((SOUND + 32767, RATE), ValueError, "full scale"),
    "rate": ((SOUND, 0), ValueError, "sample rate"),
    "part of a Hz": ((SOUND, 16000.5), ValueError, "sample rate"),
    "rate that is no number": ((SOUND, float("nan")), ValueError, "sample rate"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_of_the_program_is_raised(name: str, tmp_path: Path) -> None:
    recording, kind, words = WRONG[name]
    calls: list[Callable[[], object]] = [
        lambda: preflight.check(recording),
        lambda: preflight.plan(recording),
        lambda: preflight.fix(recording, tmp_path / "out.wav"),
        lambda: preflight.join([GOOD, recording], tmp_path / "out.wav"),
        lambda: preflight.prompt_clips(recording),
        lambda: list(preflight.check_many([recording])),
    ]
    for call in calls:
        with pytest.raises(kind, match=words):
            call()
    assert list(tmp_path.iterdir()) == []


def test_a_file_object_that_cannot_be_read(tmp_path: Path) -> None:
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
    yield os.fdopen(reading, "rb", buffering=0), "nothing has come"
    os.close(writing)


def test_a_stream_that_breaks_is_a_finding_or_cannot_be_mended(tmp_path: Path) -> None:
    for stream, words in streams_that_break():
        (finding,) = preflight.check(stream).findings
        assert finding.rule == "unreadable"
        assert words in finding.message
        assert "\n" not in finding.message
        stream.close()
    with pytest.raises(preflight.CannotFix, match="not a gzipped"):
        preflight.fix(unpacked(b"no gzip at all"), tmp_path / "out.wav")
    assert list(tmp_path.iterdir()) == []


def test_one_without_end_is_not_read_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "MOST_BYTES", 3_000_000)
    with open("/dev/zero", "rb") as endless:  # noqa: PTH123
        (finding,) = preflight.check(endless).findings
    assert "more than 3.0 MB" in finding.message
    assert "more than 3.0 MB" in preflight.check(bytes(3_000_001)).findings[0].message


# --- mending -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMS)
def test_mending_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    for path in (GOOD, FIXTURES / "voice-message.ogg"):
        expected = preflight.fix(path, tmp_path / "expected.wav", force=True)
        with contextlib.ExitStack() as stack:
            fixed = preflight.fix(FORMS[name](path, stack), tmp_path / "out.wav", force=True)
        assert fixed.action == expected.action
        assert (tmp_path / "out.wav").read_bytes() == (tmp_path / "expected.wav").read_bytes()
        with contextlib.ExitStack() as stack:
            assert preflight.plan(FORMS[name](path, stack)).edits == preflight.plan(path).edits


def test_into_a_folder_it_gets_a_name_of_its_own(tmp_path: Path) -> None:
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


def test_a_file_is_not_overwritten_through_its_own_object(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(GOOD.read_bytes())
    with path.open("rb") as file, pytest.raises(preflight.BadOutput, match="take itself"):
        preflight.fix(file, path, force=True)


def test_many_forms_are_joined_and_a_clip_is_found_in_each(tmp_path: Path) -> None:
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


def test_progress_of_mending_begins_again_with_each_pass(tmp_path: Path) -> None:
    seen: list[tuple[float, float | None]] = []
    source, out = FIXTURES / "voice-message.ogg", tmp_path / "out.wav"
    fixed = preflight.fix(source, out, on_progress=lambda done, total: seen.append((done, total)))
    assert fixed.action == "convert"
    begins = [0, *(at for at in range(1, len(seen)) if seen[at][0] <= seen[at - 1][0]), len(seen)]
    assert len(begins) == 4  # checked, written, checked
    for end in begins[1:]:
        assert seen[end - 1][0] == pytest.approx(fixed.before.file.duration_s, abs=1)
    seen.clear()
    preflight.plan(source, on_progress=lambda done, total: seen.append((done, total)))
    assert seen


def test_a_stored_recording_is_gone_afterwards() -> None:
    with as_path(b"x") as path:
        assert isinstance(path, Stored)
        assert content(path) == b"x"
    assert not Path(path).exists()
    assert preflight.check(GOOD.read_bytes()).verdict == "ready"
