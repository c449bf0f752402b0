"""The members of a JSON object, read from whatever came: complete or cut, strict JSON or not quite.

An answer may hold something that was paid for, so it is not rejected as a whole: a truncated object, NaN, zero bytes,
duplicate names and nesting beyond any limit leave the other members readable.
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

from client.text import decode

_DEEPEST: Final = 50
_MOST_DIGITS: Final = 18  # an integer of so many digits fits into 64 bits
_LONGEST_PLAIN: Final = 200_000
_BEFORE_JSON: Final = b" \t\r\n\x00,\xef\xbb\xbf\xff\xfe"
_MULTIBYTE: Final = ("gb18030", "big5", "cp932")
_SPACE: Final = re.compile(r"[\s\x00\ufeff,]*")
_SCALAR_END: Final = re.compile(r"[,\]}]")
_STRUCTURE: Final = re.compile(r'\\.|["\[\]{}]', re.DOTALL)
# Audio as hexadecimal or base64, also with escaped slashes and line ends. A single character class repeats without
# using memory for each repetition.
_LONG_STRING: Final = re.compile(rb'"((?:data:[\w/+.;=-]{0,100},)?[A-Za-z0-9+/=_\\-]{65536,})(?<!\\)("|\Z)')
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Decoded, a container of short values takes up to fifty times the memory of its text.
_LARGEST_VALUE: Final = 1_000_000
_MOST_PAIRS: Final = 50_000


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


# strict=False accepts control characters within strings.
_DECODER: Final = json.JSONDecoder(strict=False, parse_int=_integer, parse_constant=str)


class Document(Struct, frozen=True):
    """What was read.

    Attributes:
        text: The decoded text, with a placeholder for each long string.
        is_object: It begins as a JSON object.
        pairs: The object's members in order, duplicates included.
        other: The JSON value if it is not an object; None if the text is not JSON.
        long_strings: Placeholder to the bytes of the string: views of the answer's body.
    """

    text: str
    is_object: bool
    pairs: list[tuple[str, Any]]
    other: Any = None
    long_strings: dict[str, memoryview] = field(default_factory=dict)

    @property
    def members(self) -> dict[str, Any]:
        """The members; of duplicate names the last one that is not empty."""
        found: dict[str, Any] = {}
        for name, value in self.pairs:
            if name not in found or value not in (None, "", {}, []):
                found[name] = value
        return found

    def all_of(self, name: str) -> list[Any]:
        """List the values of every member with this name."""
        return [value for key, value in self.pairs if key == name]

    def without_long_strings(self) -> dict[str, Any]:
        """The members with the length in place of each long string."""
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
    if len(body) > _LONGEST_PLAIN and body[:64].lstrip(_BEFORE_JSON)[:1] not in (b"{", b"["):
        body = body[:_LONGEST_PLAIN]  # a page or raw audio, of which the beginning says enough
    short, long_strings = _lift(body)
    text = decode(short, content_type)
    start = _SPACE.match(text).end()  # type: ignore[union-attr]
    if text[start : start + 1] == "{":
        text, pairs = _best_reading(short, text)
        return Document(text, True, pairs, None, long_strings)
    other = None
    if len(text) <= _LARGEST_VALUE:
        with contextlib.suppress(ValueError, RecursionError):
            other = _cleaned(_DECODER.raw_decode(text, start)[0])
    return Document(text, False, [], other, long_strings)


def _best_reading(data: bytes | bytearray, text: str) -> tuple[str, list[tuple[str, Any]]]:
    """Read the members; where characters could not be decoded, in the encoding that gives the most of them.

    The second byte of a character in GBK, Big5 or Shift JIS may be that of a backslash, which hides a quotation mark.
    """
    readings = [text]
    if "\ufffd" in text:
        readings += [data.decode(codec, "replace") for codec in _MULTIBYTE]
    parsed = [(reading, _first_pairs(reading)) for reading in readings]
    return max(parsed, key=lambda reading: len(reading[1]))


def _lift(body: bytes | bytearray) -> tuple[bytes | bytearray, dict[str, memoryview]]:
    """Replace long strings with placeholders that nobody can guess."""
    if len(body) < 65536:
        return body, {}
    view, pieces, lifted, at = memoryview(body), [], {}, 0
    for found in _LONG_STRING.finditer(body):
        placeholder = f"long-string-{secrets.token_hex(8)}"
        pieces += [bytes(view[at : found.start() + 1]), placeholder.encode(), found[2]]
        lifted[placeholder] = view[found.start(1) : found.end(1)]
        at = found.end()
    return b"".join([*pieces, bytes(view[at:])]), lifted


def _first_pairs(text: str) -> list[tuple[str, Any]]:
    return list(itertools.islice(_pairs(text, text.index("{") + 1), _MOST_PAIRS))


def _pairs(text: str, at: int) -> Iterator[tuple[str, Any]]:
    """Yield the complete members of an object, from behind its brace to its end or to where it is cut."""
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
        yield _whole(name), value


def _value(text: str, at: int) -> tuple[Any, int | None]:
    """Decode one value; what cannot be decoded is given as its text. The end is None if the value is cut."""
    if len(text) - at > _LARGEST_VALUE and text[at : at + 1] in ("[", "{"):
        end_of_large = _end_of_value(text, at)
        if end_of_large is None or end_of_large - at > _LARGEST_VALUE:
            return f"(more than {_LARGEST_VALUE:,} characters)", end_of_large
    try:
        value, end = _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        undecoded = _end_of_value(text, at)
        return (None, None) if undecoded is None else (_whole(text[at:undecoded])[:1000], undecoded)
    # A number that ends with the text may have lost digits.
    cut = end == len(text) and not isinstance(value, str | dict | list)
    return (None, None) if cut else (_cleaned(value), end)


def _end_of_value(text: str, at: int) -> int | None:
    """Find the end of a value without recursion; None if it is cut."""
    if text[at : at + 1] not in ('"', "[", "{"):
        behind = _SCALAR_END.search(text, at)
        return behind.start() if behind else None
    depth, in_string = 0, False
    for found in _STRUCTURE.finditer(text, at):
        mark = found[0]
        if mark == '"':
            in_string = not in_string
        elif in_string or mark[0] == "\\":
            continue
        else:
            depth += 1 if mark in "[{" else -1
        if depth <= 0 and not in_string:
            return found.end()
    return None


def _cleaned(value: Any, depth: int = 0) -> Any:
    """Replace what JSON or Unicode cannot express: the members are stored and printed as JSON."""
    if isinstance(value, str):
        return _whole(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict | list) and depth >= _DEEPEST:
        return "(nested too deeply)"
    if isinstance(value, dict):
        return {_whole(name): _cleaned(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner, depth + 1) for inner in value]
    return value


def _whole(text: str) -> str:
    """Replace a surrogate without its other half, which no encoding can write."""
    return _SURROGATE.sub("\ufffd", text) if _SURROGATE.search(text) else text
