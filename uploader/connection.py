"""One boto3 client for one target; its exceptions become a `StorageError`.

::

    Storage -> RetryBudget.call -> Connection.call -> boto3 client (one attempt) -> urllib3 -> service
                  ^                     |
                  |                     ClientError (an answer)     -> service_errors.from_response
                  +-- StorageError <--- BotoCoreError (no answer)   -> transport_errors.from_botocore
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from uploader.error_body import is_s3_document, read_error_body
from uploader.errors import NotPermitted, StorageError
from uploader.redaction import redact_logs, without_secrets
from uploader.service_errors import ERROR_BODY, UNEXPECTED_STATUS, from_response, is_explained, is_unsupported, not_s3
from uploader.session import new_client, new_session
from uploader.settings import StorageSettings, Target
from uploader.transport_errors import from_botocore
from uploader.upload_body import Content

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.exceptions import ClientError
    from mypy_boto3_s3 import S3Client

_log = logging.getLogger("uploader")
_Result = TypeVar("_Result")
_STARTED = "uploader_started"


class Connection:
    """One client for one target, created at the first request. Safe to share between threads.

    Args:
        settings: Which storage.
        target: What the settings lead to.
        connect_timeout_s: Seconds for establishing a connection.
        read_timeout_s: Seconds without data from the service.
        session_of: A connection with the same settings, whose session is used: a session of its own would read the
            files of AWS again.
    """

    def __init__(
        self,
        settings: StorageSettings,
        target: Target,
        connect_timeout_s: float,
        read_timeout_s: float,
        session_of: Connection | None = None,
    ) -> None:
        self.target = target
        self._session_of = session_of
        self._settings = settings
        self._timeouts = {"connect_timeout": connect_timeout_s, "read_timeout": read_timeout_s}
        self._creating = threading.Lock()
        self._session: Session | None = None
        self._client: S3Client | None = None
        self._signer: S3Client | None = None

    def call(
        self, request: Callable[[S3Client], _Result], *, with_body: Callable[[S3Client], object] | None = None
    ) -> _Result:
        """Make one request, and return its result.

        Args:
            request: Calls one method of the client.
            with_body: For a HEAD request: an equivalent request whose response has a body. It is made if `request` is
                refused, because the response to HEAD has only a status (RFC 9110, 9.3.2).

        Raises:
            StorageError: The request failed. botocore's exception, whose text may contain URLs, is not its context.
        """
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        client, _ = self._clients()
        failure: StorageError
        try:
            return request(client)
        except ClientError as answer:
            failure = self._refusal(client, answer, with_body)
        except BotoCoreError as cause:
            failure = from_botocore(cause, self.target)
        except (ResponseParserError, ValueError) as cause:  # a length or a date that is not one, XML that is not S3's
            failure = not_s3(self.target, f"a response that cannot be read ({type(cause).__name__})")
        raise self.redacted(failure)

    def sign(self, key: str, expires_s: int) -> str:
        """Return a presigned URL for an object at the public endpoint. Only finding keys may send a request.

        Raises:
            StorageError: There are no keys, or the settings cannot be used.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        _, signer = self._clients()
        failure: StorageError
        parameters = {"Bucket": self.target.bucket, "Key": key}
        try:
            return signer.generate_presigned_url("get_object", parameters, ExpiresIn=expires_s)
        except ClientError as answer:  # from the service that issues temporary keys
            failure = from_response(answer, self.target)
        except BotoCoreError as cause:
            failure = from_botocore(cause, self.target)
        raise self.redacted(failure)

    def keys_expire_at(self, within_s: int) -> datetime | None:
        """Return when the signing keys expire (UTC), if that is known and within `within_s` seconds from now."""
        now = datetime.now(UTC)
        if self._settings.keys_expire_at is not None:
            expiry = self._settings.keys_expire_at.astimezone(UTC)
            return expiry if expiry < now + timedelta(seconds=within_s) else None
        self._clients()
        credentials = self._session.get_credentials() if self._session and not self._settings.access_key_id else None
        # Only refreshable credentials have `refresh_needed`, which returns whether they expire within so many seconds.
        # botocore has no public attribute for the expiry itself, so a binary search finds it.
        expires_within: Callable[[int], bool] | None = getattr(credentials, "refresh_needed", None)
        if expires_within is None or not expires_within(within_s):
            return None
        low, high = 0, within_s
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if expires_within(middle) else (middle, high)
        return now + timedelta(seconds=low)

    def _refusal(
        self, client: S3Client, answer: ClientError, with_body: Callable[[S3Client], object] | None
    ) -> StorageError:
        """Return the error for a refused request; repeat a HEAD as GET if that may explain more."""
        from botocore.exceptions import BotoCoreError, ClientError

        status = answer.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0
        if with_body is None or is_explained(answer) or not _needs_explanation(answer.operation_name, status):
            return from_response(answer, self.target)
        # A HEAD response has no body: an expired token, a wrong addressing style or a console's port are a bare 400.
        try:
            with_body(client)
        except ClientError as second:
            if is_explained(second) and not is_unsupported(second):
                return from_response(second, self.target)
            is_s3 = is_unsupported(second)
        except BotoCoreError:
            is_s3 = False  # the first answer counts
        else:
            is_s3 = True
        if is_s3 and status == 403:
            return NotPermitted(f"{self.target.display_name} does not permit HEAD in bucket {self.target.bucket!r}")
        return from_response(answer, self.target)

    def session(self) -> Session | None:
        """Return the session, which is created together with the client; raises as `call`."""
        self._clients()
        return self._session

    def _clients(self) -> tuple[S3Client, S3Client]:
        from botocore.exceptions import BotoCoreError, ClientError

        # boto3 clients are safe to share between threads; creating sessions and clients is not.
        with self._creating:
            failure: StorageError
            try:
                if self._client is None or self._signer is None:
                    self._client, self._signer = self._create_clients()
            except ClientError as answer:
                failure = from_response(answer, self.target)
            except (BotoCoreError, ValueError) as cause:
                failure = from_botocore(cause, self.target)
            else:
                return self._client, self._signer
            raise self.redacted(failure)

    def redacted(self, failure: StorageError) -> StorageError:
        """Remove the keys from the message of an error, and return the error."""
        settings = self._settings
        secrets = (settings.secret_access_key, settings.session_token, settings.access_key_id)
        failure.message = without_secrets(failure.message, secrets)
        failure.args = (failure.message,)
        return failure

    def _create_clients(self) -> tuple[S3Client, S3Client]:
        redact_logs()
        shared = self._session_of.session() if self._session_of else None
        self._session = session = shared or new_session(self._settings)
        client = new_client(session, self._settings, self.target, **self._timeouts)
        client.meta.events.register("before-send.s3.PutObject", _start_body)
        client.meta.events.register("before-call.s3", _start_request)
        # Wildcards are called first: before botocore's own handler, which makes 500 of what it cannot parse.
        client.meta.events.register("before-parse.*.*", _keep_error_body)
        client.meta.events.register("after-call.s3", _log_answer)
        if self.target.public_endpoint is None:
            return client, client
        # A second client: a signature covers the host, so the host of a signed URL cannot be replaced afterwards.
        return client, new_client(session, self._settings, self.target.public)


def _needs_explanation(operation: str, status: int) -> bool:
    """Return whether a status alone is unclear. 404 for an object is clear, and redirects have a header."""
    return 400 <= status < 500 and not (operation == "HeadObject" and status == 404)


def _start_request(context: dict[str, Any], **_: object) -> None:
    # Claim that a redirect was followed: botocore would otherwise search for the right region by itself, and loop
    # forever if the service does not name one.
    context.setdefault("s3_redirect", {})["redirected"] = True
    context[_STARTED] = time.monotonic()


def _keep_error_body(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    # botocore parses only S3's XML, and drops web pages, JSON and plain text.
    status, headers = response_dict.get("status_code", 0), response_dict["headers"]
    body = response_dict.get("body")
    content = body if isinstance(body, bytes) else b""  # that of an object is a stream
    if status < 300 and content.strip() and not is_s3_document(content):
        if headers.get("etag") and not _is_page(content, headers):
            response_dict["body"] = b""  # a success with a remark such as "OK"
            return
        response_dict["status_code"] = 500  # as botocore does if it finds an error in a response with status 200
        customized_response_dict[UNEXPECTED_STATUS] = status
    if status >= 300 or UNEXPECTED_STATUS in customized_response_dict:
        content_type = str(headers.get("content-type", ""))
        customized_response_dict[ERROR_BODY] = read_error_body(content, content_type)


def _is_page(content: bytes, headers: Any) -> bool:
    return "html" in str(headers.get("content-type", "")).lower() or content.lstrip()[:1] == b"<"


def _log_answer(http_response: Any, model: Any, context: dict[str, Any], **_: object) -> None:
    _log.debug("%s: %d, %.2f s", model.name, http_response.status_code, time.monotonic() - context[_STARTED])


def _start_body(request: Any, **_: object) -> None:
    # before-send is the last event before the body is read for sending: earlier reads were for the signature.
    body = getattr(request, "body", None)
    if isinstance(body, Content):
        body.start_sending()
        if not body.expects_continue:
            del request.headers["Expect"]
