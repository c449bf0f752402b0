"""Explain exceptions of requests, urllib3, ssl and sockets without quoting them: their texts contain whole URLs."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator

import requests.exceptions
import urllib3.exceptions
from msgspec import Struct


class Cause(Struct, frozen=True):
    """Why the answer is missing or incomplete.

    Attributes:
        reason: A clause such as "the connection was refused".
        hint: What to do, if the cause is known that well.
        while_connecting: Whether it happened before the request could be sent.
        transient: Whether it may disappear within seconds.
    """

    reason: str
    hint: str = ""
    while_connecting: bool = False
    transient: bool = False


def explain(error: BaseException) -> Cause:
    """Return the cause of an exception of requests, urllib3, ssl or a socket."""
    chain = list(_chain(error))
    return (
        _proxy(chain)
        or _first(_BEFORE_TLS, chain)
        or _certificate(chain)
        or _first(_OTHERS, chain)
        or Cause("the connection failed")
    )


_Table = tuple[tuple[tuple[type[BaseException], ...], Cause], ...]


def _first(table: _Table, chain: list[BaseException]) -> Cause | None:
    for kinds, cause in table:
        if any(isinstance(error, kinds) for error in chain):
            return cause
    return None


def _proxy(chain: list[BaseException]) -> Cause | None:
    for error in chain:
        # requests raises InvalidSchema for this, as for a URL that is not http.
        if "dependencies for SOCKS" in str(error):
            return Cause(
                "the proxy settings name a SOCKS proxy, for which PySocks is needed",
                hint="install it (pip install 'requests[socks]'), or change ALL_PROXY, HTTPS_PROXY or NO_PROXY",
                while_connecting=True,
            )
        # http.client raises a plain OSError: the status is only in its text.
        if found := re.search(r"Tunnel connection failed: (\d{3})", str(error)):
            needs_login = " (it asks for a user name and password)" if found[1] == "407" else ""
            return Cause(
                f"the proxy refused the connection with HTTP {found[1]}{needs_login}",
                hint="check HTTPS_PROXY and NO_PROXY; nothing was sent",
                while_connecting=True,
                transient=found[1] in {"429", "502", "503", "504"},
            )
    return None


def _certificate(chain: list[BaseException]) -> Cause | None:
    for error in chain:
        if isinstance(error, ssl.SSLCertVerificationError):
            return Cause(
                f"the server's certificate is not valid ({error.verify_message})",
                hint="if your company inspects TLS, set REQUESTS_CA_BUNDLE to the file of its certificate authority; "
                "otherwise check the base URL and the computer's clock",
                while_connecting=True,
            )
        if isinstance(error, OSError) and "CA certificate bundle" in str(error):
            return Cause(
                "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE does not name a file",
                hint="correct or remove that environment variable; nothing was sent",
                while_connecting=True,
            )
    return None


# The order matters: urllib3 wraps a TLS failure of the proxy into a ProxyError, and the certificate error into both.
_BEFORE_TLS: _Table = (
    (
        (requests.exceptions.ProxyError, urllib3.exceptions.ProxyError),
        Cause(
            "the proxy could not be used",
            hint="check HTTPS_PROXY and NO_PROXY; nothing was sent",
            while_connecting=True,
        ),
    ),
    (
        (urllib3.exceptions.NameResolutionError,),
        Cause("the host name could not be resolved", while_connecting=True, transient=True),
    ),
    (
        (requests.exceptions.InvalidProxyURL,),
        Cause("the proxy's URL is not valid", hint="check HTTPS_PROXY and ALL_PROXY", while_connecting=True),
    ),
    (
        (
            requests.exceptions.InvalidURL,
            requests.exceptions.InvalidSchema,
            urllib3.exceptions.LocationParseError,
            urllib3.exceptions.LocationValueError,
            UnicodeError,
        ),
        Cause("the URL is not valid", while_connecting=True),
    ),
)

_OTHERS: _Table = (
    (
        (requests.exceptions.SSLError, urllib3.exceptions.SSLError, ssl.SSLError),
        Cause("no secure connection could be made (TLS)", while_connecting=True),
    ),
    ((ConnectionRefusedError,), Cause("the connection was refused", while_connecting=True, transient=True)),
    (
        (urllib3.exceptions.NewConnectionError,),
        Cause("no connection could be made", while_connecting=True, transient=True),
    ),
    (
        (requests.exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError),
        Cause("no connection was made in time", while_connecting=True, transient=True),
    ),
    (
        (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError),
        Cause("the server stopped answering"),
    ),
    ((urllib3.exceptions.IncompleteRead,), Cause("the answer ended early")),
    (
        (requests.exceptions.ContentDecodingError, urllib3.exceptions.DecodeError),
        Cause("the answer is compressed, and damaged"),
    ),
    (
        (ConnectionError, urllib3.exceptions.ProtocolError),
        Cause("the connection was closed before the answer was complete", transient=True),
    ),
)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all that it wraps: requests and urllib3 use arguments, `reason`, causes and contexts."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]
