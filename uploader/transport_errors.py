"""Failures before or on the way to the service as a `StorageError`: keys, proxies, TLS, connections."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from uploader.aws_config import profile_name, profile_origin
from uploader.errors import (
    CredentialsMissing,
    SettingsError,
    StorageError,
    StorageFailed,
    TlsFailed,
    Unreachable,
)
from uploader.redaction import one_line
from uploader.retry import BRIEF_S, MODERATE_S, UNTIL_BUDGET_S
from uploader.settings import Target

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError

_TUNNEL = re.compile(r"[Tt]unnel connection failed: (\d{3}[^'\")]{0,80})")
_PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy")
_AWS_CA_HINT = "set AWS_CA_BUNDLE to a file with the certificate authority (PEM) of your company or provider"


def from_botocore(failure: BotoCoreError | ValueError, target: Target) -> StorageError:
    """Return the error for an exception of botocore other than an error response."""
    from botocore import exceptions as boto

    where = target.display_name
    unreachable = f"{where} cannot be reached"
    # botocore has no exception for an unsupported proxy scheme: urllib3's arrives within a plain HTTPClientError.
    if socks := _socks(failure):
        return socks
    # Subclasses before their bases: botocore's ReadTimeoutError is an HTTPClientError.
    meanings: tuple[tuple[type[Exception], Callable[[], StorageError]], ...] = (
        (boto.SSLError, lambda: tls_failed(where, failure, _AWS_CA_HINT)),
        (
            boto.EndpointConnectionError,
            lambda: Unreachable(f"{unreachable}: {_why_no_connection(failure)}", retry_for_s=BRIEF_S),
        ),
        (boto.ProxyConnectionError, lambda: proxy_failed(where, failure)),
        (
            boto.ConnectTimeoutError,
            lambda: Unreachable(f"{unreachable}: no answer in time", retry_for_s=MODERATE_S),
        ),
        (boto.ReadTimeoutError, lambda: Unreachable(f"{where} stopped answering", retry_for_s=UNTIL_BUDGET_S)),
        (boto.HTTPClientError, lambda: Unreachable(f"the connection to {where} broke", retry_for_s=UNTIL_BUDGET_S)),
    )
    for kind, error_for in meanings:
        if isinstance(failure, kind):
            return error_for()
    return _before_sending(failure, target)


def _before_sending(failure: Exception, target: Target) -> StorageError:
    reason = one_line(str(failure))
    return (
        _without_keys(failure, reason)
        or _with_bad_settings(failure, reason, target)
        or StorageFailed(
            f"{target.display_name} sent a response that is not S3's ({type(failure).__name__})",
            "check that the endpoint is the S3 API and not a web page of the provider",
            retry_for_s=BRIEF_S,
        )
    )


def _without_keys(failure: Exception, reason: str) -> StorageError | None:
    from botocore import exceptions as boto

    match failure:
        case boto.NoCredentialsError():
            return CredentialsMissing("no storage keys were given and none were found")
        case boto.SSOError() | boto.TokenRetrievalError():
            return CredentialsMissing(f"the AWS sign-in is not valid: {reason}", "sign in again: aws sso login")
        case boto.PartialCredentialsError() | boto.CredentialRetrievalError() | boto.MetadataRetrievalError():
            return CredentialsMissing(f"the storage keys cannot be read: {reason}")
    return None


def _with_bad_settings(failure: Exception, reason: str, target: Target) -> SettingsError | None:
    from botocore import exceptions as boto

    match failure:
        case boto.ProfileNotFound():
            return _no_profile(str(failure.kwargs.get("profile", "")))
        case boto.InvalidConfigError() | boto.ConfigParseError() | boto.ConfigNotFound():
            hint = "correct it in the AWS files: a role needs a source_profile that exists, or credential_source"
            return SettingsError(f"the AWS profile cannot be used: {reason}", hint, setting="profile")
        case boto.RefreshWithMFAUnsupportedError() | boto.UnknownCredentialError():
            hint = "use a profile without MFA, or put temporary keys into the environment"
            return SettingsError(f"the AWS profile cannot be used: {reason}", hint, setting="profile")
        case boto.InvalidRegionError():
            return SettingsError(f"region {target.region!r} is not a region's name", setting="region")
    if isinstance(failure, (boto.ParamValidationError, ValueError, *_conflicts())):
        hint = "check bucket, endpoint and addressing, and acceleration, FIPS and dual stack in the AWS files"
        return SettingsError(f"the storage settings do not fit together: {reason}", hint, setting="endpoint")
    return None


def _conflicts() -> tuple[type[Exception], ...]:
    """Return the exceptions that botocore raises for options that exclude each other."""
    from botocore import exceptions as boto

    return (
        boto.EndpointProviderError,
        boto.UnsupportedS3ConfigurationError,
        boto.InvalidS3AddressingStyleError,
        boto.InvalidEndpointConfigurationError,
        boto.InvalidDNSNameError,
    )


def _no_profile(name: str) -> SettingsError:
    name = name or profile_name(None)
    # The setting has priority, so a name that is in the environment may be in both.
    from_environment = profile_name(None) == name and profile_origin(None) != "the default"
    origin = f" (from {profile_origin(None)})" if from_environment else ""
    return SettingsError(
        f"the AWS profile {one_line(name)!r}{origin} is in neither AWS file",
        "use one that is in ~/.aws/config or ~/.aws/credentials (aws_profile, AWS_PROFILE), or set keys and endpoint",
        setting="profile",
    )


def tls_failed(where: str, failure: Exception, hint: str) -> TlsFailed:
    """Return the error for a failed TLS handshake; `hint` is for an unknown certificate authority."""
    text = str(failure)
    if "certificate verify failed" in text.lower().replace("_", " "):
        return TlsFailed(f"{where} has a certificate that is not trusted", hint)
    if any(sign in text for sign in ("WRONG_VERSION_NUMBER", "record layer failure", "HTTP_REQUEST")):
        return TlsFailed(f"{where} does not speak TLS", "use http:// in the endpoint, or the port that speaks https")
    # A connection that breaks during the handshake raises the same exception, and may be transient.
    return TlsFailed(f"no encrypted connection to {where}", hint, retry_for_s=BRIEF_S)


def proxy_failed(where: str, failure: Exception) -> Unreachable:
    """Return the error for a proxy that cannot be reached, or that refuses to connect, with its status."""
    variables = " and ".join(name for name in _PROXY_VARIABLES if os.environ.get(name)) or "the proxy settings"
    found = _TUNNEL.search(" ".join(_texts(failure)))
    if found is None:
        return Unreachable(
            f"{where} cannot be reached: the proxy does not answer", f"check {variables}", retry_for_s=BRIEF_S
        )
    status = one_line(found[1])
    hint = f"the proxy does not allow this host: ask its administrator, or set NO_PROXY; it is set by {variables}"
    if status.startswith("407"):
        hint = f"the proxy requires a user name and a password: add them to {variables}"
    return Unreachable(f"{where} cannot be reached: the proxy refuses (HTTP {status})", hint)


def socks_unavailable(reason: str) -> Unreachable:
    """Return the error for a SOCKS proxy that a library cannot use."""
    variables = " and ".join(name for name in _PROXY_VARIABLES if os.environ.get(name, "").lower().startswith("socks"))
    return Unreachable(
        f"{variables or 'the proxy settings'} name a SOCKS proxy, {reason}",
        "set HTTPS_PROXY and HTTP_PROXY to an http:// proxy, or NO_PROXY to the storage's host",
    )


def _socks(failure: Exception) -> Unreachable | None:
    text = " ".join(_texts(failure)).lower()
    if "proxy url had unsupported scheme" in text or "proxy url had no scheme" in text or "socks" in text:
        return socks_unavailable("which boto3 cannot use")
    return None


def _texts(failure: BaseException) -> Iterator[str]:
    """Yield the texts of an exception and of its causes; botocore keeps the original in `kwargs`."""
    seen: set[int] = set()
    causes: list[object] = [failure]
    while causes:
        cause = causes.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield str(cause)
            causes += [cause.__cause__, cause.__context__, getattr(cause, "kwargs", {}).get("error")]


def _why_no_connection(failure: Exception) -> str:
    cause: object = getattr(failure, "kwargs", {}).get("error")
    text = f"{type(cause).__name__} {cause}".lower()
    if "resol" in text or "getaddrinfo" in text or "gaierror" in text:
        return "its host name could not be resolved"
    return "the connection was refused" if "refused" in text else "no connection"
