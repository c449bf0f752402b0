"""A presigned URL as a stranger sees it: can its host be reached, and does it serve the file?"""

from __future__ import annotations

import ipaddress
import logging
import os
import re
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from uploader.answers import clock_skew_s, skew_in_words, tls_failed
from uploader.discretion import keep_logs_discreet, one_line
from uploader.errors import ClockSkewed, LinkRefused, StorageError, Unreachable, UrlNotPublic
from uploader.patience import BRIEF_S, SOME_S
from uploader.results import Upload

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

_log = logging.getLogger("uploader")
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 20.0
WHOLE_FETCH_S = 30.0

_INSIDE_NAMES = (
    "localhost",
    "local",
    "internal",
    "lan",
    "intranet",
    "home.arpa",
)
_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,64})</Code>")
_RANGE = re.compile(r"bytes \d+-\d+/(\d+)")
# Proxies that route by name answer every look-up with an address of this range (RFC 2544): it tells nothing.
_STAND_IN_ADDRESSES = ipaddress.ip_network("198.18.0.0/15")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def refuse_inside_host(host: str) -> None:
    """Refuse a host that nobody outside could reach.

    Loopback, private, link-local, shared (RFC 6598), multicast and reserved addresses, in any notation that
    resolvers take; names that are for the inside only; names all of whose addresses are such. A name that
    does not resolve is let through: the fetch tells.

    Raises:
        UrlNotPublic: The host is one of those.
    """
    name = host.strip("[]").rstrip(".").lower()
    address = _literal(name)
    if address is not None:
        if not _is_public(address):
            raise UrlNotPublic(f"{host} is an address that nobody outside can reach")
        return
    if "." not in name or name.endswith(tuple(f".{inside}" for inside in _INSIDE_NAMES)):
        raise UrlNotPublic(f"{host} is a name that nobody outside can resolve")
    addresses = _resolved(name)
    if addresses and not any(_is_public(a) or a in _STAND_IN_ADDRESSES for a in addresses):
        raise UrlNotPublic(f"{host} resolves only to addresses that nobody outside can reach")


def _literal(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:  # 127.1, 0x7f000001 and 2130706433 are addresses too
        return ipaddress.IPv4Address(socket.inet_aton(host)) if host.isascii() and " " not in host else None
    except OSError:
        return None


def _is_public(address: _Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in ipaddress.ip_network("64:ff9b::/96"):  # NAT64, RFC 6052
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
    return address.is_global and not address.is_multicast


def _resolved(name: str) -> list[_Address]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def fetch_as_stranger(url: str, upload: Upload, *, trust_own_authorities: bool) -> None:
    """Fetch the first bytes of a presigned URL with no credentials, and compare them with what was uploaded.

    A ranged GET, because the signature of a GET does not hold for HEAD. Redirects are not followed.

    Args:
        url: The presigned URL.
        upload: What has to be there.
        trust_own_authorities: Trust AWS_CA_BUNDLE as boto3 does; a real stranger would not.

    Raises:
        LinkRefused: Another status than 200 or 206, other bytes, another size or another content type.
        ClockSkewed: It was refused, and this computer's clock is off.
        Unreachable: No connection, or no answer in time.
        TlsFailed: No trusted encrypted connection.
    """
    import requests

    keep_logs_discreet()
    host = urlsplit(url).netloc
    failure: StorageError
    try:
        with requests.Session() as session:
            session.auth = _no_auth
            bundle = os.environ.get("AWS_CA_BUNDLE") if trust_own_authorities else None
            with _first_bytes(session, url, len(upload.first_bytes), bundle) as response:
                _log.debug("GET as a stranger from %s: %d", host, response.status_code)
                _judge(response, upload, host)
                return
    except requests.exceptions.SSLError as cause:
        failure = tls_failed(host, cause)
    except requests.exceptions.Timeout:
        failure = Unreachable(f"{host} does not answer a stranger in time", patience_s=SOME_S)
    except requests.exceptions.ConnectionError:
        failure = Unreachable(f"{host} cannot be reached by a stranger", patience_s=BRIEF_S)
    except requests.exceptions.RequestException as cause:
        reason = type(cause).__name__
        failure = LinkRefused(f"{host} gives a stranger no usable answer ({reason})", patience_s=BRIEF_S)
    # Raised out here, where no text of requests, which holds the whole URL, hangs on to it.
    raise failure


def _first_bytes(session: Session, url: str, size: int, bundle: str | None) -> Response:
    return session.get(
        url,
        headers={"Range": f"bytes=0-{size - 1}", "Accept-Encoding": "identity"},
        allow_redirects=False,
        stream=True,
        timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
        verify=bundle or True,
    )


def _no_auth(request: PreparedRequest) -> PreparedRequest:
    # Without any auth, requests would look into ~/.netrc: a stranger has no such file.
    return request


def _judge(response: Response, upload: Upload, host: str) -> None:
    if response.status_code not in {200, 206}:
        raise _refusal(response, host)
    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if content_type != upload.content_type.partition(";")[0].strip().lower():
        served = one_line(content_type) or "no type"
        raise LinkRefused(f"{host} serves the object as {served} instead of {upload.content_type}")
    size = _total_size(response)
    if size != upload.bytes:
        raise LinkRefused(f"{host} serves {size} bytes instead of {upload.bytes}", patience_s=BRIEF_S)
    if _beginning(response, len(upload.first_bytes)) != upload.first_bytes:
        raise LinkRefused(f"{host} serves other bytes than were uploaded", patience_s=BRIEF_S)


def _total_size(response: Response) -> int | None:
    if response.status_code == 206:
        found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        return int(found.group(1)) if found else None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def _beginning(response: Response, size: int) -> bytes:
    deadline = time.monotonic() + WHOLE_FETCH_S
    data = b""
    for chunk in response.iter_content(1):
        data += chunk
        if len(data) >= size or time.monotonic() > deadline:
            break
    return data[:size]


def _refusal(response: Response, host: str) -> StorageError:
    status = response.status_code
    if 300 <= status < 400:
        return LinkRefused(f"{host} redirects a stranger elsewhere (HTTP {status})", service_code=str(status))
    found = _CODE.search(_beginning(response, 4096))
    code = found.group(1).decode() if found else str(status)
    skew_s = clock_skew_s(response.headers.get("Date"))
    if status in {400, 403} and skew_s is not None and abs(skew_s) >= 90:
        # Signed in the past the link is dead on arrival; signed in the future it is not alive yet.
        return ClockSkewed(f"{host} refuses the link, and {skew_in_words(skew_s)}", service_code=code)
    passing = status == 429 or status >= 500
    return LinkRefused(
        f"{host} refuses a stranger the link (HTTP {status}" + (f", {code})" if found else ")"),
        service_code=code,
        patience_s=SOME_S if passing else 0.0,
    )
