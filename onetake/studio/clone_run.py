"""One clone as the page asks for it and shows it: its form, its state and its progress."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

if TYPE_CHECKING:
    from onetake.clones.observer import Stage
    from onetake.studio.services import ServiceName

State = Literal["checking", "uploading", "verifying", "cloning", "paid", "known", "refused", "unknown"]

_STATES: Final[dict[str, State]] = {
    "check": "checking",
    "fix": "checking",
    "prompt": "checking",
    "upload": "verifying",
    "verify": "cloning",
}
"""The state after a step that has ended."""
_STAGES: Final[dict[str, State]] = {"check": "checking", "fix": "checking", "upload": "uploading", "clone": "cloning"}
"""The state while a stage progresses."""


class Consent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The speaker's consent.

    Attributes:
        statement: Who agreed, and when.
        spoken_in: The take in which it is spoken; None for a typed statement.
    """

    statement: str
    spoken_in: str | None = None


class CloneForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the page sends to clone a take, or to show what would be sent.

    Attributes:
        service: ``rehearsal`` or ``real``.
        take: The take.
        prompt: The take with the prompt clip, which has its text.
        consent: The speaker's consent; a rehearsal needs none.
        name: Name of the voice.
        text: Text of the preview.
        model: Model that reads it.
        noise_reduction: Let the service reduce noise.
        volume_normalization: Let the service normalize loudness.
        accept_poor: Clone the take although its quality is poor; a rehearsal always does.
        confirmed_price: The price that the user confirmed, as the page showed it; a paid call needs it.
    """

    service: Literal["rehearsal", "real"]
    take: str
    prompt: str | None = None
    consent: Consent | None = None
    name: str | None = None
    text: str | None = None
    model: str | None = None
    noise_reduction: bool = False
    volume_normalization: bool = False
    accept_poor: bool = False
    confirmed_price: str | None = None


@dataclass
class CloneRun:
    """One clone, as the page shows it. Its thread writes, and others read.

    Attributes:
        id: Identifier of the run.
        service: Where it clones.
        take: The take.
        state: See the diagram of this module.
        steps: The finished steps, each with its result.
        warnings: Problems that did not end it.
        progress: Bytes or seconds done, and their total where it is known.
        result: The voice, once there is one.
        error: Why there is none.
        preview: The take with the preview, if one was made.
        started_at: UTC.
    """

    id: str
    service: ServiceName
    take: str
    state: State = "checking"
    steps: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    progress_done: float | None = None
    progress_total: float | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    preview: str | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def has_ended(self) -> bool:
        """Whether the outcome is known, or known to be unknown."""
        return self.state in {"paid", "known", "refused", "unknown"}

    def view(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"has_ended": self.has_ended}

    # what follows is the observer that the cloner reports to

    def step(self, name: str, detail: str) -> None:
        """Note a finished step."""
        self.steps.append((name, detail))
        self.state = _STATES.get(name, self.state)
        self.progress_done = self.progress_total = None

    def warn(self, message: str) -> None:
        """Note a warning."""
        self.warnings.append(message)

    def progress(self, stage: Stage, done: float, total: float | None) -> None:
        """Note the progress of a stage."""
        self.state = _STAGES.get(stage, self.state)
        self.progress_done, self.progress_total = done, total
