"""Properties of the terminal, text that is safe for it and fits it, and how much is printed (-q, -v).

Wrapping counts columns rather than characters, unlike `textwrap`: East Asian text would be twice as wide as the
terminal. See `onetake.console.progress` for the start-up time of `rich`.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import unicodedata
from enum import Enum
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO


_DEFAULT_COLUMNS: Final = 80


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
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def can_rewrite_lines(stream: TextIO) -> bool:
    """Whether a stream is a terminal that understands the escape sequences that erase a line."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def can_prompt() -> bool:
    """Whether the user can answer a question: standard input and standard error are terminals."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def safe(text: str) -> str:
    r"""Escape the control and bidirectional characters of `text`, so that it cannot move a terminal's cursor.

    The only terminal sanitizer of the application: every text that comes from a file, its name or a service passes
    through it before it is printed.

    >>> safe("a\x1b[31m\u202e.wav")
    'a\\x1b[31m\\u202e.wav'
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


MIN_COLUMNS: Final = 20
"""Lines are not made shorter than this, even if the terminal is narrower."""
INDENT: Final = "  "
_WORD = re.compile(r"(\s*)(\S+)")


def columns_of(text: str) -> int:
    """Columns that a text occupies in a terminal.

    Wide and fullwidth characters (UAX #11, classes W and F) occupy two, combining characters none.

    >>> columns_of("take"), columns_of("録音"), columns_of("e\u0301")
    (4, 4, 1)
    """
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in click.unstyle(text)
    )


def wrap(text: str, width: int) -> Iterator[str]:
    """Wrap one line between words; a word is split only if it is wider than a line.

    Args:
        text: One line, possibly with colors; continuation lines are indented two columns more than its indentation.
        width: Columns of the terminal.
    """
    columns = max(MIN_COLUMNS, width - 1)  # some terminals wrap a line that fills the last column
    if columns_of(text) <= columns:
        yield text
        return
    indent = text[: len(text) - len(text.lstrip())] + INDENT
    line = ""
    for gap, word in _WORD.findall(text):
        for number, piece in enumerate(_pieces(word, columns - len(indent))):
            between = "" if number else gap
            if line.strip() and columns_of(line + between + piece) > columns:
                yield line
                line = indent + piece
            else:
                line += between + piece
    yield line


def _pieces(word: str, columns: int) -> Iterator[str]:
    """Split a word into pieces of at most `columns` columns."""
    if columns_of(word) <= columns:
        yield word
        return
    piece = ""
    for char in word:
        if columns_of(piece + char) > columns:
            yield piece
            piece = ""
        piece += char
    yield piece


def fit(text: str, columns: int) -> str:
    """Pad a name to exactly `columns` columns, or shorten it at its start: the end of a path says more.

    >>> fit("takes/anna.wav", 9)
    '…anna.wav'
    """
    while columns_of(text) > columns:
        text = "…" + text[2:]
    return text + " " * (columns - columns_of(text))


def truncate(text: str, columns: int) -> str:
    """Shorten a text of narrow characters at its end to at most `columns` columns; empty below two columns."""
    return text if len(text) <= columns else text[: max(0, columns - 1)] + "…" if columns > 1 else ""


class Verbosity(Enum):
    """From results and warnings only to every request."""

    QUIET = "quiet"
    NORMAL = "normal"
    VERBOSE = "verbose"


_verbosity = Verbosity.NORMAL  # not in click's context, which is local to a thread: other threads print, too


def set_verbosity(verbosity: Verbosity) -> None:
    """Set the verbosity of this run."""
    global _verbosity  # noqa: PLW0603 - a process has one standard error
    _verbosity = verbosity


def is_quiet() -> bool:
    """Whether to print only results, warnings and errors."""
    return _verbosity is Verbosity.QUIET


def is_verbose() -> bool:
    """Whether to print everything, requests and measurements included."""
    return _verbosity is Verbosity.VERBOSE


def log_requests(print_request: Callable[[float, str, str], None]) -> None:
    """Print what `uploader` and `client` log: each request and its answer, without the queries of URLs.

    Args:
        print_request: Called with elapsed seconds, the logger's name and the message.
    """
    import logging  # here, because only -v needs it
    import time

    started = time.monotonic()

    class RequestHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if is_verbose():
                print_request(time.monotonic() - started, record.name, record.getMessage())

    for name in ("uploader", "client"):
        logger = logging.getLogger(name)
        logger.handlers = [RequestHandler()]
        logger.setLevel(logging.DEBUG)
