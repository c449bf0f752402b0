"""Hundreds of malformed recordings: always a verdict, never an exception, in bounded time and memory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fuzz.outcomes import outcome_of
from tests.fuzz.recordings import broken, committed

CORPUS = committed()
CASES_A_TEST = 50


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 8 * CASES_A_TEST, CASES_A_TEST))
def test_broken_recordings(first: int, tmp_path: Path) -> None:
    verdicts = set()
    for seed in range(first, first + CASES_A_TEST):
        case = broken(seed, CORPUS)
        try:
            outcome = outcome_of(case, tmp_path)
        except Exception as error:
            raise AssertionError(f"{case} raised {error!r}") from error
        assert not outcome.exceeded_limits, f"{case}: {outcome.exceeded_limits}"
        assert outcome.peak_bytes or outcome.unreadable or sys.platform != "linux", (
            f"{case}: its memory was not measured"
        )
        verdicts.add(outcome.verdict)
    assert len(verdicts) > 1, "nothing was left of any recording: this breaks them too much to look into them"


def test_a_case_is_reproducible_from_its_seed() -> None:
    for seed in range(100):
        assert broken(seed, CORPUS) == broken(seed, dict(CORPUS))
    assert len({broken(seed, CORPUS).data for seed in range(100)}) > 90
