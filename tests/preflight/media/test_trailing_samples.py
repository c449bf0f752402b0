"""Samples after the declared end of a WAV, as left by a recorder that lost power, and other bytes there."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

import preflight
from preflight.media.probe import probe
from tests.support.make_audio import RATE, at_rate, chunk, form_chunk, id3, integers, mp3, riff, talk, wav
from tests.support.sources import opened

if TYPE_CHECKING:
    from collections.abc import Callable

SOUND = talk(40.0)
SAMPLES = integers(SOUND)
DECLARED_S = 15.0
END = round(DECLARED_S * RATE) * 2
EARLIER = riff(form_chunk(), chunk(b"data", SAMPLES[:END]))
NOISE = np.random.default_rng(5).bytes(400_000)
XML = b"".join(b" " * 400 + b"<key>%d</key>\n" % number for number in range(2000))


def estimated_s(content: bytes, *, quick: bool = False) -> float | None:
    with opened(content) as source:
        return probe(source, quick=quick).estimated_duration_s


def cut_short(content: bytes, share: float) -> tuple[bytes, int]:
    """A WAV whose sizes are those of an earlier moment, and the offset of the declared end."""
    at = content.index(b"data")
    size = int.from_bytes(content[at + 4 : at + 8], "little")
    held = int(size * share) // 48 * 48  # a multiple of all sizes of a frame
    sizes = struct.pack("<I", at + held), struct.pack("<I", held)
    return content[:4] + sizes[0] + content[8 : at + 4] + sizes[1] + content[at + 8 :], at + 8 + held


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
@pytest.mark.parametrize("rate", [8000, 48_000])
def test_every_sample_format(rate: int, subtype: str, channels: int, quick: bool) -> None:
    mono = at_rate(SOUND[: 12 * RATE], rate)
    whole = wav(np.stack([mono * 0.5**number for number in range(channels)], axis=1), rate, subtype)
    content, end = cut_short(whole, 0.5)
    assert estimated_s(content, quick=quick) == pytest.approx(12.0, abs=0.001)
    noise = np.random.default_rng(1).bytes(len(whole) - end)
    assert estimated_s(content[:end] + noise, quick=quick) == pytest.approx(6.0, abs=0.001)
    assert estimated_s(content[:end] + 10 * XML, quick=quick) == pytest.approx(6.0, abs=0.001)


BEHIND = {
    "zeros": bytes(400_000),
    "noise": NOISE,
    "text": XML,
    "an MP3": mp3(SOUND),
    "an ID3 tag with samples in it": id3((b"APIC", SAMPLES)),
    "a chunk outside of the RIFF chunk": chunk(b"wave", SAMPLES),
    "less than a second": SAMPLES[END : END + RATE],
    "a padding byte": b"\0",
    "silence of 8 bits": b"\x80" * 400_000,
}


@pytest.mark.parametrize("name", BEHIND)
def test_other_bytes_after_the_samples_are_ignored(name: str) -> None:
    for quick in (False, True):
        assert estimated_s(EARLIER + BEHIND[name], quick=quick) == DECLARED_S


@pytest.mark.parametrize(
    "behind",
    [bytes(3_000_000), chunk(b"LIST", b"INFOISFT\4\0\0\0abc\0"), b"TAG" + bytes(125)],
    ids=["zeros", "LIST", "ID3"],
)
def test_what_follows_the_samples_is_none(behind: bytes) -> None:
    assert estimated_s(EARLIER + SAMPLES[END:] + behind) == pytest.approx(40.0, abs=0.01)


def test_the_size_of_a_64_bit_wav() -> None:
    ds64 = chunk(b"ds64", struct.pack("<QQQI", END + 72, END, 0, 0))
    content = b"RF64\xff\xff\xff\xffWAVE" + ds64 + form_chunk() + b"data\xff\xff\xff\xff" + SAMPLES
    assert estimated_s(content) == estimated_s(content, quick=True) == 40.0


def test_another_recording_after_lost_samples() -> None:
    content = EARLIER + SAMPLES[END : END + 20 * RATE] + EARLIER
    with opened(content) as source:
        facts = probe(source)
    assert facts.wav is not None
    assert facts.wav.parts == 2
    assert facts.estimated_duration_s == 2 * DECLARED_S + 10.0


def test_they_are_reported_and_recovered(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(EARLIER + SAMPLES[END:])
    for report in (preflight.check(path), preflight.check(path, quick=True)):
        assert [(finding.rule, finding.severity) for finding in report.findings] == [("header-mismatch", "warning")]
        assert report.findings[0].message.startswith("the header says 15.0 s, the file holds 40.0 s")
    fixed = preflight.fix(path, tmp_path / "out.wav")
    assert (fixed.lossless, fixed.after and fixed.after.findings) == (True, ())
    recovered, _ = soundfile.read(tmp_path / "out.wav", dtype="int16")
    assert recovered.tobytes() == SAMPLES


def aiff_of(declared: int) -> bytes:
    whole = bytearray(wav(SOUND, form="AIFF"))
    at, common = whole.index(b"SSND"), whole.index(b"COMM")
    whole[4:8], whole[at + 4 : at + 8] = struct.pack(">I", at + 8 + declared), struct.pack(">I", declared + 8)
    whole[common + 10 : common + 14] = struct.pack(">I", declared // 2)
    return bytes(whole)


def wave64_of(declared: int) -> bytes:
    whole = bytearray(wav(SOUND, form="W64"))
    at = whole.index(b"data")
    whole[16:24], whole[at + 16 : at + 24] = struct.pack("<Q", at + 24 + declared), struct.pack("<Q", 24 + declared)
    return bytes(whole)


@pytest.mark.parametrize("make", [aiff_of, wave64_of])
def test_in_other_files_they_are_recovered_as_well(make: Callable[[int], bytes], tmp_path: Path) -> None:
    for quick in (False, True):
        report = preflight.check(make(END), quick=quick)
        assert {finding.rule: finding.severity for finding in report.findings} == {
            "unsupported-format": "error",
            "header-mismatch": "warning",
        }
        assert report.file.duration_s == 40.0
    assert preflight.fix(make(END), tmp_path / "out.wav").lossless
    recovered, _ = soundfile.read(tmp_path / "out.wav", dtype="int16")
    whole, _ = soundfile.read(io.BytesIO(wav(SOUND)), dtype="int16")
    assert np.array_equal(recovered, whole)


@pytest.mark.parametrize(("make", "header"), [(aiff_of, 54), (wave64_of, 104)])
def test_other_bytes_after_other_files_are_ignored(make: Callable[[int], bytes], header: int) -> None:
    assert len(make(END)) == header + len(SAMPLES)
    for behind in (b"", NOISE, XML, bytes(400_000)):
        assert preflight.check(make(END)[: header + END] + behind).file.duration_s == DECLARED_S


@pytest.mark.parametrize("size", [1 << 62, (1 << 63) - 8, 1 << 63, (1 << 64) - 8])
def test_a_chunk_may_declare_any_size(size: int) -> None:
    whole = bytearray(wave64_of(END))
    at = whole.index(b"data")
    whole[at : at + 4], whole[at + 16 : at + 24] = b"junk", struct.pack("<Q", size)
    for quick in (False, True):
        rules = {finding.rule for finding in preflight.check(bytes(whole), quick=quick).findings}
        assert rules & {"unreadable", "no-audio", "unsupported-format"}
        assert "not-examined" not in rules


def test_a_declared_length_below_the_minimum_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(cut_short(wav(talk(12.0)), 0.5)[0])
    report = preflight.check(path)
    assert [(finding.rule, finding.severity) for finding in report.findings] == [("header-mismatch", "error")]
    assert report.verdict == "fixable"


@pytest.mark.parametrize("form", ["AIFF", "W64"])
def test_concatenated_files_are_read_without_the_headers_between(form: str, tmp_path: Path) -> None:
    parts = [wav(SOUND[: 12 * RATE + 1], form=form), wav(SOUND[12 * RATE + 1 : 20 * RATE], form=form)]
    path, out = tmp_path / f"take.{form.lower()}", tmp_path / "out.wav"
    path.write_bytes(b"".join(parts))
    assert preflight.check(path, quick=True).file.duration_s == 20.0
    fixed = preflight.fix(path, out)
    assert (fixed.before.file.duration_s, fixed.lossless) == (20.0, True)
    expected = np.concatenate([soundfile.read(io.BytesIO(part), dtype="int16")[0] for part in parts])
    assert np.array_equal(soundfile.read(out, dtype="int16")[0], expected)


def test_a_concatenated_file_of_another_format_is_not_mixed_in() -> None:
    parts = wav(SOUND[: 12 * RATE], form="AIFF") + wav(SOUND[: 12 * RATE], RATE * 2, form="AIFF")
    assert preflight.check(parts, quick=True).file.duration_s == 12.0
