"""What is done before anything is sent: check the recordings, mend what can be mended, plan the request."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onetake.clones.prompt_match import compare_prompt
from onetake.errors import TakeRefused
from preflight.profile import DEFAULT, Profile

if TYPE_CHECKING:
    from onetake.clones.request import Observer, Order, Stage
    from preflight import CannotWrite, FileFacts, Report
    from preflight.checks import Examination
    from preflight.fixes.fix import Fixed
    from preflight.input.types import PathLike
    from preflight.report import Role


@dataclass(frozen=True)
class Sendable:
    """A recording that the endpoint will take.

    Attributes:
        report: Of the file that is sent.
        path: Of the file that is sent: the original, or a mended copy.
        source: The facts of the recording as it lay on disk.
        changes: What was done to it, in words; empty for the original.
    """

    report: Report
    path: PathLike
    source: FileFacts
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """What can be sent for an order.

    Attributes:
        take: The recording.
        prompt: The prompt clip, if there is one.
        comparison: Its text beside what was heard in it, where that was asked for.
    """

    take: Sendable
    prompt: Sendable | None = None
    comparison: dict[str, Any] | None = None


def plan_order(order: Order, folder: Path, observer: Observer) -> dict[str, Any]:
    """What `Pipeline.clone` would send, with placeholders for the URLs. Nothing is sent.

    Raises:
        TakeRefused: A recording cannot be sent.
    """
    from client import CloneClient

    prepared = prepare_order(order, folder, observer)
    take, prompt = prepared.take, prepared.prompt
    place = "https://presigned.example/{}.{}"
    audio_url = place.format("recording", take.report.file.container)
    prompt_url = place.format("prompt", prompt.report.file.container) if prompt else None
    return {
        "request": CloneClient("dry-run").clone_body(audio_url, order.options, prompt_url),
        "take": take.report,
        "changes": take.changes,
        **({"comparison": prepared.comparison} if prepared.comparison else {}),
    }


def prepare_order(order: Order, folder: Path, observer: Observer, *, one_of_many: bool = False) -> Prepared:
    """The recording and the prompt clip, checked and mended; see `prepare`."""
    take = prepare(order.take, folder, observer, profile=order.profile, one_of_many=one_of_many)
    if not order.has_prompt:
        return Prepared(take)
    if order.prompt is None:
        prompt = _cut_prompt(order, folder, observer)
    else:
        text = order.options.prompt_text
        prompt = prepare(order.prompt, folder, observer, role="prompt", prompt_text=text, profile=order.profile)
    return Prepared(take, prompt, compare_prompt(order, prompt.path, prompt.report, observer))


def _cut_prompt(order: Order, folder: Path, observer: Observer) -> Sendable:
    """The prompt clip that is a part of the recording itself."""
    from preflight import CannotFix, CannotWrite, check, cut_prompt, display_name

    target = Path(folder) / "prompt"
    target.mkdir()
    number, text = order.auto_prompt or 1, order.options.prompt_text or ""
    try:
        clip, fixed = cut_prompt(order.take, target, number=number, prompt_text=text, profile=order.profile)
    except CannotFix as error:
        name = display_name(order.take)
        raise TakeRefused(f"{name}: {error.message}", error.hint, check(order.take, quick=True)) from error
    except CannotWrite as error:
        raise _no_room(display_name(order.take), error) from error
    observer.step("prompt", f"{clip.start_s:.2f} s to {clip.end_s:.2f} s of the recording")
    return _mended(fixed)


def prepare(
    path: PathLike,
    folder: Path,
    observer: Observer,
    *,
    role: Role = "recording",
    prompt_text: str | None = None,
    profile: Profile = DEFAULT,
    one_of_many: bool = False,
) -> Sendable:
    """Check a recording, and put a mended copy into `folder` if it needs one.

    Args:
        path: The recording.
        folder: For the copy.
        observer: Is told what was found.
        role: As in `preflight.check`.
        prompt_text: As in `preflight.check`.
        profile: As in `preflight.check`.
        one_of_many: Whether others are prepared at the same time: the cores then belong to all of them.

    Raises:
        TakeRefused: It is not fit and cannot be made so.
        preflight.NotExamined: A bug of ours came up while it was read.
    """
    from preflight import CannotFix, CannotWrite, NotExamined
    from preflight.checks import examine

    def look(*, whole: bool) -> Examination:
        tell = partial(observer.progress, "check")
        return examine(
            path,
            role=role,
            prompt_text=prompt_text,
            whole=whole,
            to_its_end=True,
            profile=profile,
            on_progress=tell,
        )

    examination = look(whole=one_of_many)
    report = examination.report
    if isinstance(problem := examination.subject.problem, NotExamined):
        raise NotExamined(f"{report.path}: {problem.message}", problem.hint)
    observer.step("check", f"{report.path}: {report.verdict}")
    for finding in report.findings:
        if finding.severity == "warning":
            observer.warn(f"{report.path}: {finding.message}")
    errors = {finding.rule for finding in report.errors}
    if errors <= {"extension-mismatch"}:
        return Sendable(report, path, report.file)  # an upload gets the right ending anyway
    if report.verdict == "rejected":
        raise _refused(report)
    from preflight.fixes.fix import mend

    target = Path(folder) / role
    target.mkdir()
    try:
        # mending needs what only a look from this process holds
        examination = look(whole=False) if one_of_many else examination
        fixed = mend(path, target, examination, on_progress=partial(observer.progress, "fix"))
    except CannotFix as error:
        raise TakeRefused(f"{report.path}: {error.message}", error.hint, report) from error
    except CannotWrite as error:
        raise _no_room(report.path, error) from error
    observer.step("fix", "; ".join(edit.what for edit in fixed.edits))
    return _mended(fixed)


def _mended(fixed: Fixed) -> Sendable:
    if fixed.after is None or fixed.path is None:
        raise _refused(fixed.before)
    changes = tuple(edit.what for edit in fixed.edits)
    return Sendable(fixed.after, fixed.path, fixed.before.file, changes)


def _no_room(name: str, error: CannotWrite) -> CannotWrite:
    return type(error)(f"{name}: its mended copy cannot be kept: {error.message}", "make room, or set TMPDIR")


def _refused(report: Report) -> TakeRefused:
    reasons = "; ".join(finding.message for finding in report.errors if not finding.fix)
    return TakeRefused(f"{report.path}: {reasons}", "record or export it again, then check it", report)


@dataclass
class Notes:
    """An observer that only remembers, where the work is done apart.

    Attributes:
        warnings: What went wrong.
    """

    warnings: list[str] = field(default_factory=list)

    def step(self, name: str, detail: str) -> None:
        """Nobody looks."""

    def warn(self, message: str) -> None:
        """Remember it."""
        self.warnings.append(message)

    def progress(self, stage: Stage, done: float, total: float | None) -> None:
        """Nobody looks."""


def prepare_apart(order: Order, folder: Path) -> tuple[Prepared, tuple[str, ...]]:
    """`prepare_order` with the warnings beside its result: what an executor runs, wherever it finds the paths.

    Args:
        order: What is to be cloned.
        folder: For mended copies; made when it is missing.

    Raises:
        TakeRefused: A recording cannot be sent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    notes = Notes()
    return prepare_order(order, folder, notes, one_of_many=True), tuple(notes.warnings)
