"""How commands speak: results on standard output, steps and warnings on standard error."""

from __future__ import annotations

import sys
import time

import click
import msgspec

from onetake.render.text import safe, wants_colour


def print_json(document: object) -> None:
    """Print `document` as JSON on standard output, ending with a line break."""
    text = msgspec.json.format(msgspec.json.encode(document), indent=1).decode()
    click.echo(text)


def print_line(text: str) -> None:
    """Print a line that holds nothing but what `render` made safe."""
    click.echo(text, color=wants_colour(sys.stdout))


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
            click.echo(f"{elapsed:5.1f} s  {name:<9} {safe(detail)}", err=True)

    def warn(self, message: str) -> None:
        """Something went wrong that does not end the work."""
        word = click.style("warning:", fg="yellow") if wants_colour(sys.stderr) else "warning:"
        click.echo(f"{word} {safe(message)}", err=True, color=True)
