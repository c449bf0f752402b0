"""MP3 frames: headers, the bit reservoir, and the Info frame of a cut."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preflight.errors import CannotFix
from preflight.fixes.mp3_cut import crc16, cut_mp3, read_frame
from preflight.media.mp3_header import DECODER_DELAY
from tests.support.make_audio import FIXTURES, at_rate, mp3, packets_in, talk

RATES = {8000: (0, 576), 16_000: (2, 576), 24_000: (2, 576), 44_100: (3, 1152), 48_000: (3, 1152)}


@cache
def frames_at(rate: int, seconds: float = 4.0, bit_rate: int = 64_000) -> tuple[bytes, ...]:
    return tuple(packets_in(mp3(at_rate(talk(seconds), rate), rate, bit_rate=bit_rate)))


def cut(frames: tuple[bytes, ...], first: int, last: int) -> bytes:
    file = io.BytesIO()
    cut_mp3(frames, file, first, last)
    return file.getvalue()


def info_of(data: bytes) -> dict[str, int]:
    """The fields of the Info frame at the start of an MP3."""
    at = max(data.find(b"Info", 0, 100), data.find(b"Xing", 0, 100))
    assert at > 0
    extension = data[at + 120 :]
    return {
        "frames": int.from_bytes(data[at + 8 : at + 12]),
        "bytes": int.from_bytes(data[at + 12 : at + 16]),
        "delay": int.from_bytes(extension[21:24]) >> 12,
        "padding": int.from_bytes(extension[21:24]) & 0xFFF,
        "crc": int.from_bytes(extension[34:36]),
        "crc_of": crc16(data[: at + 120 + 34]),
    }


@pytest.mark.parametrize("rate", RATES)
def test_the_header_of_a_frame(rate: int) -> None:
    frame = read_frame(frames_at(rate)[5])
    assert (frame.rate_hz, frame.version, frame.samples) == (rate, *RATES[rate])
    assert frame.size == len(frames_at(rate)[5])
    assert frame.main_bytes == frame.size - frame.head_bytes - frame.side_bytes
    assert frame.side_bytes == (17 if frame.version == 3 else 9)  # mono: ISO/IEC 11172-3, 2.4.1.7
    assert 0 <= frame.reaches_back < 512


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xff\xfb\x90", b"ID3" * 9, b"\xff\xff" * 9, bytes(100)])
def test_bytes_that_are_not_a_frame(data: bytes) -> None:
    with pytest.raises(CannotFix):
        read_frame(data)


def test_the_checksum_is_that_of_lame() -> None:
    assert crc16(b"123456789") == 0xBB3D
    assert crc16(b"") == 0


@pytest.mark.parametrize("rate", RATES)
def test_the_info_frame_describes_the_cut(rate: int) -> None:
    frames = frames_at(rate)
    first, last = rate, 3 * rate
    data = cut(frames, first, last)
    info = info_of(data)
    assert info["bytes"] == len(data)
    assert info["crc"] == info["crc_of"]
    kept = packets_in(data)
    assert info["frames"] == len(kept)
    samples = read_frame(kept[0]).samples
    played = len(kept) * samples - info["delay"] - info["padding"]
    assert played - (last - first) in range(5 * samples)  # the start may lie a few frames earlier
    assert frames[frames.index(kept[0]) :][: len(kept)] == tuple(kept)


@pytest.mark.parametrize("rate", RATES)
def test_the_first_audible_frame_has_its_whole_bit_reservoir(rate: int) -> None:
    for moment in np.linspace(0.5, 3.0, 12):
        kept = packets_in(cut(frames_at(rate), round(moment * rate), round((moment + 0.5) * rate)))
        info = info_of(cut(frames_at(rate), round(moment * rate), round((moment + 0.5) * rate)))
        headers = [read_frame(frame) for frame in kept]
        first = (info["delay"] + DECODER_DELAY) // headers[0].samples
        available = sum(header.main_bytes for header in headers[:first])
        assert headers[first].reaches_back <= available


@settings(max_examples=40)
@given(start=st.floats(0.05, 3), length=st.floats(0.1, 2))
def test_any_cut_has_a_valid_info_frame(start: float, length: float) -> None:
    data = cut(frames_at(16_000), round(start * 16_000), round((start + length) * 16_000))
    info = info_of(data)
    assert (info["bytes"], info["crc"]) == (len(data), info["crc_of"])
    assert info["delay"] <= 4095


def test_nothing_is_skipped_before_the_delay_of_the_decoder() -> None:
    """With an extension, decoders would skip their own delay of 529 samples, which is wanted here."""
    data = cut(frames_at(16_000), 0, 16_000)
    assert packets_in(data)[0] == frames_at(16_000)[0]
    assert b"Lavf" not in data[:200]
    assert b"Lavf" in cut(frames_at(16_000), 1105, 16_000)[:200]


def test_from_the_start_nothing_precedes() -> None:
    frames = frames_at(16_000)
    data = cut(frames, 1105, 16_000)
    assert packets_in(data)[0] == frames[0]


def test_the_seek_table_rises() -> None:
    data = cut(tuple(packets_in((FIXTURES / "good.mp3").read_bytes())), 30_000, 150_000)
    at = data.index(b"Info")
    table = list(data[at + 16 : at + 116])
    assert table == sorted(table)
    assert table[50] == pytest.approx(128, abs=6)


def test_variable_bit_rate_is_declared() -> None:
    frames = tuple(packets_in(mp3(talk(4), vbr=True)))
    assert b"Xing" in cut(frames, 16_000, 48_000)[:100]


def test_no_frames_no_cut() -> None:
    for frames, first, last in (((), 0, 1000), (frames_at(16_000), 10**9, 2 * 10**9), (frames_at(16_000), 0, 0)):
        with pytest.raises(CannotFix, match="no audio is left"):
            cut(frames, first, last)


def test_a_reservoir_that_is_too_long_to_skip() -> None:
    """At 40 kbit/s and 48 kHz the reservoir spans five frames, more than the 4095 samples that can be skipped."""
    frames = frames_at(48_000, 4.0, 40_000)
    with pytest.raises(CannotFix, match="depend too much on earlier ones"):
        cut(frames, 96_000, 150_000)
