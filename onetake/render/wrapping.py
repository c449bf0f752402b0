"""Text in lines that fit a window, whatever characters it is made of."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

NARROWEST: Final = 20
"""In a window with fewer columns lines are longer than it is."""
INDENT: Final = "  "
_WORD = re.compile(r"(\s*)(\S+)")


def columns_of(text: str) -> int:
    """Columns that a text takes in a terminal: wide characters two, those that combine none (UAX #11)."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in click.unstyle(text)
    )


def wrapped(text: str, width: int) -> Iterator[str]:
    """`text` in lines that fit the window, broken between words, and within one only where it is too long itself.

    Args:
        text: One line, perhaps in colour; it may begin with an indent, which further lines double.
        width: Columns of the window.
    """
    room = max(NARROWEST, width - 1)  # a full line would wrap in some terminals
    if columns_of(text) <= room:
        yield text
        return
    further = text[: len(text) - len(text.lstrip())] + INDENT
    line = ""
    for gap, word in _WORD.findall(text):
        for number, piece in enumerate(_pieces(word, room - len(further))):
            between = "" if number else gap
            if line.strip() and columns_of(line + between + piece) > room:
                yield line
                line = further + piece
            else:
                line += between + piece
    yield line


def _pieces(word: str, room: int) -> Iterator[str]:
    """A word in pieces of at most so many columns."""
    if columns_of(word) <= room:
        yield word
        return
    piece = ""
    for char in word:
        if columns_of(piece + char) > room:
            yield piece
            piece = ""
        piece += char
    yield piece


def fitted(text: str, room: int) -> str:
    """The end of a name, which tells more than its beginning, in exactly so many columns."""
    while columns_of(text) > room:
        text = "…" + text[2:]
    return text + " " * (room - columns_of(text))


def cut(text: str, room: int) -> str:
    """The beginning of a text in at most so many columns; nothing where there is no room to speak of."""
    return text if len(text) <= room else text[: max(0, room - 1)] + "…" if room > 1 else ""
