"""Frame headers of MP3 and ADTS, and Xing, Info and VBRI headers, bit by bit."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import preflight
from preflight.media.mp3_header import SYNTAXES, FrameHeader, info_header, is_free_format, reaches_back
from tests.support.make_audio import FIXTURES, at_rate, id3, mp3, talk

MP3, AAC = SYNTAXES["mp3"], SYNTAXES["aac"]


def parsed(head: bytes) -> FrameHeader:
    header = MP3.parse(head)
    assert header is not None
    return header


STEREO = parsed(b"\xff\xfb\x90\x64")
MONO = parsed(b"\xff\xf3\x80\xc0")


@pytest.mark.parametrize(
    ("head", "size", "samples", "rate_hz", "side_bytes", "head_bytes"),
    [
        (b"\xff\xfb\x90\x64", 417, 1152, 44_100, 32, 4),  # MPEG-1, 128 kbit/s, joint stereo
        (b"\xff\xfb\x92\x64", 418, 1152, 44_100, 32, 4),  # with the padding bit
        (b"\xff\xfa\x90\x64", 417, 1152, 44_100, 32, 6),  # with a checksum
        (b"\xff\xfb\xe4\xc4", 960, 1152, 48_000, 17, 4),  # 320 kbit/s, mono
        (b"\xff\xf3\x80\xc0", 208, 576, 22_050, 9, 4),  # MPEG-2, 64 kbit/s, mono
        (b"\xff\xe3\x88\x00", 576, 576, 8_000, 17, 4),  # MPEG-2.5, 64 kbit/s, stereo
    ],
)
def test_mp3_headers(head: bytes, size: int, samples: int, rate_hz: int, side_bytes: int, head_bytes: int) -> None:
    assert MP3.parse(head) == (parsed(head).key, size, samples, rate_hz, side_bytes, head_bytes)


@pytest.mark.parametrize(
    "head",
    [
        b"\xff\xfb\x90",  # too short
        b"\xfe\xfb\x90\x64",  # no sync word
        b"\xff\xfd\x90\x64",  # layer II
        b"\xff\xeb\x90\x64",  # reserved version
        b"\xff\xfb\x00\x64",  # free format
        b"\xff\xfb\xf0\x64",  # invalid bit rate
        b"\xff\xfb\x9c\x64",  # reserved sample rate
    ],
)
def test_invalid_mp3_headers(head: bytes) -> None:
    assert MP3.parse(head) is None


def test_the_key_distinguishes_streams_but_not_bit_rates() -> None:
    assert parsed(b"\xff\xfb\x90\x64").key == parsed(b"\xff\xfb\xa0\x64").key
    assert len({parsed(head).key for head in (b"\xff\xfb\x90\x64", b"\xff\xfb\x90\xc4", b"\xff\xfb\x94\x64")}) == 3


def adts(size: int, *, rate_index: int = 8, channels: int = 1, blocks: int = 0, has_checksum: bool = False) -> bytes:
    """Return an ADTS header: sync, profile LC, sample rate, channels, frame length, number of blocks."""
    fixed = f"{0xFFF:012b}000{int(not has_checksum)}01{rate_index:04b}0{channels:03b}00"
    bits = f"{fixed}00{size:013b}{0x7FF:011b}{blocks:02b}"
    return int(bits, 2).to_bytes(7)


def test_adts_headers() -> None:
    assert AAC.parse(adts(300)) == (AAC.parse(adts(200)).key, 300, 1024, 16_000, 0, 7)  # type: ignore[union-attr]
    header = AAC.parse(adts(300, blocks=1, has_checksum=True))
    assert header is not None
    assert (header.samples, header.head_bytes) == (2048, 9)
    for invalid in (adts(300, rate_index=13), adts(7), adts(9, has_checksum=True), b"\xff\xf1\x50", b"\xff\xfb" * 4):
        assert AAC.parse(invalid) is None


def test_the_frames_of_a_raw_aac_file_follow_each_other() -> None:
    content, position, frames = (FIXTURES / "raw.aac").read_bytes(), 0, 0
    while position < len(content):
        header = AAC.parse(content[position : position + 7])
        assert header is not None
        position, frames = position + header.size, frames + 1
    assert (position, frames > 100) == (len(content), True)


@given(head=st.binary(max_size=16), codec=st.sampled_from(["mp3", "aac"]))
def test_any_bytes_are_a_frame_or_not(head: bytes, codec: str) -> None:
    for start in (b"", b"\xff\xfb", b"\xff\xf1"):
        header = SYNTAXES[codec].parse(start + head)
        assert header is None or (header.size > 0 and header.samples > 0 and header.rate_hz >= 7350)


def xing(name: bytes, fields: dict[int, int], encoder: bytes = b"", delay: int = 0, padding: int = 0) -> bytes:
    content = name + struct.pack(">I", sum(fields))
    for flag, value in sorted(fields.items()):
        content += bytes(100) if flag == 4 else struct.pack(">I", value)
    extension = encoder.ljust(21, b"\0") + (delay << 12 | padding).to_bytes(3) if encoder else b""
    return b"\xff\xfb\x90\x64" + bytes(STEREO.side_bytes) + content + extension + bytes(200)


def test_an_info_header_with_the_delays_of_lame() -> None:
    frame = xing(b"Info", {1: 383, 2: 160_000, 4: 0, 8: 50}, b"LAME3.100", 576, 1200)
    assert info_header(frame, STEREO) == ("Info", 383, 1776, 576, 160_000)


def test_delays_of_other_encoders_are_ignored() -> None:
    assert info_header(xing(b"Xing", {1: 10}, b"Other", 576, 1200), STEREO) == ("Xing", 10, 0, None, None)


def test_a_vbri_header() -> None:
    vbri = b"VBRI" + struct.pack(">HHHII", 1, 0, 0, 160_000, 383)
    assert info_header(b"\xff\xfb\x90\x64" + bytes(32) + vbri, STEREO) == ("VBRI", 383, 0, None, 160_000)


def test_a_frame_with_audio_has_no_info_header() -> None:
    assert info_header(b"\xff\xfb\x90\x64" + bytes(413), STEREO) is None


def test_main_data_begin_has_nine_bits_in_mpeg_1_and_eight_in_mpeg_2() -> None:
    assert reaches_back(b"\xff\xfb\x90\x64\xff\x80", STEREO) == 511
    assert reaches_back(b"\xff\xfb\x90\x64\x00\x7f", STEREO) == 0
    assert reaches_back(b"\xff\xf3\x80\xc0\xff\x00", MONO) == 255


def test_every_frame_of_a_real_file_parses() -> None:
    content = Path(FIXTURES / "good.mp3").read_bytes()
    header = next(header for at in range(len(content)) if (header := MP3.parse(content[at : at + 4])))
    assert (header.samples, header.rate_hz) == (576, 16_000)


def test_a_free_format_mp3_is_named() -> None:
    data = bytearray(mp3(at_rate(talk(11), 48_000), 48_000, bit_rate=128_000, xing=False))
    assert not is_free_format(bytes(data))
    for at in range(0, len(data) - 4, 384):  # all frames have the same size at this rate
        data[at + 2] &= 0x0F
    assert is_free_format(bytes(data))
    for tag in (b"", id3((b"TIT2", b"\0take"))):
        report = preflight.check(tag + bytes(data))
        assert report.verdict == "rejected"
        assert "free-format" in report.findings[0].message
