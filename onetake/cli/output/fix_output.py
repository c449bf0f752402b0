"""Output of `fix`, `join` and `prompt`: errors with the name of the file, and the file that was written."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from onetake.console.streams import print_text
from onetake.console.terminal import INDENT, safe
from onetake.render.text import headline_of, next_line
from preflight.display.report_text import advice, next_step
from preflight.display.text import describe_file
from preflight.fixes.options import DEFAULT_LUFS, EDIT_KINDS
from preflight.input.source import display_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from preflight import Finding, Fixed

_REPLACE: Final = "choose another name, or replace it with --force"


@contextlib.contextmanager
def named_problems(file: str, out: str | None = None) -> Iterator[None]:
    """Prefix errors about a recording with its name, and those about the output with that of ``out``."""
    from preflight import (
        BadOutput,
        BadProfile,
        BadSpeakerModel,
        BadSpeechModel,
        CannotWrite,
        EngineMissing,
        OutputExists,
        PreflightError,
        display_name,
    )

    try:
        yield
    except (BadProfile, BadSpeakerModel, BadSpeechModel, EngineMissing):
        raise  # not about the recording
    except PreflightError as error:
        name = display_name(out if out is not None and isinstance(error, BadOutput | CannotWrite) else file)
        error.message = f"{name}: {error.message.removeprefix(f'{name} ')}"
        if isinstance(error, OutputExists):
            error.hint = _REPLACE
        raise


@contextlib.contextmanager
def named_output(out: str) -> Iterator[None]:
    """Prefix errors about the output with its name."""
    from preflight import BadOutput, CannotWrite, OutputExists, display_name

    try:
        yield
    except (BadOutput, CannotWrite) as error:
        error.message = f"{display_name(out)}: {error.message}"
        raise
    except OutputExists as error:
        error.hint = _REPLACE
        raise


def fix_lines(fixed: Fixed, *, chooses_format: bool) -> Iterator[str]:
    """What was done or would be done, what could not be fixed, and the file that was written.

    Args:
        fixed: The result.
        chooses_format: Whether the format was chosen by onetake, so that a loss needs an explanation.
    """
    for edit in fixed.edits:
        yield f"{safe(edit.what)}{'' if edit.safe else ' (unsafe)'}"
    report = fixed.after or fixed.before
    remaining = [
        finding
        for finding in report.findings
        if finding.quality and not any(edit.rule == finding.rule for edit in fixed.edits)
    ]
    if not fixed.edits:
        done = "nothing was changed" if remaining else "nothing to fix"
        how_good = {"fair": ", fair", "poor": ", but poor"}.get(report.quality or "", "")
        yield f"it is ready{how_good}: {done if fixed.path is None else 'copied unchanged'}"
    if chooses_format and fixed.container != "wav" and not fixed.lossless and _is_lossless(fixed.before.file.codec):
        yield "not lossless: a WAV of this length would be larger than 20 MB (--from and --until keep less)"
    has_next = fixed.path is not None or not fixed.edits
    for finding in remaining:
        remedy = _remedy(finding, remaining)
        is_repeated = has_next and remedy == next_step(report)
        yield f"not fixed: {safe(finding.summary)}{'' if is_repeated else f': {safe(remedy)}'}"
    if fixed.path is not None and fixed.after is not None:
        yield headline_of(fixed.after)
        yield f"{INDENT}{describe_file(fixed.after.file)}"
    if has_next:
        yield next_line(report)


def _is_lossless(codec: str) -> bool:
    return codec.startswith("pcm_") or codec in {"flac", "alac"}


def _remedy(finding: Finding, remaining: Sequence[Finding]) -> str:
    """The option of `onetake fix` that helps, else what the finding says to do."""
    is_clipped = any(other.rule == "clipped" for other in remaining)  # then a lower level does not help
    if finding.rule in {"too-quiet", "too-loud"} and not is_clipped:
        return f"add --loudness {DEFAULT_LUFS:g}"
    edits = [name for name, kind in EDIT_KINDS.items() if finding.rule in kind.rules]
    return f"add --edit {edits[0]}" if edits else advice(finding)


def print_written(fixed: Fixed) -> None:
    """Print the name and the facts of the file that was written, if any."""
    if fixed.path is not None and fixed.after is not None:
        print_text(f"{safe(display_name(fixed.path))}: {describe_file(fixed.after.file)}")
