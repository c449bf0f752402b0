"""A tolerant JSON reader: the members of an object, also if it is truncated or not strictly JSON.

An answer may contain something that was paid for, so one defect does not make all of it unreadable: a truncated end,
NaN, zero bytes, duplicate names and deep nesting leave the other members readable.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import re
import secrets
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct, field

from client.encoding import decode

_DEEPEST: Final = 50
"""Levels of nesting that are kept; deeper values are replaced. Answers of the service have at most three."""
_MOST_DIGITS: Final = 18  # an integer of so many digits fits into 64 bits
_LONGEST_PLAIN: Final = 200_000
# Blank lines keep a connection open while a service works, so there may be many.
_BEFORE_JSON: Final = re.compile(rb"[ \t\r\n\x00,\xef\xbb\xbf\xff\xfe]*+")
_MULTIBYTE: Final = ("gb18030", "big5", "cp932")
_SPACE: Final = re.compile(r"[\s\x00\ufeff,]*")
_SCALAR_END: Final = re.compile(r"[,\]}]")
# A whole string, or a bracket. Possessive, so that a string without end is not tried again from each of its characters.
_TOKEN: Final = re.compile(r'"(?:[^"\\]++|\\.)*+(?P<quote>"?)|(?P<open>[\[{])|[\]}]', re.DOTALL)
# Audio as hexadecimal or base64, also with escaped slashes and line ends. A single character class repeats without
# using memory for each repetition.
_LONG_STRING: Final = re.compile(rb'"((?:data:[\w/+.;=-]{0,100},)?[A-Za-z0-9+/=_\\-]{65536,})(?<!\\)("|\Z)')
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Decoded, a container of short values takes up to fifty times the memory of its text.
_LARGEST_VALUE: Final = 1_000_000
# Skipping a container that is too large to decode takes about half a microsecond for each of its tokens.
_MOST_TOKENS: Final = 500_000
_MOST_PAIRS: Final = 50_000
_MOST_EMBEDDED: Final = 20


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


# strict=False accepts control characters within strings.
_DECODER: Final = json.JSONDecoder(strict=False, parse_int=_integer, parse_constant=str)


class Document(Struct, frozen=True):
    """The content of an answer.

    Attributes:
        text: The decoded text, with a placeholder for each long string.
        is_object: Whether it begins as a JSON object.
        pairs: The object's members in order, duplicates included.
        other: The JSON value if it is not an object; None if the text is not JSON.
        long_strings: The bytes of each long string by its placeholder: views of the answer's body.
        rest: The text after the object; empty if there is none, or if the object has no end.
    """

    text: str
    is_object: bool
    pairs: list[tuple[str, Any]]
    other: Any = None
    long_strings: dict[str, memoryview] = field(default_factory=dict)
    rest: str = ""

    @property
    def members(self) -> dict[str, Any]:
        """The members; if a name occurs more than once, the last value that is not empty."""
        found: dict[str, Any] = {}
        for name, value in self.pairs:
            if name not in found or value not in (None, "", {}, []):
                found[name] = value
        return found

    def all_of(self, name: str) -> list[Any]:
        """List the values of every member with this name."""
        return [value for key, value in self.pairs if key == name]

    def embedded(self) -> Iterator[Any]:
        """Yield JSON objects that are not the answer itself: in event streams, JSONP, web pages, JSON lines."""
        yield from embedded_objects(self.rest if self.is_object else self.text)

    def without_long_strings(self) -> dict[str, Any]:
        """The members, with each long string replaced by its length."""
        return {name: self._short(value) for name, value in self.members.items()}

    def _short(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._short(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._short(inner) for inner in value]
        long = self.long_strings.get(value) if isinstance(value, str) else None
        return value if long is None else f"<{len(long)} characters>"


def read(body: bytes | bytearray, content_type: str) -> Document:
    """Read the members of a JSON object from the bytes of an answer.

    Strings of more than 64 KiB of hexadecimal or base64 digits are not copied: they stay views of ``body``.
    """
    begin = _BEFORE_JSON.match(body).end()  # type: ignore[union-attr]
    if len(body) > _LONGEST_PLAIN and body[begin : begin + 1] not in (b"{", b"["):
        body = body[:_LONGEST_PLAIN]  # a web page or raw audio: its beginning is enough
    short, long_strings = _extract_long_strings(body)
    text = decode(short, content_type)
    start = _SPACE.match(text).end()  # type: ignore[union-attr]
    if text[start : start + 1] == "{":
        text, pairs = _best_reading(short, text)
        end = _end_of_value(text, text.index("{"))
        rest = text[end:].strip(" \t\r\n\x00\ufeff") if end else ""
        return Document(text, True, pairs, None, long_strings, rest)
    other = None
    if len(text) <= _LARGEST_VALUE:
        with contextlib.suppress(ValueError, RecursionError):  # not JSON, or nested too deeply
            other = _json_safe(_DECODER.raw_decode(text, start)[0])
    return Document(text, False, [], other, long_strings)


def embedded_objects(text: str) -> Iterator[Any]:
    """Yield the first JSON objects within a text."""
    text, at = text[:_LARGEST_VALUE], 0
    for _ in range(_MOST_EMBEDDED):
        at = text.find("{", at)
        if at < 0:
            return
        try:
            value, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
        else:
            yield _json_safe(value)


def _best_reading(data: bytes | bytearray, text: str) -> tuple[str, list[tuple[str, Any]]]:
    """Read the members; where characters could not be decoded, in the encoding that gives the most of them.

    The second byte of a character in GBK, Big5 or Shift JIS may be that of a backslash, which hides a quotation mark.
    """
    readings = [text]
    if "\ufffd" in text:
        readings += [data.decode(codec, "replace") for codec in _MULTIBYTE]
    parsed = [(reading, _first_pairs(reading)) for reading in readings]
    return max(parsed, key=lambda reading: len(reading[1]))


def _extract_long_strings(body: bytes | bytearray) -> tuple[bytes | bytearray, dict[str, memoryview]]:
    """Replace long strings with random placeholders, which the answer cannot contain by itself."""
    if len(body) < 65536:
        return body, {}
    view, pieces, lifted, at = memoryview(body), [], {}, 0
    for found in _LONG_STRING.finditer(body):
        placeholder = f"long-string-{secrets.token_hex(8)}"
        pieces += [bytes(view[at : found.start() + 1]), placeholder.encode(), found[2]]
        lifted[placeholder] = view[found.start(1) : found.end(1)]
        at = found.end()
    if not lifted:
        return body, {}
    return b"".join([*pieces, bytes(view[at:])]), lifted


def _first_pairs(text: str) -> list[tuple[str, Any]]:
    return list(itertools.islice(_pairs(text, text.index("{") + 1), _MOST_PAIRS))


def _pairs(text: str, at: int) -> Iterator[tuple[str, Any]]:
    """Yield the complete members of an object from `at`, after its brace, to its end or to where it is truncated."""
    while True:
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
        if text[at : at + 1] != '"':
            return
        try:
            name, at = _DECODER.raw_decode(text, at)
        except ValueError:
            return
        colon = re.compile(r"[\s\x00]*:[\s\x00]*").match(text, at)
        if colon is None:
            return
        value, end = _value(text, colon.end())
        if end is None:
            return
        at = end
        yield _without_lone_surrogates(name), value


def _value(text: str, at: int) -> tuple[Any, int | None]:
    """Decode one value, or return its text if it cannot be decoded. The end is None if the value is truncated."""
    if len(text) - at > _LARGEST_VALUE and text[at : at + 1] in ("[", "{"):
        end_of_large = _end_of_value(text, at)
        if end_of_large is None or end_of_large - at > _LARGEST_VALUE:
            return f"(more than {_LARGEST_VALUE:,} characters)", end_of_large
    try:
        value, end = _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        undecoded = _end_of_value(text, at)
        return (None, None) if undecoded is None else (_as_written(text[at:undecoded]), undecoded)
    # A number that ends with the text may have lost digits.
    is_cut = end == len(text) and not isinstance(value, str | dict | list)
    return (None, None) if is_cut else (_json_safe(value), end)


def _as_written(value: str) -> str:
    """Return the beginning of a value that is not JSON, without the single quotes of JavaScript and Python."""
    value = _without_lone_surrogates(value)[:1000].strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == "'" else value


def _end_of_value(text: str, at: int) -> int | None:
    """Find the end of a value without recursion; None if it is truncated or has too many tokens."""
    if text[at : at + 1] not in ('"', "[", "{"):
        behind = _SCALAR_END.search(text, at)
        return behind.start() if behind else None
    depth = 0
    for token in itertools.islice(_TOKEN.finditer(text, at), _MOST_TOKENS):
        kind = token.lastgroup
        if kind == "quote":
            if not token["quote"]:
                return None  # the string has no end
        else:
            depth += 1 if kind == "open" else -1
        if depth <= 0:
            return token.end()
    return None


def _json_safe(value: Any, depth: int = 0) -> Any:
    """Replace values that JSON or Unicode cannot express, because the members are stored and printed as JSON."""
    if isinstance(value, str):
        return _without_lone_surrogates(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict | list) and depth >= _DEEPEST:
        return "(nested too deeply)"
    if isinstance(value, dict):
        return {_without_lone_surrogates(name): _json_safe(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_json_safe(inner, depth + 1) for inner in value]
    return value


def _without_lone_surrogates(text: str) -> str:
    """Replace surrogates without their other half, which UTF-8 cannot encode (RFC 3629, 3)."""
    return _SURROGATE.sub("\ufffd", text) if _SURROGATE.search(text) else text
