"""How commands speak: results on standard output, steps and warnings on standard error."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import click
import msgspec

from onetake.cli.streams import print_aside, print_line
from onetake.render.text import describe_file, safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight import Fixed


def print_json(document: object, *, in_one_line: bool = False) -> None:
    """Print `document` as JSON on standard output, ending with a line break."""
    try:
        content = msgspec.json.encode(document)
    except UnicodeEncodeError:  # a name from the command line that is no UTF-8
        content = msgspec.json.encode(_encodable(msgspec.to_builtins(document)))
    # as bytes: JSON is UTF-8, whatever the terminal is
    print_line(content if in_one_line else msgspec.json.format(content, indent=1))


def _encodable(value: Any) -> Any:
    """`value` with the stray bytes in its strings escaped."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {_encodable(name): _encodable(content) for name, content in value.items()}
    return [_encodable(content) for content in value] if isinstance(value, list | tuple) else value


@contextlib.contextmanager
def named_problems(file: str) -> Iterator[None]:
    """Put the name of the file before what is wrong with it."""
    from preflight import BadProfile, BadSpeechModel, EngineMissing, PreflightError, display_name

    try:
        yield
    except (BadProfile, BadSpeechModel, EngineMissing):
        raise  # nothing is wrong with the file
    except PreflightError as error:
        error.message = f"{display_name(file)}: {error.message}"
        raise


def print_written(fixed: Fixed) -> None:
    """Say what was written, if anything was."""
    from preflight import display_name

    if fixed.path is not None and fixed.after is not None:
        print_line(f"{safe(display_name(fixed.path))}: {describe_file(fixed.after.file)}")


class Steps:
    """Shows each step of the work on standard error as it is done.

    Args:
        quiet: Show warnings only.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._started = time.monotonic()

    def step(self, name: str, detail: str) -> None:
        """A step is done."""
        if not self._quiet:
            elapsed = time.monotonic() - self._started
            print_aside(f"{elapsed:5.1f} s  {name:<9} {safe(detail)}")

    def warn(self, message: str) -> None:
        """Something went wrong that does not end the work."""
        print_aside(f"{click.style('warning:', fg='yellow')} {safe(message)}")
