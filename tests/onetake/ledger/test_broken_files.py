"""A ledger that cannot be used: damage in any part is reported, and the hint matches the obstacle."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from onetake.ledger import FILE_NAME, Claimed, CloneKey, Ledger
from tests.onetake.conftest import Say

PAGE_BYTES = 4096


def written_ledger(folder: Path) -> Path:
    """A ledger of some voices, closed, and all in one file."""
    with Ledger(folder) as ledger:
        for number in range(60):
            clone_key_of = CloneKey(sha256=f"{number:064}", request="r", bytes=number, path=f"/takes/{number}.wav")
            claimed = ledger.attempts.claim(clone_key_of, base_url="https://service.example", options={}, again=False)
            assert isinstance(claimed, Claimed)
            now = datetime.now(UTC)
            ledger.attempts.called(claimed.attempt, now)
            ledger.attempts.gave_voice(claimed.attempt, f"voice_{number}", now, now + timedelta(days=7))
    return folder / FILE_NAME


def ledger_part(say: Say) -> dict[str, object]:
    parts: list[dict[str, object]] = json.loads(say("doctor", "--json").out)["parts"]
    return next(part for part in parts if part["name"] == "ledger")


@pytest.mark.slow
def test_doctor_reports_damage_in_any_page(say: Say, home: Path) -> None:
    path = written_ledger(home / "onetake")
    assert ledger_part(say)["status"] == 0
    content = path.read_bytes()
    pages = len(content) // PAGE_BYTES
    assert pages > 5
    for page in range(pages):
        damaged = bytearray(content)
        damaged[page * PAGE_BYTES : (page + 1) * PAGE_BYTES] = b"\xa5" * PAGE_BYTES
        path.write_bytes(damaged)
        part = ledger_part(say)
        assert part["status"] == 2, page
        assert "is damaged or not a ledger" in str(part["message"])
    path.write_bytes(content)
    assert ledger_part(say)["status"] == 0


def _as_file(place: Path) -> None:
    place.write_text("in the way")


def _with_folder_in_it(place: Path) -> None:
    (place / FILE_NAME).mkdir(parents=True)


def _closed(place: Path) -> None:
    place.mkdir(mode=0o500)


AS_ROOT = pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() == 0, reason="root may write everywhere")


@pytest.mark.parametrize(
    ("make", "hint"),
    [
        (_as_file, "a file has the name of its folder"),
        (_with_folder_in_it, "a folder has its name"),
        pytest.param(_closed, "change its permissions", marks=AS_ROOT),
    ],
)
def test_the_hint_matches_the_obstacle(
    say: Say, home: Path, make: Callable[[Path], None], hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(home / "place")
    monkeypatch.setenv("ONETAKE_HOME", str(home / "place"))
    ran = say("voices")
    assert ran.status == 2
    assert hint in ran.err
    assert "ONETAKE_HOME" in ran.err
    assert "free disk space" not in ran.err
