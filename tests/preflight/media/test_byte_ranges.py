"""Byte ranges of a file as one continuous file, and those of concatenated AMR files, as voice messages are joined."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import preflight
from preflight.errors import CannotOpen
from preflight.media.byte_ranges import RangeReader, amr_ranges
from tests.support.sources import opened

CONTENT = bytes(range(256)) * 4
OFFSETS = st.integers(0, len(CONTENT))
RANGES = st.lists(
    st.tuples(OFFSETS, OFFSETS).map(sorted).filter(lambda pair: pair[0] < pair[1]), min_size=1, max_size=6
)


@given(ranges=RANGES, position=st.integers(0, 5000), count=st.integers(0, 300))
def test_reads_equal_those_of_the_concatenated_ranges(ranges: list[list[int]], position: int, count: int) -> None:
    expected = io.BytesIO(b"".join(CONTENT[begin:end] for begin, end in ranges))
    with opened(CONTENT) as source:
        reader = io.BufferedReader(RangeReader(source, [(begin, end) for begin, end in ranges]))
        assert reader.seek(position) == expected.seek(position)
        assert reader.read(count) == expected.read(count)
        assert reader.tell() == expected.tell()


def test_seeking_from_all_origins() -> None:
    with opened(CONTENT) as source:
        reader = RangeReader(source, ((0, 10), (100, 110)))
        assert (reader.size, reader.readable(), reader.seekable()) == (20, True, True)
        assert reader.seek(-5, io.SEEK_END) == 15
        assert reader.seek(-20, io.SEEK_CUR) == 0
        assert reader.seek(12) == 12
        assert reader.read(3) == bytes([102, 103, 104])


def test_a_read_error_is_kept_for_callers_that_lose_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: int) -> bytes:
        raise OSError(5, "Input/output error")

    with opened(CONTENT) as source:
        reader = RangeReader(source, ((0, 10),))
        monkeypatch.setattr("os.read", fail)
        with pytest.raises(CannotOpen):
            reader.read(1)
        assert reader.error is not None


AMR, AMR_WB = b"#!AMR\n", b"#!AMR-WB\n"


def amr_frames(count: int, first: int, size: int) -> bytes:
    """`count` frames of 20 ms: a byte with the mode, and random parameters."""
    rng = np.random.default_rng(count)
    return b"".join(bytes((first,)) + rng.bytes(size) for _ in range(count))


@pytest.mark.parametrize(("header", "first", "size"), [(AMR, 0x3C, 31), (AMR_WB, 0x44, 60)])
def test_the_header_of_a_later_amr_part_is_no_frame(header: bytes, first: int, size: int) -> None:
    parts = [header + amr_frames(count, first, size) for count in (250, 300, 50)]
    report = preflight.check(b"".join(parts))
    assert report.file.duration_s == 12.0
    assert "damaged" not in [finding.rule for finding in report.findings]


def test_one_amr_file_has_no_ranges() -> None:
    for data in (AMR + amr_frames(9, 0x3C, 31), b"RIFF" + AMR + AMR, b""):
        with opened(data) as source:
            assert amr_ranges(source, 0) == ()
    with opened(AMR + bytes(4) + AMR + bytes(3)) as source:
        assert amr_ranges(source, 0) == ((0, 10), (16, 19))
