"""What standard output and standard error are connected to: a terminal or not, its width, and whether it has colors."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import TextIO

_DEFAULT_COLUMNS: Final = 80


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is connected to a terminal."""
    return stream.isatty()


def terminal_columns(stream: TextIO) -> int:
    """The current width of the terminal in columns; the environment variable COLUMNS overrides it."""
    # not shutil.get_terminal_size, which asks for the size of the original standard output only
    override = os.environ.get("COLUMNS", "")
    if override.isascii() and override.isdigit() and int(override):
        return int(override)
    with contextlib.suppress(OSError, ValueError):
        return os.get_terminal_size(stream.fileno()).columns or _DEFAULT_COLUMNS
    return _DEFAULT_COLUMNS


def wants_color(stream: TextIO) -> bool:
    """Whether to write colors to a stream.

    NO_COLOR (no-color.org) turns them off, FORCE_COLOR (force-color.org) turns them on even for a pipe; NO_COLOR wins,
    because ``--no-color`` sets it. Without either, a terminal other than TERM=dumb gets colors.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def can_rewrite_lines(stream: TextIO) -> bool:
    """Whether a stream is a terminal that understands the escape sequences that erase a line."""
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def can_prompt() -> bool:
    """Whether the user can answer a question: standard input and standard error are terminals."""
    return sys.stdin is not None and is_terminal(sys.stdin) and is_terminal(sys.stderr)
