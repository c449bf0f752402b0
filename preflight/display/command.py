"""Paths as arguments of the commands that messages suggest."""

from __future__ import annotations

import re
import shlex

_PLACEHOLDER = "TAKE"
# `display_name` writes bytes that are not UTF-8 so; which file it was cannot be read back from that.
_ESCAPED_BYTE = re.compile(r"\\x[0-9a-f]{2}")


def argument(path: str) -> str:
    r"""Quote a path for a POSIX shell, so that the command can be copied from the terminal.

    Unprintable characters are escaped as bash, zsh and ksh understand it. What has no path, such as ``<stdin>``, is
    TAKE.

    >>> print(argument("my take.wav"), argument("-x.wav"), argument("a\u202eb.wav"), argument("<stdin>"))
    'my take.wav' ./-x.wav $'a\u202eb.wav' TAKE
    """
    if (path.startswith("<") and path.endswith(">")) or _ESCAPED_BYTE.search(path):
        return _PLACEHOLDER
    if path.startswith("-"):
        path = f"./{path}"
    return shlex.quote(path) if path.isprintable() else f"$'{''.join(_escaped(character) for character in path)}'"


def _escaped(character: str) -> str:
    if character.isprintable():
        return f"\\{character}" if character in "'\\" else character
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x80 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
