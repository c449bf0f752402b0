"""The window in which somebody looks."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import TextIO

_USUAL_COLUMNS: Final = 80


def is_terminal(stream: TextIO) -> bool:
    """Whether somebody looks at what is printed there."""
    return stream.isatty()


def columns_of_window(stream: TextIO) -> int:
    """Its width as it is now: it may have been resized. `COLUMNS` says otherwise."""
    told = os.environ.get("COLUMNS", "")
    if told.isascii() and told.isdigit() and int(told):
        return int(told)
    with contextlib.suppress(OSError, ValueError):
        return os.get_terminal_size(stream.fileno()).columns or _USUAL_COLUMNS
    return _USUAL_COLUMNS
