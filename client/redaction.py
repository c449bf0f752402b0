"""The one place that removes secrets, control characters and excess length from text that is shown or stored."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

LONGEST_SHOWN: Final = 300
"""The most characters of a server's text that a message contains."""

_QUERY = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]{0,30}://[^\s?#\"'<>]*)[?#][^\s\"'<>]*")
# Signatures and tokens of links that the pattern above does not recognize, such as those with escaped slashes.
_PARAMETER = re.compile(
    r"\b((?:x-(?:amz|goog|oss|cos)-[a-z-]+|[a-z]*signature|sig|[a-z]*accesskeyid|[a-z_]*token|api_?key|secret)=)"
    r"[^\s&\"'<>]+",
    re.IGNORECASE,
)
_USER = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]{0,30}://)[^\s/@\"'<>]*@")
# Terminal control sequences (ECMA-48): CSI, OSC with its text, and the two-character ones.
_ESCAPES = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]")
_SHORTEST_SECRET_VALUE = 8  # shorter values of a query ("mp3", "3600") are words of ordinary text


def secrets_of_url(url: str | None) -> list[str]:
    """List the secret parts of a URL: its query, and each long value in it, also decoded.

    >>> secrets_of_url("https://h/take.mp3?X-Signature=0123456789abcdef&n=1")[-1]
    '0123456789abcdef'
    >>> secrets_of_url("https://h/take.mp3")
    []
    """
    query = urlsplit(url).query if url else ""
    if not query:
        return []
    values = [value for _, value in parse_qsl(query, keep_blank_values=False)]
    values += [part.partition("=")[2] for part in query.split("&")]
    return [query, unquote(query), *(value for value in values if len(value) >= _SHORTEST_SECRET_VALUE)]


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Replace each secret by ``***``, the longest first, since one may contain another.

    >>> without_secrets("key sk-12, key sk-123", ["sk-12", "sk-123"])
    'key ***, key ***'
    """
    for secret in sorted({secret for secret in secrets if secret}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def redact(text: str, secrets: Iterable[str] = (), longest: int = LONGEST_SHOWN) -> str:
    r"""Make a text safe to show.

    Args:
        text: Any text, such as a server's message.
        secrets: Strings to replace wherever they occur.
        longest: Characters to keep.

    Returns:
        One line of at most ``longest`` characters, without secrets, URL queries and control characters.

    >>> redact("\x1b[31mGET https://h/a.mp3?token=1\x1b[0m\r\nfailed")
    'GET https://h/a.mp3?*** failed'
    """
    text = without_secrets(_ESCAPES.sub("", text), secrets)
    text = _PARAMETER.sub(r"\1***", _USER.sub(r"\1***@", _QUERY.sub(r"\1?***", text)))
    visible = "".join(character if _is_visible(character) else " " for character in text)
    line = " ".join(visible.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _is_visible(character: str) -> bool:
    # Cf includes the bidirectional overrides, which make a terminal show a line in another order.
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
