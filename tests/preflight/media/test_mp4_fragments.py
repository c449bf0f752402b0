"""Fragmented M4A: what follows an overwritten fragment counts as lost, although FFmpeg stops there."""

from __future__ import annotations

import numpy as np
import pytest

import preflight
from preflight.input.source import Source
from preflight.media.mp4_fragments import read_fragments
from tests.support.make_audio import RATE, m4a, talk

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
            return read_fragments(source, 0, track) / RATE


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


def test_the_loss_is_reported() -> None:
    assert preflight.check(TAKE).findings == ()
    report = preflight.check(overwritten(FRAGMENTS[12], bytes(2000)))
    (found,) = (finding for finding in report.findings if finding.rule == "truncated")
    assert found.value == pytest.approx(12.3, abs=0.1)
    assert found.limit == pytest.approx(20, abs=0.1)
