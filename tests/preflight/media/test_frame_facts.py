"""The duration of an MP3 by its frame headers, all of them or only those of some parts."""

from __future__ import annotations

import functools
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest

import preflight
from preflight.media.probe import Probe, probe
from tests.support.make_audio import at_rate, id3, m4a, mp3, rotten, talk
from tests.support.sources import opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from preflight.report import Role
    from tests.support.make_audio import Sound

SECONDS = 14.0
REPEATED = 12
"""Times, to exceed the first 64 kB."""


@functools.cache
def take(kind: str, *, is_long: bool) -> bytes:
    """An MP3 with a correct header, at a constant or a variable bit rate; a long one has 168 s."""
    data = mp3(talk(SECONDS), bit_rate=32_000, vbr=kind == "vbr")
    header = 4 + 9 + 8  # frame header, side information of MPEG-2 in mono, name and flags
    first = data.index(b"\xff\xf3", 4)  # after the Info frame
    body = data[first:] * (REPEATED if is_long else 1)
    frames = struct.unpack_from(">I", data, header)[0] * (REPEATED if is_long else 1)
    return data[:header] + struct.pack(">II", frames, first + len(body)) + data[header + 8 : first] + body


def declaring(data: bytes, frames: int | None = None, size: int | None = None) -> bytes:
    old = struct.unpack_from(">II", data, 21)
    return (
        data[:21] + struct.pack(">II", *(new or was for new, was in zip((frames, size), old, strict=True))) + data[29:]
    )


def quick(data: bytes) -> Probe:
    with opened(data) as source:
        return probe(source, quick=True)


LENGTHS = {False: SECONDS, True: REPEATED * SECONDS}


@pytest.mark.parametrize(("kind", "is_long"), [("cbr", False), ("cbr", True), ("vbr", True)])
class TestQuick:
    def test_a_correct_header(self, kind: str, is_long: bool) -> None:
        data = take(kind, is_long=is_long)
        assert (len(data) > 1 << 16) == is_long
        facts = quick(data)
        assert facts.estimated_duration_s == pytest.approx(LENGTHS[is_long], rel=0.01)
        assert facts.declared_duration_s == pytest.approx(LENGTHS[is_long], rel=0.01)

    @pytest.mark.parametrize("frames", [10, 100, 200, 40_000])
    def test_a_wrong_number_of_frames(self, kind: str, is_long: bool, frames: int) -> None:
        data = declaring(take(kind, is_long=is_long), frames)
        assert quick(data).estimated_duration_s == pytest.approx(LENGTHS[is_long], rel=0.15)
        report = preflight.check(data, quick=True)
        rule = "truncated" if frames == 40_000 else "header-mismatch"
        assert [finding.rule for finding in report.errors] == [rule]
        assert report.verdict == "fixable"

    @pytest.mark.parametrize("size", [1, 2000, 100_000_000])
    def test_a_wrong_number_of_bytes(self, kind: str, is_long: bool, size: int) -> None:
        facts = quick(declaring(take(kind, is_long=is_long), size=size))
        if kind == "cbr":  # a file of a variable bit rate may be incomplete
            assert facts.estimated_duration_s == pytest.approx(LENGTHS[is_long], rel=0.01)

    @pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
    def test_an_incomplete_file(self, kind: str, is_long: bool, share: float) -> None:
        data = take(kind, is_long=is_long)
        report = preflight.check(data[: round(len(data) * share)], quick=True)
        assert report.file.duration_s == pytest.approx(share * LENGTHS[is_long], rel=0.1)
        assert "truncated" in [finding.rule for finding in report.errors]


@pytest.mark.parametrize("is_long", [False, True])
def test_a_tag_larger_than_a_megabyte_hides_nothing(is_long: bool) -> None:
    tag = id3((b"APIC", bytes(1_500_000)))
    data = take("cbr", is_long=is_long)
    assert quick(tag + data).estimated_duration_s == pytest.approx(LENGTHS[is_long], rel=0.01)
    assert quick(tag + declaring(data, 20_000)).is_size_known
    assert not quick(tag + data).is_size_known


def test_zeros_at_the_end_are_no_frames() -> None:
    facts = quick(take("cbr", is_long=False) + bytes(2_000_000))
    assert facts.estimated_duration_s == pytest.approx(SECONDS, rel=0.01)


@pytest.mark.parametrize("kind", ["cbr", "vbr"])
@pytest.mark.parametrize("size", [3000, 900_000])
@pytest.mark.parametrize("xing", [False, True])
def test_other_data_at_the_end_is_not_audio(kind: str, size: int, xing: bool) -> None:
    data = take(kind, is_long=True)[0 if xing else take(kind, is_long=True).index(b"\xff\xf3", 4) :]
    facts = quick(data + np.random.default_rng(1).bytes(size))
    assert len(data) - 300 < (facts.audio_bytes or 0) <= len(data)  # without the last frame, which may be damaged
    assert facts.estimated_duration_s == pytest.approx(LENGTHS[True], rel=0.01 if xing or kind == "cbr" else 0.15)


def test_a_part_that_was_not_fetched_is_audio() -> None:
    data = take("cbr", is_long=True)
    held = data[: len(data) // 2] + bytes(len(data) // 2 - 20_000) + data[-20_000:]
    assert quick(held).estimated_duration_s == pytest.approx(LENGTHS[True], rel=0.01)


def test_joined_files_of_different_bit_rates_and_sample_rates() -> None:
    parts = [mp3(talk(SECONDS), bit_rate=rate, xing=False) for rate in (32_000, 64_000, 160_000)]
    assert quick(b"".join(parts)).estimated_duration_s == pytest.approx(3 * SECONDS, rel=0.1)
    other = mp3(at_rate(talk(SECONDS), 48_000), 48_000, bit_rate=32_000, xing=False)
    short = mp3(talk(SECONDS), bit_rate=32_000, xing=False) + other
    assert len(short) < 2 << 16
    assert quick(short).estimated_duration_s == pytest.approx(2 * SECONDS, rel=0.01)


def test_twice_the_frames_of_a_variable_bit_rate_are_too_many() -> None:
    data = take("vbr", is_long=True)
    frames = struct.unpack_from(">I", data, 21)[0]
    assert preflight.check(declaring(data, 2 * frames), quick=True).verdict == "fixable"


def test_overwritten_frames_are_found_in_a_short_file() -> None:
    data = rotten(take("cbr", is_long=False), 0.5, 6000)
    quick_report, report = preflight.check(data, quick=True), preflight.check(data)
    assert [finding.rule for finding in quick_report.findings] == ["damaged"]
    assert "damaged" in [finding.rule for finding in report.findings]
    assert quick_report.findings[0].value == pytest.approx(report.findings[0].value, abs=0.1)


@pytest.mark.parametrize("make", [mp3, m4a])
@pytest.mark.parametrize("seconds", [7.9, 7.95, 9.95, 10.02])
def test_the_padding_of_the_encoder_counts_as_in_a_full_check(make: Callable[[Sound], bytes], seconds: float) -> None:
    data = make(talk(seconds))
    role: Role = "prompt" if seconds < 9 else "recording"
    quick_report, report = (preflight.check(data, role=role, quick=quick) for quick in (True, False))
    lengths = {"too-short", "too-long", "prompt-too-long"}
    assert [finding for finding in quick_report.findings if finding.rule in lengths] == [
        finding for finding in report.findings if finding.rule in lengths
    ]


def test_the_padding_of_a_long_file() -> None:
    data = take("cbr", is_long=True)
    with opened(data) as source:
        assert probe(source, quick=True).padded_s == pytest.approx(probe(source).padded_s)
