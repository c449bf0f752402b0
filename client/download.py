"""Fetching a demo or a speech from its link: streamed, bounded, repeated for a while, and never a web page.

A link may answer 403 or 404 for some time after the service gave it, and a connection may fail: a download is free, so
it is repeated until `wait_s` is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import BinaryIO, Final
from urllib.parse import urljoin

from msgspec import Struct

from client.addresses import private_address_of
from client.answers import Answer
from client.arguments import check_url
from client.connection import Anonymous
from client.errors import DownloadFailed, InvalidArgument
from client.redaction import secrets_of_url
from client.retry import OnPause, growing_pause_s
from client.transport import Exchange, Head, NoAnswer, Outgoing

Progress = Callable[[int, int | None], None]
"""Called with the bytes written so far and in all; None where the answer does not say how many there are."""

_EXPIRED: Final = "The link may have expired: links live an hour to a day."
_MOST_REDIRECTS: Final = 5
_NOT_AUDIO: Final = ("text/", "application/json", "application/xml", "application/problem+json")
_PAGE_BEGINNINGS: Final = (b"<!doctype", b"<html", b"<?xml", b'{"', b"{\n", b"{\r\n")
_LONGEST_ERROR_BODY: Final = 10_000
_LONGEST_PAUSE_S: Final = 5.0


class Order(Struct, frozen=True):
    """What is to be downloaded, and how.

    Attributes:
        url: The link.
        max_bytes: The most that is taken.
        timeouts_s: Seconds for connecting, and for one whole try.
        wait_s: Seconds from the first try within which the last one must begin.
        allow_private: Whether the link may lead to this machine or a private network.
        key: The API key, which is only kept out of messages.
        progress: Called as the bytes come.
        on_retry: Called before each pause.
    """

    url: str
    max_bytes: int
    timeouts_s: tuple[float, float]
    wait_s: float
    allow_private: bool
    key: str
    progress: Progress | None = None
    on_retry: OnPause | None = None


def fetch(order: Order, file: BinaryIO) -> int:
    """Write what the link leads to into the file; raises `DownloadFailed` when the last try fails."""
    begun, start = time.monotonic(), file.tell() if _can_rewind(file) else None
    retries = 0
    while True:
        target = _Target(file)
        try:
            return _fetch_once(order, target)
        except DownloadFailed as failure:
            pause_s = min(_LONGEST_PAUSE_S, growing_pause_s(0.5, retries))
            is_late = time.monotonic() - begun + pause_s > order.wait_s
            if not failure.retryable or is_late or (target.written and start is None):
                raise
            if order.on_retry is not None:
                order.on_retry(pause_s, failure)
        time.sleep(pause_s)
        retries += 1
        if start is not None and target.written:
            file.seek(start)
            file.truncate()


def _can_rewind(file: BinaryIO) -> bool:
    seekable = getattr(file, "seekable", None)
    return bool(seekable and seekable())


class _Target:
    """The file, and how much a try wrote to it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.written = 0

    def write(self, chunk: bytes) -> None:
        self.file.write(chunk)
        self.written += len(chunk)


def _fetch_once(order: Order, target: _Target) -> int:
    url, (connect_s, total_s) = order.url, order.timeouts_s
    deadline = time.monotonic() + total_s
    failure: DownloadFailed
    for _ in range(_MOST_REDIRECTS + 1):
        _check_link(url, allow_private=order.allow_private)
        left_s = max(0.001, deadline - time.monotonic())
        exchange = Exchange(Outgoing(url, Anonymous()), connect_timeout_s=connect_s, total_timeout_s=left_s)
        with exchange:
            try:
                head = exchange.head()
                if 300 <= head.status < 400 and "location" in head.headers:
                    url = urljoin(url, head.headers["location"])
                    continue
                _require_audio(exchange, head, (order.key, *secrets_of_url(url)))
                return _save(exchange, head, target, order)
            except NoAnswer as problem:
                failure = DownloadFailed(f"the download failed: {problem.why}", hint=problem.hint)
                failure.retryable = problem.sent or problem.may_pass
        break
    else:
        failure = DownloadFailed(f"the link redirects more than {_MOST_REDIRECTS} times", hint=_EXPIRED)
    # Raised out here, so that the network library's errors are not its context.
    raise failure


def _check_link(url: str, *, allow_private: bool) -> None:
    """Refuse what is not a web link, and what a service on the internet cannot have meant."""
    host = check_url("url", url).hostname or ""
    if allow_private:
        return
    if (address := private_address_of(host)) is not None:
        raise InvalidArgument(
            f"leads to {address}, an address of this machine or a private network",
            argument="url",
            hint="A service on the internet cannot offer a file there: ask its support for another link.",
        )


def _require_audio(exchange: Exchange, head: Head, secrets: tuple[str, ...]) -> None:
    if not 200 <= head.status < 300:
        raise _refusal(exchange, head, secrets)
    kind = head.headers.get("content-type", "").lower()
    if kind.startswith(_NOT_AUDIO):
        raise _not_audio(f"the link leads to text ({kind.partition(';')[0][:50]}), not to audio", head)


def _not_audio(message: str, head: Head, hint: str = _EXPIRED) -> DownloadFailed:
    return DownloadFailed(message, hint=hint, http_status=head.status)


def _save(exchange: Exchange, head: Head, target: _Target, order: Order) -> int:
    size = _size(head)
    for chunk in exchange.chunks():
        if not target.written and chunk.lstrip()[:9].lower().startswith(_PAGE_BEGINNINGS):
            raise _not_audio("the link leads to a page, not to audio", head)
        if target.written + len(chunk) > order.max_bytes:
            raise _not_audio(f"the audio is larger than {order.max_bytes:,} bytes", head, "Allow more.")
        target.write(chunk)
        if order.progress is not None:
            order.progress(target.written, size)
    if not target.written:
        empty = _not_audio("the link leads to an empty file", head, "")
        empty.retryable = True
        raise empty
    return target.written


def _size(head: Head) -> int | None:
    """How many bytes will come; None where the answer does not say, or says it of something compressed."""
    length = head.headers.get("content-length", "")
    is_number = length.isascii() and length.isdigit() and len(length) < 20
    return int(length) if is_number and "content-encoding" not in head.headers else None


def _refusal(exchange: Exchange, head: Head, secrets: tuple[str, ...]) -> DownloadFailed:
    body, missing = b"", ""
    try:
        for chunk in exchange.chunks():
            body += chunk
            if len(body) > _LONGEST_ERROR_BODY:
                break
    except NoAnswer as problem:
        missing = problem.why
    answer = Answer(head.status, head.headers, body, missing, secrets)
    says = f"; the storage says: {answer.words}" if answer.words else ""
    failure = _not_audio(
        f"the link was refused (HTTP {head.status}){says}", head, _EXPIRED if 400 <= head.status < 500 else ""
    )
    failure.service_message, failure.trace_id = answer.words, answer.trace_id
    failure.retryable = head.status in {403, 404, 408, 425, 429} or head.status >= 500
    return failure
