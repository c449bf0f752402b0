"""`check` calls fixable exactly what `fix` makes ready."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import preflight
from tests.support.make_audio import FIXTURES, m4a, mp3, talk, wav

RECORDINGS = sorted(path.name for path in FIXTURES.iterdir() if path.suffix not in (".py", ".txt"))
TAKES = {
    ".mp3": mp3(talk(14.0)),
    ".m4a": m4a(talk(14.0)),
    ".wav": wav(talk(14.0)),
    ".aac": (FIXTURES / "raw.aac").read_bytes(),
}


def assert_agreement(path: Path, folder: Path) -> None:
    report = preflight.check(path)
    folder.mkdir()
    try:
        fixed = preflight.fix(path, folder)
    except preflight.CannotFix:
        assert report.verdict == "rejected", report.findings
        assert not list(folder.iterdir())
        return
    assert report.verdict in ("ready", "fixable"), report.findings
    assert preflight.check(fixed.path or "").verdict == "ready"


@pytest.mark.parametrize("name", RECORDINGS)
def test_on_committed_recordings(name: str, tmp_path: Path) -> None:
    assert_agreement(FIXTURES / name, tmp_path / "out")


@settings(max_examples=25, deadline=None)
@given(
    ending=st.sampled_from(sorted(TAKES)),
    place=st.floats(0, 1),
    size=st.integers(1, 30_000),
    seed=st.integers(0, 2**32 - 1),
    how=st.sampled_from(["overwritten", "zeroed", "removed", "inserted", "truncated"]),
)
def test_on_damaged_recordings(ending: str, place: float, size: int, seed: int, how: str) -> None:
    data = TAKES[ending]
    at = round(place * len(data))
    noise = np.random.default_rng(seed).bytes(size)
    changed = {
        "overwritten": data[:at] + noise[: len(data) - at] + data[at + size :],
        "zeroed": data[:at] + bytes(min(size, len(data) - at)) + data[at + size :],
        "removed": data[:at] + data[at + size :],
        "inserted": data[:at] + noise + data[at:],
        "truncated": data[:at],
    }[how]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"take{ending}"
        path.write_bytes(changed)
        assert_agreement(path, Path(folder) / "out")
