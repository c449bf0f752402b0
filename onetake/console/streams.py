"""Standard output and error, also when they are closed, full, or read by nobody."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, TextIO

import click

from onetake.console.status_line import status_line
from onetake.console.terminal_size import columns_of_window, is_terminal
from onetake.errors import NobodyReads, OutputLost
from onetake.render.text import wants_colour
from onetake.render.wrapping import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator


def print_line(text: str | bytes) -> None:
    """Print a line as it is, for machines or to be copied; it holds nothing but what `render` made safe."""
    with told_apart(), status_line.hidden():
        click.echo(text, color=wants_colour(sys.stdout))


def print_text(text: str) -> None:
    """Print a line for people, which in a window is broken between words."""
    print_line("\n".join(_fitting(text, sys.stdout)))


def print_aside(text: str) -> None:
    """Print lines for people on standard error; where nobody can read them, the work goes on."""
    try:
        with status_line.hidden():
            click.echo("\n".join(_fitting(text, sys.stderr)), err=True, color=wants_colour(sys.stderr))
    except OSError:
        divert(sys.stderr)


def _fitting(text: str, stream: TextIO) -> Iterator[str]:
    for line in text.split("\n"):
        yield from wrapped(line, columns_of_window(stream)) if is_terminal(stream) else (line,)


def flush() -> None:
    """Make sure that everything printed so far has been taken."""
    with told_apart():
        sys.stdout.flush()


@contextlib.contextmanager
def told_apart() -> Iterator[None]:
    """Whether nobody reads, or what is read cannot be written."""
    try:
        yield
    except BrokenPipeError as error:
        raise NobodyReads("nobody reads standard output") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputLost(f"standard output cannot be written: {reason}", "write it elsewhere") from error


def divert(stream: TextIO) -> None:
    """Lead a stream that cannot be written any more to nowhere, with all that is still in its buffers.

    The interpreter flushes them when it ends, and would complain, or exit with a status of its own.
    """
    with contextlib.suppress(OSError, ValueError):  # it has no descriptor: then nothing is flushed to one either
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def can_ask() -> bool:
    """Whether somebody sits at a terminal and can answer."""
    return sys.stdin is not None and sys.stdin.isatty() and is_terminal(sys.stderr)
