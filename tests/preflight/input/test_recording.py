"""Recordings in all formats of phones, recorders and programs: detected format and true duration."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

import preflight
from tests.support import make_audio as making
from tests.support.make_audio import RATE, chunk, coded, copied, form_chunk, id3, m4a, mp3, riff, talk, wav, with_video

SECONDS = 12.5
TAKE = talk(SECONDS)
BOTH = np.stack((TAKE, TAKE / 2), axis=1).astype(np.float32)
AT_48K = making.at_rate(TAKE, 48_000)
SAMPLES = making.integers(TAKE)
EXTENSIBLE = struct.pack("<HHIH", 22, 16, 4, 1) + bytes.fromhex("000000001000800000aa00389b71")
PICTURE = id3((b"APIC", b"\0image/png\0\3\0" + np.random.default_rng(1).bytes(2_000_000)))
BAD_TEXT = id3((b"TIT2", b"\3\xff\xfe\xfd bad \xc3"))

READY: dict[str, Callable[[], bytes]] = {
    "8-bit.wav": lambda: wav(TAKE, subtype="PCM_U8"),
    "24-bit.wav": lambda: wav(TAKE, subtype="PCM_24"),
    "32-bit.wav": lambda: wav(TAKE, subtype="PCM_32"),
    "float.wav": lambda: wav(TAKE, subtype="FLOAT"),
    "double.wav": lambda: wav(TAKE, subtype="DOUBLE"),
    "stereo.wav": lambda: wav(BOTH),
    "extensible.wav": lambda: riff(form_chunk(0xFFFE, more=EXTENSIBLE), chunk(b"data", SAMPLES)),
    "odd-chunks.wav": lambda: riff(chunk(b"bext", b"x" * 603), form_chunk(), chunk(b"LIST", b"abc"), sound_chunk()),
    "tail-chunks.wav": lambda: riff(form_chunk(), sound_chunk(), chunk(b"LIST", b"abcd" * 9000)),
    "riff-size-0.wav": lambda: riff(form_chunk(), sound_chunk(), size=0),
    "riff-size-small.wav": lambda: riff(form_chunk(), sound_chunk(), size=1000),
    "cbr.mp3": lambda: mp3(TAKE),
    "cbr-no-xing.mp3": lambda: mp3(TAKE, xing=False),
    "vbr.mp3": lambda: mp3(TAKE, vbr=True),
    "vbr-no-xing.mp3": lambda: mp3(TAKE, vbr=True, xing=False),
    "8-khz.mp3": lambda: mp3(making.at_rate(TAKE, 8000), 8000, bit_rate=16_000),
    "48-khz.mp3": lambda: mp3(AT_48K, 48_000),
    "bad-text.mp3": lambda: BAD_TEXT + mp3(TAKE),
    "picture.mp3": lambda: PICTURE + mp3(TAKE),
    "two-tags.mp3": lambda: BAD_TEXT + PICTURE + mp3(TAKE, xing=False),
    "stereo.m4a": lambda: m4a(BOTH),
    "48-khz.m4a": lambda: m4a(AT_48K, 48_000),
    "fragmented.m4a": lambda: m4a(TAKE, fragmented=True),
    "late.m4a": lambda: copied(m4a(TAKE), "ipod", shift_s=2.0),
}
FIXABLE: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "rf64.wav": (lambda: wav(TAKE, form="RF64"), "rf64", "pcm_s16le"),
    "wave64.w64": (lambda: wav(TAKE, form="W64"), "w64", "pcm_s16le"),
    "ulaw.wav": (lambda: wav(TAKE, subtype="ULAW"), "wav", "pcm_mulaw"),
    "alaw.wav": (lambda: wav(TAKE, subtype="ALAW"), "wav", "pcm_alaw"),
    "adpcm.wav": (lambda: wav(TAKE, subtype="MS_ADPCM"), "wav", "adpcm_ms"),
    "mp3-inside.wav": (lambda: coded(TAKE, "wav", "libmp3lame"), "wav", "mp3"),
    "wrong-align.wav": (lambda: riff(form_chunk(align=4), sound_chunk()), "wav", "pcm_s16le"),
    "layer-2.mp3": (lambda: coded(TAKE, "mp2", "mp2", bit_rate=64_000), "mp3", "mp2"),
    "two-tracks.m4a": (lambda: coded(TAKE, "ipod", "aac", tracks=2), "m4a", "aac"),
    "alac.m4a": (lambda: coded(TAKE, "ipod", "alac"), "m4a", "alac"),
    "opus.m4a": (lambda: coded(AT_48K, "mp4", "libopus", rate=48_000), "m4a", "opus"),
    "ac-3.m4a": (lambda: coded(AT_48K, "ipod", "ac3", rate=48_000, bit_rate=96_000), "m4a", "ac3"),
    "mp3-inside.m4a": (lambda: copied(mp3(TAKE), "mp4"), "m4a", "mp3"),
    "quicktime.mov": (lambda: coded(TAKE, "mov", "aac"), "mov", "aac"),
    "pcm.mov": (lambda: coded(TAKE, "mov", "pcm_s16le"), "mov", "pcm_s16le"),
    "phone.3gp": (lambda: copied(m4a(TAKE), "3gp"), "3gp", "aac"),
    "raw.aac": (lambda: copied(m4a(TAKE), "adts"), "adts", "aac"),
    "aac.mkv": (lambda: copied(m4a(TAKE), "matroska"), "matroska", "aac"),
    "late.mkv": (lambda: copied(m4a(TAKE), "matroska", shift_s=2.0), "matroska", "aac"),
    "mp3.mkv": (lambda: copied(mp3(TAKE), "matroska"), "matroska", "mp3"),
    "aac.ts": (lambda: copied(m4a(TAKE), "mpegts"), "mpegts", "aac"),
    "opus.webm": (lambda: coded(AT_48K, "webm", "libopus", rate=48_000), "matroska", "opus"),
    "video.mp4": (lambda: with_video(TAKE), "mp4", "aac"),
    "video.mkv": (lambda: with_video(TAKE, "matroska"), "matroska", "aac"),
    "video.avi": (lambda: with_video(TAKE, "avi", audio="libmp3lame"), "avi", "mp3"),
    "windows.wma": (lambda: coded(TAKE, "asf", "wmav2"), "wma", "wmav2"),
    "apple.aiff": (lambda: wav(TAKE, form="AIFF"), "aiff", "pcm_s16be"),
    "apple.caf": (lambda: wav(TAKE, form="CAF"), "caf", "pcm_s16be"),
    "sun.au": (lambda: wav(TAKE, form="AU"), "au", "pcm_s16be"),
    "24-bit.flac": (lambda: wav(TAKE, form="FLAC", subtype="PCM_24"), "flac", "flac"),
}
FRAMES = {"mp3": 1152 + 576, "aac": 2 * 1024, "mp2": 1152, "wmav2": 2048, "adpcm_ms": 1012, "opus": 960, "ac3": 1536}


def sound_chunk(size: int | None = None) -> bytes:
    return chunk(b"data", SAMPLES, size)


def frame_s(report: preflight.Report) -> float:
    """Return the duration of one frame of the codec, plus the encoder delay."""
    return FRAMES.get(report.file.codec, 0) / report.file.sample_rate_hz + 1e-6


@pytest.mark.parametrize("name", READY)
def test_accepted_formats_are_ready_with_the_right_duration(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(READY[name]())
    report = preflight.check(path)
    assert report.verdict == "ready", report.findings
    assert report.file.duration_s == pytest.approx(SECONDS, abs=frame_s(report))
    assert -90 < report.measurements["rms_dbfs"] < report.measurements["sample_peak_dbfs"] <= 0


@pytest.mark.parametrize("name", FIXABLE)
def test_other_formats_are_detected_and_converted(name: str, tmp_path: Path) -> None:
    make, container, codec = FIXABLE[name]
    path = tmp_path / name
    path.write_bytes(make())
    report = preflight.check(path)
    assert (report.verdict, report.file.container, report.file.codec) == ("fixable", container, codec)
    assert [finding.rule for finding in report.errors] == ["unsupported-format"]
    assert report.file.duration_s == pytest.approx(SECONDS, abs=frame_s(report))
    (tmp_path / "out").mkdir()
    fixed = preflight.fix(path, tmp_path / "out")
    assert fixed.after is not None
    assert fixed.after.verdict == "ready"
    assert fixed.after.file.duration_s == pytest.approx(SECONDS, abs=frame_s(report))
    assert fixed.action == ("rewrap" if codec in ("aac", "mp3") else "convert")


@pytest.mark.parametrize("name", READY)
def test_the_format_is_detected_under_any_name(name: str, tmp_path: Path) -> None:
    data = READY[name]()
    right = Path(name).suffix
    for wrong in (".ogg", ".txt", ".MP4"):
        path = tmp_path / f"take{wrong}"
        path.write_bytes(data)
        report = preflight.check(path, quick=True)
        assert (report.verdict, [finding.rule for finding in report.errors]) == ("fixable", ["extension-mismatch"])
        assert right[1:] == report.file.container
    for fine in ("take", "take.", f"take{right.upper()}"):
        path = tmp_path / fine
        path.write_bytes(data)
        assert preflight.check(path, quick=True).verdict == "ready"


def test_a_fix_drops_the_delay_of_audio_in_a_video(tmp_path: Path) -> None:
    path = tmp_path / "late.mkv"
    path.write_bytes(FIXABLE["late.mkv"][0]())
    preflight.fix(path, tmp_path / "out.m4a")
    with av.open(str(tmp_path / "out.m4a")) as container:
        assert (container.duration or 0) / 1e6 == pytest.approx(SECONDS, abs=0.15)
        assert (container.streams.audio[0].start_time or 0) <= 0


@pytest.mark.parametrize("claimed", [0, 0xFFFFFFFF, 0x7FFFF000])
def test_a_wav_without_a_final_size_is_read_to_its_end(claimed: int, tmp_path: Path) -> None:
    path = tmp_path / "pipe.wav"
    path.write_bytes(riff(form_chunk(), sound_chunk(claimed)))
    report = preflight.check(path)
    assert [finding.rule for finding in report.findings] == ["header-mismatch"]
    assert report.file.duration_s == SECONDS
    fixed = preflight.fix(path, tmp_path / "fixed.wav")
    assert fixed.lossless
    assert (tmp_path / "fixed.wav").read_bytes()[44:] == SAMPLES


@pytest.mark.slow
def test_a_concatenated_mp3_with_two_sample_rates_is_reported(tmp_path: Path) -> None:
    first, second = np.stack((AT_48K, AT_48K), axis=1), making.at_rate(TAKE, 22_050)
    path = tmp_path / "joined.mp3"
    path.write_bytes(mp3(first, 48_000, bit_rate=128_000) + mp3(second, 22_050))
    report = preflight.check(path)
    assert report.verdict == "fixable"
    assert [finding.rule for finding in report.errors] == ["unsupported-format"]
    assert "22050 Hz, 1 channel" in report.errors[0].message
    assert report.errors[0].spans[0][0] == pytest.approx(SECONDS, abs=0.1)
    assert report.file.duration_s == pytest.approx(2 * SECONDS, abs=0.2)
    fixed = preflight.fix(path, tmp_path / "whole.wav")
    assert fixed.after is not None
    assert (fixed.after.file.sample_rate_hz, fixed.after.file.channels) == (48_000, 2)
    assert fixed.after.file.duration_s == pytest.approx(2 * SECONDS, abs=0.2)


def test_a_concatenated_mp3_with_one_sample_rate_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "joined.mp3"
    path.write_bytes(mp3(TAKE) + mp3(TAKE))
    report = preflight.check(path)
    assert report.verdict == "ready"
    assert report.file.duration_s == pytest.approx(2 * SECONDS, abs=0.2)


def test_levels_of_a_known_signal(tmp_path: Path) -> None:
    path = tmp_path / "sine.wav"
    sine = (np.sin(np.arange(RATE * 12) * (2 * np.pi * 1000 / RATE)) / 2).astype(np.float32)
    path.write_bytes(wav(sine, subtype="FLOAT"))
    measured = preflight.check(path).measurements
    assert measured["rms_dbfs"] == pytest.approx(-9.03, abs=0.01)
    assert measured["sample_peak_dbfs"] == pytest.approx(-6.02, abs=0.01)


@pytest.mark.parametrize(("codec", "channels"), [("aac", 6), ("aac", 8), ("alac", 6)])
def test_multichannel_audio_is_decoded_and_mixed_to_mono(codec: str, channels: int, tmp_path: Path) -> None:
    """Eight is the number of planes that FFmpeg stores in a frame itself."""
    sound = np.zeros((len(TAKE), channels), np.float32)
    sound[:, 0] = TAKE
    path = tmp_path / "many.m4a"
    path.write_bytes(making.coded(sound, "ipod", codec, bit_rate=256_000))
    report = preflight.check(path)
    assert report.file.channels == channels
    assert "too-many-channels" in {finding.rule for finding in report.errors}
    assert report.verdict == "fixable"
    fixed = preflight.fix(path, tmp_path / "folded.wav")
    assert fixed.after is not None
    assert fixed.after.file.channels == 1
