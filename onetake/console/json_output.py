"""JSON on standard output."""

from __future__ import annotations

from typing import Any

import msgspec

from onetake.console.streams import print_line


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
