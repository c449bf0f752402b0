"""The storage: upload, presign, verify the link, delete."""

from __future__ import annotations

import io
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from uploader.addresses import require_public_host
from uploader.connection import Connection
from uploader.delete import delete_every_version
from uploader.errors import FileChanged, NotPermitted, StorageError, TlsFailed, Unreachable
from uploader.link_check import fetch_publicly
from uploader.results import Link, RoundTrip, Upload
from uploader.retry import MODERATE_S, RetryBudget
from uploader.service_errors import clock_skew_s, web_page, wrong_region
from uploader.settings import StorageSettings, target_of
from uploader.upload import VerifiedPut, new_key, require_content_type
from uploader.upload_body import Content, Progress, Uploadable, display_name, open_stream

_UNREACHABLE_HERE_HINT = (
    "check public_endpoint; if only this machine cannot reach it (docker, Kubernetes), set link_check to warn"
)
_PAUSE_AFTER_SILENCE_S = 30.0
"""After a delete without an answer, further deletes fail at once for this time."""


class Storage:
    """One bucket at one S3-compatible service. Safe to share between threads, which then share its connections."""

    def __init__(
        self,
        settings: StorageSettings,
        *,
        budget_s: float = 120.0,
        connect_timeout_s: float = 20.0,
        read_timeout_s: float = 60.0,
        delete_timeout_s: float = 15.0,
    ) -> None:
        """Check the settings; nothing is sent.

        Args:
            settings: Which storage.
            budget_s: Seconds within which the last try of one upload must begin.
            connect_timeout_s: Seconds for establishing a connection.
            read_timeout_s: Seconds without data from the service.
            delete_timeout_s: Seconds within which the last try of one delete must begin, and the most of these two
                timeouts for its requests. Shorter, because a caller waits for it after the work is done.

        Raises:
            SettingsError: A setting is missing, not valid, or contradicts another.

        >>> settings = StorageSettings("takes", "r2", endpoint="https://0123abc.r2.cloudflarestorage.com")
        >>> Storage(settings).place
        'https://0123abc.r2.cloudflarestorage.com/takes'
        """
        self._settings = settings
        self._target = target_of(settings)
        self._budget_s = budget_s
        self._connection = Connection(settings, self._target, connect_timeout_s, read_timeout_s)
        self._delete_budget_s = min(budget_s, delete_timeout_s)
        self._deletion = Connection(
            settings,
            self._target,
            min(connect_timeout_s, delete_timeout_s),
            min(read_timeout_s, delete_timeout_s),
            session_of=self._connection,
        )
        self._deletes_again_at = 0.0  # time.monotonic()
        self._put = VerifiedPut(self._connection, settings)
        self._bucket_checked = False

    def describe(self) -> dict[str, str | int | None]:
        """Return where uploads go, without secrets; `endpoint` is None if boto3 knows it (AWS)."""
        return {
            "provider": self._target.provider.name,
            "endpoint": self._target.endpoint,
            "public_endpoint": self._target.public_endpoint,
            "region": self._target.signing_region,
            "bucket": self._target.bucket,
            "addressing": self._target.addressing,
            "prefix": self._settings.prefix,
            "url_expires_s": self._settings.url_expires_s,
        }

    @property
    def place(self) -> str:
        """Endpoint and bucket, which identify where a key belongs."""
        return f"{self._target.endpoint or self._target.provider.name}/{self._target.bucket}"

    def require_public(self) -> None:
        """Refuse a public endpoint that is not publicly reachable, before anything is sent.

        Does nothing if the setting `public_only` is off. May resolve the host's name.

        Raises:
            UrlNotPublic: The service could not fetch links of this storage.
        """
        endpoint = self._target.public.endpoint
        if self._settings.public_only and endpoint is not None:
            require_public_host(urlsplit(endpoint).hostname or "")

    def upload(
        self,
        file: Uploadable,
        *,
        content_type: str,
        suffix: str,
        sha256: str | None = None,
        announce: Callable[[str], None] | None = None,
        progress: Progress | None = None,
    ) -> Upload:
        """Store a file under a new unguessable key, and verify what is stored.

        The object is private. It is streamed in one put, and never read into memory. The service compares the MD5 on
        arrival; the ETag (if it is an MD5) and the size are compared afterwards. If the upload fails after bytes were
        sent, what may have been stored is deleted if possible.

        Args:
            file: A path, the content itself as `bytes`, or a binary file object. A seekable one is sent completely, and
                its position is restored; any other is read from its position to the end, into a temporary file.
            content_type: The media type to serve it with, such as `audio/mp4`.
            suffix: The key's ending, such as `.m4a`.
            sha256: Hex digest that the file must still have.
            announce: Called with the object's key before anything is sent, so that it can be recorded; an exception
                that it raises ends the upload.
            progress: Called with the bytes sent so far and the total; must not raise.

        Raises:
            TypeError: `file` is none of these, or is opened in text mode.
            ValueError: `file` is a file object that is closed or not open for reading.
            FileUnreadable: The file is missing, empty, not a regular file, or not permitted.
            FileChanged: The file does not have that digest, or changed while it was being sent.
            StorageError: The storage failed; transient failures were retried within the budget.
        """
        require_content_type(content_type)
        key = new_key(self._settings.prefix, suffix)
        with open_stream(file) as stream:
            content = Content(stream, display_name(file), progress)
            if sha256 is not None and content.fingerprint.sha256 != sha256.lower():
                raise FileChanged(f"{display_name(file)} is no longer the file that was checked")
            if announce is not None:
                announce(key)
            return self._store(key, content, content_type)

    def presign(self, upload: Upload) -> Link:
        """Return a URL with which anyone can fetch the object until it expires. Nothing is sent to the storage.

        Raises:
            CredentialsMissing: No keys were given and none were found.
            SettingsError: The AWS profile or its options cannot be used.
        """
        expires_s = self._settings.url_expires_s
        # X-Amz-Date has whole seconds, and the expiry counts from it.
        signed_at = datetime.now(UTC).replace(microsecond=0)
        url = self._connection.sign(upload.key, expires_s)
        expires_at = signed_at + timedelta(seconds=expires_s)
        keys_expire_at = self._connection.keys_expire_at(expires_s)
        if keys_expire_at is None or keys_expire_at >= expires_at:
            return Link(url, expires_at)
        warning = (
            f"the storage keys are temporary and expire at {keys_expire_at:%H:%M} UTC: the link expires with them, "
            f"before the {expires_s} s of url_expires_s"
        )
        return Link(url, keys_expire_at.replace(microsecond=0), (warning,))

    def verify_link(self, link: Link, upload: Upload) -> tuple[str, ...]:
        """Fetch the first bytes as the service would, without keys, and compare them and the size.

        A link that is not visible yet is retried for some seconds. Nothing is fetched if `link_check` is `off`.

        Returns:
            Warnings: another content type, or (`link_check` is `warn`) that this machine cannot fetch the link.

        Raises:
            UrlNotPublic: The host is not publicly reachable (unless `public_only` is off).
            LinkRefused: The fetch was refused, or the link serves something else.
            ClockSkewed: It was refused, and this computer's clock is off.
            Unreachable: No connection, no answer in time, or a proxy refused.
            TlsFailed: No trusted encrypted connection.
        """
        public_only = self._settings.public_only
        if public_only:
            require_public_host(urlsplit(link.url).hostname or "")
        if self._settings.link_check == "off":
            return ()
        budget = RetryBudget(min(self._budget_s, MODERATE_S))
        try:
            return budget.call(lambda: fetch_publicly(link.url, upload, trust_own_authorities=not public_only))
        except (Unreachable, TlsFailed) as error:
            if self._settings.link_check == "warn":
                return (f"the link could not be checked from this machine: {error.message}",)
            if self._target.public_endpoint is not None:
                error.hint = "; ".join(part for part in (error.hint, _UNREACHABLE_HERE_HINT) if part)
            raise
        except StorageError as error:
            self._connection.redacted(error)  # a refusal may quote the access key id
            raise

    def delete(self, upload: Upload | str) -> None:
        """Delete the object with every version, and verify that it is gone. Deleting twice is harmless.

        In a bucket with versions the storage keys need permission to list and delete them. Without the permission to
        list, versions that retries created cannot be found.

        After a delete that got no answer, those of the next half minute fail at once: each would wait as long.

        Args:
            upload: The result of `upload`, or the object's key.

        Raises:
            ObjectLocked: An object lock or a retention rule protects it.
            StorageError: It could not be deleted, or still exists.
        """
        key, version_id = (upload, None) if isinstance(upload, str) else (upload.key, upload.version_id)
        self._delete(key, version_id, self._delete_budget_s)

    def round_trip(self) -> RoundTrip:
        """Upload 256 random bytes, fetch them without keys, and delete them.

        Raises:
            StorageError: The first step that failed.
        """
        started = time.monotonic()
        content = Content(io.BytesIO(secrets.token_bytes(256)), "the test object")
        upload = self._store(new_key(self._settings.prefix, ".bin"), content, "application/octet-stream")
        try:
            link = self.presign(upload)
            warnings = (*link.warnings, *self.verify_link(link, upload))
        finally:
            self.delete(upload)
        return RoundTrip(time.monotonic() - started, upload.clock_skew_s, warnings)

    def _store(self, key: str, content: Content, content_type: str) -> Upload:
        budget = RetryBudget(self._budget_s)
        self._require_bucket(budget)
        try:
            stored = self._put.put(key, content, content_type, budget)
        except BaseException as error:  # also KeyboardInterrupt: the object may be stored
            # A put whose answer is lost may have succeeded.
            if content.was_sent:
                self._delete_leftover(key, error)
            raise
        date = stored["ResponseMetadata"]["HTTPHeaders"].get("date")
        fingerprint = content.fingerprint
        return Upload(
            key=key,
            bytes=fingerprint.bytes,
            md5=fingerprint.md5,
            sha256=fingerprint.sha256,
            version_id=stored.get("VersionId"),
            content_type=content_type,
            first_bytes=fingerprint.first_bytes,
            clock_skew_s=clock_skew_s(date),
        )

    def _delete(self, key: str, version_id: str | None, budget_s: float) -> None:
        if time.monotonic() < self._deletes_again_at:
            raise Unreachable(f"{self._target.display_name} did not answer an earlier delete")
        try:
            delete_every_version(self._deletion, key, version_id, RetryBudget(budget_s))
        except Unreachable:
            self._deletes_again_at = time.monotonic() + _PAUSE_AFTER_SILENCE_S
            raise

    def _delete_leftover(self, key: str, error: BaseException) -> None:
        """Delete what a failed upload may have stored; if that fails too, mark the error."""
        try:
            self._delete(key, None, 0)
        except StorageError:
            if isinstance(error, StorageError):
                error.left_behind = True

    def _require_bucket(self, budget: RetryBudget) -> None:
        """Check once that the bucket exists: SeaweedFS creates a missing one on the first put with an admin key."""
        if self._bucket_checked:
            return
        bucket, prefix = self._target.bucket, self._settings.prefix
        with suppress(NotPermitted):  # head_bucket may be 403 for a key with few permissions; the put decides
            answer: dict[str, Any] = budget.call(
                lambda: self._connection.call(
                    lambda c: dict(c.head_bucket(Bucket=bucket)),
                    with_body=lambda c: c.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1),
                )
            )
            # A console or a sign-in page answers 200 to every HEAD, which botocore accepts as success.
            if "html" in answer["ResponseMetadata"]["HTTPHeaders"].get("content-type", ""):
                raise web_page(self._target)
            # botocore follows AWS's redirects to the right region, but presigned URLs would sign the wrong one.
            region = answer.get("BucketRegion")
            if self._target.provider.name == "aws" and region not in {None, self._target.signing_region}:
                raise wrong_region(self._target, region, "x-amz-bucket-region")
        self._bucket_checked = True
