"""A sample of the recordings that `make soak` mends: each form with each defect."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

from tests.soak.fix_matrix import cases, fix_case

EVERY: Final = 29


def test_every_kind_of_recording_is_mended(tmp_path: Path) -> None:
    done: Counter[str] = Counter()
    for number, case in enumerate(cases()):
        if number % EVERY == 0:
            try:
                done[fix_case(case, tmp_path)] += 1
            except Exception as error:
                raise AssertionError(f"{case.name}: {error!r}") from error
    assert done["convert"] > 5
    assert done["rename"] + done["rewrap"] > 0
