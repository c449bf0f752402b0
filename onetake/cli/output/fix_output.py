"""Output of `fix`, `join` and `prompt`: errors with the name of the file, and the file that was written."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from onetake.console.streams import print_text
from onetake.render.text import safe
from preflight.display.text import describe_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight import Fixed


@contextlib.contextmanager
def named_problems(file: str) -> Iterator[None]:
    """Prefix errors about a recording with its name."""
    from preflight import BadProfile, BadSpeechModel, EngineMissing, PreflightError, display_name

    try:
        yield
    except (BadProfile, BadSpeechModel, EngineMissing):
        raise  # not about the recording
    except PreflightError as error:
        error.message = f"{display_name(file)}: {error.message}"
        raise


@contextlib.contextmanager
def named_output(out: str) -> Iterator[None]:
    """Prefix errors about the output with its name."""
    from preflight import CannotWrite, display_name

    try:
        yield
    except CannotWrite as error:
        error.message = f"{display_name(out)}: {error.message}"
        raise


def print_written(fixed: Fixed) -> None:
    """Print the name and the facts of the file that was written, if any."""
    from preflight import display_name

    if fixed.path is not None and fixed.after is not None:
        print_text(f"{safe(display_name(fixed.path))}: {describe_file(fixed.after.file)}")
