"""How a clone reports steps, progress and warnings: one interface for the terminal and for library users."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

Stage = Literal["check", "fix", "upload", "clone", "demo"]
"""Steps that report progress."""


class Observer(Protocol):
    """Receives steps, warnings and progress; `onetake.console.progress.Steps` shows them on the terminal."""

    def step(self, name: str, detail: str) -> None:
        """Report a finished step: its name in one word, and its result."""

    def warn(self, message: str) -> None:
        """Report a problem that does not end the work."""

    def progress(self, stage: Stage, done: float, total: float | None) -> None:
        """Report the progress of the step `stage`: seconds of audio, or bytes.

        `done` starts again when a recording is decoded or sent a second time. `total` is None while it is unknown and
        while the service's answer is awaited. Other threads may call this; it must not raise or block.
        """


@dataclass
class WarningCollector:
    """An observer that only collects warnings: for work in other threads and processes.

    Attributes:
        warnings: The messages, in order.
    """

    warnings: list[str] = field(default_factory=list)

    def step(self, name: str, detail: str) -> None:
        """Ignore the step."""

    def warn(self, message: str) -> None:
        """Keep the warning."""
        self.warnings.append(message)

    def progress(self, stage: Stage, done: float, total: float | None) -> None:
        """Ignore the progress."""
