"""Fetching a demo or a speech from its link: streamed, bounded, and checked to be no web page."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Final
from urllib.parse import urljoin

from client.answers import Answer, error_in
from client.arguments import check_url
from client.connection import Anonymous
from client.errors import NonsenseAnswer, OutcomeUnknown, RequestRefused, ServiceError, ServiceUnreachable
from client.redaction import secrets_of_url
from client.transport import Exchange, Head, NoAnswer, Outgoing

Progress = Callable[[int, int | None], None]
"""Called with the bytes written so far and in all; None where that is not told."""

_REPEAT: Final = "Download it again: that is free."
_EXPIRED: Final = "The link may have expired: links live an hour to a day."
_MOST_REDIRECTS: Final = 5
_NOT_AUDIO: Final = ("text/", "application/json", "application/xml", "application/problem+json")
_PAGE_BEGINNINGS: Final = (b"<!doctype", b"<html", b"<?xml", b'{"', b"{\n", b"{\r\n")
_LONGEST_ERROR_BODY: Final = 10_000


def fetch(
    url: str, file: BinaryIO, max_bytes: int, timeouts_s: tuple[float, float], key: str, progress: Progress | None
) -> int:
    """Write what the link leads to into the file; ``key`` is only kept out of messages."""
    connect_s, total_s = timeouts_s
    failure: ServiceError
    for _ in range(_MOST_REDIRECTS + 1):
        check_url("url", url)
        outgoing = Outgoing(url, Anonymous())
        with Exchange(outgoing, connect_timeout_s=connect_s, total_timeout_s=total_s) as exchange:
            try:
                head = exchange.head()
                if 300 <= head.status < 400 and "location" in head.headers:
                    url = urljoin(url, head.headers["location"])
                    continue
                _require_audio(exchange, head, (key, *secrets_of_url(url)))
                return _save(exchange, head, file, max_bytes, progress)
            except NoAnswer as problem:
                failure = _failure(problem)
        break
    else:
        failure = RequestRefused("the link leads from one address to the next, without end", hint=_EXPIRED)
    raise failure


def _failure(problem: NoAnswer) -> ServiceError:
    if problem.sent:
        return OutcomeUnknown(f"the download failed: {problem.why}", hint=_REPEAT)
    return ServiceUnreachable(f"the download failed: {problem.why}")


def _require_audio(exchange: Exchange, head: Head, secrets: tuple[str, ...]) -> None:
    if not 200 <= head.status < 300:
        raise _refusal(exchange, head, secrets)
    kind = head.headers.get("content-type", "").lower()
    if kind.startswith(_NOT_AUDIO):
        raise NonsenseAnswer("the link leads to text, not to audio", hint=_EXPIRED, http_status=head.status)


def _save(exchange: Exchange, head: Head, file: BinaryIO, max_bytes: int, progress: Progress | None) -> int:
    size, written = _size(head), 0
    for chunk in exchange.chunks():
        if not written and chunk.lstrip()[:9].lower().startswith(_PAGE_BEGINNINGS):
            raise NonsenseAnswer("the link leads to a page, not to audio", hint=_EXPIRED, http_status=head.status)
        written += len(chunk)
        if written > max_bytes:
            raise NonsenseAnswer(
                f"the audio is larger than {max_bytes:,} bytes", hint="Allow more.", http_status=head.status
            )
        file.write(chunk)
        if progress is not None:
            progress(written, size)
    if not written:
        raise NonsenseAnswer("the link leads to an empty file", hint=_REPEAT, http_status=head.status)
    return written


def _size(head: Head) -> int | None:
    """How many bytes will come; None where that is not told, or told of something packed."""
    length = head.headers.get("content-length", "")
    is_number = length.isascii() and length.isdigit() and len(length) < 20
    return int(length) if is_number and "content-encoding" not in head.headers else None


def _refusal(exchange: Exchange, head: Head, secrets: tuple[str, ...]) -> ServiceError:
    body = b""
    missing = ""
    try:
        for chunk in exchange.chunks():
            body += chunk
            if len(body) > _LONGEST_ERROR_BODY:
                break
    except NoAnswer as problem:
        missing = problem.why
    if head.status in {401, 403, 404, 410}:  # a storage's answer about the link, not about the API key
        return RequestRefused(f"the link was refused (HTTP {head.status})", hint=_EXPIRED, http_status=head.status)
    answer = Answer(status=head.status, headers=head.headers, body=body, missing=missing, secrets=secrets)
    error = error_in(answer) or NonsenseAnswer(f"the link answered HTTP {head.status}", http_status=head.status)
    error.hint = _REPEAT
    return error
