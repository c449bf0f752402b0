"""What a network exception means, in words of our own: the library's texts contain URLs."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator

import requests.exceptions
import urllib3.exceptions
from msgspec import Struct


class Cause(Struct, frozen=True):
    """Why there is no answer, or not all of it.

    Attributes:
        why: A clause such as "the connection was refused".
        hint: What to do, if it is anything special.
        connecting: It happened while the connection was being made.
        may_pass: It may pass by itself in seconds.
    """

    why: str
    hint: str = ""
    connecting: bool = False
    may_pass: bool = False


def explain(error: BaseException) -> Cause:
    """Say what an exception of requests, urllib3, ssl or the socket means."""
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
        # requests has no class of its own for this.
        if "dependencies for SOCKS" in str(error):
            return Cause(
                "the proxy settings name a SOCKS proxy, for which PySocks is needed",
                hint="Install it (pip install 'requests[socks]'), or change ALL_PROXY, HTTPS_PROXY or NO_PROXY.",
                connecting=True,
            )
        # http.client has no attribute for the status.
        if found := re.search(r"Tunnel connection failed: (\d{3})", str(error)):
            needs_login = " (it asks for a user name and password)" if found[1] == "407" else ""
            return Cause(
                f"the proxy refused the connection with HTTP {found[1]}{needs_login}",
                hint="Check HTTPS_PROXY and NO_PROXY; nothing was sent.",
                connecting=True,
                may_pass=found[1] in {"429", "502", "503", "504"},
            )
    return None


def _certificate(chain: list[BaseException]) -> Cause | None:
    for error in chain:
        if isinstance(error, ssl.SSLCertVerificationError):
            return Cause(
                f"the server's certificate is not valid ({error.verify_message})",
                hint="If your company inspects TLS, set REQUESTS_CA_BUNDLE to the file of its certificate authority; "
                "otherwise check the base URL and the computer's clock.",
                connecting=True,
            )
        if isinstance(error, OSError) and "CA certificate bundle" in str(error):
            return Cause(
                "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE does not name a file",
                hint="Correct or remove that environment variable; nothing was sent.",
                connecting=True,
            )
    return None


_BEFORE_TLS: _Table = (
    (
        (requests.exceptions.ProxyError, urllib3.exceptions.ProxyError),
        Cause("the proxy could not be used", hint="Check HTTPS_PROXY and NO_PROXY; nothing was sent.", connecting=True),
    ),
    (
        (urllib3.exceptions.NameResolutionError,),
        Cause("the host name could not be resolved", connecting=True, may_pass=True),
    ),
    (
        (requests.exceptions.InvalidProxyURL,),
        Cause("the proxy's URL is not valid", hint="Check HTTPS_PROXY and ALL_PROXY.", connecting=True),
    ),
    (
        (
            requests.exceptions.InvalidURL,
            requests.exceptions.InvalidSchema,
            urllib3.exceptions.LocationParseError,
            urllib3.exceptions.LocationValueError,
            UnicodeError,
        ),
        Cause("the URL is not valid", connecting=True),
    ),
)

_OTHERS: _Table = (
    (
        (requests.exceptions.SSLError, urllib3.exceptions.SSLError, ssl.SSLError),
        Cause("no secure connection could be made (TLS)", connecting=True),
    ),
    ((ConnectionRefusedError,), Cause("the connection was refused", connecting=True, may_pass=True)),
    (
        (urllib3.exceptions.NewConnectionError,),
        Cause("no connection could be made", connecting=True, may_pass=True),
    ),
    (
        (requests.exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError),
        Cause("no connection was made in time", connecting=True, may_pass=True),
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
        Cause("the connection was closed before the answer was complete", may_pass=True),
    ),
)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and everything that it wraps, in any of the ways of requests and urllib3."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]
