"""Arguments of the commands that messages suggest, as the system's shell reads them."""

from __future__ import annotations

import os
import re
import shlex
from typing import Final

_PLACEHOLDER: Final = "TAKE"
# `display_name` escapes bytes that are not UTF-8 like this; the original name cannot be recovered from it.
_ESCAPED_BYTE: Final = re.compile(r"\\x[0-9a-f]{2}")
_IS_WINDOWS: Final = os.name == "nt"
_PLAIN: Final = re.compile(r"[\w.:/\\+][\w.:/\\+-]*")
"""Text that neither cmd nor PowerShell splits or changes."""
_ACTIVE: Final = re.compile(r'["\u201c-\u201f$`]')
"""What PowerShell interprets within double quotes; typographic quotes end them. cmd has only double quotes."""


def argument(path: str, *, windows: bool = _IS_WINDOWS) -> str:
    r"""Quote a path, so that the command can be copied from the terminal.

    A recording without a path, such as ``<stdin>``, or with one that cannot be written as an argument, is TAKE.

    >>> print(*(argument(path, windows=False) for path in ("my take.wav", "-x.wav", "a\u202eb.wav", "<stdin>")))
    'my take.wav' ./-x.wav $'a\u202eb.wav' TAKE
    >>> print(*(argument(path, windows=True) for path in ("my take.wav", "-x.wav", "a\u202eb.wav", "<stdin>")))
    "my take.wav" .\-x.wav TAKE TAKE
    """
    if (path.startswith("<") and path.endswith(">")) or (not windows and _ESCAPED_BYTE.search(path)):
        return _PLACEHOLDER
    if path.startswith("-"):
        path = f".\\{path}" if windows else f"./{path}"
    return quoted(path, _PLACEHOLDER, windows=windows)


def quoted(text: str, placeholder: str = "NAME", *, windows: bool = _IS_WINDOWS) -> str:
    """Quote an argument for the shell of this system: a POSIX shell, or both cmd and PowerShell.

    In POSIX shells, unprintable characters are escaped as bash, zsh and ksh understand it.

    Args:
        text: The argument.
        placeholder: Returned for text that cannot be quoted for both shells of Windows.
        windows: Whether to quote for those.
    """
    if windows:
        return _quoted_on_windows(text) if text.isprintable() and not _ACTIVE.search(text) else placeholder
    return shlex.quote(text) if text.isprintable() else f"$'{''.join(_escaped(character) for character in text)}'"


def _quoted_on_windows(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    # backslashes before a quote count double:
    # https://learn.microsoft.com/cpp/c-language/parsing-c-command-line-arguments
    backslashes = text[len(text.rstrip("\\")) :]
    return f'"{text}{backslashes}"'


def _escaped(character: str) -> str:
    if character.isprintable():
        return f"\\{character}" if character in "'\\" else character
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x80 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
