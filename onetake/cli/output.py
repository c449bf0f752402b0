"""How commands speak: results on standard output, steps and warnings on standard error."""

from __future__ import annotations

import time
from typing import Any

import click
import msgspec

from onetake.cli.streams import print_aside, print_line
from onetake.render.text import safe


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
