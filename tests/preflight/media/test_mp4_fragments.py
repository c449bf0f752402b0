"""Fragmented M4A: what follows an overwritten fragment counts as lost, although FFmpeg stops there."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

import preflight
from preflight.input.source import Source
from preflight.media.mp4_fragments import read_fragments
from tests.support.make_audio import RATE, coded, m4a, talk
from tests.support.sources import opened

TAKE = m4a(talk(20), fragmented=True)
FRAGMENTS = [at - 4 for at in range(len(TAKE)) if TAKE[at : at + 4] == b"moof"]


def overwritten(at: int, content: bytes) -> bytes:
    return TAKE[:at] + content + TAKE[at + len(content) :]


def declared_s(data: bytes, track: int = 1) -> float:
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".m4a") as file:
        file.write(data)
        file.flush()
        with Source.open(file.name) as source:
            return read_fragments(source, 0, track).declared / RATE


@pytest.mark.parametrize("content", [bytes(3000), np.random.default_rng(3).bytes(3000)])
@pytest.mark.parametrize("number", [1, len(FRAGMENTS) // 2])
def test_fragments_after_an_overwritten_part(number: int, content: bytes) -> None:
    assert declared_s(overwritten(FRAGMENTS[number], content)) == pytest.approx(declared_s(TAKE))
    assert declared_s(TAKE) == pytest.approx(20, abs=0.1)


def test_other_tracks_and_other_files_declare_nothing() -> None:
    assert declared_s(TAKE, track=2) == 0
    assert declared_s(m4a(talk(10))) == 0
    assert declared_s(b"moof" * 100) == 0
    for end in (FRAGMENTS[3] + 9, FRAGMENTS[3] + 40):  # a cut inside a fragment
        assert 0 < declared_s(TAKE[:end]) < 5


def held_s(data: bytes, *, quick: bool = False) -> float:
    with opened(data) as source:
        return read_fragments(source, 0, 1, quick=quick).held / RATE


def test_what_can_be_read() -> None:
    assert held_s(TAKE) == declared_s(TAKE)
    number = len(FRAGMENTS) // 2
    assert held_s(overwritten(FRAGMENTS[number], bytes(3000))) == declared_s(TAKE[: FRAGMENTS[number]])
    # half of the media of a fragment is half of its second
    media = TAKE.index(b"mdat", FRAGMENTS[number])
    half = (media + 4 + FRAGMENTS[number + 1]) // 2
    whole, more = declared_s(TAKE[: FRAGMENTS[number]]), declared_s(TAKE[: FRAGMENTS[number + 1]])
    assert held_s(TAKE[:half]) == pytest.approx((whole + more) / 2, abs=0.01)
    assert held_s(TAKE[: media - 4]) == whole


def test_a_part_that_was_not_fetched_is_not_lost() -> None:
    """A file of the object storage has zeros after its first megabyte where `--quick` did not fetch it."""
    padded = TAKE[: FRAGMENTS[1]] + struct.pack(">I", 1 << 20) + b"free" + bytes((1 << 20) - 8) + TAKE[FRAGMENTS[1] :]
    at = FRAGMENTS[9] + (1 << 20)
    content = padded[:at] + bytes(FRAGMENTS[12] - FRAGMENTS[9]) + padded[at + FRAGMENTS[12] - FRAGMENTS[9] :]
    assert held_s(content, quick=True) == pytest.approx(declared_s(TAKE))
    assert held_s(content) == declared_s(TAKE[: FRAGMENTS[9]])


@pytest.mark.parametrize("share", [0.3, 0.55, 0.7, 0.9])
def test_headers_alone_show_an_incomplete_fragment(share: float) -> None:
    content = TAKE[: round(len(TAKE) * share)]
    quick, full = preflight.check(content, quick=True), preflight.check(content)
    assert quick.file.duration_s == pytest.approx(full.file.duration_s, abs=0.1)
    assert quick.verdict == full.verdict != "ready"


def test_the_loss_is_reported() -> None:
    assert preflight.check(TAKE).findings == ()
    report = preflight.check(overwritten(FRAGMENTS[12], bytes(2000)))
    (found,) = (finding for finding in report.findings if finding.rule == "truncated")
    quick = preflight.check(overwritten(FRAGMENTS[12], bytes(2000)), quick=True)
    assert [finding.rule for finding in quick.findings] == ["truncated"]
    assert found.value == pytest.approx(12.3, abs=0.1)
    assert found.limit == pytest.approx(20, abs=0.1)


def with_fragments_after_the_movie() -> bytes:
    """Samples in the movie box and further ones in fragments, as iOS and macOS record (movieFragmentInterval)."""
    return coded(talk(20), "ipod", "aac", rate=RATE, bit_rate=48_000, muxing={"frag_duration": "1000000"})


def test_fragments_after_a_movie_with_samples_count(tmp_path: Path) -> None:
    take = tmp_path / "take.m4a"
    take.write_bytes(with_fragments_after_the_movie())
    for quick in (True, False):
        report = preflight.check(take, quick=quick)
        assert report.file.duration_s == pytest.approx(20, abs=0.1)
        assert [finding.rule for finding in report.findings] == ["header-mismatch"], "a service may read one second"
    fixed = preflight.fix(take, tmp_path / "fixed.m4a").after
    assert fixed is not None
    assert (fixed.findings, fixed.file.codec) == ((), "aac")
    assert fixed.file.duration_s == pytest.approx(20, abs=0.1)


def test_damage_in_fragments_after_a_movie_with_samples_is_a_loss() -> None:
    whole = with_fragments_after_the_movie()
    places = [at - 4 for at in range(len(whole)) if whole[at : at + 4] == b"moof"]
    for content in (whole[: places[12]] + bytes(200) + whole[places[12] + 200 :], whole[: places[12] + 900]):
        for quick in (True, False):
            report = preflight.check(content, quick=quick)
            (found,) = (finding for finding in report.findings if finding.rule == "truncated")
            assert found.value == pytest.approx(13.5, abs=1)
            assert report.verdict != "ready"


def test_a_movie_that_announces_fragments_and_has_none_is_whole() -> None:
    whole = with_fragments_after_the_movie()
    alone = whole[: whole.index(b"moof") - 4]
    for quick in (True, False):
        report = preflight.check(alone, quick=quick)
        assert report.file.duration_s == pytest.approx(1, abs=0.1)
        assert not any(finding.rule == "header-mismatch" for finding in report.findings)
