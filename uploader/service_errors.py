"""Error responses of the service as a `StorageError`, with the service's own message.

Codes: the S3 API reference (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html), and the providers'
own pages where theirs differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from uploader.error_body import ErrorBody
from uploader.errors import (
    BadBucketName,
    ClockSkewed,
    CorruptStored,
    CredentialsExpired,
    CredentialsMissing,
    NoSuchBucket,
    NotPermitted,
    ObjectMissing,
    SettingsError,
    StorageError,
    StorageFailed,
    Unreachable,
    WrongKey,
    WrongRegion,
    WrongSecret,
)
from uploader.redaction import one_line, without_query
from uploader.retry import MODERATE_S, UNTIL_BUDGET_S, retry_after_s
from uploader.settings import Target

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

ERROR_BODY: Final = "UploaderErrorBody"
"""The key of the `ErrorBody` in a parsed response of botocore."""
UNEXPECTED_STATUS: Final = "UploaderUnexpectedStatus"
"""The key of the HTTP status, which means success, of a response whose body is not one of the S3 API."""
_BUCKET_OPERATIONS = {"HeadBucket", "ListObjectVersions", "ListObjectsV2"}
# STS and SSO issue temporary keys while a request is being signed: their refusals are not the storage's.
_KEY_OPERATIONS = {"AssumeRole", "AssumeRoleWithWebIdentity", "GetRoleCredentials", "GetSessionToken", "CreateToken"}
_WRONG_KEY = {"InvalidAccessKeyId", "InvalidAccessKey", "InvalidClientTokenId", "Unauthorized", "401"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken"}
_NOT_PERMITTED = {"AccessDenied", "AllAccessDisabled", "AccountProblem", "UnauthorizedAccess", "403"}
_MISSING = {"NoSuchKey", "NoSuchVersion", "404"}
_WRONG_REGION = {
    *("PermanentRedirect", "TemporaryRedirect", "Redirect", "AuthorizationHeaderMalformed"),
    *("IllegalLocationConstraintException", "IllegalLocationConstraint", "InvalidRegionName"),
}
# S3 and OSS: RequestTimeTooSkewed, for a difference of more than 15 minutes. COS: RequestIsExpired.
_SKEWED = {"RequestTimeTooSkewed", "RequestIsExpired", "RequestExpired"}
# Codes whose description asks to repeat the request.
_TRANSIENT = {
    "SlowDown",
    "RequestTimeout",
    "RequestTimeoutException",
    "IncompleteBody",
    "InternalError",
    "ServiceUnavailable",
    "OperationAborted",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "RequestLimitExceeded",
}
# OSS's code is SecondLevelDomainForbidden; other services have other codes, but their messages name the style.
# 507: Insufficient Storage (RFC 4918, 11.5). The codes are of MinIO, Ceph, SeaweedFS, Backblaze and OSS.
_FULL = re.compile(r"(?i)^507|StorageFull|Quota|InsufficientStorage|storage_cap")
_PATH_STYLE = re.compile(r"(?i)SecondLevelDomainForbidden|path[- ]?style")
_NOT_S3_HINT = (
    "this is not a response of the S3 API, but of a proxy, a firewall, a console or a web server: check the endpoint, "
    "and HTTP_PROXY, HTTPS_PROXY and NO_PROXY"
)
_ENCRYPTION_HINT = (
    "a policy denies it: if it requires server-side encryption, set sse to AES256, or to aws:kms with sse_kms_key_id"
)


class _Refusal(NamedTuple):
    """One refusal: S3's code (or the status as digits), the HTTP status, code and message, and its headers."""

    code: str
    status: int
    text: str
    headers: dict[str, str]
    region: str | None
    is_s3: bool


def clock_skew_s(date_header: str | None) -> float | None:
    """Return this computer's clock minus that of the sender of an HTTP Date header, in seconds, to about one second."""
    try:
        date = parsedate_to_datetime(date_header or "")
    except ValueError:
        return None
    # The header is truncated to whole seconds (RFC 9110, 5.6.7): on average the sender's clock was half a second later.
    return (datetime.now(UTC) - date.replace(tzinfo=date.tzinfo or UTC)).total_seconds() - 0.5


def describe_skew(skew_s: float) -> str:
    """Describe a clock skew.

    >>> describe_skew(-2220)
    "this computer's clock is 37 min behind the service's"
    """
    direction = "ahead of" if skew_s > 0 else "behind"
    return f"this computer's clock is {abs(skew_s) / 60:.0f} min {direction} the service's"


def is_explained(answer: ClientError) -> bool:
    """Return whether a refusal has a code or a message besides its status."""
    body = _error_body(answer)
    return body is not None and bool(body.code or body.message)


def is_unsupported(answer: ClientError) -> bool:
    """Return whether an S3 service says that it does not implement this kind of request."""
    body = _error_body(answer)
    status = answer.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return body is not None and bool(body.code) and status in {405, 501}


def _error_body(answer: ClientError) -> ErrorBody | None:
    body: Any = answer.response.get(ERROR_BODY)
    return body if isinstance(body, ErrorBody) else None


def from_response(answer: ClientError, target: Target) -> StorageError:
    """Return the error for an error response."""
    refusal = _read(answer)
    if (unexpected := answer.response.get(UNEXPECTED_STATUS)) is not None:
        text = refusal.text.removeprefix("500: ")
        is_page = "html" in refusal.headers.get("content-type", "")
        return web_page(target, text) if is_page else not_s3(target, f"HTTP {unexpected} and: {text}")
    if answer.operation_name in _KEY_OPERATIONS:
        found: StorageError = CredentialsMissing(
            f"no temporary keys: {answer.operation_name} was refused ({refusal.text})",
            "check the role and its source profile in the AWS files, or sign in again",
        )
    else:
        found = _meaning(refusal, target)
    found.service_code = refusal.code or str(refusal.status)
    return found


def _read(answer: ClientError) -> _Refusal:
    error: dict[str, Any] = dict(answer.response.get("Error", {}))
    metadata: dict[str, Any] = dict(answer.response.get("ResponseMetadata", {}))
    kept = _error_body(answer)
    body = kept or ErrorBody("", "")
    status = int(metadata.get("HTTPStatusCode") or 0)
    headers: dict[str, str] = metadata.get("HTTPHeaders") or {}
    code = body.code or one_line(str(error.get("Code", ""))) or str(status)
    if kept is None and error.get("Message"):  # from STS or SSO, whose responses botocore has parsed
        body = ErrorBody(code, one_line(str(error["Message"])))
    if code == "404" and not body.message and answer.operation_name in _BUCKET_OPERATIONS:
        code = "NoSuchBucket"  # a response to HEAD has no body, and therefore no code
    text = f"{code}: {body.message}" if body.message and body.message != code else code
    region = headers.get("x-amz-bucket-region") or error.get("Region")
    # S3 sends x-amz-request-id with every response; a proxy, firewall or web server does not.
    is_s3 = bool(body.code) or "x-amz-request-id" in headers or "x-amz-bucket-region" in headers
    return _Refusal(code, status, text, headers, region, is_s3)


def _meaning(refusal: _Refusal, target: Target) -> StorageError:
    code, where = refusal.code, target.display_name
    if code in _SKEWED:
        return _clock_skewed(target, refusal)
    if code in _WRONG_REGION or 300 <= refusal.status < 400:
        return _redirected(refusal, target)
    if refusal.status == 407:
        return Unreachable(
            f"the proxy for {where} refuses the request (HTTP {refusal.text})",
            "the proxy requires a user name and a password: add them to HTTPS_PROXY or HTTP_PROXY",
        )
    if code.isdigit() and not refusal.is_s3 and (refusal.status in {401, 403, 405} or refusal.text != code):
        # A proxy's or firewall's 403 says nothing about a key's permissions. A bare 404 is HEAD's for a missing object.
        return _other(refusal, target)
    if target.addressing == "path" and _PATH_STYLE.search(refusal.text):
        message = f"{where} refuses path addressing ({refusal.text})"
        return SettingsError(message, "set addressing to virtual", setting="addressing")
    return _from_code(refusal, target) or _other(refusal, target)


def _from_code(refusal: _Refusal, target: Target) -> StorageError | None:
    where, bucket, text = target.display_name, repr(target.bucket), refusal.text
    meanings: tuple[tuple[set[str], Callable[[], StorageError]], ...] = (
        (_WRONG_KEY, lambda: WrongKey(f"{where} does not know the access key ({text})")),
        ({"SignatureDoesNotMatch"}, lambda: _wrong_secret(target, text)),
        (_EXPIRED, lambda: CredentialsExpired(f"{where} refuses the session token ({text})")),
        ({"NoSuchBucket"}, lambda: NoSuchBucket(f"bucket {bucket} does not exist at {where} ({text})")),
        (_MISSING, lambda: ObjectMissing(f"the object is not in bucket {bucket} at {where} ({text})")),
        (
            {"InvalidBucketName"},
            lambda: BadBucketName(f"{where} refuses the bucket name {bucket} ({text})", setting="bucket"),
        ),
        (_NOT_PERMITTED, lambda: _not_permitted(target, text)),
        (
            {"BadDigest"},
            lambda: CorruptStored(f"{where} received different bytes than were sent ({text})", retry_for_s=MODERATE_S),
        ),
        (
            {"PublicEndpointForbidden"},
            lambda: NotPermitted(
                f"{where} is not available to this account ({text})",
                "bind your own domain to the bucket, and set the endpoint (s3_endpoint) to that domain",
            ),
        ),
    )
    return next((error_for() for codes, error_for in meanings if refusal.code in codes), None)


def _not_permitted(target: Target, text: str) -> NotPermitted:
    hint = _ENCRYPTION_HINT if "explicit deny" in text or "encryption" in text.lower() else None
    return NotPermitted(f"{target.display_name} does not permit this in bucket {target.bucket!r} ({text})", hint)


def _wrong_secret(target: Target, text: str) -> WrongSecret:
    hint = None
    if urlsplit(target.endpoint or "").path.strip("/"):
        hint = (
            "check the secret access key; if it is correct, a reverse proxy in front of the storage changes host or "
            "path, which are signed: it must pass both on unchanged"
        )
    return WrongSecret(f"{target.display_name} refuses the signature ({text})", hint)


def _clock_skewed(target: Target, refusal: _Refusal) -> ClockSkewed:
    skew_s = clock_skew_s(refusal.headers.get("date"))
    by = f": {describe_skew(skew_s)}" if skew_s is not None and abs(skew_s) >= 60 else ""
    return ClockSkewed(f"{target.display_name} refused the request's time{by} ({refusal.text})")


def _redirected(refusal: _Refusal, target: Target) -> StorageError:
    """Explain a redirect: S3's names a region; that of a web server in front of it, another scheme or host."""
    location = urlsplit(refusal.headers.get("location", ""))
    here = urlsplit(target.endpoint or "https://")
    if not refusal.is_s3 and here.scheme == "http" and location.scheme == "https":
        secure = location.netloc.rpartition("@")[2].removeprefix(f"{target.bucket}.")
        return SettingsError(
            f"{target.display_name} answers only over https (HTTP {refusal.status} to https://)",
            f"use https:// in the endpoint: {one_line(f'https://{secure}{here.path}')}",
            setting="endpoint",
        )
    if not refusal.is_s3 and location.path and location.hostname in {None, here.hostname}:
        return not_s3(target, f"HTTP {refusal.status}, a redirect to {one_line(location.path)}")
    if not refusal.is_s3 and location.hostname:
        to = one_line(without_query(f"{location.scheme}://{location.netloc.rpartition('@')[2]}"))
        return SettingsError(
            f"{target.display_name} redirects to {to} (HTTP {refusal.status})",
            "use the endpoint of the S3 API itself, not an address that redirects to it or to a sign-in page",
            setting="endpoint",
        )
    return wrong_region(target, refusal.region, refusal.text)


def _other(refusal: _Refusal, target: Target) -> StorageFailed:
    code, status = refusal.code, refusal.status
    is_transient = code in _TRANSIENT or status == 429 or (status >= 500 and status != 501)
    wait_s = retry_after_s(refusal.headers.get("retry-after", "")) if is_transient else 0.0
    when = f"in {wait_s:.0f} s" if wait_s else "later"
    hint = f"the service is overloaded or failing: try again {when}" if is_transient else None
    if _FULL.search(f"{status} {code}"):
        hint = "the storage is full, or its quota is used up: free space there, or raise the quota"
        is_transient = False
    elif status == 413 or code == "EntityTooLarge":
        hint = "the storage, or a proxy in front of it, limits the size of uploads: raise that limit"
    elif "API port" in refusal.text:
        hint = "this is MinIO's console: use the port of its S3 API in the endpoint (usually 9000)"
    elif not is_transient and code.isdigit() and not refusal.is_s3:
        hint = _NOT_S3_HINT
    error = StorageFailed(f"{target.display_name} answered {refusal.text}", hint)
    error.retry_for_s, error.retry_after_s = UNTIL_BUDGET_S if is_transient else 0.0, wait_s
    return error


def wrong_region(target: Target, right: str | None, text: str) -> WrongRegion:
    """Return the error for a bucket in another region; `right` is its region, if that is known."""
    there = f": it is in {one_line(right)}" if right else ""
    hint = f"set region to {one_line(right)}" if right else None
    return WrongRegion(f"bucket {target.bucket!r} is not in region {target.signing_region}{there} ({text})", hint)


def not_s3(target: Target, what: str) -> StorageFailed:
    """Return the error for a response that is not one of the S3 API; `what` completes "answered"."""
    return StorageFailed(f"{target.display_name} answered {what}", _NOT_S3_HINT)


def web_page(target: Target, title: str = "") -> StorageFailed:
    """Return the error for a service that answers with a web page."""
    return StorageFailed(
        f"{target.display_name} answers with a web page, so it is not the S3 API" + (f": {title}" if title else ""),
        "use the address and port of the S3 API in the endpoint (MinIO: usually 9000; its console has another port)",
    )
