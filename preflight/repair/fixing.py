"""`fix`: make a take ready, verify it, and only then give it its name."""

from __future__ import annotations

import dataclasses
import os
import shutil
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import msgspec
import numpy as np

from preflight import limits
from preflight.checking import Examination, check, examine
from preflight.errors import BadOutput, CannotFix
from preflight.profile import DEFAULT, Profile
from preflight.repair.edits import Edit
from preflight.repair.planning import Plan, converted, decide
from preflight.repair.wishes import SMALLEST, Wishes
from preflight.repair.writing import CONTAINERS, is_folder, require_output, write_verified
from preflight.report import Report, Role
from preflight.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.decode import Block
    from preflight.repair.wishes import Container
    from preflight.source import PathLike

_COPY_MAY_DIFFER_S: Final = 0.3
"""Containers tell more or less of what an encoder added at the ends: 2112 frames, and at the least 8 kHz."""


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


def fix(
    path: PathLike,
    out: PathLike,
    *,
    role: Role = "recording",
    prompt_text: str | None = None,
    wishes: Wishes = SMALLEST,
    force: bool = False,
    profile: Profile = DEFAULT,
) -> Fixed:
    """Write a version of a take that is ready to be sent.

    A take that is ready is copied byte for byte. Coded sound is copied, and cut between its packets, where that is
    enough; it is coded anew only where it must be, once, from the original. The result is checked like any take
    before it appears under its name.

    Args:
        path: The take.
        out: The file to write, ending in .wav, .mp3 or .m4a; or a folder, in which the take keeps its name
            and gets the right ending.
        role: What the take is for: a prompt clip is held against other limits, and never cut.
        prompt_text: The text spoken in a prompt clip.
        wishes: What is wanted beyond that.
        force: Replace `out` when it exists.
        profile: Severities and thresholds of the rules; those of the contract stand.

    Raises:
        BadProfile: The profile overrules what the service itself asks for.
        CannotFix: The take cannot be made ready.
        BadOutput: `out` has an ending that the result cannot have, or is the take itself.
        OutputExists: `out` exists and `force` was not given.
        CannotWrite: The disk is full, a permission is missing, …; nothing stands under the name of `out`.
    """
    profile.require_contract()
    require_output(path, Path(os.fsdecode(out)), force=force)
    examination = examine(path, role=role, prompt_text=prompt_text, to_its_end=True, profile=profile)
    return mend(path, out, examination, wishes, force=force)


def mend(
    path: PathLike, out: PathLike, examination: Examination, wishes: Wishes = SMALLEST, *, force: bool = False
) -> Fixed:
    """Like `fix`, for a take that was examined already, to its end."""
    wanted = Path(os.fsdecode(out))
    require_output(path, wanted, force=force)
    steps = decide(examination, wishes, _ending(wanted))
    ending = limits.ACCEPTED[steps.container]
    if is_folder(wanted):
        wanted = wanted / (Path(os.fsdecode(path)).stem + ending)
        require_output(path, wanted, force=force)
    elif wanted.suffix.lower() != ending:
        raise BadOutput(
            f"the result is {steps.container.upper()}, not {wanted.suffix}",
            f"name the output {wanted.with_suffix(ending).name!r}",
        )
    produce = partial(_produce, path, examination, wishes, steps)
    steps, after = write_verified(wanted, steps.container, produce, force=force)
    return _fixed(os.fspath(wanted), steps, examination, after)


def plan(
    path: PathLike, out: PathLike | None = None, *, wishes: Wishes = SMALLEST, profile: Profile = DEFAULT
) -> Fixed:
    """What `fix` would do, without writing anything; `out` need not be known yet.

    Raises:
        BadProfile: The profile overrules what the service itself asks for.
        CannotFix: The take cannot be made ready.
    """
    profile.require_contract()
    examination = examine(path, to_its_end=True, profile=profile)
    steps = decide(examination, wishes, None if out is None else _ending(Path(os.fsdecode(out))))
    return _fixed(None, _tried(path, examination, wishes, steps), examination, None)


def _tried(path: PathLike, examination: Examination, wishes: Wishes, steps: Plan) -> Plan:
    """What is left of a plan to copy a part of coded sound: whether that is possible only the packets say."""
    if steps.action != "rewrap" or steps.window is None:
        return steps
    try:
        with Path(os.devnull).open("w+b") as file:
            _apply(path, file, examination, steps)
    except CannotFix:
        return converted(examination, wishes, steps.container)
    return steps


def _ending(wanted: Path) -> Container | None:
    return None if is_folder(wanted) else CONTAINERS.get(wanted.suffix.lower())


def _produce(
    path: PathLike, examination: Examination, wishes: Wishes, steps: Plan, file: IO[bytes], temporary: Path
) -> tuple[Plan, Report]:
    """Write and verify; where a copy of the coded sound does not verify, code it anew."""
    try:
        _apply(path, file, examination, steps)
        return steps, _verified(temporary, examination, steps)
    except CannotFix:
        if steps.action != "rewrap":
            raise
    steps = converted(examination, wishes, steps.container)
    file.seek(0)
    file.truncate()
    _apply(path, file, examination, steps)
    return steps, _verified(temporary, examination, steps)


def _apply(path: PathLike, file: IO[bytes], examination: Examination, steps: Plan) -> None:
    with Source.open(path) as source:
        if steps.action == "rewrap":
            from preflight.repair.rewrapping import rewrap

            rewrap(source, file, steps.container, steps.window)
        elif steps.action == "convert":
            _convert(source, file, examination, steps)
        else:
            source.rewind()
            with os.fdopen(os.dup(source.fd), "rb") as original:
                shutil.copyfileobj(original, file, 1 << 20)
    file.flush()


def _convert(source: Source, file: IO[bytes], examination: Examination, steps: Plan) -> None:
    from preflight.repair.encoding import encode
    from preflight.repair.sounding import sounding

    facts = examination.subject.probe
    if facts is None or steps.target is None:
        raise CannotFix("its sound is not known", "check it first")
    begin = steps.window[0] if steps.window else 0.0
    pauses = tuple((start - begin, end - begin) for start, end in steps.sound.pauses)
    sound = dataclasses.replace(steps.sound, pauses=pauses)
    blocks = sounding(partial(_kept, source, examination, steps), facts.sample_rate_hz, sound)
    encode(blocks, facts.sample_rate_hz, file, steps.container, steps.target)


def _kept(source: Source, examination: Examination, steps: Plan) -> Iterator[Block]:
    """The part that is kept, in as many channels as are written."""
    from preflight.decode import Decoder
    from preflight.repair.cutting import keep_window

    facts, seconds = examination.subject.probe, examination.subject.duration_s
    if facts is None or seconds is None or steps.target is None:
        raise CannotFix("its sound is not known", "check it first")
    blocks = Decoder(source, facts).blocks()
    if steps.window is not None:
        # its own beginning and end are not faded
        is_cut = steps.window[0] > 0, steps.window[1] < seconds
        blocks = keep_window(blocks, facts.sample_rate_hz, steps.window, fades=is_cut)
    if steps.target.fold is None:
        return blocks
    weights = np.asarray(steps.target.fold, np.float32)
    return ((block @ weights)[:, np.newaxis] for block in blocks)


def _verified(temporary: Path, examination: Examination, steps: Plan) -> Report:
    subject = examination.subject
    after = check(temporary, role=subject.role, prompt_text=subject.prompt_text, profile=examination.profile)
    before = examination.report
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
