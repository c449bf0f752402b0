"""Download a preview or a speech from its link: streamed, limited in size, retried for a while, and never a web page.

A link may answer 403 or 404 for some time after the service has returned it, and connections fail. A download is free
and GET is safe to repeat (RFC 9110, 9.2.1), so it is retried until ``wait_s`` has passed.
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
from client.audio import begins_like_audio
from client.connection import NoAuth
from client.errors import DownloadFailed, InvalidArgument, ServiceError
from client.redaction import secrets_of_url
from client.retry import Backoff, OnRetry, call_with_retries, exponential_pause_s
from client.transport import Exchange, ExchangeFailed, Request, ResponseHead

Progress = Callable[[int, int | None], None]
"""Called with the bytes written so far and the total; the total is None if the answer does not contain it."""

_EXPIRED: Final = "the link may have expired: links are valid for an hour to a day"
_MOST_REDIRECTS: Final = 5
"""Links of storages and CDNs redirect once or twice."""
_NOT_AUDIO: Final = ("text/", "application/json", "application/xml", "application/problem+json")
_PAGE_BEGINNINGS: Final = (b"<!doctype", b"<html", b"<?xml", b'{"', b"{\n", b"{\r\n")
_LONGEST_ERROR_BODY: Final = 10_000
"""Bytes of an error response that are read, for the storage's own message."""
_LONGEST_PAUSE_S: Final = 5.0


class DownloadRequest(Struct, frozen=True):
    """What to download, and how.

    Attributes:
        url: The link.
        max_bytes: The most bytes to write.
        timeouts_s: Seconds for connecting, and for one whole try.
        wait_s: Seconds from the first try within which the last one must begin.
        allow_private: Whether the link may lead to this machine or a private network.
        key: The API key, only to keep it out of messages.
        progress: Called as bytes arrive.
        on_retry: Called before each pause.
    """

    url: str
    max_bytes: int
    timeouts_s: tuple[float, float]
    wait_s: float
    allow_private: bool
    key: str
    progress: Progress | None = None
    on_retry: OnRetry | None = None


def download(request: DownloadRequest, file: BinaryIO) -> int:
    """Write the content of the link to the file, and return its size in bytes.

    Raises:
        InvalidArgument: The link, or a redirect, must not be followed.
        DownloadFailed: The last try failed.
        OSError: The file cannot be written.
    """
    output = _Output(file)

    def attempt() -> int:
        output.rewind()
        try:
            return _download_once(request, output)
        except DownloadFailed as failure:
            failure.retryable = failure.retryable and output.can_rewind
            raise

    return call_with_retries(attempt, Backoff(_pause_s, request.wait_s, on_retry=request.on_retry))


def _pause_s(_error: ServiceError, retries: int) -> float:
    return min(_LONGEST_PAUSE_S, exponential_pause_s(0.5, retries))


class _Output:
    """The file, and how much of the current try is in it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        seekable = getattr(file, "seekable", None)
        self._start = file.tell() if seekable and seekable() else None
        self.written = 0

    @property
    def can_rewind(self) -> bool:
        """Whether another try may begin: nothing was written yet, or it can be removed."""
        return not self.written or self._start is not None

    def rewind(self) -> None:
        """Remove what the last try wrote."""
        if self._start is not None and self.written:
            self._file.seek(self._start)
            self._file.truncate()
        self.written = 0

    def write(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self.written += len(chunk)


def _download_once(request: DownloadRequest, output: _Output) -> int:
    url, (connect_s, total_s) = request.url, request.timeouts_s
    deadline = time.monotonic() + total_s
    failure: DownloadFailed
    for _ in range(_MOST_REDIRECTS + 1):
        _check_link(url, allow_private=request.allow_private)
        left_s = max(0.001, deadline - time.monotonic())
        with Exchange(Request(url, NoAuth()), connect_timeout_s=connect_s, total_timeout_s=left_s) as exchange:
            try:
                head = exchange.head()
                if 300 <= head.status < 400 and "location" in head.headers:
                    # RFC 9110, 10.2.2: Location may be relative. Followed here, because each target is checked.
                    url = urljoin(url, head.headers["location"])
                    continue
                _require_success(exchange, head, (request.key, *secrets_of_url(url)))
                return _save(exchange, head, output, request)
            except ExchangeFailed as failed:
                failure = DownloadFailed(f"the download failed: {failed.reason}", hint=failed.hint)
                failure.retryable = failed.sent or failed.transient
        break
    else:
        failure = DownloadFailed(f"the link redirects more than {_MOST_REDIRECTS} times", hint=_EXPIRED)
    # Raised outside of `except`, so that the library's errors, which contain URLs, are not its context.
    raise failure


def _check_link(url: str, *, allow_private: bool) -> None:
    """Refuse links that are not http, and links of a public service to a private address (request forgery)."""
    host = check_url("url", url).hostname or ""
    if allow_private:
        return
    if (address := private_address_of(host)) is not None:
        raise InvalidArgument(
            f"leads to {address}, an address of this machine or a private network",
            argument="url",
            hint="a public service cannot offer a file there: ask its support for another link",
        )


def _require_success(exchange: Exchange, head: ResponseHead, secrets: tuple[str, ...]) -> None:
    if not 200 <= head.status < 300:
        raise _refusal(exchange, head, secrets)


def _failure(message: str, head: ResponseHead, hint: str = _EXPIRED) -> DownloadFailed:
    return DownloadFailed(message, hint=hint, http_status=head.status)


def _save(exchange: Exchange, head: ResponseHead, output: _Output, request: DownloadRequest) -> int:
    size = _size(head)
    for chunk in exchange.chunks():
        if not output.written:
            _require_no_text(head, chunk)
        if not output.written and chunk.lstrip()[:9].lower().startswith(_PAGE_BEGINNINGS):
            raise _failure("the link leads to a web page, not to audio", head)
        if output.written + len(chunk) > request.max_bytes:
            raise _failure(f"the audio is larger than {request.max_bytes:,} bytes", head, "increase max_bytes")
        output.write(chunk)
        if request.progress is not None:
            request.progress(output.written, size)
    if not output.written:
        empty = _failure("the link leads to an empty file", head, "")
        empty.retryable = True
        raise empty
    return output.written


def _require_no_text(head: ResponseHead, first: bytes) -> None:
    """Refuse what is declared as text, unless its bytes are audio: some storages serve every file as text/plain."""
    kind = head.headers.get("content-type", "").lower()
    if kind.startswith(_NOT_AUDIO) and not begins_like_audio(first):
        raise _failure(f"the link leads to text ({kind.partition(';')[0][:50]}), not to audio", head)


def _size(head: ResponseHead) -> int | None:
    """Return the number of bytes that will arrive; None if it is not declared, or declared for compressed content."""
    length = head.headers.get("content-length", "")
    is_number = length.isascii() and length.isdigit() and len(length) < 20
    return int(length) if is_number and "content-encoding" not in head.headers else None


def _refusal(exchange: Exchange, head: ResponseHead, secrets: tuple[str, ...]) -> DownloadFailed:
    body, missing = b"", ""
    try:
        for chunk in exchange.chunks():
            body += chunk
            if len(body) > _LONGEST_ERROR_BODY:
                break
    except ExchangeFailed as failed:
        missing = failed.reason
    answer = Answer(head.status, head.headers, body, missing, secrets)
    quote = f"; the storage says: {answer.service_message}" if answer.service_message else ""
    failure = _failure(
        f"the link was refused (HTTP {head.status}){quote}", head, _EXPIRED if 400 <= head.status < 500 else ""
    )
    failure.service_message, failure.trace_id = answer.service_message, answer.trace_id
    # 425: Too Early (RFC 8470). 403: what S3 answers for a missing object if the key has no permission to list.
    failure.retryable = head.status in {403, 404, 408, 425, 429} or head.status >= 500
    return failure
