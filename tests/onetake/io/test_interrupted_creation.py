"""An interrupt between the creation of a temporary file or folder and the next line leaves nothing behind."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from onetake.io.atomic_write import atomic_write
from onetake.io.temporary_folders import scratch_folder
from preflight.fixes.write import write_verified


def _scratch(folder: Path) -> None:
    with scratch_folder():
        pytest.fail("not reached")


def _atomic(folder: Path) -> None:
    with atomic_write(folder / "page.html"):
        pytest.fail("not reached")


def _fixed(folder: Path) -> None:
    write_verified(folder / "take.wav", "wav", lambda file, path: pytest.fail("not reached"), force=False)


@pytest.mark.parametrize(("create", "call"), [(_scratch, "mkdir"), (_atomic, "open"), (_fixed, "open")])
def test_nothing_is_left(
    create: Callable[[Path], None], call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    created: list[Path] = []

    def interrupt(frame: FrameType, event: str, function: object) -> None:
        if event == "c_return" and getattr(function, "__name__", "") == call and any(tmp_path.iterdir()):
            created.extend(tmp_path.iterdir())
            sys.setprofile(None)
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        sys.setprofile(interrupt)
        try:
            create(tmp_path)
        finally:
            sys.setprofile(None)
    assert len(created) == 1
    assert list(tmp_path.iterdir()) == []
