"""`fix`: make a take ready, verify it, and only then give it its name."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import msgspec

from preflight import limits
from preflight.checks import Examination, check, examine
from preflight.errors import BadOutput, CannotFix
from preflight.fixes.convert import Take, convert, with_headroom, without_overshoot
from preflight.fixes.edits import Edit
from preflight.fixes.options import SMALLEST, FixOptions
from preflight.fixes.plan import Plan, converted, decide
from preflight.fixes.write import CONTAINERS, is_folder, require_output, write_verified
from preflight.input.as_path import as_path
from preflight.input.source import Source, display_name
from preflight.input.types import PathLike, Recording, stem_of
from preflight.profile import DEFAULT, Profile
from preflight.report import Report, Role

if TYPE_CHECKING:
    from preflight.analysis.analyze import Progress
    from preflight.fixes.options import Container

_COPY_MAY_DIFFER_S: Final = 0.3
"""Containers tell more or less of what an encoder added at the ends: 2112 frames, and at the least 8 kHz."""


_MOST_ATTEMPTS: Final = 4


class Fixed(msgspec.Struct, frozen=True, kw_only=True):
    """What `fix` did, or would do.

    Attributes:
        path: The file that was written; None when it was only planned.
        action: ``keep``, ``rename``, ``rewrap`` or ``convert``.
        lossless: Whether every sample that was kept is the one that was there.
        edits: Each change; none when the bytes were copied.
        before: The report of the original.
        after: The report of the result; None when it was only planned.
    """

    path: str | None
    action: str
    lossless: bool
    edits: tuple[Edit, ...]
    before: Report
    after: Report | None

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from preflight.display.fix_notebook import html_of_fixed

        return html_of_fixed(self)


def fix(
    recording: Recording,
    out: PathLike,
    *,
    role: Role = "recording",
    prompt_text: str | None = None,
    options: FixOptions = SMALLEST,
    force: bool = False,
    profile: Profile = DEFAULT,
    on_progress: Progress | None = None,
) -> Fixed:
    """Write a version of a take that is ready to be sent.

    A take that is ready is copied byte for byte. Coded sound is copied, and cut between its packets, where that is
    enough; it is coded anew only where it must be, once, from the original. The result is checked like any take
    before it appears under its name.

    Args:
        recording: A path, `bytes`, a binary file object, ``(samples, sample_rate_hz)`` or a `pydub.AudioSegment`; see
            `Recording`.
        out: The file to write, ending in .wav, .mp3 or .m4a; or a folder, in which the take keeps its name
            and gets the right ending (what has no name is called after its kind, such as ``samples.wav``).
        role: What the take is for: a prompt clip is held against other limits, and never cut.
        prompt_text: The text spoken in a prompt clip.
        options: What is wanted beyond that.
        force: Replace `out` when it exists.
        profile: Severities and thresholds of the rules; those of the contract stand.
        on_progress: Called now and then with the seconds done, and with the recording's as far as they are known. The
            take is gone through more than once, to check it, to write it and to check what was written: the seconds
            then begin again.

    Raises:
        TypeError, ValueError: As `check` does.
        BadProfile: The profile overrules what the service itself asks for.
        CannotFix: The take cannot be read or made ready.
        BadOutput: `out` has an ending that the result cannot have, or is the take itself.
        OutputExists: `out` exists and `force` was not given.
        CannotWrite: The disk is full, a permission is missing, …; nothing stands under the name of `out`.
    """
    profile.require_contract()
    with as_path(recording) as path:
        require_output(path, Path(os.fsdecode(out)), force=force)
        examination = examine(
            path, role=role, prompt_text=prompt_text, to_its_end=True, profile=profile, on_progress=on_progress
        )
        return mend(path, out, examination, options, force=force, on_progress=on_progress)


def mend(
    path: PathLike,
    out: PathLike,
    examination: Examination,
    options: FixOptions = SMALLEST,
    *,
    force: bool = False,
    on_progress: Progress | None = None,
) -> Fixed:
    """Like `fix`, for a take that is at hand under a path, and was examined already, to its end."""
    wanted = Path(os.fsdecode(out))
    require_output(path, wanted, force=force)
    take = Take(path, examination, options, on_progress)
    steps = with_headroom(take, decide(examination, options, _ending(wanted)))
    ending = limits.ACCEPTED[steps.container]
    if is_folder(wanted):
        wanted = wanted / (stem_of(path) + ending)
        require_output(path, wanted, force=force)
    elif wanted.suffix.lower() != ending:
        raise BadOutput(
            f"the result is {steps.container.upper()}, not {wanted.suffix}",
            f"name the output {wanted.with_suffix(ending).name!r}, or ask for that form (--to)",
        )
    produce = partial(_produce, take, steps)
    steps, after = write_verified(wanted, steps.container, produce, force=force)
    return _fixed(os.fspath(wanted), steps, examination, msgspec.structs.replace(after, path=display_name(wanted)))


def plan(
    recording: Recording,
    out: PathLike | None = None,
    *,
    options: FixOptions = SMALLEST,
    profile: Profile = DEFAULT,
    on_progress: Progress | None = None,
) -> Fixed:
    """What `fix` would do, without writing anything; `out` need not be known yet.

    Args:
        recording: As in `fix`.
        out: What would be written; its ending says in which form.
        options: As in `fix`.
        profile: As in `fix`.
        on_progress: As in `check`.

    Raises:
        TypeError, ValueError: As `check` does.
        BadProfile: The profile overrules what the service itself asks for.
        CannotFix: The take cannot be read or made ready.
    """
    profile.require_contract()
    with as_path(recording) as path:
        examination = examine(path, to_its_end=True, profile=profile, on_progress=on_progress)
        steps = decide(examination, options, None if out is None else _ending(Path(os.fsdecode(out))))
        take = Take(path, examination, options)
        return _fixed(None, with_headroom(take, _tried(take, steps)), examination, None)


def _tried(take: Take, steps: Plan) -> Plan:
    """What is left of a plan to copy a part of coded sound: whether that is possible only the packets say."""
    if steps.action != "rewrap" or steps.window is None:
        return steps
    try:
        with Path(os.devnull).open("w+b") as file:
            _apply(take, file, steps)
    except CannotFix:
        return converted(take.examination, take.options, steps.container)
    return steps


def _ending(wanted: Path) -> Container | None:
    return None if is_folder(wanted) else CONTAINERS.get(wanted.suffix.lower())


def _produce(take: Take, steps: Plan, file: IO[bytes], temporary: Path) -> tuple[Plan, Report]:
    """Write and verify; where a copy of the coded sound does not verify, code it anew."""
    try:
        return _written(take, steps, file, temporary)
    except CannotFix:
        if steps.action != "rewrap":
            raise
    steps = with_headroom(take, converted(take.examination, take.options, steps.container))
    return _written(take, steps, file, temporary)


def _written(take: Take, steps: Plan, file: IO[bytes], temporary: Path) -> tuple[Plan, Report]:
    """Write and verify; where an encoder overshoots full scale, write it again at a lower level."""
    for attempt in range(_MOST_ATTEMPTS):
        file.seek(0)
        file.truncate()
        _apply(take, file, steps)
        after = _verified(temporary, take, steps)
        lower = without_overshoot(steps, after.measurements["sample_peak_dbfs"])
        if lower is None or attempt == _MOST_ATTEMPTS - 1:
            break
        steps = lower
    return steps, after


def _apply(take: Take, file: IO[bytes], steps: Plan) -> None:
    with Source.open(take.path) as source:
        if steps.action == "rewrap":
            from preflight.fixes.remux import rewrap

            facts = take.examination.subject.probe
            if facts is None:
                raise CannotFix("its sound is not known", "check it first")
            rewrap(
                source,
                file,
                steps.container,
                steps.window,
                ranges=facts.ranges,
                audio_track_number=facts.audio_track,
            )
        elif steps.action == "convert":
            convert(source, file, take, steps)
        else:
            source.rewind()
            with os.fdopen(os.dup(source.fd), "rb") as original:
                shutil.copyfileobj(original, file, 1 << 20)
    file.flush()


def _verified(temporary: Path, take: Take, steps: Plan) -> Report:
    subject, before = take.examination.subject, take.examination.report
    after = check(
        temporary,
        role=subject.role,
        prompt_text=subject.prompt_text,
        profile=take.examination.profile,
        on_progress=take.on_progress,
    )
    if after.verdict != "ready":
        reasons = "; ".join(finding.message for finding in after.errors)
        raise CannotFix(f"the result would not be accepted: {reasons}", "make or export another recording")
    if steps.action in ("keep", "rename") and after.file.sha256 != before.file.sha256:
        raise CannotFix("the take changed while it was copied", "wait until it is no longer written to")
    expected = _seconds(before) if steps.window is None else steps.window[1] - steps.window[0]
    if steps.action == "rewrap" and abs(_seconds(after) - expected) > _COPY_MAY_DIFFER_S:
        raise CannotFix("its coded sound cannot be copied whole", "convert it")
    return after


def _seconds(report: Report) -> float:
    return report.file.duration_s or 0.0


def _fixed(path: str | None, steps: Plan, examination: Examination, after: Report | None) -> Fixed:
    target = steps.target
    is_as_it_was = target is not None and not target.dither and not target.fold and not steps.sound.computes
    return Fixed(
        path=path,
        action=steps.action,
        lossless=steps.action != "convert" or (steps.container == "wav" and is_as_it_was),
        edits=steps.edits,
        before=examination.report,
        after=after,
    )
