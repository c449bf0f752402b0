"""Malformed input: one clear finding, no exception, no other file is opened, bounded time."""

from __future__ import annotations

import gzip
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import preflight
from tests.support import make_audio as making
from tests.support.make_audio import FIXTURES, chunk, form_chunk, id3, m4a, mp3, patched, riff, rotten, talk, wav
from tests.support.processes import HANGS_AFTER_S

TAKE = talk(12.5)
SAMPLES = making.integers(TAKE)
NOISE = np.random.default_rng(2).bytes(200_000)
PLAYLISTS = {
    "concat": "ffconcat version 1.0\nfile {other}\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{other}\n#EXT-X-ENDLIST\n",
    "dash": "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'><BaseURL>{other}</BaseURL></MPD>",
    "smil": "<smil><body><audio src='{other}'/></body></smil>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
    "lavfi": "sine=frequency=1000:duration=20\n",
}

# name: content, rule, part of the message
REJECTED: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "random.mp3": (lambda: NOISE, "unreadable", "format is not recognized"),
    "random.wav": (lambda: NOISE, "unreadable", "format is not recognized"),
    "syncwords.mp3": (lambda: b"\xff\xfb\x90\x00" * 5000, "unreadable", "format is not recognized"),
    "syncwords.aac": (lambda: b"\xff\xf1\x50\x80" * 5000, "unreadable", "sample rate of 0 Hz"),
    "zeros.m4a": (lambda: bytes(100_000), "unreadable", "starts with zeros"),
    "letter.mp3": (lambda: "Größe, ein Brief.\n".encode() * 40, "unreadable", "text file"),
    "page.m4a": (lambda: b"<!DOCTYPE html><html></html>", "unreadable", "a web page"),
    "take.wav.gz.wav": (lambda: gzip.compress(wav(TAKE)), "unreadable", "a gzip file"),
    "tag.mp3": (lambda: id3((b"TIT2", b"\0x")), "unreadable", "ID3 tag"),
    "photo.mp3": (lambda: b"\xff\xd8\xff\xe0\0\x10JFIF\0" + NOISE[:3000], "unreadable", "a JPEG file"),
    "one-byte.wav": (lambda: b"R", "unreadable", ""),
    "no-data.wav": (lambda: riff(form_chunk()), "unreadable", "header is broken"),
    "no-form.wav": (lambda: riff(chunk(b"data", SAMPLES)), "unreadable", "header is broken"),
    "no-channels.wav": (lambda: riff(form_chunk(channels=0, align=2), chunk(b"data", SAMPLES)), "unreadable", ""),
    "0-hz.wav": (lambda: riff(form_chunk(rate=0), chunk(b"data", SAMPLES)), "unreadable", "0 Hz"),
    "10-mhz.wav": (lambda: riff(form_chunk(rate=10_000_000), chunk(b"data", SAMPLES)), "unreadable", "10000000 Hz"),
    "0-bits.wav": (lambda: riff(form_chunk(bits=0, align=2), chunk(b"data", SAMPLES)), "unreadable", "unknown codec"),
    "odd-tag.wav": (lambda: riff(form_chunk(0x9999), chunk(b"data", SAMPLES)), "unreadable", "unknown codec"),
    # a WAV has no packet boundaries for AAC, and FFmpeg cannot find them either
    "aac-inside.wav": (lambda: making.coded(TAKE, "wav", "aac"), "unreadable", "AAC packets but not their sizes"),
    "no-moov.m4a": (lambda: m4a(TAKE).replace(b"moov", b"XXXX"), "unreadable", "index (moov)"),
    "cut-moov.m4a": (lambda: (take := m4a(TAKE))[: take.index(b"moov") + 200], "unreadable", "index (moov)"),
    "huge-table.m4a": (lambda: patched(m4a(TAKE), b"stsz", 8, b"\x7f\xff\xff\xff"), "unreadable", "index (moov)"),
    "encrypted.m4a": (lambda: m4a(TAKE).replace(b"mp4a", b"enca"), "protected", "encrypted"),
    "video.mp4": (lambda: making.with_video(None), "no-audio", "only video"),
    "silent.wav": (lambda: wav(TAKE * 0), "no-audio", "silent"),
    "header.wav": (lambda: riff(form_chunk(), chunk(b"data", b"")), "no-audio", "no audio"),
    "not-a-number.wav": (lambda: wav(TAKE * np.float32(np.nan), subtype="FLOAT"), "no-audio", ""),
}


@pytest.mark.parametrize("name", REJECTED)
def test_rejected_with_a_reason(name: str, tmp_path: Path) -> None:
    make, rule, words = REJECTED[name]
    path = tmp_path / name
    path.write_bytes(make())
    report = preflight.check(path)
    assert report.verdict == "rejected"
    assert rule in [finding.rule for finding in report.errors]
    assert words in next(finding.message for finding in report.errors if finding.rule == rule)
    assert all("\n" not in finding.message for finding in report.findings)
    if rule == "unreadable":
        assert len(report.findings) == 1
    with pytest.raises(preflight.CannotFix):
        preflight.fix(path, tmp_path / "out.wav")
    assert preflight.check(path, quick=True).method == "headers"


@pytest.mark.parametrize("ending", [".wav", ".mp3", ".m4a", ".m3u8", ".mpd", ".ffconcat", ""])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_list_of_other_files_opens_none_of_them(kind: str, ending: str, tmp_path: Path) -> None:
    (tmp_path / "other.wav").write_bytes(wav(TAKE))
    path = tmp_path / f"take{ending}"
    path.write_text(PLAYLISTS[kind].format(other=tmp_path / "other.wav"))
    report = preflight.check(path)
    assert (report.verdict, report.file.duration_s) == ("rejected", None)
    assert [finding.rule for finding in report.findings] == ["unreadable"]


def _folder(path: Path) -> None:
    path.mkdir()


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))


PLACES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "no such file"),
    "folder": (_folder, "folder"),
    "pipe": (os.mkfifo, "pipe"),
    "socket": (_socket, "socket"),
    "circle": (lambda path: path.symlink_to(path), "cycle"),
    "dangling": (lambda path: path.symlink_to(path.parent / "nowhere"), "no such file"),
    "device": (lambda path: path.symlink_to("/dev/null"), "device"),
    "empty": (lambda path: path.touch(), "empty"),
}


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("quick", [False, True])
def test_paths_without_a_regular_file_are_rejected(kind: str, quick: bool, tmp_path: Path) -> None:
    make, words = PLACES[kind]
    path = tmp_path / "take.wav"
    make(path)
    report = preflight.check(path, quick=quick)
    assert report.verdict == "rejected"
    assert [finding.rule for finding in report.findings] == ["unreadable"]
    assert words in report.findings[0].message
    assert ": " in report.findings[0].message or kind == "empty"
    with pytest.raises(preflight.CannotFix, match=words):
        preflight.fix(path, tmp_path / "out.wav")


def test_impossible_names_are_reported() -> None:
    for name in ("", "a\0b.wav", "x" * 5000 + ".wav", "good.wav/take.wav"):
        report = preflight.check(name)
        assert [finding.rule for finding in report.findings] == ["unreadable"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(wav(TAKE))
    path.chmod(0)
    assert "no permission" in preflight.check(path).findings[0].message


ODD_NAMES = [b"a\nb.wav", b'it\'s "one".wav', b"\x1b[31mred.wav", b"-rf.wav", b"\xff\xfe.wav", b"http:x.wav", b"%d.wav"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names(name: bytes, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(name)
    path.write_bytes((FIXTURES / "telephone.wav").read_bytes())
    report = preflight.check(path)
    assert report.verdict == "fixable"
    report.path.encode("utf-8")
    out = str(tmp_path / os.fsdecode(b"out-" + name))
    fixed = preflight.fix(str(path), out)
    assert fixed.path == out
    assert preflight.check(out).verdict == "ready"


@pytest.mark.slow
def test_the_library_does_not_print(tmp_path: Path) -> None:
    for name, data in {
        "rotten.mp3": rotten(mp3(TAKE), 0.5, 3000),
        "rotten.m4a": rotten(m4a(TAKE), 0.6, 4000),
        "cut.m4a": m4a(TAKE)[:50_000],
        "random.mp3": NOISE,
        "inf.wav": wav(np.full_like(TAKE, np.inf), subtype="FLOAT"),
        "beyond.wav": wav(TAKE * np.float32(1e38), subtype="FLOAT"),
        "tag.mp3": id3((b"TIT2", b"\3\xff\xfe")) + mp3(TAKE),
        "times.m4a": patched(m4a(TAKE), b"mdhd", 12, b"\0\0\0\0"),
    }.items():
        (tmp_path / name).write_bytes(data)
    program = (
        "import sys, preflight\n"
        "for name in sys.argv[1:]:\n"
        "    preflight.check(name)\n"
        "    try: preflight.fix(name, 'out', force=True)\n"
        "    except preflight.PreflightError: pass\n"
    )
    names = sorted(file.name for file in tmp_path.iterdir())
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        [sys.executable, "-Walways", "-c", program, *names],
        cwd=tmp_path,
        capture_output=True,
        timeout=HANGS_AFTER_S,
        check=True,
    )
    assert (done.stdout, done.stderr) == (b"", b"")


def test_a_sparse_file_is_not_decoded_to_its_end(tmp_path: Path) -> None:
    """2 GB that start like a WAV of 512 MB: only the declared data is decoded."""
    head = riff(form_chunk(rate=48_000), b"data" + struct.pack("<I", 2**24))[:44]
    path = making.sparse(tmp_path / "sparse.wav", 2**31, head)
    begin = time.process_time()
    report = preflight.check(path, quick=True)
    assert time.process_time() - begin < 1  # reading 2 GB would take longer
    assert [finding.rule for finding in report.errors] == ["too-large"]


@pytest.mark.parametrize("field", [12, 16])
@pytest.mark.parametrize("value", [0, 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_odd_times_in_an_m4a(field: int, value: int, tmp_path: Path) -> None:
    path = tmp_path / "take.m4a"
    path.write_bytes(patched(m4a(TAKE), b"mdhd", field, struct.pack(">I", value)))
    report = preflight.check(path)
    assert report.verdict in ("ready", "fixable", "rejected")
    if report.verdict == "ready":
        assert report.file.duration_s == pytest.approx(12.5, abs=0.15)


def test_encrypted_packets_are_reported(tmp_path: Path) -> None:
    """A renamed sample entry hides the protection, but its packets cannot be decoded."""
    data = m4a(TAKE)
    start = data.index(b"mdat") + 4
    path = tmp_path / "take.m4a"
    path.write_bytes(data[:start] + np.random.default_rng(4).bytes(len(data) - start))
    report = preflight.check(path)
    assert report.verdict == "rejected"
    assert {"unreadable", "damaged", "too-short"} & {finding.rule for finding in report.errors}


def test_an_unreadable_rest_of_a_container_is_damage(tmp_path: Path) -> None:
    """Ogg declares no duration, so only the demuxer error shows that the rest is missing."""
    data = (FIXTURES / "voice-message.ogg").read_bytes()
    page = data.index(b"OggS", len(data) // 2)
    path = tmp_path / "take.ogg"
    path.write_bytes(data[:page] + bytes(range(256)) * 300 + data[page:])
    report = preflight.check(path)
    (damage,) = (finding for finding in report.findings if finding.rule == "damaged")
    assert report.file.duration_s is not None
    assert damage.spans[0][0] == pytest.approx(report.file.duration_s, abs=0.1)
    assert report.file.duration_s < 11
