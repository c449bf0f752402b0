"""Scans of synthetic MP3 files: ranges, gaps, tags, padding and Info frames."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.media.frame_scan import FrameScan, scan_frames
from tests.support.sources import opened

FRAME = b"\xff\xfb\x90\x64" + bytes(413)
"""A frame of silence: MPEG-1, 128 kbit/s, 44.1 kHz."""
SIZE = len(FRAME)
OTHER = b"\xff\xfb\x94\x64" + bytes(380)
"""The same at 48 kHz."""
INFO = b"\xff\xfb\x90\x64" + bytes(32) + b"Info" + bytes(SIZE - 40)
ID3 = b"ID3\x04\0\0\0\0\0\x14" + bytes(20)
GARBAGE = b"\x55" * 1000


def scanned(content: bytes, codec: str = "mp3") -> FrameScan:
    with opened(content) as source:
        scan = scan_frames(source, codec)
    assert scan is not None
    return scan


def test_a_plain_file_is_one_range() -> None:
    scan = scanned(FRAME * 10)
    assert (scan.ranges, scan.frames, scan.samples, scan.rate_hz) == ([(0, 10 * SIZE)], 10, 11_520, 44_100)
    assert (scan.gaps, scan.tags, scan.info) == ([], 0, None)
    assert scan.frame_s == pytest.approx(1152 / 44_100)


def test_the_first_info_frame_has_no_samples() -> None:
    scan = scanned(INFO + FRAME * 10)
    assert (scan.ranges, scan.frames) == ([(0, 11 * SIZE)], 10)
    assert scan.info is not None
    assert scan.info.name == "Info"


def test_tags_and_info_frames_between_frames_are_skipped_and_counted() -> None:
    scan = scanned(FRAME * 5 + ID3 + INFO + FRAME * 5)
    second = 6 * SIZE + len(ID3)
    assert scan.ranges == [(0, 5 * SIZE), (second, second + 5 * SIZE)]
    assert (scan.frames, scan.tags, scan.first_tag, scan.gaps) == (10, 2, 5, [])


@pytest.mark.parametrize("end", [b"TAG" + bytes(125 + 600), bytes(600), b" " * 600, b"\xff" * 600, b"\r\n"])
def test_a_tag_or_padding_at_the_end_is_neither_a_gap_nor_a_tag_between_frames(end: bytes) -> None:
    scan = scanned(FRAME * 10 + end)
    assert (scan.frames, scan.tags, scan.gaps) == (10, 0, [])


def ape(*, has_header: bool) -> bytes:
    items = struct.pack("<II", 4, 0) + b"Title\0text"
    fields = struct.pack("<III", 2000, len(items) + 32, 1)
    footer = b"APETAGEX" + fields + struct.pack("<I", has_header << 31) + bytes(8)
    return (b"APETAGEX" + fields + struct.pack("<I", 0xA0000000) + bytes(8)) * has_header + items + footer


@pytest.mark.parametrize("has_header", [False, True])
def test_an_ape_tag_between_frames_is_skipped(has_header: bool) -> None:
    scan = scanned(FRAME * 5 + ape(has_header=has_header) + FRAME * 5)
    assert (scan.frames, scan.tags, scan.gaps) == (10, 1, [])


def test_garbage_between_frames_is_a_gap_that_includes_the_frame_before() -> None:
    scan = scanned(FRAME * 10 + GARBAGE + FRAME * 10)
    (gap,) = scan.gaps
    assert (gap.frame, gap.size, gap.extra) == (9, 1000, 1)
    assert scan.lost_frames(gap) == 1 + round(1000 / SIZE)
    assert scan.frames == 19


def test_zeros_between_frames_are_a_gap() -> None:
    assert len(scanned(FRAME * 10 + bytes(5 * SIZE) + FRAME * 10).gaps) == 1


@pytest.mark.parametrize("end", [b"", ID3])
def test_zeros_before_a_tag_or_the_end_are_padding(end: bytes) -> None:
    scan = scanned(FRAME * 10 + bytes(5000) + end)
    assert (scan.frames, scan.gaps) == (10, [])


def test_a_cut_last_frame_is_lost() -> None:
    scan = scanned(FRAME * 10 + FRAME[:200])
    assert [(gap.frame, gap.size, gap.extra) for gap in scan.gaps] == [(10, 0, 1)]


def test_another_sample_rate_continues_the_chain() -> None:
    scan = scanned(FRAME * 5 + OTHER * 5)
    assert (scan.frames, scan.gaps, len(scan.ranges)) == (10, [], 1)


def test_frames_after_a_gap_that_need_lost_bytes_are_silent() -> None:
    needs_reservoir = b"\xff\xfb\x90\x64\xff\x80" + bytes(SIZE - 6)
    scan = scanned(FRAME * 10 + GARBAGE + needs_reservoir * 2 + FRAME * 10)
    assert scan.gaps[0].silent > 0
    assert scanned(FRAME * 10 + GARBAGE + FRAME * 10).gaps[0].silent == 0


def test_two_frames_are_not_a_chain() -> None:
    with opened(GARBAGE + FRAME + GARBAGE) as source:
        assert scan_frames(source, "mp3") is None


def test_a_file_with_too_many_interruptions_is_not_followed() -> None:
    with opened((FRAME * 4 + GARBAGE[:50]) * 1100) as source:
        assert scan_frames(source, "mp3") is None


@given(parts=st.lists(st.sampled_from([FRAME, OTHER, INFO, ID3, GARBAGE, bytes(300), FRAME[:100]]), max_size=30))
def test_ranges_are_ordered_and_disjoint(parts: list[bytes]) -> None:
    content = b"".join(parts)
    with opened(content or b"x") as source:
        scan = scan_frames(source, "mp3")
    if scan is not None:
        offsets = [offset for span in scan.ranges for offset in span]
        assert offsets == sorted(offsets)
        assert offsets[-1] <= len(content)
        assert all(0 <= gap.frame <= scan.frames for gap in scan.gaps)
