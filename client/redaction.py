"""The one place that takes secrets, control characters and floods out of text that will be shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

LONGEST_SHOWN: Final = 300
"""Characters of a server's text that are ever shown."""

_QUERY = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]{0,30}://[^\s?#\"'<>]*)[?#][^\s\"'<>]*")
_USER = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]{0,30}://)[^\s/@\"'<>]*@")
# Terminal control sequences (ECMA-48): CSI, OSC with its text, and the two-character ones.
_ESCAPES = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]")
_SHORTEST_SECRET_VALUE = 8  # shorter values of a query ("mp3", "3600") are words that occur in innocent text


def secrets_of_url(url: str | None) -> list[str]:
    """List what a URL holds that must not be shown: its query, and each long value in it, also decoded."""
    query = urlsplit(url).query if url else ""
    if not query:
        return []
    values = [value for _, value in parse_qsl(query, keep_blank_values=False)]
    values += [part.partition("=")[2] for part in query.split("&")]
    return [query, unquote(query), *(value for value in values if len(value) >= _SHORTEST_SECRET_VALUE)]


def redact(text: str, secrets: Iterable[str] = (), longest: int = LONGEST_SHOWN) -> str:
    """Make a text fit to be shown.

    Args:
        text: Anything, such as a server's message.
        secrets: Strings to blot out wherever they occur.
        longest: Characters to keep.

    Returns:
        One line, at most ``longest`` characters, without secrets, URL queries or control characters.
    """
    text = _ESCAPES.sub("", text)
    for secret in sorted({secret for secret in secrets if secret}, key=len, reverse=True):
        text = text.replace(secret, "***")
    text = _USER.sub(r"\1***@", _QUERY.sub(r"\1?***", text))
    shown = "".join(character if _is_visible(character) else " " for character in text)
    line = " ".join(shown.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _is_visible(character: str) -> bool:
    # Cf holds the bidirectional overrides, which can make a terminal show a line in another order.
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
