"""The error details of an answer in any known format: codes, reasons, the service's message and its trace id.

The formats: the gateways' ``code``/``reason``/``message``/``metadata``, MiniMax's ``base_resp``, OpenAI's ``error``,
FastAPI's ``detail``, ``errors[]``, RFC 9457's ``title``/``detail``, plain text, and the web pages of firewalls.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any, Final, TypeGuard

from msgspec import Struct

from client.tolerant_json import Document, embedded_objects

_CONTAINERS: Final = ("baseresp", "error", "errors", "detail", "details", "data", "result", "response", "metadata")
_CODE_FIELDS: Final = ("statuscode", "code", "errorcode", "errcode", "errno")
_MESSAGE_FIELDS: Final = (
    *("statusmsg", "message", "msg", "errormessage", "errormsg", "errmsg", "errordescription", "description"),
    *("detail", "details", "error", "errors"),
)
_TRACE_FIELDS: Final = ("traceid", "requestid")
# The gateways' and MiniMax's own headers first; the rest are those of proxies (cf-ray: Cloudflare).
_TRACE_HEADERS: Final = ("trace-id", "x-trace-id", "x-request-id", "request-id", "x-correlation-id", "cf-ray")
_CHALLENGE: Final = re.compile(r'error_description="([^"]{1,300})"', re.IGNORECASE)
# Bounds for hostile or absurd answers: known formats nest at most three levels deep.
_DEEPEST: Final = 4
_MOST_ENTRIES: Final = 5
_SUCCESS_WORDS: Final = frozenset({"", "ok", "success", "succeeded", "none", "null"})
_SUCCESS_CODES: Final = frozenset({0, 200})


class ErrorDetails(Struct, frozen=True):
    """The error details of an answer; strings are not yet redacted.

    Attributes:
        codes: The numbers in fields for codes, in order, without those that mean success.
        reasons: The gateway's reasons, and codes that are words.
        mentions: Words in fields for types and states, HTTP statuses in other fields, and what JSON in a message has in
            its fields for codes. They never settle a call.
        message: The service's own message; empty if there is none.
        trace_id: The identifier that the service's support asks for.
    """

    codes: tuple[int, ...]
    reasons: tuple[str, ...]
    mentions: tuple[int | str, ...]
    message: str
    trace_id: str | None


def error_details(document: Document, headers: Mapping[str, str]) -> ErrorDetails:
    """Read the error details of an answer; header names are in lower case."""
    body: Any = document.members if document.is_object else document.other
    objects = list(_objects(body))
    message = _message(body) if body is not None else _plain(document.text, headers.get("content-type", ""))
    if document.is_object and not document.pairs:
        message = ""  # truncated within the first member
    # RFC 6750, 3: gateways explain a refused key in this header, often with an empty body.
    if not message and (found := _CHALLENGE.search(headers.get("www-authenticate", ""))):
        message = found[1]
    trace = next(_fields(objects, _TRACE_FIELDS), None)
    codes, reasons = _codes(objects)
    return ErrorDetails(
        codes=tuple(dict.fromkeys(codes)),
        reasons=tuple(dict.fromkeys(reasons)),
        mentions=tuple(dict.fromkeys(_mentions(objects))),
        message=message,
        trace_id=str(trace) if isinstance(trace, str | int) and trace else _trace_header(headers),
    )


def _trace_header(headers: Mapping[str, str]) -> str | None:
    return next((headers[name] for name in _TRACE_HEADERS if headers.get(name, "").strip()), None)


def _plain_name(name: str) -> str:
    """``status_code``, ``statusCode`` and ``Status-Code`` are one name."""
    return re.sub(r"[^a-z]", "", name.lower())


def _objects(value: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the objects that may describe an error, the outer one first."""
    if isinstance(value, list):
        for entry in value[:_MOST_ENTRIES]:
            yield from _objects(entry, depth + 1)
    if not isinstance(value, dict) or depth > _DEEPEST:
        return
    named = {_plain_name(name): inner for name, inner in value.items()}
    yield named
    for name in _CONTAINERS:
        yield from _objects(named.get(name), depth + 1)


def _fields(objects: list[dict[str, Any]], names: tuple[str, ...]) -> Iterator[Any]:
    for entry in objects:
        yield from (entry[name] for name in names if entry.get(name) not in (None, ""))


def _codes(objects: list[dict[str, Any]]) -> tuple[list[int], list[str]]:
    codes, reasons = [], [value.strip() for value in _fields(objects, ("reason",)) if isinstance(value, str)]
    for value in _fields(objects, _CODE_FIELDS):
        number = _number(value)
        if number is not None and number not in _SUCCESS_CODES:
            codes.append(number)
        elif number is None and isinstance(value, str) and value.strip().lower() not in _SUCCESS_WORDS:
            reasons.append(value.strip())
    for entry in objects:
        # RFC 9457, 3.1.2: `status` repeats the HTTP status. In T2A answers it is a small number of another meaning.
        status = _number(entry.get("status"))
        if status is not None and 300 <= status < 600:
            codes.append(status)
    return codes, reasons


def _mentions(objects: list[dict[str, Any]]) -> Iterator[int | str]:
    for entry in objects:
        for name in ("type", "status", "state"):
            if _is_word(word := entry.get(name)):
                yield word
        for name, value in entry.items():
            number = _number(value)
            # http_status, upstream_status_code, …
            if name.endswith(("status", "statuscode", "httpcode")) and number is not None and 300 <= number < 600:
                yield number
            if isinstance(value, str) and "{" in value:  # some gateways quote the answer of the service behind them
                for quoted in itertools.islice(embedded_objects(value), _MOST_ENTRIES):
                    codes, reasons = _codes(list(_objects(quoted)))
                    yield from codes
                    yield from reasons


def _number(value: Any) -> int | None:
    if isinstance(value, str) and (found := re.fullmatch(r"\s*([+-]?[0-9]{1,9})(\.0+)?\s*", value)):
        return int(found[1])
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e9:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _message(value: Any, depth: int = 0) -> str:
    """Join the messages in a JSON value, the most specific field first."""
    if isinstance(value, str):
        return value.strip()
    if depth > _DEEPEST:
        return ""
    if isinstance(value, list):
        return _joined(_message(entry, depth + 1) for entry in value[:_MOST_ENTRIES])
    if not isinstance(value, dict):
        return ""
    named = {_plain_name(name): inner for name, inner in value.items()}
    found = [_message(named.get("baseresp"), depth + 1), _message(named.get("title"), depth + 1)]
    found += [_message(named.get(name), depth + 1) for name in _MESSAGE_FIELDS]
    if depth == 0:
        found += [_message(named[name], depth + 1) for name in ("data", "result", "response") if _is_dict(named, name)]
    message = _joined(found)
    if depth and not message:  # an error object without a message: {"code": "voice_limit"}
        message = next((named[name] for name in ("code", "status", "type") if _is_word(named.get(name))), "")
    location = named.get("loc")  # FastAPI: the path of the field that failed validation
    return (
        f"{'.'.join(map(str, location))}: {message}" if isinstance(location, list) and location and message else message
    )


def _is_dict(named: dict[str, Any], name: str) -> bool:
    return isinstance(named.get(name), dict)


def _is_word(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and _number(value) is None


def _joined(found: Any) -> str:
    messages: list[str] = []
    for text in found:
        if text.strip().lower() not in _SUCCESS_WORDS and not any(text in other for other in messages):
            messages.append(text)
    return "; ".join(messages)


def _plain(text: str, content_type: str) -> str:
    """Return the message of an answer that is not JSON."""
    text = text.strip("\ufeff \t\r\n\0")
    if "html" in content_type.lower() or "xml" in content_type.lower() or text.startswith("<"):
        reader = _PageText()
        reader.feed(text[:100_000])
        return " ".join(" ".join(reader.pieces).split())
    # Binary data: more than a tenth of the characters are undecodable or control characters.
    unreadable = sum(
        character == "\ufffd" or (character < " " and not character.isspace()) for character in text[:1000]
    )
    return "" if unreadable * 10 > len(text[:1000]) else text[:10_000]


class _PageText(HTMLParser):
    """Collect the visible text of a web page."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Enter an element."""
        self._hidden += tag in {"script", "style"}

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self._hidden -= tag in {"script", "style"} and self._hidden > 0

    def handle_data(self, data: str) -> None:
        """Keep visible text."""
        if not self._hidden:
            self.pieces.append(data)
