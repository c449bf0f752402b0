"""`fix`: make a take ready, verify it, and only then give it its name."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec

from preflight import limits
from preflight.checking import Examination, check, examine
from preflight.errors import BadOutput, CannotFix, CannotWrite, OutputExists
from preflight.profile import DEFAULT, Profile
from preflight.repair.planning import Container, Plan, convert_plan, plan
from preflight.report import Report, Role
from preflight.source import Source

if TYPE_CHECKING:
    from preflight.source import PathLike

_CONTAINERS: dict[str, Container] = {".wav": "wav", ".mp3": "mp3", ".m4a": "m4a"}


_COPY_MAY_DIFFER_S = 0.3
"""Containers tell more or less of what an encoder added at the ends: 2112 frames, and at the least 8 kHz."""


class Fixed(msgspec.Struct, frozen=True, kw_only=True):
    """What `fix` did.

    Attributes:
        path: The file that was written; None when it was only planned.
        action: ``keep``, ``rename``, ``rewrap`` or ``convert``.
        lossless: Whether every sample that was kept is the one that was there.
        steps: Each change, in words; empty when the bytes were copied.
        before: The report of the original.
        after: The report of the result; None when it was only planned.
    """

    path: str | None
    action: str
    lossless: bool
    steps: tuple[str, ...]
    before: Report
    after: Report | None


def fix(
    path: PathLike,
    out: PathLike,
    *,
    role: Role = "recording",
    prompt_text: str | None = None,
    force: bool = False,
    profile: Profile = DEFAULT,
) -> Fixed:
    """Write a version of a take that is ready to be sent.

    A take that is ready is copied byte for byte. Sound is coded anew only where it must be, once, from the
    original. The result is checked like any take before it appears under its name.

    Args:
        path: The take.
        out: The file to write, ending in .wav, .mp3 or .m4a; or a folder, in which the take keeps its name
            and gets the right ending.
        role: What the take is for: a prompt clip is held against other limits, and never cut.
        prompt_text: The text spoken in a prompt clip.
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
    _check_output(path, Path(os.fsdecode(out)), force=force)
    return mend(path, out, examine(path, role=role, prompt_text=prompt_text, profile=profile), force=force)


def mend(path: PathLike, out: PathLike, examination: Examination, *, force: bool = False) -> Fixed:
    """Like `fix`, for a take that was examined already."""
    wanted = Path(os.fsdecode(out))
    _check_output(path, wanted, force=force)
    to = None if _is_folder(wanted) else _CONTAINERS[wanted.suffix.lower()]
    steps = plan(examination, to)
    ending = limits.ACCEPTED[steps.container]
    if _is_folder(wanted):
        wanted = wanted / (Path(os.fsdecode(path)).stem + ending)
        _check_output(path, wanted, force=force)
    elif wanted.suffix.lower() != ending:
        raise BadOutput(
            f"the take needs no new coding, so the result is {steps.container.upper()}, not {wanted.suffix}",
            f"name the output {wanted.with_suffix(ending).name!r}",
        )
    return _write(path, wanted, examination, steps, force=force)


def propose(path: PathLike, out: PathLike | None = None, *, profile: Profile = DEFAULT) -> Fixed:
    """What `fix` would do, without writing anything; `out` need not be known yet.

    Raises:
        BadProfile: The profile overrules what the service itself asks for.
        CannotFix: The take cannot be made ready.
    """
    to = _CONTAINERS.get(Path(os.fsdecode(out)).suffix.lower()) if out is not None else None
    profile.require_contract()
    examination = examine(path, profile=profile)
    return _fixed(None, plan(examination, to), examination, None)


def _check_output(path: PathLike, wanted: Path, *, force: bool) -> None:
    if _is_folder(wanted):
        return
    if wanted.suffix.lower() not in _CONTAINERS:
        raise BadOutput("the output must end in .wav, .mp3 or .m4a", "name it so, or name a folder")
    if "\0" in str(wanted):
        raise BadOutput("the output's name holds a NUL character", "choose another name")
    with contextlib.suppress(OSError):
        if wanted.samefile(os.fsdecode(path)):
            raise BadOutput("the output is the take itself, which is never overwritten", "choose another name")
    if os.path.lexists(wanted) and not force:
        raise OutputExists(f"{str(wanted)!r} exists already", "choose another name, or replace it with --force")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False  # what is wrong with it shows when it is written


def _write(path: PathLike, wanted: Path, examination: Examination, steps: Plan, *, force: bool) -> Fixed:
    try:
        handle, name = tempfile.mkstemp(suffix=limits.ACCEPTED[steps.container], prefix=".onetake-", dir=wanted.parent)
    except OSError as error:
        raise _cannot_write(error) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w+b") as file:
            steps, after = _produce(path, file, temporary, examination, steps)
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        _put_in_place(temporary, wanted, force=force)
    except OSError as error:
        raise _cannot_write(error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return _fixed(os.fspath(wanted), steps, examination, after)


def _produce(
    path: PathLike, file: IO[bytes], temporary: Path, examination: Examination, steps: Plan
) -> tuple[Plan, Report]:
    """Write and verify; where a copy of the coded sound does not verify, code it anew."""
    try:
        _apply(path, file, examination, steps)
        return steps, _verified(temporary, examination, steps)
    except CannotFix:
        if steps.action != "rewrap":
            raise
    steps = convert_plan(examination, steps.container)
    file.seek(0)
    file.truncate()
    _apply(path, file, examination, steps)
    return steps, _verified(temporary, examination, steps)


def _apply(path: PathLike, file: IO[bytes], examination: Examination, steps: Plan) -> None:
    with Source.open(path) as source:
        if steps.action == "rewrap":
            from preflight.repair.rewrapping import rewrap

            rewrap(source, file, steps.container)
        elif steps.action == "convert":
            _convert(source, file, examination, steps)
        else:
            source.rewind()
            with os.fdopen(os.dup(source.fd), "rb") as original:
                shutil.copyfileobj(original, file, 1 << 20)
    file.flush()


def _convert(source: Source, file: IO[bytes], examination: Examination, steps: Plan) -> None:
    from preflight.decode import Decoder
    from preflight.repair.cutting import keep_window
    from preflight.repair.encoding import encode

    facts, seconds = examination.subject.probe, examination.subject.duration_s
    if facts is None or seconds is None or steps.target is None:
        raise CannotFix("its sound is not known", "check it first")
    blocks = Decoder(source, facts).blocks()
    if steps.window is not None:
        blocks = keep_window(blocks, facts.sample_rate_hz, steps.window, seconds)
    encode(blocks, facts.sample_rate_hz, file, steps.container, steps.target)


def _verified(temporary: Path, examination: Examination, steps: Plan) -> Report:
    subject = examination.subject
    after = check(temporary, role=subject.role, prompt_text=subject.prompt_text, profile=examination.profile)
    before = examination.report
    if after.verdict != "ready":
        reasons = "; ".join(finding.message for finding in after.errors)
        raise CannotFix(f"the result would not be accepted: {reasons}", "make or export another recording")
    if steps.action in ("keep", "rename") and after.file.sha256 != before.file.sha256:
        raise CannotFix("the take changed while it was copied", "wait until it is no longer written to")
    if steps.action == "rewrap" and abs(_seconds(after) - _seconds(before)) > _COPY_MAY_DIFFER_S:
        raise CannotFix("its coded sound cannot be copied whole", "convert it")
    return after


def _seconds(report: Report) -> float:
    return report.file.duration_s or 0.0


def _put_in_place(temporary: Path, wanted: Path, *, force: bool) -> None:
    if force:
        temporary.replace(wanted)
    else:
        try:
            os.link(temporary, wanted)  # unlike a rename, a link never replaces a file
        except FileExistsError:
            raise OutputExists(f"{str(wanted)!r} exists already", "choose another name") from None
        except OSError:
            # a file system without links; the name was free when it was looked at
            temporary.replace(wanted)
    if hasattr(os, "O_DIRECTORY"):
        folder = os.open(wanted.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _cannot_write(error: OSError) -> CannotWrite:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return CannotWrite("the disk is full, or a size limit was reached", "free some space, or write elsewhere")
    if error.errno == errno.ENOENT:
        return CannotWrite("the folder to write to does not exist", "create it first")
    reason = (error.strerror or str(error)).lower()
    return CannotWrite(f"the output could not be written: {reason}", "check the folder and its permissions")


def _fixed(path: str | None, steps: Plan, examination: Examination, after: Report | None) -> Fixed:
    window_only = steps.target is not None and not steps.target.dither and not steps.target.fold
    exact = steps.action != "convert" or (steps.container == "wav" and window_only)
    return Fixed(
        path=path,
        action=steps.action,
        lossless=exact,
        steps=steps.steps,
        before=examination.report,
        after=after,
    )
