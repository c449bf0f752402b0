"""What the service's answers and the network's failures mean, as one `StorageError` each.

Codes are those of the S3 API reference (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)
and of the providers' own pages where theirs differ.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from uploader.discretion import one_line
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
    TlsFailed,
    Unreachable,
    WrongKey,
    WrongRegion,
    WrongSecret,
)
from uploader.patience import BRIEF_S, LONG_S, SOME_S
from uploader.settings import Target

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

_WRONG_KEY = {"InvalidAccessKeyId", "InvalidAccessKey", "InvalidClientTokenId", "Unauthorized", "401"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken"}
_NOT_PERMITTED = {"AccessDenied", "AllAccessDisabled", "AccountProblem", "UnauthorizedAccess", "403"}
_MISSING = {"NoSuchKey", "NoSuchVersion", "404"}
_WRONG_REGION = {
    "PermanentRedirect",
    "TemporaryRedirect",
    "Redirect",
    "301",
    "302",
    "303",
    "307",
    "308",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "IllegalLocationConstraint",
    "InvalidRegionName",
}
_SKEWED = {"RequestTimeTooSkewed", "RequestIsExpired", "RequestExpired"}
_PASSES = {
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


def clock_skew_s(date_header: str | None) -> float | None:
    """This computer's clock minus that of an HTTP Date header's writer, in seconds, within about a second."""
    try:
        date = parsedate_to_datetime(date_header or "")
    except ValueError:
        return None
    # The header's resolution is one second, cut off: on average its writer's clock stood half a second later.
    return (datetime.now(UTC) - date.replace(tzinfo=date.tzinfo or UTC)).total_seconds() - 0.5


def skew_in_words(skew_s: float) -> str:
    """For example `this computer's clock is 37 min behind the service's`."""
    direction = "ahead of" if skew_s > 0 else "behind"
    return f"this computer's clock is {abs(skew_s) / 60:.0f} min {direction} the service's"


def from_service(answer: ClientError, target: Target) -> StorageError:
    """The error for an answer that the service gave."""
    error: dict[str, Any] = dict(answer.response.get("Error", {}))
    metadata: dict[str, Any] = dict(answer.response.get("ResponseMetadata", {}))
    code, status = one_line(str(error.get("Code", ""))), int(metadata.get("HTTPStatusCode") or 0)
    headers: dict[str, str] = metadata.get("HTTPHeaders") or {}
    if code == "404" and answer.operation_name in {"HeadBucket", "ListObjectVersions"}:
        code = "NoSuchBucket"  # an answer to HEAD has no body, hence no code
    right_region = headers.get("x-amz-bucket-region") or error.get("Region")
    meanings: tuple[tuple[set[str], Callable[[], StorageError]], ...] = (
        (_WRONG_REGION, lambda: wrong_region(target, right_region, code)),
        (_SKEWED, lambda: _clock_skewed(target, headers.get("date"), code)),
        (
            {code},
            lambda: _from_code(code, target) or _other(code, status, str(error.get("Message", "")), target),
        ),
    )
    found = next(error_for() for codes, error_for in meanings if code in codes)
    found.service_code = code or str(status)
    return found


def _from_code(code: str, target: Target) -> StorageError | None:
    where, bucket = target.shown, repr(target.bucket)
    meanings: tuple[tuple[set[str], Callable[[], StorageError]], ...] = (
        (_WRONG_KEY, lambda: WrongKey(f"{where} does not know the access key ({code})")),
        ({"SignatureDoesNotMatch"}, lambda: WrongSecret(f"{where} finds the signature wrong ({code})")),
        (_EXPIRED, lambda: CredentialsExpired(f"{where} finds the session token no longer valid ({code})")),
        ({"NoSuchBucket"}, lambda: NoSuchBucket(f"bucket {bucket} does not exist at {where}")),
        (_MISSING, lambda: ObjectMissing(f"the object is not in bucket {bucket} at {where}")),
        (
            {"InvalidBucketName"},
            lambda: BadBucketName(f"{where} refuses the bucket name {bucket}", setting="bucket"),
        ),
        (_NOT_PERMITTED, lambda: NotPermitted(f"{where} does not permit this in bucket {bucket} ({code})")),
        (
            {"BadDigest"},
            lambda: CorruptStored(f"{where} received other bytes than were sent", patience_s=SOME_S),
        ),
        (
            {"SecondLevelDomainForbidden"},
            lambda: SettingsError(
                f"{where} refuses path addressing", "Set addressing to virtual.", setting="addressing"
            ),
        ),
        (
            {"PublicEndpointForbidden"},
            lambda: NotPermitted(
                f"{where} is closed to this account ({code})", "Bind a domain of your own to the bucket."
            ),
        ),
    )
    return next((error_for() for codes, error_for in meanings if code in codes), None)


def _clock_skewed(target: Target, date_header: str | None, code: str) -> ClockSkewed:
    skew_s = clock_skew_s(date_header)
    told = f": {skew_in_words(skew_s)}" if skew_s is not None and abs(skew_s) >= 60 else ""
    return ClockSkewed(f"{target.shown} refused the request's time{told} ({code})")


def _other(code: str, status: int, said: str, target: Target) -> StorageFailed:
    passing = code in _PASSES or status == 429 or (status >= 500 and status != 501)
    said = one_line(said)
    return StorageFailed(
        f"{target.shown} answered {code or status}" + (f": {said}" if said else ""),
        "The service is busy or in trouble: try again later." if passing else None,
        patience_s=LONG_S if passing else 0.0,
    )


def wrong_region(target: Target, right: str | None, code: str) -> WrongRegion:
    """The error for a bucket that is elsewhere; `right` is its region, where that is known."""
    told = f": it is in {one_line(right)}" if right else ""
    hint = f"Set region to {one_line(right)}." if right else None
    return WrongRegion(f"bucket {target.bucket!r} is not in region {target.signing_region}{told} ({code})", hint)


def from_botocore(failure: BotoCoreError | ValueError, target: Target) -> StorageError:
    """The error for what failed on the way to the service."""
    from botocore import exceptions as boto

    where = target.shown
    unreachable = f"{where} cannot be reached"
    # Subclasses come before their bases.
    meanings: tuple[tuple[type[Exception], Callable[[], StorageError]], ...] = (
        (boto.SSLError, lambda: tls_failed(where, failure)),
        (
            boto.EndpointConnectionError,
            lambda: Unreachable(f"{unreachable}: {_why_no_connection(failure)}", patience_s=BRIEF_S),
        ),
        (
            boto.ProxyConnectionError,
            lambda: Unreachable(f"{unreachable}: the proxy does not answer", patience_s=BRIEF_S),
        ),
        (
            boto.ConnectTimeoutError,
            lambda: Unreachable(f"{unreachable}: nothing answers", patience_s=SOME_S),
        ),
        (boto.ReadTimeoutError, lambda: Unreachable(f"{where} stopped answering", patience_s=LONG_S)),
        (boto.HTTPClientError, lambda: Unreachable(f"the connection to {where} broke", patience_s=LONG_S)),
    )
    for kind, error_for in meanings:
        if isinstance(failure, kind):
            return error_for()
    return _before_sending(failure, target)


def _before_sending(failure: Exception, target: Target) -> StorageError:
    from botocore import exceptions as boto

    said = one_line(str(failure))
    match failure:
        case boto.NoCredentialsError():
            return CredentialsMissing("no storage keys were given and none were found")
        case boto.PartialCredentialsError() | boto.CredentialRetrievalError() | boto.SSOError():
            return CredentialsMissing(f"the storage keys cannot be read: {said}")
        case boto.ProfileNotFound() | boto.ConfigParseError() | boto.ConfigNotFound():
            return SettingsError(said, "Check profile, AWS_PROFILE and the AWS files.", setting="profile")
        case boto.InvalidRegionError():
            return SettingsError(f"region {target.region!r} is not a region's name", setting="region")
        case boto.ParamValidationError() | ValueError():
            return SettingsError(said, "Check bucket and endpoint.", setting="endpoint")
    return StorageFailed(
        f"{target.shown} gave an answer that is not S3's ({type(failure).__name__})",
        "Check that the endpoint is the S3 API and not a web page of the provider.",
        patience_s=BRIEF_S,
    )


def tls_failed(where: str, failure: Exception) -> TlsFailed:
    """The error for a failed handshake, with the reason in few words."""
    text = str(failure)
    if "certificate verify failed" in text.lower().replace("_", " "):
        return TlsFailed(f"{where} shows a certificate that is not trusted")
    if any(sign in text for sign in ("WRONG_VERSION_NUMBER", "record layer failure", "HTTP_REQUEST")):
        return TlsFailed(f"{where} does not speak TLS", "Use http:// in the endpoint, or the port that speaks https.")
    # A connection that is cut within the handshake looks like this too, and that may pass.
    return TlsFailed(f"no encrypted connection to {where}", patience_s=BRIEF_S)


def _why_no_connection(failure: Exception) -> str:
    cause: object = getattr(failure, "kwargs", {}).get("error")
    text = f"{type(cause).__name__} {cause}".lower()
    if "resol" in text or "getaddrinfo" in text or "gaierror" in text:
        return "its host name is not known"
    return "the connection is refused" if "refused" in text else "no connection"
