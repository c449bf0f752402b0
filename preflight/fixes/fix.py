"""`fix` and `plan`: make a recording ready, verify the result, and only then give it its name."""

from __future__ import annotations

import io
import os
import shutil
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import msgspec

from preflight import limits
from preflight.checks import analyze, check, report_of
from preflight.errors import BadOutput, CannotFix
from preflight.fixes.convert import FixJob, add_headroom, convert, without_overshoot
from preflight.fixes.edit_descriptions import Edit
from preflight.fixes.options import MINIMAL, FixOptions
from preflight.fixes.plan import Plan, make_plan, plan_conversion
from preflight.fixes.write import CONTAINERS, is_folder, require_output, write_verified
from preflight.input.recording import PathLike, Recording, SpooledFile, stem_of
from preflight.input.source import Source, display_name
from preflight.input.spool import as_path
from preflight.profile import DEFAULT, Profile
from preflight.report import Report, Role

if TYPE_CHECKING:
    from preflight.analysis.analysis import Analysis
    from preflight.analysis.analyze import Progress
    from preflight.fixes.options import Container

_REMUX_TOLERANCE_S: Final = 0.3
"""Containers differ in how much encoder delay they declare: up to 2112 samples, at 8 kHz or more."""
_MAX_ENCODER_RUNS: Final = 4


class Fixed(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `fix` or `plan`.

    Attributes:
        path: The file that was written; None for a plan, and if nothing had to be written.
        action: ``keep``, ``rename``, ``rewrap`` or ``convert``.
        container: Container of the result: ``wav``, ``m4a`` or ``mp3``.
        lossless: Whether every sample that is kept has the value it had.
        edits: Each change; empty if the file is copied unchanged.
        before: The report of the recording.
        after: The report of the result; None if nothing was written.
    """

    path: str | None
    action: str
    container: str
    lossless: bool
    edits: tuple[Edit, ...]
    before: Report
    after: Report | None

    def _repr_html_(self) -> str:
        """Return the HTML that a notebook shows."""
        from preflight.display.notebook import html_of_fixed

        return html_of_fixed(self)


def fix(
    recording: Recording,
    out: PathLike | None = None,
    *,
    role: Role = "recording",
    prompt_text: str | None = None,
    options: FixOptions = MINIMAL,
    force: bool = False,
    profile: Profile = DEFAULT,
    on_progress: Progress | None = None,
) -> Fixed:
    """Write a version of a recording that is ready to be sent.

    A recording that is ready is copied unchanged. Audio is re-encoded only when necessary, and only once, from the
    original; otherwise its packets are copied. The result is checked like any recording before it gets its name.

    Args:
        recording: A path, `bytes`, a binary file object, ``(samples, sample_rate_hz)`` or a `pydub.AudioSegment`; see
            `Recording`.
        out: The file to write, ending in .wav, .mp3 or .m4a; or a folder, in which the result keeps the name of the
            recording with the right suffix (data without a name is named after its type, such as ``samples.wav``).
            If omitted, ``take.ogg`` becomes ``take.fixed.wav`` beside it, and nothing is written if it is ready.
        role: What the recording is for. A prompt clip has other limits, and is cut only by `options`.
        prompt_text: The text spoken in a prompt clip.
        options: Changes beyond the smallest ones.
        force: Replace `out` if it exists.
        profile: Severities and thresholds of the rules; those of the service's contract cannot be changed.
        on_progress: Called repeatedly with the seconds done, and with the seconds of the recording if known. They start
            again with each step: analyzing, writing, and checking the result.

    Raises:
        TypeError, ValueError: As in `check`.
        BadProfile: The profile changes rules of the service's contract.
        CannotFix: The recording cannot be read or made ready.
        BadOutput: `out` has a suffix that does not fit the result, or is the recording itself; or it is omitted for a
            recording that is not a file.
        OutputExists: `out` exists and `force` is not set.
        CannotWrite: The disk is full, a permission is missing, …; `out` was not created.
    """
    profile.require_contract()
    if out is None and (isinstance(recording, SpooledFile) or not isinstance(recording, str | os.PathLike)):
        raise BadOutput("audio without a file has no folder for its fixed copy", "name an output file")
    with as_path(recording) as path:
        if out is not None:
            require_output(path, Path(os.fsdecode(out)), force=force)
        analysis = analyze(
            path, role=role, prompt_text=prompt_text, to_end=True, profile=profile, on_progress=on_progress
        )
        return fix_analyzed(path, out, analysis, options, force=force, profile=profile, on_progress=on_progress)


def fix_analyzed(
    path: PathLike,
    out: PathLike | None,
    analysis: Analysis,
    options: FixOptions = MINIMAL,
    *,
    force: bool = False,
    profile: Profile = DEFAULT,
    on_progress: Progress | None = None,
) -> Fixed:
    """Fix a recording that was analyzed to its end; otherwise like `fix`."""
    output = None if out is None else Path(os.fsdecode(out))
    if output is not None:  # before any work, so that a wrong name costs no time
        require_output(path, output, force=force)
    job = FixJob(path, analysis, report_of(analysis, profile), profile, options, on_progress)
    steps = add_headroom(job, make_plan(analysis, job.report, options, _container_of(output)))
    suffix = limits.ACCEPTED[steps.container]
    if output is None and steps.action == "keep":
        return _result(job, steps, None, None)
    if output is None or is_folder(output):
        beside = Path(os.fsdecode(path)).with_name(f"{stem_of(path)}.fixed{suffix}")
        output = beside if output is None else output / (stem_of(path) + suffix)
        require_output(path, output, force=force)
    elif output.suffix.lower() != suffix:
        raise BadOutput(
            f"the result is {steps.container.upper()}, not {output.suffix}",
            f"name the output {output.with_suffix(suffix).name!r}, or choose that format (--to)",
        )
    produce = partial(_write_with_fallback, job, steps)
    steps, after = write_verified(output, steps.container, produce, force=force)
    return _result(job, steps, os.fspath(output), msgspec.structs.replace(after, path=display_name(output)))


def plan(
    recording: Recording,
    out: PathLike | None = None,
    *,
    options: FixOptions = MINIMAL,
    profile: Profile = DEFAULT,
    on_progress: Progress | None = None,
) -> Fixed:
    """Return what `fix` would do, without writing anything.

    Args:
        recording: As in `fix`.
        out: The file that would be written; its suffix selects the format.
        options: As in `fix`.
        profile: As in `fix`.
        on_progress: As in `check`.

    Raises:
        TypeError, ValueError: As in `check`.
        BadProfile: The profile changes rules of the service's contract.
        CannotFix: The recording cannot be read or made ready.
    """
    profile.require_contract()
    with as_path(recording) as path:
        analysis = analyze(path, to_end=True, profile=profile, on_progress=on_progress)
        job = FixJob(path, analysis, report_of(analysis, profile), profile, options)
        container = _container_of(None if out is None else Path(os.fsdecode(out)))
        steps = add_headroom(job, make_plan(analysis, job.report, options, container))
        return _result(job, _tried(job, steps), None, None)


def _tried(job: FixJob, steps: Plan) -> Plan:
    """Return the plan, or the one that replaces it: only a copy shows whether the packets can be copied."""
    if steps.action != "rewrap":
        return steps
    copy = io.BytesIO()
    try:
        _execute(job, steps, copy)
        _verify(job, steps, copy.getvalue())
    except CannotFix:
        return _instead_of_copy(job, steps)
    return steps


def _instead_of_copy(job: FixJob, steps: Plan) -> Plan:
    """Return the plan for a recording whose packets cannot be copied."""
    if job.report.verdict == "ready" and steps.window is None and steps.container == job.facts.container:
        return Plan("keep", steps.container)  # a warning justifies no re-encoding
    return add_headroom(job, plan_conversion(job.analysis, job.report, job.options, steps.container))


def _container_of(output: Path | None) -> Container | None:
    return None if output is None or is_folder(output) else CONTAINERS.get(output.suffix.lower())


def _write_with_fallback(job: FixJob, steps: Plan, file: IO[bytes], temporary: Path) -> tuple[Plan, Report]:
    """Write and verify the result; re-encode if a copy of the packets fails verification."""
    try:
        return _write(job, steps, file, temporary)
    except CannotFix:
        if steps.action != "rewrap":
            raise
    return _write(job, _instead_of_copy(job, steps), file, temporary)


def _write(job: FixJob, steps: Plan, file: IO[bytes], temporary: Path) -> tuple[Plan, Report]:
    """Write and verify the result; encode it again at a lower level while it decodes above full scale."""
    for run in range(_MAX_ENCODER_RUNS):
        file.seek(0)
        file.truncate()
        _execute(job, steps, file)
        after = _verify(job, steps, temporary)
        # how far an encoder overshoots is known only from its decoded output
        lower = without_overshoot(steps, after.measurements["sample_peak_dbfs"])
        if lower is None or run == _MAX_ENCODER_RUNS - 1:
            break
        steps = lower
    return steps, after


def _execute(job: FixJob, steps: Plan, file: IO[bytes]) -> None:
    with Source.open(job.path) as source:
        if steps.action == "rewrap":
            from preflight.fixes.remux import remux

            track, ranges = job.facts.audio_track, job.facts.ranges
            decoded_s = None if job.analysis.damage or job.facts.hidden_s else job.analysis.duration_s
            remux(
                source,
                file,
                steps.container,
                steps.window,
                ranges=ranges,
                audio_track_number=track,
                decoded_s=decoded_s,
            )
        elif steps.action == "convert":
            convert(source, file, job, steps)
        else:
            source.rewind()
            # a duplicate, because closing the file object closes its descriptor
            with os.fdopen(os.dup(source.fd), "rb") as original:
                shutil.copyfileobj(original, file, 1 << 20)
        job.require_unchanged(source)
    file.flush()


def _verify(job: FixJob, steps: Plan, result: Recording) -> Report:
    """Check the result as if it came from a user, and compare it with the plan.

    Raises:
        CannotFix: It is not ready, or not what was planned.
    """
    before, role, text = job.report, job.analysis.role, job.analysis.prompt_text
    # what is kept of a longer recording may hold another speaker's words, too
    profile = job.profile.with_speakers() if any(edit.name == "cut" for edit in steps.edits) else job.profile
    after = check(result, role=role, prompt_text=text, profile=profile, on_progress=job.on_progress)
    if after.verdict != "ready":
        reasons = "; ".join(finding.message for finding in after.errors)
        raise CannotFix(f"the result would be rejected: {reasons}", "record or export it again")
    if steps.action in ("keep", "rename") and after.file.sha256 != before.file.sha256:
        raise CannotFix("the recording changed while it was copied", "wait until it is no longer written to")
    planned_s = _seconds(before) if steps.window is None else steps.window[1] - steps.window[0]
    if steps.action == "rewrap" and abs(_seconds(after) - planned_s) > _REMUX_TOLERANCE_S:
        raise CannotFix("some of its packets cannot be copied", "re-encode it")
    return after


def _seconds(report: Report) -> float:
    return report.file.duration_s or 0.0


def _result(job: FixJob, steps: Plan, path: str | None, after: Report | None) -> Fixed:
    return Fixed(
        path=path,
        action=steps.action,
        container=steps.container,
        lossless=steps.is_lossless,
        edits=steps.edits,
        before=job.report,
        after=after,
    )
