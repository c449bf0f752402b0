"""What is done before anything is sent: check the recordings, mend what can be mended, plan the request."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onetake.errors import TakeRefused
from preflight.profile import DEFAULT, Profile

if TYPE_CHECKING:
    from onetake.order import Observer, Order
    from preflight import Report
    from preflight.report import Role
    from preflight.source import PathLike


@dataclass(frozen=True)
class Sendable:
    """A recording that the endpoint will take.

    Attributes:
        report: Of the file that is sent.
        path: Of the file that is sent: the original, or a mended copy.
        changes: What was done to it, in words; empty for the original.
    """

    report: Report
    path: PathLike
    changes: tuple[str, ...] = ()


def plan_order(order: Order, folder: Path, observer: Observer) -> dict[str, Any]:
    """What `Pipeline.clone` would send, with placeholders for the URLs. Nothing is sent.

    Raises:
        TakeRefused: A recording cannot be sent.
    """
    from client import CloneClient

    take, prompt = prepare_order(order, folder, observer)
    place = "https://presigned.example/{}.{}"
    audio_url = place.format("recording", take.report.file.container)
    prompt_url = place.format("prompt", prompt.report.file.container) if prompt else None
    return {
        "request": CloneClient("dry-run").clone_body(audio_url, order.options, prompt_url),
        "take": take.report,
        "changes": take.changes,
    }


def prepare_order(order: Order, folder: Path, observer: Observer) -> tuple[Sendable, Sendable | None]:
    """The recording and the prompt clip, checked and mended; see `prepare`."""
    take = prepare(order.take, folder, observer, profile=order.profile)
    if not order.has_prompt:
        return take, None
    if order.prompt is None:
        return take, _cut_prompt(order, folder, observer)
    text = order.options.prompt_text
    return take, prepare(order.prompt, folder, observer, role="prompt", prompt_text=text, profile=order.profile)


def _cut_prompt(order: Order, folder: Path, observer: Observer) -> Sendable:
    """The prompt clip that is a part of the recording itself."""
    from preflight import CannotFix, check, cut_prompt, display_name

    target = Path(folder) / "prompt"
    target.mkdir()
    number, text = order.auto_prompt or 1, order.options.prompt_text or ""
    try:
        clip, fixed = cut_prompt(order.take, target, number=number, prompt_text=text, profile=order.profile)
    except CannotFix as error:
        name = display_name(order.take)
        raise TakeRefused(f"{name}: {error.message}", error.hint, check(order.take, quick=True)) from error
    observer.step("prompt", f"{clip.start_s:.2f} s to {clip.end_s:.2f} s of the recording")
    if fixed.after is None or fixed.path is None:
        raise _refused(fixed.before)
    return Sendable(fixed.after, fixed.path, tuple(edit.what for edit in fixed.edits))


def prepare(
    path: PathLike,
    folder: Path,
    observer: Observer,
    *,
    role: Role = "recording",
    prompt_text: str | None = None,
    profile: Profile = DEFAULT,
) -> Sendable:
    """Check a recording, and put a mended copy into `folder` if it needs one.

    Raises:
        TakeRefused: It is not fit and cannot be made so.
    """
    from preflight import CannotFix
    from preflight.checking import examine

    examination = examine(path, role=role, prompt_text=prompt_text, to_its_end=True, profile=profile)
    report = examination.report
    observer.step("check", f"{report.path}: {report.verdict}")
    for finding in report.findings:
        if finding.severity == "warning":
            observer.warn(f"{report.path}: {finding.message}")
    errors = {finding.rule for finding in report.errors}
    if errors <= {"extension-mismatch"}:
        return Sendable(report, path)  # an upload gets the right ending anyway
    if report.verdict == "rejected":
        raise _refused(report)
    from preflight.repair.fixing import mend

    target = Path(folder) / role
    target.mkdir()
    try:
        fixed = mend(path, target, examination)
    except CannotFix as error:
        raise TakeRefused(f"{report.path}: {error.message}", error.hint, report) from error
    changes = tuple(edit.what for edit in fixed.edits)
    observer.step("fix", "; ".join(changes))
    if fixed.after is None or fixed.path is None:
        raise _refused(report)
    return Sendable(fixed.after, fixed.path, changes)


def _refused(report: Report) -> TakeRefused:
    reasons = "; ".join(finding.message for finding in report.errors if not finding.fix)
    return TakeRefused(f"{report.path}: {reasons}", "record or export it again, then check it", report)
