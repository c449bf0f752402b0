"""Fetch a presigned URL as the service will: without keys, from anywhere; and compare it with what was uploaded.

A presigned URL is computed without asking the storage. A wrong region, addressing style or clock shows only when it is
used, so it is tried before a paid call depends on it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from uploader.addresses import is_loopback
from uploader.error_body import MOST_BYTES, read_error_body
from uploader.errors import ClockSkewed, LinkRefused, StorageError, Unreachable
from uploader.redaction import one_line, redact_logs
from uploader.results import Upload
from uploader.retry import BRIEF_S, MODERATE_S, VISIBILITY_S
from uploader.service_errors import clock_skew_s, describe_skew
from uploader.session import require_ca_bundle
from uploader.transport_errors import proxy_failed, socks_unavailable, tls_failed

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

_log = logging.getLogger("uploader")
CONNECT_TIMEOUT_S: Final = 10.0
READ_TIMEOUT_S: Final = 20.0
WHOLE_FETCH_S: Final = 60.0
"""How long reading to the end may take if the response does not declare its length."""

_RANGE = re.compile(r"bytes \d{1,19}-\d{1,19}/(\d{1,19})")
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_CA_HINT = (
    "if your company's proxy inspects TLS, set REQUESTS_CA_BUNDLE to a file with its certificate authority (PEM); the "
    "service trusts public authorities only"
)


def fetch_publicly(url: str, upload: Upload, *, trust_own_authorities: bool) -> tuple[str, ...]:
    """Fetch the first bytes of a presigned URL without keys, and compare them with what was uploaded.

    This is a ranged GET: the method is part of the signature, so a URL for GET does not work with HEAD. If the response
    does not declare the object's length (chunked, behind a CDN), it is read to the end. Redirects are not followed.

    Args:
        url: The presigned URL.
        upload: What the URL must serve.
        trust_own_authorities: Trust AWS_CA_BUNDLE as boto3 does, although the service would not.

    Returns:
        Warnings: differences that may not matter to the service.

    Raises:
        LinkRefused: Another status than 200 or 206, other bytes or another size.
        ClockSkewed: It was refused, and this computer's clock is off.
        Unreachable: No connection, no answer in time, or a proxy refused.
        TlsFailed: No trusted encrypted connection.
        SettingsError: A variable names a certificate file that does not exist.
    """
    import requests

    redact_logs()
    host = urlsplit(url).netloc
    failure: StorageError
    try:
        with requests.Session() as session:
            _prepare(session, url, trust_own_authorities=trust_own_authorities)
            return _compare(session, url, upload)
    # The order matters: SSLError, ProxyError and ConnectTimeout are ConnectionErrors in requests.
    except requests.exceptions.SSLError as cause:
        failure = tls_failed(host, cause, _CA_HINT)
    except requests.exceptions.ProxyError as cause:
        failure = proxy_failed(host, cause)
    except requests.exceptions.Timeout:
        failure = Unreachable(f"{host} does not answer in time to a public fetch", retry_for_s=MODERATE_S)
    except requests.exceptions.ConnectionError:
        failure = Unreachable(f"{host} cannot be reached by a public fetch", retry_for_s=BRIEF_S)
    except requests.exceptions.InvalidSchema as cause:
        failure = LinkRefused(f"{host} cannot be fetched (InvalidSchema)")
        if "socks" in str(cause).lower():
            # requests has no exception of its own for a missing PySocks.
            failure = socks_unavailable("for which requests needs PySocks (pip install 'requests[socks]')")
    except requests.exceptions.RequestException as cause:
        reason = type(cause).__name__
        failure = LinkRefused(f"{host} gives a public fetch no usable answer ({reason})", retry_for_s=BRIEF_S)
    # Raised outside of `except`: the text of requests' exception contains the whole URL, and would be the context.
    raise failure


def _prepare(session: Session, url: str, *, trust_own_authorities: bool) -> None:
    parts = urlsplit(url)
    session.auth = _no_auth
    variables = (("AWS_CA_BUNDLE",) if trust_own_authorities else ()) + _CA_VARIABLES
    if parts.scheme == "https":
        for variable in variables:
            require_ca_bundle(variable)
    session.verify = next((os.environ[name] for name in variables if os.environ.get(name)), True)
    # A proxy cannot reach this machine's loopback interface.
    session.trust_env = not is_loopback(parts.hostname or "")


def _no_auth(request: PreparedRequest) -> PreparedRequest:
    # Without any auth object, requests uses ~/.netrc, which the service does not have.
    return request


def _get(session: Session, url: str, headers: dict[str, str]) -> Response:
    response = session.get(
        url,
        # identity: compressed content has another length and other bytes (RFC 9110, 8.4)
        headers={**headers, "Accept-Encoding": "identity"},
        # a redirect would hide a wrong region or host, and the service may not follow it
        allow_redirects=False,
        # without it, requests reads the whole body before it returns
        stream=True,
        verify=session.verify,  # REQUESTS_CA_BUNDLE would override the session's
        timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
    )
    _log.debug("public GET from %s: %d", urlsplit(url).netloc, response.status_code)
    return response


def _compare(session: Session, url: str, upload: Upload) -> tuple[str, ...]:
    host = urlsplit(url).netloc
    with _get(session, url, {"Range": f"bytes=0-{len(upload.first_bytes) - 1}"}) as response:
        if response.status_code not in {200, 206}:
            raise _refusal(response, host)
        size = _total_size(response)
        if size is not None:
            _require_size(response, size, upload)
            _require_first_bytes(response, _Body(response, len(upload.first_bytes)), upload)
            return _type_warning(response, upload, host)
        # A server may ignore Range and answer 200 with the whole content (RFC 9110, 14.2); CDNs do.
        if response.status_code == 200:
            return _compare_whole(response, upload, host)
    # 206 whose Content-Range has `*` or is missing (RFC 9110, 14.4): fetch all of it
    with _get(session, url, {}) as response:
        if response.status_code not in {200, 206}:
            raise _refusal(response, host)
        return _compare_whole(response, upload, host)


def _compare_whole(response: Response, upload: Upload, host: str) -> tuple[str, ...]:
    body = _Body(response, upload.bytes + 1)
    if body.timed_out and body.first_bytes == upload.first_bytes:
        slow = f"{host} is slow: {body.size} of {upload.bytes} bytes received within {WHOLE_FETCH_S:.0f} s"
        return (slow, *_type_warning(response, upload, host))
    _require_size(response, body.size, upload)
    _require_first_bytes(response, body, upload)
    if body.md5 != upload.md5:
        raise LinkRefused(f"{host} serves different bytes than were uploaded", retry_for_s=BRIEF_S)
    return _type_warning(response, upload, host)


class _Body:
    """The body of a response, read up to a number of bytes or a deadline; only its first bytes are kept."""

    def __init__(self, response: Response, most_bytes: int) -> None:
        deadline = time.monotonic() + WHOLE_FETCH_S
        digest = hashlib.md5(usedforsecurity=False)
        self.first_bytes = b""
        self.size = 0
        self.timed_out = False
        # One byte at a time for the beginning: iter_content with a larger size waits until so many bytes have arrived.
        for chunk in response.iter_content(1 if most_bytes <= MOST_BYTES else 1 << 16):
            self.first_bytes = (self.first_bytes + chunk)[:64] if len(self.first_bytes) < 64 else self.first_bytes
            digest.update(chunk)
            self.size += len(chunk)
            if self.size >= most_bytes:
                break
            if time.monotonic() > deadline:
                self.timed_out = True
                break
        self.md5 = digest.hexdigest()


def _require_size(response: Response, size: int, upload: Upload) -> None:
    if size != upload.bytes:
        served = f"{size} bytes{_other_type(response, upload)}"
        raise LinkRefused(f"{_host(response)} serves {served} instead of {upload.bytes}", retry_for_s=BRIEF_S)


def _require_first_bytes(response: Response, body: _Body, upload: Upload) -> None:
    if body.first_bytes[: len(upload.first_bytes)] != upload.first_bytes:
        served = f"different bytes{_other_type(response, upload)}"
        raise LinkRefused(f"{_host(response)} serves {served} than were uploaded", retry_for_s=BRIEF_S)


def _host(response: Response) -> str:
    return urlsplit(response.url).netloc


def _other_type(response: Response, upload: Upload) -> str:
    served = one_line(_media_type(response.headers.get("Content-Type", "")))
    return "" if served in {"", _media_type(upload.content_type)} else f" of {served}"


def _type_warning(response: Response, upload: Upload, host: str) -> tuple[str, ...]:
    served = _media_type(response.headers.get("Content-Type", ""))
    if served == _media_type(upload.content_type):
        return ()
    shown = one_line(served) or "no type"
    return (
        f"{host} serves the recording as {shown} instead of {upload.content_type}; the ending of its URL is correct",
    )


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _total_size(response: Response) -> int | None:
    """Return the length of the whole object in bytes; None if it is not declared, -1 if the header is not valid."""
    if response.status_code == 206:
        found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        return int(found.group(1)) if found else None
    length = response.headers.get("Content-Length")
    # With a content encoding, the length is that of the compressed bytes (RFC 9110, 8.6).
    if length is None or "Content-Encoding" in response.headers:
        return None
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else -1


def _refusal(response: Response, host: str) -> StorageError:
    status = response.status_code
    if 300 <= status < 400:
        return LinkRefused(f"{host} redirects a public fetch elsewhere (HTTP {status})", service_code=str(status))
    if status == 407:
        return proxy_failed(host, OSError(f"Tunnel connection failed: {status} {response.reason}"))
    error_body = read_error_body(_read_beginning(response), response.headers.get("Content-Type", ""))
    code = error_body.code or str(status)
    skew_s = clock_skew_s(response.headers.get("Date"))
    if status in {400, 403} and skew_s is not None and abs(skew_s) >= 90:
        # Signed in the past, the link has expired already; signed in the future, it is not valid yet.
        return ClockSkewed(f"{host} refuses the link, and {describe_skew(skew_s)}", service_code=code)
    explanation = ": ".join(part for part in (error_body.code, error_body.message) if part)
    return LinkRefused(
        f"{host} refuses a public fetch of the link (HTTP {status}" + (f", {explanation})" if explanation else ")"),
        "the storage is overloaded or failing: try again later" if status == 429 or status >= 500 else None,
        service_code=code,
        retry_for_s=_retry_for_s(status, code),
    )


def _retry_for_s(status: int, code: str) -> float:
    if status == 404 and code != "NoSuchBucket":
        return VISIBILITY_S
    if status == 403:
        return BRIEF_S  # an object that is not visible yet is 403 if the key has no permission to list
    return MODERATE_S if status == 429 or status >= 500 else 0.0


def _read_beginning(response: Response) -> bytes:
    deadline = time.monotonic() + READ_TIMEOUT_S
    data = b""
    for chunk in response.iter_content(1024):
        data += chunk
        if len(data) >= MOST_BYTES or time.monotonic() > deadline:
            break
    return data[:MOST_BYTES]
