"""A cloner with a ledger of its own, real storage and the stand-in endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from client import CloneOptions
from onetake.clones.cloner import Cloner, make_cloner
from onetake.clones.observer import Stage
from onetake.clones.request import CloneRequest
from onetake.config.settings import load
from onetake.ledger import Ledger
from tests.support.services import FIXTURES, Services


class Recorder:
    """An observer that keeps everything it receives."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []
        self.warnings: list[str] = []
        self.stages: list[Stage] = []

    def step(self, name: str, detail: str) -> None:
        self.steps.append((name, detail))

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def progress(self, stage: Stage, done: float, total: float | None) -> None:
        assert done >= 0
        if not self.stages or self.stages[-1] != stage:
            self.stages.append(stage)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def ledger(home: Path) -> Iterator[Ledger]:
    with Ledger(home / "onetake") as opened:
        yield opened


@pytest.fixture
def cloner(services: Services, ledger: Ledger, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> Cloner:
    for name, value in services.settings().items():
        monkeypatch.setenv(name, value)
    return make_cloner(load({}), ledger, recorder)


def request_for(recording: str = "good.m4a", /, **changes: object) -> CloneRequest:
    """A request for one of the fixtures."""
    values = {"take": str(FIXTURES / recording), "options": CloneOptions(), **changes}
    return CloneRequest(**values)  # type: ignore[arg-type]
