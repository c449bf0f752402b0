"""Unusual WAV files that programs write: concatenated, big-endian, 64-bit, after tags, with odd chunks."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

import preflight
from preflight.input.source import Source
from preflight.media.wav_header import read_wav_header
from tests.support.make_audio import RATE, chunk, coded, form_chunk, integers, m4a, mp3, riff, talk, wav

if TYPE_CHECKING:
    from numpy.typing import NDArray

SECONDS = 11.0
SOUND = talk(SECONDS)
SAMPLES = integers(SOUND)
HALF = len(SAMPLES) // 2
ID3 = b"ID3\x03\0\0\0\0\0\x0a" + bytes(10)


def data(samples: bytes, size: int | None = None) -> bytes:
    return chunk(b"data", samples, size)


def rifx() -> bytes:
    swapped = np.frombuffer(SAMPLES, "<i2").astype(">i2").tobytes()
    form = b"fmt " + struct.pack(">IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    body = b"WAVE" + form + b"data" + struct.pack(">I", len(swapped)) + swapped
    return b"RIFX" + struct.pack(">I", len(body)) + body


def long_form(name: bytes, size: int) -> bytes:
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 0, size, 0, 0))
    return name + struct.pack("<I", 0xFFFFFFFF) + b"WAVE" + ds64 + form_chunk() + data(SAMPLES, 0xFFFFFFFF)


def unpadded_chunk() -> bytes:
    return b"note" + struct.pack("<I", 3) + b"abc"


ONE = riff(form_chunk(), data(SAMPLES))
PARTS = [riff(form_chunk(), data(part)) for part in (SAMPLES[:HALF], SAMPLES[HALF:])]
OPEN_PARTS = [riff(form_chunk(), data(part, 0xFFFFFFFF), size=0xFFFFFFFF) for part in (SAMPLES[:HALF], SAMPLES[HALF:])]
LAYOUTS = {
    "joined": b"".join(PARTS),
    "joined, sizes unknown": b"".join(OPEN_PARTS),
    "joined, sizes 0": b"".join(riff(form_chunk(), data(part, 0), size=0) for part in (SAMPLES[:HALF], SAMPLES[HALF:])),
    "joined, the first size covers all": riff(
        form_chunk(), data(SAMPLES[:HALF], len(SAMPLES) + 44), size=len(SAMPLES) + 80
    )
    + PARTS[1],
    "joined, with chunks after the samples": riff(form_chunk(), data(SAMPLES[:HALF]), chunk(b"LIST", b"INFOtext"))
    + PARTS[1],
    "behind an ID3 tag": ID3 + ONE,
    "behind a byte order mark": b"\xef\xbb\xbf" + ONE,
    "behind the head of an answer": b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\n\r\n" + ONE,
    "two data chunks": riff(form_chunk(), data(SAMPLES[:HALF]), chunk(b"LIST", b"INFO"), data(SAMPLES[HALF:])),
    "RIFX": rifx(),
    "RF64": long_form(b"RF64", len(SAMPLES)),
    "RF64, sizes 0": long_form(b"RF64", 0),
    "an odd chunk without padding": riff(unpadded_chunk(), form_chunk(), data(SAMPLES)),
    "BW64": long_form(b"BW64", len(SAMPLES)),
    "joined, with a tag between": PARTS[0] + ID3 + PARTS[1],
    "joined, with zeros between": PARTS[0] + bytes(100) + PARTS[1],
    "the format behind the samples": riff(data(SAMPLES), form_chunk()),
    "an odd chunk without padding before a printable size": riff(
        unpadded_chunk(), chunk(b"bext", bytes(0x25A)), form_chunk(), data(SAMPLES)
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_unusual_layouts_are_read_and_fixed_to_the_sample(name: str, tmp_path: Path) -> None:
    path, out = tmp_path / "take.wav", tmp_path / "out.wav"
    path.write_bytes(LAYOUTS[name])
    report = preflight.check(path)
    assert [(finding.rule, finding.severity) for finding in report.findings] == [("unsupported-format", "error")]
    assert report.verdict == "fixable"
    fixed = preflight.fix(path, out)
    assert fixed.lossless
    written, rate = soundfile.read(out, dtype="int16")
    assert rate == RATE
    assert written.astype("<i2").tobytes() == SAMPLES


INFO = chunk(b"LIST", b"INFO" + chunk(b"ISFT", b"editor"))
WRONG_SIZES = {
    "unknown, chunks behind": riff(form_chunk(), data(SAMPLES, 0xFFFFFFFF), INFO),
    "0, chunks behind": riff(form_chunk(), data(SAMPLES, 0), INFO, chunk(b"id3 ", ID3)),
    "too large, chunks behind": riff(form_chunk(), data(SAMPLES, 2 * len(SAMPLES)), INFO),
    "half, but the RIFF chunk has the right size": riff(form_chunk(), data(SAMPLES, HALF)),
    "half, chunks behind": riff(form_chunk(), data(SAMPLES, HALF), INFO),
}


@pytest.mark.parametrize("name", WRONG_SIZES)
def test_a_wrong_size_of_the_samples_is_corrected_without_loss(name: str, tmp_path: Path) -> None:
    path, out = tmp_path / "take.wav", tmp_path / "out.wav"
    path.write_bytes(WRONG_SIZES[name])
    (finding,) = preflight.check(path).findings
    assert finding.rule == ("truncated" if "too large" in name else "header-mismatch")
    assert preflight.fix(path, out).lossless
    assert soundfile.read(out, dtype="int16")[0].astype("<i2").tobytes() == SAMPLES


def test_a_chunk_after_an_odd_number_of_samples_is_not_sound(tmp_path: Path) -> None:
    samples = ((np.frombuffer(SAMPLES, "<i2")[1:] >> 8) + 128).astype(np.uint8).tobytes()
    path = tmp_path / "take.wav"
    path.write_bytes(riff(form_chunk(bits=8), data(samples), chunk(b"PAD ", bytes(5000))))
    report = preflight.check(path)
    assert report.findings == ()
    assert report.file.duration_s == pytest.approx(len(samples) / RATE)


def test_a_wrong_length_that_breaks_no_limit_is_corrected_where_nothing_is_lost(tmp_path: Path) -> None:
    path, out = tmp_path / "take.wav", tmp_path / "out.wav"
    path.write_bytes(riff(form_chunk(), chunk(b"fact", struct.pack("<I", 2 * len(SOUND))), data(SAMPLES)))
    (finding,) = preflight.check(path).findings
    assert (finding.rule, finding.severity, finding.fix) == ("header-mismatch", "warning", "rewrite-header")
    assert preflight.fix(path, out).lossless
    assert preflight.check(out).findings == ()


def test_concatenated_files_of_compressed_audio_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(2 * wav(SOUND, subtype="IMA_ADPCM"))
    (finding,) = preflight.check(path).errors
    assert (finding.rule, finding.fix) == ("unsupported-format", None)
    assert "2 concatenated WAV files of compressed audio" in finding.message


def test_a_chunk_that_libsndfile_rejects_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(riff(chunk(b"PEAK", bytes(16)), form_chunk(), data(SAMPLES)))
    assert preflight.check(path).findings == ()


STANDARD = {
    "JUNK and LIST before fmt": riff(chunk(b"JUNK", bytes(28)), chunk(b"LIST", b"INFOx"), form_chunk(), data(SAMPLES)),
    "an odd chunk with padding": riff(chunk(b"note", b"abc"), form_chunk(), data(SAMPLES)),
    "extensible": riff(
        form_chunk(0xFFFE, more=struct.pack("<HHI", 22, 16, 4) + b"\1\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"),
        data(SAMPLES),
    ),
}


@pytest.mark.parametrize("name", STANDARD)
def test_the_samples_are_found_after_other_chunks(name: str, tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(STANDARD[name])
    with Source.open(path) as source:
        header = read_wav_header(source)
    assert header is not None
    assert STANDARD[name][header.data_offset : header.data_offset + header.held_bytes] == SAMPLES
    assert preflight.check(path).file.duration_s == pytest.approx(SECONDS)


def test_concatenated_files_of_different_formats_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(ONE + wav(talk(11.0), 8000))
    (finding,) = preflight.check(path).errors
    assert (finding.rule, finding.fix) == ("unsupported-format", None)
    assert "different formats" in finding.message
    with pytest.raises(preflight.CannotFix, match="different formats"):
        preflight.fix(path, tmp_path / "out.wav")


def test_the_fact_chunk_is_compared(tmp_path: Path) -> None:
    path, out = tmp_path / "take.wav", tmp_path / "out.wav"
    path.write_bytes(riff(form_chunk(), chunk(b"fact", struct.pack("<I", 420 * RATE)), data(SAMPLES)))
    for quick in (False, True):
        (finding,) = preflight.check(path, quick=quick).findings
        assert (finding.rule, finding.severity) == ("header-mismatch", "error")
        assert "420.0 s (fact)" in finding.message
    assert preflight.fix(path, out).lossless
    assert preflight.check(out).findings == ()
    assert soundfile.read(out, dtype="int16")[0].astype("<i2").tobytes() == SAMPLES


@pytest.mark.parametrize("bits", [8, 24, 32])
def test_big_endian_samples_of_every_size(bits: int, tmp_path: Path) -> None:
    """Decode random samples of each size from RIFX."""
    whole = np.random.default_rng(bits).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), 12 * 1000, dtype=np.int64)
    if bits == 8:
        samples = (whole + 128).astype("u1").tobytes()
    else:
        samples = b"".join(int(value).to_bytes(bits // 8, "big", signed=True) for value in whole)
    form = b"fmt " + struct.pack(">IHHIIHH", 16, 1, 1, 1000, 1000 * bits // 8, bits // 8, bits)
    body = b"WAVE" + form + b"data" + struct.pack(">I", len(samples)) + samples
    path = tmp_path / "take.wav"
    path.write_bytes(b"RIFX" + struct.pack(">I", len(body)) + body)
    from preflight.media.decoder import Decoder
    from preflight.media.probe import probe

    with Source.open(path) as source:
        decoded = np.concatenate(list(Decoder(source, probe(source)).blocks()))[:, 0]
    assert np.allclose(decoded, whole / 2 ** (bits - 1), atol=2.0**-23)


PADDED = (np.frombuffer(integers(SOUND, 32), "<i4") & -256).astype("<i4").tobytes()
PACKED = np.frombuffer(PADDED, np.uint8).reshape(-1, 4)[:, 1:].tobytes()
STORED_BITS = {
    "24 bits in 32": (riff(form_chunk(bits=24, align=4), data(PADDED)), "24 bits in samples of 32"),
    "20 bits in 24": (riff(form_chunk(bits=20, align=3), data(PACKED)), "20 bits in samples of 24"),
    "12 bits in 16": (riff(form_chunk(bits=12, align=2), data(SAMPLES)), "12 bits in samples of 16"),
    "no number of bits": (
        riff(chunk(b"fmt ", struct.pack("<HHIIH", 1, 1, RATE, 2 * RATE, 2)), data(SAMPLES)),
        "format chunk is too short",
    ),
}


@pytest.mark.parametrize("name", STORED_BITS)
def test_padded_samples_are_read_and_fixed_to_the_sample(name: str, tmp_path: Path) -> None:
    path, out = tmp_path / "take.wav", tmp_path / "out.wav"
    content, problem = STORED_BITS[name]
    path.write_bytes(content)
    for report in (preflight.check(path), preflight.check(path, quick=True)):
        assert [finding.rule for finding in report.findings] == ["unsupported-format"]
        assert problem in report.findings[0].message
        assert (report.verdict, report.file.duration_s) == ("fixable", SECONDS)
    assert preflight.fix(path, out).lossless
    bits = 16 if len(content) < 3 * RATE * SECONDS else 32
    samples, _ = soundfile.read(out, dtype=f"int{bits}")
    assert samples.tobytes() == (SAMPLES if bits == 16 else PADDED)


CONTRADICTING = {
    "a rate": riff(form_chunk(), form_chunk(rate=48_000), data(SAMPLES)),
    "channels": riff(form_chunk(), form_chunk(channels=2), data(SAMPLES)),
    "the second one after the samples": riff(form_chunk(), data(SAMPLES), form_chunk(rate=48_000)),
    "compressed audio": riff(form_chunk(), form_chunk(tag=0x55), data(SAMPLES)),
}


@pytest.mark.parametrize("name", CONTRADICTING)
def test_contradicting_format_chunks_are_rejected(name: str) -> None:
    """Programs read the first one, but which is right, and so the pitch of the voice, cannot be known."""
    for report in (preflight.check(CONTRADICTING[name]), preflight.check(CONTRADICTING[name], quick=True)):
        assert (report.verdict, report.file.duration_s) == ("rejected", SECONDS)
        (found,) = report.errors
        assert found.message.startswith("a WAV with format chunks that contradict each other")
        assert found.fix is None


def test_a_repeated_format_chunk_that_agrees() -> None:
    longer = form_chunk(more=b"\0\0")  # with the size of an empty extension
    report = preflight.check(riff(form_chunk(), longer, data(SAMPLES)))
    assert [(finding.rule, finding.fix) for finding in report.findings] == [("unsupported-format", "convert")]


@pytest.mark.parametrize("samples", [np.frombuffer(PADDED, "<i4") >> 8, np.float32(SOUND * 2**23)])
def test_24_bits_that_are_not_the_upper_ones_are_rejected(samples: NDArray[np.generic]) -> None:
    """Integers in the lower bits, and the floating-point samples of some editors, have the same format chunk."""
    content = riff(form_chunk(bits=24, align=4), data(samples.tobytes()))
    report = preflight.check(content, quick=True)
    assert [finding.message.partition(";")[0] for finding in report.errors] == [
        "a WAV with samples in an unknown order of bits"
    ]
    assert report.verdict == "rejected"


ENCODED = {
    "an MP3": mp3(SOUND),
    "raw AAC": coded(SOUND, "adts", "aac"),
    "an MP4 file": m4a(SOUND),
    "an Ogg file": coded(SOUND, "ogg", "libopus", rate=48_000),
    "a FLAC file": coded(SOUND, "flac", "flac"),
}


@pytest.mark.parametrize("kind", ENCODED)
def test_an_encoded_file_after_a_header_for_samples_is_named(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(riff(form_chunk(rate=1000), data(ENCODED[kind])))
    for quick in (False, True):
        (finding,) = preflight.check(path, quick=quick).errors
        assert finding.rule == "unreadable"
        assert f"in front of {kind}: export it again" in finding.message
    with pytest.raises(preflight.CannotFix, match=f"in front of {kind}"):
        preflight.fix(path, tmp_path / "out.wav")


def test_compressed_audio_without_a_fact_chunk_declares_no_duration(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(riff(form_chunk(0xFF, bits=16), data(coded(SOUND, "adts", "aac"))))
    report = preflight.check(path)
    assert [finding.rule for finding in report.errors] == ["unsupported-format"]
    assert report.verdict == "fixable"
