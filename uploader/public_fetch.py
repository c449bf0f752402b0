"""A presigned URL as the service will use it: fetched without keys, and compared with what was uploaded."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from uploader.error_body import MOST_BYTES, read_error_body
from uploader.errors import ClockSkewed, LinkRefused, StorageError, Unreachable
from uploader.hosts import is_loopback
from uploader.redaction import one_line, redact_logs
from uploader.results import Upload
from uploader.retry import BRIEF_S, SETTLING_S, SOME_S
from uploader.service_errors import clock_skew_s, describe_skew
from uploader.session import require_ca_bundle
from uploader.transport_errors import proxy_failed, socks_unavailable, tls_failed

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

_log = logging.getLogger("uploader")
CONNECT_TIMEOUT_S: Final = 10.0
READ_TIMEOUT_S: Final = 20.0
WHOLE_FETCH_S: Final = 60.0
"""How long reading to the end may take, where the answer does not say how long it is."""

_RANGE = re.compile(r"bytes \d+-\d+/(\d+)")
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_CA_HINT = (
    "Where a company's proxy shows a certificate of its own, set REQUESTS_CA_BUNDLE to a file with its authority "
    "(PEM). The service trusts public authorities only."
)


def fetch_publicly(url: str, upload: Upload, *, trust_own_authorities: bool) -> tuple[str, ...]:
    """Fetch the first bytes of a presigned URL without keys, and compare them with what was uploaded.

    A ranged GET, because the signature of a GET does not hold for HEAD. Where the answer does not say how long the
    object is (chunked, behind a CDN), it is read to its end. Redirects are not followed.

    Args:
        url: The presigned URL.
        upload: What has to be there.
        trust_own_authorities: Trust AWS_CA_BUNDLE as boto3 does; the public would not.

    Returns:
        Warnings: what differs, but may not matter to the service.

    Raises:
        LinkRefused: Another status than 200 or 206, other bytes or another size.
        ClockSkewed: It was refused, and this computer's clock is off.
        Unreachable: No connection, no answer in time, or a proxy refused.
        TlsFailed: No trusted encrypted connection.
        SettingsError: A variable names a file of certificates that is not there.
    """
    import requests

    redact_logs()
    host = urlsplit(url).netloc
    failure: StorageError
    try:
        with requests.Session() as session:
            _prepare(session, url, trust_own_authorities=trust_own_authorities)
            return _compared(session, url, upload)
    except requests.exceptions.SSLError as cause:
        failure = tls_failed(host, cause, _CA_HINT)
    except requests.exceptions.ProxyError as cause:
        failure = proxy_failed(host, cause)
    except requests.exceptions.Timeout:
        failure = Unreachable(f"{host} does not answer in time to a public fetch", retry_for_s=SOME_S)
    except requests.exceptions.ConnectionError:
        failure = Unreachable(f"{host} cannot be reached by a public fetch", retry_for_s=BRIEF_S)
    except requests.exceptions.InvalidSchema as cause:
        failure = LinkRefused(f"{host} cannot be fetched (InvalidSchema)")
        if "socks" in str(cause).lower():
            failure = socks_unavailable("for which requests needs PySocks (pip install 'requests[socks]')")
    except requests.exceptions.RequestException as cause:
        reason = type(cause).__name__
        failure = LinkRefused(f"{host} gives a public fetch no usable answer ({reason})", retry_for_s=BRIEF_S)
    # Raised out here, where no text of requests, which holds the whole URL, hangs on to it.
    raise failure


def _prepare(session: Session, url: str, *, trust_own_authorities: bool) -> None:
    parts = urlsplit(url)
    session.auth = _no_auth
    variables = (("AWS_CA_BUNDLE",) if trust_own_authorities else ()) + _CA_VARIABLES
    if parts.scheme == "https":
        for variable in variables:
            require_ca_bundle(variable)
    session.verify = next((os.environ[name] for name in variables if os.environ.get(name)), True)
    # A proxy elsewhere cannot reach this machine, and must not see what is sent to it.
    session.trust_env = not is_loopback(parts.hostname or "")


def _no_auth(request: PreparedRequest) -> PreparedRequest:
    # Without any auth, requests would look into ~/.netrc, which the public does not have.
    return request


def _get(session: Session, url: str, headers: dict[str, str]) -> Response:
    response = session.get(
        url,
        headers={**headers, "Accept-Encoding": "identity"},
        allow_redirects=False,
        stream=True,
        verify=session.verify,  # requests would prefer its own variables to the session's
        timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
    )
    _log.debug("public GET from %s: %d", urlsplit(url).netloc, response.status_code)
    return response


def _compared(session: Session, url: str, upload: Upload) -> tuple[str, ...]:
    host = urlsplit(url).netloc
    with _get(session, url, {"Range": f"bytes=0-{len(upload.first_bytes) - 1}"}) as response:
        if response.status_code not in {200, 206}:
            raise _refusal(response, host)
        size = _total_size(response)
        if size is not None:
            _require_size(response, size, upload)
            _require_beginning(response, _Body(response, len(upload.first_bytes)), upload)
            return _type_warning(response, upload, host)
        if response.status_code == 200:
            return _whole(response, upload, host)
    # a part without the length of the whole
    with _get(session, url, {}) as response:
        if response.status_code not in {200, 206}:
            raise _refusal(response, host)
        return _whole(response, upload, host)


def _whole(response: Response, upload: Upload, host: str) -> tuple[str, ...]:
    body = _Body(response, upload.bytes + 1)
    if body.is_cut_short and body.first_bytes == upload.first_bytes:
        slow = f"{host} is slow: only {body.size} of {upload.bytes} bytes came within {WHOLE_FETCH_S:.0f} s"
        return (slow, *_type_warning(response, upload, host))
    _require_size(response, body.size, upload)
    _require_beginning(response, body, upload)
    if body.md5 != upload.md5:
        raise LinkRefused(f"{host} serves other bytes than were uploaded", retry_for_s=BRIEF_S)
    return _type_warning(response, upload, host)


class _Body:
    """The body of an answer, read up to a number of bytes or a deadline; only its first bytes are kept."""

    def __init__(self, response: Response, most_bytes: int) -> None:
        deadline = time.monotonic() + WHOLE_FETCH_S
        digest = hashlib.md5(usedforsecurity=False)
        self.first_bytes = b""
        self.size = 0
        self.is_cut_short = False
        # One byte at a time while only the beginning is wanted: a larger piece would wait for more than that.
        for chunk in response.iter_content(1 if most_bytes <= MOST_BYTES else 1 << 16):
            self.first_bytes = (self.first_bytes + chunk)[:64] if len(self.first_bytes) < 64 else self.first_bytes
            digest.update(chunk)
            self.size += len(chunk)
            if self.size >= most_bytes:
                break
            if time.monotonic() > deadline:
                self.is_cut_short = True
                break
        self.md5 = digest.hexdigest()


def _require_size(response: Response, size: int, upload: Upload) -> None:
    if size != upload.bytes:
        served = f"{size} bytes{_odd_type(response, upload)}"
        raise LinkRefused(f"{_host(response)} serves {served} instead of {upload.bytes}", retry_for_s=BRIEF_S)


def _require_beginning(response: Response, body: _Body, upload: Upload) -> None:
    if body.first_bytes[: len(upload.first_bytes)] != upload.first_bytes:
        served = f"other bytes{_odd_type(response, upload)}"
        raise LinkRefused(f"{_host(response)} serves {served} than were uploaded", retry_for_s=BRIEF_S)


def _host(response: Response) -> str:
    return urlsplit(response.url).netloc


def _odd_type(response: Response, upload: Upload) -> str:
    served = one_line(_media_type(response.headers.get("Content-Type", "")))
    return "" if served in {"", _media_type(upload.content_type)} else f" of {served}"


def _type_warning(response: Response, upload: Upload, host: str) -> tuple[str, ...]:
    served = _media_type(response.headers.get("Content-Type", ""))
    if served == _media_type(upload.content_type):
        return ()
    shown = one_line(served) or "no type"
    return (f"{host} serves the recording as {shown} instead of {upload.content_type}; its name ends as it should",)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _total_size(response: Response) -> int | None:
    """The length of the whole object, in bytes; None where the answer does not say, -1 where it says nonsense."""
    if response.status_code == 206:
        found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        return int(found.group(1)) if found else None
    length = response.headers.get("Content-Length")
    if length is None or "Content-Encoding" in response.headers:
        return None
    return int(length) if length.isascii() and length.isdigit() else -1


def _refusal(response: Response, host: str) -> StorageError:
    status = response.status_code
    if 300 <= status < 400:
        return LinkRefused(f"{host} redirects a public fetch elsewhere (HTTP {status})", service_code=str(status))
    if status == 407:
        return proxy_failed(host, OSError(f"Tunnel connection failed: {status} {response.reason}"))
    said = read_error_body(_beginning(response), response.headers.get("Content-Type", ""))
    code = said.code or str(status)
    skew_s = clock_skew_s(response.headers.get("Date"))
    if status in {400, 403} and skew_s is not None and abs(skew_s) >= 90:
        # Signed in the past the link is dead on arrival; signed in the future it is not alive yet.
        return ClockSkewed(f"{host} refuses the link, and {describe_skew(skew_s)}", service_code=code)
    words = ": ".join(part for part in (said.code, said.message) if part)
    return LinkRefused(
        f"{host} refuses a public fetch of the link (HTTP {status}" + (f", {words})" if words else ")"),
        "The storage is busy or in trouble: try again later." if status == 429 or status >= 500 else None,
        service_code=code,
        retry_for_s=_retry_for_s(status, code),
    )


def _retry_for_s(status: int, code: str) -> float:
    if status == 404 and code != "NoSuchBucket":
        return SETTLING_S
    if status == 403:
        return BRIEF_S  # a missing object is 403 to keys that may not list
    return SOME_S if status == 429 or status >= 500 else 0.0


def _beginning(response: Response) -> bytes:
    deadline = time.monotonic() + READ_TIMEOUT_S
    data = b""
    for chunk in response.iter_content(1024):
        data += chunk
        if len(data) >= MOST_BYTES or time.monotonic() > deadline:
            break
    return data[:MOST_BYTES]
