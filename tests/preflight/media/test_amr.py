"""Concatenated AMR files, as voice messages are joined."""

from __future__ import annotations

import numpy as np
import pytest

import preflight
from preflight.media.amr import amr_ranges
from tests.support.sources import opened

NARROW, WIDE = b"#!AMR\n", b"#!AMR-WB\n"


def frames(count: int, first: int, size: int) -> bytes:
    """`count` frames of 20 ms: a byte with the mode, and random parameters."""
    rng = np.random.default_rng(count)
    return b"".join(bytes((first,)) + rng.bytes(size) for _ in range(count))


@pytest.mark.parametrize(("header", "first", "size"), [(NARROW, 0x3C, 31), (WIDE, 0x44, 60)])
def test_the_header_of_a_later_part_is_no_frame(header: bytes, first: int, size: int) -> None:
    parts = [header + frames(count, first, size) for count in (250, 300, 50)]
    report = preflight.check(b"".join(parts))
    assert report.file.duration_s == 12.0
    assert "damaged" not in [finding.rule for finding in report.findings]


def test_one_file_has_no_ranges() -> None:
    for data in (NARROW + frames(9, 0x3C, 31), b"RIFF" + NARROW + NARROW, b""):
        with opened(data) as source:
            assert amr_ranges(source, 0) == ()
    with opened(NARROW + bytes(4) + NARROW + bytes(3)) as source:
        assert amr_ranges(source, 0) == ((0, 10), (16, 19))
