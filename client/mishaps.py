"""What a network exception means, in words that are ours: the library's own texts hold URLs."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import requests.exceptions as loud
import urllib3.exceptions as quiet
from msgspec import Struct


class Mishap(Struct, frozen=True):
    """Why there is no answer, or not all of it.

    Attributes:
        why: A clause such as "the connection was refused".
        connecting: It happened while the connection was being made.
        passing: It may pass by itself in seconds.
    """

    why: str
    connecting: bool = False
    passing: bool = False


def explain(error: BaseException) -> Mishap:
    """Say what an exception of requests, urllib3, ssl or the socket means."""
    chain = list(_causes(error))
    for kinds, mishap in _MEANINGS:
        if any(isinstance(cause, kinds) for cause in chain):
            return mishap
    invalid = next((cause for cause in chain if isinstance(cause, ssl.SSLCertVerificationError)), None)
    if invalid is not None:
        return Mishap(f"the server's certificate is not valid ({invalid.verify_message})", connecting=True)
    for kinds, mishap in _LATER_MEANINGS:
        if any(isinstance(cause, kinds) for cause in chain):
            return mishap
    return Mishap("the connection failed")


_MEANINGS: tuple[tuple[tuple[type[BaseException], ...], Mishap], ...] = (
    (
        (loud.ProxyError, quiet.ProxyError),
        Mishap("the proxy could not be used", connecting=True),
    ),
    (
        (quiet.NameResolutionError,),
        Mishap("the host name could not be resolved", connecting=True, passing=True),
    ),
    (
        (loud.InvalidProxyURL,),
        Mishap("the proxy's URL is not valid", connecting=True),
    ),
    (
        (
            loud.InvalidURL,
            quiet.LocationParseError,
            quiet.LocationValueError,
            loud.InvalidSchema,
            UnicodeError,
        ),
        Mishap("the URL is not one that can be called", connecting=True),
    ),
)

_LATER_MEANINGS: tuple[tuple[tuple[type[BaseException], ...], Mishap], ...] = (
    (
        (loud.SSLError, quiet.SSLError, ssl.SSLError),
        Mishap("no secure connection could be made (TLS)", connecting=True),
    ),
    ((ConnectionRefusedError,), Mishap("the connection was refused", connecting=True, passing=True)),
    (
        (quiet.NewConnectionError,),
        Mishap("no connection could be made", connecting=True, passing=True),
    ),
    (
        (loud.ConnectTimeout, quiet.ConnectTimeoutError),
        Mishap("no connection was made in time", connecting=True, passing=True),
    ),
    ((loud.ReadTimeout, quiet.ReadTimeoutError, TimeoutError), Mishap("the server stopped answering")),
    ((quiet.IncompleteRead,), Mishap("the answer ended early")),
    ((loud.ContentDecodingError, quiet.DecodeError), Mishap("the answer is compressed, and damaged")),
    (
        (ConnectionError, quiet.ProtocolError),
        Mishap("the connection was closed before the answer was complete", passing=True),
    ),
)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]
