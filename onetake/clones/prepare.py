"""Prepare a clone before anything is sent: check the recordings, fix what can be fixed, build the request body."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from onetake.clones.observer import WarningCollector
from onetake.clones.request import require_quality
from onetake.errors import TakeRefused
from preflight.profile import DEFAULT, Profile

if TYPE_CHECKING:
    from onetake.clones.observer import Observer
    from onetake.clones.request import CloneRequest
    from preflight import CannotWrite, Comparison, FileFacts, Finding, PreflightError, Report
    from preflight.analysis.analysis import Analysis
    from preflight.analysis.speakers.voices import Voices
    from preflight.fixes.fix import Fixed
    from preflight.input.recording import PathLike
    from preflight.report import Role


@dataclass(frozen=True)
class PreparedFile:
    """A file that the endpoint accepts.

    Attributes:
        report: Report of the file to send.
        path: The file to send: the original or a fixed copy.
        source: Facts of the recording as it is on disk.
        changes: The fixes that were applied; empty for the original.
        voices: The voices in the recording; None if they were not compared.
    """

    report: Report
    path: PathLike
    source: FileFacts
    changes: tuple[str, ...] = ()
    voices: Voices | None = None


@dataclass(frozen=True)
class Prepared:
    """The files to send for a request.

    Attributes:
        take: The recording.
        prompt: The prompt clip, if there is one.
        comparison: Its text and its transcript, if they were compared.
    """

    take: PreparedFile
    prompt: PreparedFile | None = None
    comparison: dict[str, Any] | None = None


def plan_request(request: CloneRequest, folder: Path, observer: Observer) -> dict[str, Any]:
    """Return what a clone would send, with placeholders for the URLs. Nothing is sent.

    Args:
        request: The request.
        folder: For fixed copies.
        observer: Receives steps, warnings and progress.

    Returns:
        ``request`` (the request body), ``take`` (a report), ``changes``, and ``comparison`` if texts were compared.

    Raises:
        TakeRefused: A recording cannot be sent, or its quality is poor.
    """
    from client import CloneClient

    prepared = prepare_request(request, folder, observer)
    require_quality(request, prepared)
    take, prompt = prepared.take, prepared.prompt
    url = "https://presigned.example/{}.{}"
    audio_url = url.format("recording", take.report.file.container)
    prompt_url = url.format("prompt", prompt.report.file.container) if prompt else None
    return {
        "request": CloneClient("dry-run").clone_body(audio_url, request.options, prompt_url),
        "take": take.report,
        "changes": take.changes,
        **({"comparison": prepared.comparison} if prepared.comparison else {}),
    }


def prepare_in_executor(request: CloneRequest, folder: Path) -> tuple[Prepared, tuple[str, ...]]:
    """Return the result of `prepare_request` and its warnings; an executor may run it in a process with these paths.

    Args:
        request: The request.
        folder: For fixed copies; created if missing.

    Raises:
        TakeRefused: A recording cannot be sent, or its quality is poor.
    """
    folder.mkdir(parents=True, exist_ok=True)
    warnings = WarningCollector()
    prepared = prepare_request(request, folder, warnings)
    require_quality(request, prepared)
    return prepared, tuple(warnings.warnings)


def prepare_request(request: CloneRequest, folder: Path, observer: Observer) -> Prepared:
    """Check and fix the recording and the prompt clip; arguments and errors as for `prepare`."""
    profile = request.profile.with_speakers()
    analysis = analyze_take(request.take, observer, profile=profile)
    take = prepare(request.take, analysis, folder, observer, profile=profile)
    if not request.has_prompt:
        return Prepared(take)
    if request.prompt is None:
        prompt = _cut_prompt(request, analysis, folder, observer)
    else:
        text = request.options.prompt_text
        clip = analyze_take(request.prompt, observer, role="prompt", prompt_text=text, profile=request.profile)
        prompt = prepare(request.prompt, clip, folder, observer, profile=request.profile)
    return Prepared(take, prompt, compare_prompt(request, prompt.path, prompt.report, observer))


def _cut_prompt(request: CloneRequest, analysis: Analysis, folder: Path, observer: Observer) -> PreparedFile:
    """Cut the prompt clip out of the recording itself."""
    from preflight import CannotFix, CannotWrite, display_name
    from preflight.checks import report_of
    from preflight.prompt.clips import cut_analyzed

    target = Path(folder) / "prompt"
    target.mkdir()
    number, text = request.auto_prompt or 1, request.options.prompt_text or ""
    try:
        clip, fixed = cut_analyzed(
            request.take, target, analysis, number=number, prompt_text=text, profile=request.profile
        )
    except CannotFix as error:
        name = display_name(request.take)
        raise TakeRefused(f"{name}: {error.message}", error.hint, report_of(analysis, request.profile)) from error
    except CannotWrite as error:
        raise _cannot_write(display_name(request.take), error) from error
    observer.step("prompt", f"{clip.start_s:.2f} s to {clip.end_s:.2f} s of the recording")
    return _fixed_file(fixed)


def analyze_take(
    path: PathLike,
    observer: Observer,
    *,
    role: Role = "recording",
    prompt_text: str | None = None,
    profile: Profile = DEFAULT,
) -> Analysis:
    """Decode and measure all of a recording, once for everything that is done with it.

    Args:
        path: The recording.
        observer: Receives the progress.
        role: As in `preflight.check`.
        prompt_text: As in `preflight.check`.
        profile: As in `preflight.check`.
    """
    from preflight.checks import analyze

    return analyze(
        path,
        role=role,
        prompt_text=prompt_text,
        to_end=True,
        profile=profile,
        on_progress=partial(observer.progress, "check"),
    )


def require_readable(path: PathLike, role: Role = "recording") -> None:
    """Open a recording before settings are needed, so that a wrong name is reported first.

    Raises:
        TakeRefused: It is missing or cannot be opened.
    """
    import preflight
    from preflight.input.source import Source

    try:
        with Source.open(path):
            pass
    except preflight.CannotOpen as error:
        raise _refused(preflight.check(path, role=role), error) from None


def prepare(
    path: PathLike, analysis: Analysis, folder: Path, observer: Observer, *, profile: Profile = DEFAULT
) -> PreparedFile:
    """Judge a recording, and write a fixed copy into `folder` if it needs one.

    Args:
        path: The recording.
        analysis: Of the recording, see `analyze_take`.
        folder: For the copy.
        observer: Receives steps, warnings and progress.
        profile: As in `preflight.check`.

    Raises:
        TakeRefused: It is not fit and cannot be fixed.
        preflight.CannotWrite: The copy could not be written.
        preflight.NotExamined: The check failed because of a bug.
    """
    from preflight import CannotFix, CannotWrite, NotExamined
    from preflight.checks import report_of
    from preflight.display.report_text import headline

    report = report_of(analysis, profile)
    if isinstance(problem := analysis.problem, NotExamined):
        raise NotExamined(f"{report.path}: {problem.message}", problem.hint)
    observer.step("check", f"{report.path}: {headline(report)}")
    for finding in report.findings:
        if finding.severity == "warning":
            observer.warn(f"{report.path}: {finding.message}")
    errors = {finding.rule for finding in report.errors}
    if errors <= {"extension-mismatch"}:
        # the upload gets the right suffix anyway
        return PreparedFile(report, path, report.file, voices=analysis.voices)
    if report.verdict == "rejected":
        raise _refused(report, problem)
    from preflight.fixes.fix import fix_analyzed

    (target := Path(folder) / analysis.role).mkdir()
    try:
        fixed = fix_analyzed(path, target, analysis, profile=profile, on_progress=partial(observer.progress, "fix"))
    except CannotFix as error:
        message = error.message.removeprefix(f"{report.path} ")
        raise TakeRefused(f"{report.path}: {message}", error.hint, report) from error
    except CannotWrite as error:
        raise _cannot_write(report.path, error) from error
    observer.step("fix", "; ".join(edit.what for edit in fixed.edits))
    return replace(_fixed_file(fixed), voices=analysis.voices)


def _fixed_file(fixed: Fixed) -> PreparedFile:
    if fixed.after is None or fixed.path is None:
        raise _refused(fixed.before)
    changes = tuple(edit.what for edit in fixed.edits)
    return PreparedFile(fixed.after, fixed.path, fixed.before.file, changes)


def _cannot_write(name: str, error: CannotWrite) -> CannotWrite:
    return type(error)(f"{name}: its fixed copy cannot be written: {error.message}", "free some space, or set TMPDIR")


def _refused(report: Report, problem: PreflightError | None = None) -> TakeRefused:
    if problem is not None and problem.hint:  # `onetake check` would report no more than this
        return TakeRefused(f"{report.path}: {problem.message}", problem.hint, report)
    reasons = "; ".join(finding.message for finding in report.errors if not finding.fix)
    from preflight.display.shell_arguments import argument

    path = argument(report.path)
    command = f"onetake check {path}" if report.role == "recording" else f"onetake check TAKE --prompt {path}"
    return TakeRefused(f"{report.path}: {reasons}", f"for details: {command}", report)


def compare_prompt(request: CloneRequest, path: PathLike, report: Report, observer: Observer) -> dict[str, Any] | None:
    """Transcribe a prompt clip and compare it with its text, before a paid call is refused for it (codes 1043, 1044).

    Args:
        request: Has the speech model, the text, and the endpoint's `accuracy` threshold.
        path: The clip to send.
        report: Its report.
        observer: Receives a warning if the texts differ.

    Returns:
        The result of `comparison_fields`, or None if the request has no speech model.

    Raises:
        TakeRefused: The texts differ, and the profile makes that an error.
        preflight.BadSpeechModel, preflight.EngineMissing: The model cannot be used.
    """
    text = request.options.prompt_text
    if request.speech_model is None or text is None or request.profile.severity("prompt-text-differs") == "off":
        return None
    from preflight import compare_text, display_name, text_findings

    name = display_name(request.take if request.prompt is None else request.prompt)  # not that of a temporary copy
    comparison = compare_text(path, text, request.speech_model)
    findings = text_findings(comparison, request.profile, limit=request.options.accuracy)
    transcript = comparison.transcript or "nothing"
    agreement = "" if comparison.agreement is None else f" (agreement {comparison.agreement:.2f})"
    observer.step("transcribe", f"{transcript}{agreement}")
    for finding in findings:
        if finding.severity == "error":
            what, _, hint = finding.message.rpartition(": ")
            raise TakeRefused(f"{name}: {what}", hint, report)
        if finding.severity == "warning":
            observer.warn(f"{name}: {finding.message}")
    return comparison_fields(comparison, findings)


def comparison_fields(comparison: Comparison, findings: tuple[Finding, ...]) -> dict[str, Any]:
    """Return a comparison as JSON members: ``heard``, ``agreement``, ``language`` and ``findings``."""
    return {**msgspec.to_builtins(comparison), "findings": findings}
