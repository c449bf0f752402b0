"""Tags before, between and after MP3 frames, concatenated files, and lost frames."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest

import preflight
from preflight.input.source import Source
from preflight.media.frame_scan import scan_frames
from preflight.media.tags import id3v2_length_s
from tests.support.make_audio import RATE, m4a, mp3, packets, talk, wav
from tests.support.sources import opened

SECONDS = 12.0
FRAME_S = 576 / RATE
MP3 = mp3(talk(SECONDS))
"""With an Info frame, and without tags."""
BARE = mp3(talk(SECONDS), xing=False)


def id3v2(size: int = 1000, frames: bytes = b"", *, version: int = 3, flags: int = 0) -> bytes:
    body = frames.ljust(size, b"\0")
    return b"ID3" + bytes((version, 0, flags)) + bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0)) + body


def text_frame(name: bytes, text: str) -> bytes:
    content = b"\0" + text.encode()
    return name + struct.pack(">IH", len(content), 0) + content


def ape(size: int = 40_000) -> bytes:
    """Return an APEv2 tag with a cover image, header and footer."""
    value = b"Cover Art (Front)\0" + b"cover.jpg\0" + b"\xff\xfb\x90\x64" * (size // 4)
    item = struct.pack("<II", len(value), 2) + value
    fields = (
        struct.pack("<IIII", 2000, len(item) + 32, 1, 0xA0000000),
        struct.pack("<IIII", 2000, len(item) + 32, 1, 1 << 31),
    )
    return b"APETAGEX" + fields[0] + bytes(8) + item + b"APETAGEX" + fields[1] + bytes(8)


def id3v1() -> bytes:
    return b"TAG" + bytes(125)


def lyrics3() -> bytes:
    body = b"LYRICSBEGIN" + b"INF00002" + b"10" + b"LYR00400" + b"la " * 133 + b"!"
    return body + b"%06d" % len(body) + b"LYRICS200"


WRAPPED = {
    "ID3v2 in front": id3v2() + MP3,
    "two ID3v2 tags in front": id3v2(5000) + id3v2(30) + MP3,
    "ID3v1": MP3 + id3v1(),
    "APE": MP3 + ape(),
    "APE before ID3v1": MP3 + ape() + id3v1(),
    "Lyrics3 before ID3v1": MP3 + lyrics3() + id3v1(),
    "zeros at the end": MP3 + bytes(5000),
    "zeros and ID3v1": MP3 + bytes(5000) + id3v1(),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_tags_are_neither_damage_nor_audio(name: str, tmp_path: Path) -> None:
    path = tmp_path / "take.mp3"
    path.write_bytes(WRAPPED[name])
    report = preflight.check(path)
    assert report.verdict == "ready"
    assert {finding.rule for finding in report.findings} <= {"header-mismatch"}
    assert report.file.duration_s == pytest.approx(SECONDS, abs=1e-3)


@pytest.mark.parametrize(
    "other",
    [
        b"\xff\xd8\xff\xe0" + np.random.default_rng(1).bytes(30_000),
        b"<p>The recording is over.</p>\n" * 100,
        b'{"error": "time limit"}' + id3v1(),
    ],
    ids=["an image", "a web page", "a server's message and ID3v1"],
)
def test_other_data_at_the_end_is_neither_damage_nor_audio(other: bytes) -> None:
    report = preflight.check(BARE + other)
    assert {finding.rule for finding in report.findings} <= {"header-mismatch"}
    assert report.file.duration_s == preflight.check(BARE).file.duration_s


def test_another_recording_at_the_end_is_lost() -> None:
    report = preflight.check(BARE + wav(talk(2.0)))
    assert "damaged" in [finding.rule for finding in report.errors]


JOINED = {
    "Info frames": MP3 + MP3,
    "ID3v2 and Info frames": id3v2() + MP3 + id3v2() + MP3,
    "ID3v1 and ID3v2": MP3 + id3v1() + id3v2() + MP3 + id3v1(),
    "APE in the middle": MP3 + ape() + MP3,
    "no Info frames": BARE + id3v2() + BARE,
}


@pytest.mark.parametrize("name", JOINED)
def test_joined_files_are_copied_without_the_tags(name: str, tmp_path: Path) -> None:
    path, out = tmp_path / "take.mp3", tmp_path / "out.mp3"
    path.write_bytes(JOINED[name])
    fixed = preflight.fix(path, out)
    assert [finding.rule for finding in fixed.before.findings] == ["header-mismatch"]
    assert (fixed.action, fixed.lossless) == ("rewrap", True)
    assert fixed.after is not None
    assert fixed.after.findings == ()
    (tmp_path / "once.mp3").write_bytes(BARE)
    once = packets(tmp_path / "once.mp3")
    assert packets(out) == once * 2


def test_the_info_frame_of_the_first_part_is_not_trusted(tmp_path: Path) -> None:
    path, out = tmp_path / "take.mp3", tmp_path / "out.mp3"
    path.write_bytes(mp3(talk(3.0)) + mp3(talk(SECONDS), xing=False))
    report = preflight.check(path)
    (finding,) = report.findings
    assert (finding.rule, finding.severity, finding.fix) == ("header-mismatch", "error", "rewrite-header")
    assert finding.value == pytest.approx(3.0, abs=0.01)
    assert finding.limit == pytest.approx(15.0, abs=0.15)
    quick = preflight.check(path, quick=True)
    assert quick.verdict == "fixable"
    assert preflight.fix(path, out).action == "rewrap"
    assert preflight.check(out).findings == ()


def test_a_file_too_large_only_by_its_tag_is_copied(tmp_path: Path) -> None:
    path, out = tmp_path / "take.mp3", tmp_path / "out.mp3"
    picture = b"APIC" + struct.pack(">IH", 21_000_000, 0)
    path.write_bytes(id3v2(21_100_000, picture) + MP3)
    fixed = preflight.fix(path, out)
    assert {finding.rule for finding in fixed.before.errors} == {"too-large"}
    assert fixed.action == "rewrap"
    assert out.stat().st_size < len(MP3) + 1000
    (tmp_path / "bare.mp3").write_bytes(MP3)
    assert packets(out) == packets(tmp_path / "bare.mp3")


def test_the_length_in_an_id3_tag_is_compared(tmp_path: Path) -> None:
    path, out = tmp_path / "take.mp3", tmp_path / "out.mp3"
    path.write_bytes(id3v2(500, text_frame(b"TIT2", "a take") + text_frame(b"TLEN", "420000")) + MP3)
    (finding,) = preflight.check(path).findings
    assert (finding.rule, finding.severity, finding.value) == ("header-mismatch", "error", 420.0)
    assert "TLEN" in finding.message
    assert preflight.fix(path, out).action == "rewrap"
    assert preflight.check(out).verdict == "ready"


@pytest.mark.parametrize(
    "tags",
    [
        id3v2(0, text_frame(b"TIT2", "a take")) + id3v2(0, text_frame(b"TLEN", "420000")),
        id3v2(0, struct.pack(">IHI", 6, 0, 0) + text_frame(b"TLEN", "420000"), flags=0x40),
        id3v2(0, bytes((0, 0, 0, 6, 1, 0)) + text_frame(b"TLEN", "420000"), flags=0x40, version=4),
    ],
    ids=["a second tag", "an extended header", "an extended header of ID3v2.4"],
)
def test_the_length_is_found_in(tags: bytes) -> None:
    with opened(tags + MP3) as source:
        assert id3v2_length_s(source) == 420.0


@pytest.mark.parametrize("size", [500, 4096, 20_000])
def test_overwritten_bytes_are_reported_as_lost(size: int, tmp_path: Path) -> None:
    """At 48 kbit/s and 16 kHz a frame has 216 bytes."""
    data = bytearray(BARE)
    at = len(data) // 3
    data[at : at + size] = np.random.default_rng(5).bytes(size)
    path = tmp_path / "take.mp3"
    path.write_bytes(data)
    report = preflight.check(path)
    (damaged,) = [finding for finding in report.findings if finding.rule == "damaged"]
    assert damaged.value == pytest.approx(size / 216 * FRAME_S, abs=2 * FRAME_S)
    assert damaged.spans[0][0] == pytest.approx(at / 216 * FRAME_S, abs=3 * FRAME_S)
    held = (report.file.duration_s or 0) + (damaged.value or 0)
    assert held == pytest.approx(len(BARE) / 216 * FRAME_S, abs=2 * FRAME_S)


def test_a_gap_of_zeros_is_reported_as_lost(tmp_path: Path) -> None:
    data = bytearray(BARE)
    data[20_000:30_000] = bytes(10_000)
    path = tmp_path / "take.mp3"
    path.write_bytes(data)
    (damaged,) = [finding for finding in preflight.check(path).findings if finding.rule == "damaged"]
    assert damaged.value == pytest.approx(10_000 / 216 * FRAME_S, abs=2 * FRAME_S)


def test_lost_frames_of_raw_aac(tmp_path: Path) -> None:
    stream = Path(__file__).parents[3] / "fixtures" / "raw.aac"
    data = bytearray(stream.read_bytes())
    at, size = len(data) // 2, 8000
    data[at : at + size] = np.random.default_rng(6).bytes(size)
    path = tmp_path / "take.aac"
    path.write_bytes(data)
    damaged = [finding for finding in preflight.check(path).findings if finding.rule == "damaged"]
    assert len(damaged) == 1
    with av.open(str(stream)) as container:
        bytes_per_s = len(data) / (sum(frame.samples for frame in container.decode(audio=0)) / RATE)
    assert damaged[0].value == pytest.approx(size / bytes_per_s, abs=0.3)


def test_random_bytes_contain_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "noise.mp3"
    path.write_bytes(np.random.default_rng(7).bytes(300_000))
    with Source.open(path) as source:
        assert scan_frames(source, "mp3") is None
        assert scan_frames(source, "aac") is None


def test_an_id3_tag_before_an_m4a(tmp_path: Path) -> None:
    path, out = tmp_path / "take.m4a", tmp_path / "out.m4a"
    path.write_bytes(id3v2() + m4a(talk(SECONDS)))
    report = preflight.check(path)
    assert report.verdict == "fixable"
    assert report.file.duration_s == pytest.approx(SECONDS, abs=0.1)
    assert preflight.fix(path, out).action == "rewrap"
    assert preflight.check(out).findings == ()
