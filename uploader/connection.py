"""boto3's client, set up for every S3-compatible service, and its failures in our terms."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from uploader.answers import from_botocore, from_service
from uploader.discretion import keep_logs_discreet
from uploader.errors import CredentialsMissing, StorageError
from uploader.settings import StorageSettings, Target

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_log = logging.getLogger("uploader")
_Answer = TypeVar("_Answer")
_BEGUN = "uploader_begun"


class Connection:
    """One client for one target, opened at the first request. Threads may share it."""

    def __init__(
        self, settings: StorageSettings, target: Target, connect_timeout_s: float, read_timeout_s: float
    ) -> None:
        self.target = target
        self._settings = settings
        self._timeouts: dict[str, Any] = {
            "connect_timeout": connect_timeout_s,
            "read_timeout": read_timeout_s,
        }
        self._opening = threading.Lock()
        self._client: S3Client | None = None

    def ask(self, request: Callable[[S3Client], _Answer]) -> _Answer:
        """What `request` returns for the client.

        Raises:
            StorageError: Whatever failed; nothing of botocore, whose texts may hold URLs, hangs on to it.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        client = self._opened()
        failure: StorageError
        try:
            return request(client)
        except ClientError as answer:
            failure = from_service(answer, self.target)
        except BotoCoreError as cause:
            failure = from_botocore(cause, self.target)
        raise failure

    def _opened(self) -> S3Client:
        from botocore.exceptions import BotoCoreError

        with self._opening:
            failure: StorageError
            try:
                if self._client is None:
                    self._client = self._open()
            except (BotoCoreError, ValueError) as cause:
                failure = from_botocore(cause, self.target)
            else:
                return self._client
            raise failure

    def _open(self) -> S3Client:
        import boto3.session
        from botocore.config import Config

        keep_logs_discreet()
        settings = self._settings
        session = boto3.session.Session(profile_name=settings.profile)
        if settings.access_key_id is None and session.get_credentials() is None:
            raise CredentialsMissing("no storage keys were given and none were found")
        config: dict[str, Any] = {
            # boto3 presigns with Signature V2 otherwise, for custom endpoints and us-east-1.
            "signature_version": "s3v4",
            # R2, B2, GCS and older MinIO refuse the headers of the default.
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
            # Patience repeats, under one budget.
            "retries": {"total_max_attempts": 1, "mode": "standard"},
            # Content-MD5, which is signed, tells the service what to expect: a second digest of the whole is of no use.
            "s3": {"addressing_style": self.target.addressing, "payload_signing_enabled": False},
            # The settings have looked at them already.
            "ignore_configured_endpoint_urls": True,
        }
        client = session.client(
            "s3",
            region_name=self.target.signing_region,
            endpoint_url=self.target.endpoint,
            aws_access_key_id=settings.access_key_id,
            aws_secret_access_key=settings.secret_access_key,
            aws_session_token=settings.session_token,
            config=Config(**config, **self._timeouts),
        )
        client.meta.events.register("before-send.s3.PutObject", _tell_body)
        client.meta.events.register("before-call.s3", _begin)
        client.meta.events.register("after-call.s3", _log_answer)
        return client


def _begin(context: dict[str, Any], **_: object) -> None:
    # botocore would look for the right region by itself, and without end where the service names none
    context.setdefault("s3_redirect", {})["redirected"] = True
    context[_BEGUN] = time.monotonic()


def _log_answer(http_response: Any, model: Any, context: dict[str, Any], **_: object) -> None:
    _log.debug("%s: %d, %.2f s", model.name, http_response.status_code, time.monotonic() - context[_BEGUN])


def _tell_body(request: object, **_: object) -> None:
    # The last moment before the body is read for the wire: what was read until now was for the signature.
    start_sending = getattr(getattr(request, "body", None), "start_sending", None)
    if start_sending is not None:
        start_sending()
