"""Validation of single arguments: each function raises an `InvalidArgument` with the argument's name."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from client.errors import InvalidArgument
from client.redaction import redact

AUDIO_ENDINGS = (".mp3", ".m4a", ".wav")
# What may follow the closing punctuation: quotation marks and brackets.
_CLOSERS = "\"'\u2019\u201d\u00bb\u300d\u300f\u3011\u300b\uff09)]}"
_SHOWN_BELOW = 1e15
_PUNCTUATION = ".?!\u3002\uff1f\uff01\u2026"


def check_text(argument: str, text: object, longest: int, *, allowed_controls: str = "") -> None:
    """Refuse a text that is empty, longer than ``longest`` characters, or has control characters or surrogates."""
    if not isinstance(text, str):
        raise InvalidArgument("must be text", argument=argument)
    if not text.strip():
        raise InvalidArgument("is empty", argument=argument)
    if len(text) > longest:
        raise InvalidArgument(f"has {len(text)} characters, above the limit of {longest}", argument=argument)
    for position, character in enumerate(text):
        if unicodedata.category(character) in {"Cc", "Cs"} and character not in allowed_controls:
            what = f"U+{ord(character):04X}"
            raise InvalidArgument(f"contains the control character {what} at position {position}", argument=argument)


def check_prompt_text(text: object) -> None:
    """Refuse a prompt text that is empty or does not end with punctuation; closing quotes may follow.

    The gateways' pages require the final punctuation mark.
    """
    check_text("prompt_text", text, 2000)
    if str(text).rstrip().rstrip(_CLOSERS)[-1:] not in tuple(_PUNCTUATION):
        raise InvalidArgument(
            f"must end with punctuation, one of {' '.join(_PUNCTUATION)}",
            argument="prompt_text",
            hint="give the exact words of the prompt clip, with the final punctuation mark",
        )


def check_number(
    argument: str, value: object, *, least: float = -math.inf, most: float = math.inf, whole: bool = False
) -> None:
    """Refuse a value that is not a finite number between the limits, inclusive."""
    # bool is an int in Python, and true is not a number in JSON.
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise InvalidArgument("must be a whole number" if whole else "must be a number", argument=argument)
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidArgument("must be a finite number", argument=argument)
    if not least <= value <= most:
        limits = f"at least {least:g}" if most == math.inf else f"between {least:g} and {most:g}"
        shown = f"is {value:g}, but " if abs(value) < _SHOWN_BELOW else ""
        raise InvalidArgument(f"{shown}must be {limits}", argument=argument)


def check_flag(argument: str, value: object) -> None:
    """Refuse a value that is not a bool."""
    if not isinstance(value, bool):
        raise InvalidArgument("must be True or False", argument=argument)


def check_choice(argument: str, value: object, choices: Iterable[str | int]) -> None:
    """Refuse a value that is not one of the choices."""
    choices = tuple(choices)
    if value not in choices:
        shown = redact(repr(value), longest=60)
        raise InvalidArgument(f"{shown} is not one of {', '.join(map(str, choices))}", argument=argument)


def check_url(argument: str, url: object, *, endings: tuple[str, ...] = ()) -> SplitResult:
    """Refuse a value that is not an absolute http or https URL, or whose path has none of the endings."""
    if not isinstance(url, str) or not url:
        raise InvalidArgument("must be a URL", argument=argument)
    if re.search(r"[\s\x00-\x20\x7f]", url) or not url.isprintable():
        raise InvalidArgument("contains spaces or control characters", argument=argument)
    parts = _split(argument, url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidArgument("must be an http or https URL with a host", argument=argument)
    if endings and not parts.path.lower().endswith(endings):
        raise InvalidArgument(
            f"the path must end in {', '.join(endings)}",
            argument=argument,
            hint="the service reads the format from the ending of the URL's path, before any query",
        )
    return parts


def _split(argument: str, url: str) -> SplitResult:
    problem = ""
    try:
        parts = urlsplit(url)
        _ = parts.port  # urlsplit validates the port only when it is read
    except ValueError:
        problem = "is not a well-formed URL"
    if problem:  # raised outside of `except`: the ValueError quotes the URL, and would be the context
        raise InvalidArgument(problem, argument=argument)
    return parts
