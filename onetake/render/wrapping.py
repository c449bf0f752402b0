"""Wrap text to the width of a terminal, counting columns rather than characters.

Not `textwrap`, which counts characters: East Asian text would be twice as wide as the terminal. Not `rich.cells`: see
`onetake.console.status_line` for its start-up time.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

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
