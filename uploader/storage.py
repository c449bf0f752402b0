"""The storage: put, presign, fetch publicly, delete."""

from __future__ import annotations

import io
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from uploader.connection import Connection
from uploader.content import Content, Progress
from uploader.deletion import delete_every_version
from uploader.errors import FileChanged, NotPermitted, StorageError, TlsFailed, Unreachable
from uploader.hosts import require_public_host
from uploader.keys import new_key, require_content_type
from uploader.public_fetch import fetch_publicly
from uploader.put import Uploads
from uploader.results import Link, RoundTrip, Upload
from uploader.retry import SOME_S, RetryBudget
from uploader.service_errors import clock_skew_s, web_page, wrong_region
from uploader.settings import StorageSettings, target_of
from uploader.source import Uploadable, opened, shown

_UNREACHABLE_HERE_HINT = (
    "Check public_endpoint; where only this machine cannot reach it (docker, Kubernetes), set link_check to warn."
)


class Storage:
    """One bucket at one S3-compatible service. Threads may share it: they then share its connections."""

    def __init__(
        self,
        settings: StorageSettings,
        *,
        budget_s: float = 120.0,
        connect_timeout_s: float = 20.0,
        read_timeout_s: float = 60.0,
    ) -> None:
        """Check the settings; nothing is sent.

        Args:
            settings: Which storage.
            budget_s: For how long, in seconds, one upload or one delete may be tried again.
            connect_timeout_s: How long one connection may take to come about, in seconds.
            read_timeout_s: How long the service may stay silent, in seconds.

        Raises:
            SettingsError: A setting is missing, impossible or contradicts another.
        """
        self._settings = settings
        self._target = target_of(settings)
        self._budget_s = budget_s
        self._connection = Connection(settings, self._target, connect_timeout_s, read_timeout_s)
        self._uploads = Uploads(self._connection, settings)
        self._bucket_seen = False

    def describe(self) -> dict[str, str | int | None]:
        """Where uploads go, for people; no secrets. `endpoint` is None where the SDK knows it (AWS)."""
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
        """Endpoint and bucket, to tell where a key belongs."""
        return f"{self._target.endpoint or self._target.provider.name}/{self._target.bucket}"

    def require_public(self) -> None:
        """Refuse, before anything is sent, a public endpoint that cannot be reached from outside.

        Does nothing when the setting `public_only` is off. May look the host's name up.

        Raises:
            UrlNotPublic: Links from this storage would be of no use to the service.
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
        """Store a file under a fresh unguessable key, and verify what is stored.

        The object is private. It is streamed in one put, never read into memory. The service checks the
        MD5 on arrival; the ETag (where it is an MD5) and the size are compared afterwards. When it fails
        after bytes were sent, what may have been stored is deleted as far as that works.

        Args:
            file: A path, the content itself as `bytes`, or a binary file object. One that can seek is sent whole, and
                left where it was; any other is read from where it is to its end, into a temporary file.
            content_type: The media type to serve it with, such as `audio/mp4`.
            suffix: The key's ending, such as `.m4a`.
            sha256: Hex digest that the file must still have.
            announce: Called with the object's key before anything is sent, so that it can be written down; what it
                raises ends the upload.
            progress: Called with bytes sent and bytes in all; must not raise.

        Raises:
            TypeError, ValueError: `file` is none of these, or a file object that is closed or not open for reading.
            FileUnreadable: Missing, empty, not a regular file, or not permitted.
            FileChanged: Not the file with that digest, or it changed while it was being sent.
            StorageError: Any other of the tree, after transient failures were repeated within the budget.
        """
        require_content_type(content_type)
        key = new_key(self._settings.prefix, suffix)
        with opened(file) as stream:
            content = Content(stream, shown(file), progress)
            if sha256 is not None and content.fingerprint.sha256 != sha256.lower():
                raise FileChanged(f"{shown(file)} is no longer the file that was looked at")
            if announce is not None:
                announce(key)
            return self._store(key, content, content_type)

    def presign(self, upload: Upload) -> Link:
        """A URL with which anybody can fetch the object until it expires. Nothing is sent to the storage.

        Raises:
            CredentialsMissing: No keys were given and none were found.
        """
        expires_s = self._settings.url_expires_s
        signed_at = datetime.now(UTC).replace(microsecond=0)
        url = self._connection.sign(upload.key, expires_s)
        expires_at = signed_at + timedelta(seconds=expires_s)
        keys_expire_at = self._connection.keys_expire_at(expires_s)
        if keys_expire_at is None or keys_expire_at >= expires_at:
            return Link(url, expires_at)
        warning = (
            f"the storage keys are temporary and expire at {keys_expire_at:%H:%M} UTC: the link dies with them, "
            f"before the {expires_s} s of url_expires_s"
        )
        return Link(url, keys_expire_at.replace(microsecond=0), (warning,))

    def verify_link(self, link: Link, upload: Upload) -> tuple[str, ...]:
        """Fetch the first bytes as the service would, without keys, and compare them and the size.

        A link that is not there yet is tried again for some seconds. Nothing is fetched when `link_check` is `off`.

        Returns:
            Warnings, for people: another content type, or (`link_check` is `warn`) that this machine cannot fetch it.

        Raises:
            UrlNotPublic: The host cannot be reached from outside (unless `public_only` is off).
            LinkRefused: The fetch was refused, or gave something else.
            ClockSkewed: It was refused, and this computer's clock is off.
            Unreachable: No connection, no answer in time, or a proxy refused.
            TlsFailed: No trusted encrypted connection.
        """
        public_only = self._settings.public_only
        if public_only:
            require_public_host(urlsplit(link.url).hostname or "")
        if self._settings.link_check == "off":
            return ()
        budget = RetryBudget(min(self._budget_s, SOME_S))
        try:
            return budget.call(lambda: fetch_publicly(link.url, upload, trust_own_authorities=not public_only))
        except (Unreachable, TlsFailed) as error:
            if self._settings.link_check == "warn":
                return (f"the link could not be tried from this machine: {error.message}",)
            if self._target.public_endpoint is not None:
                error.hint = f"{error.hint} {_UNREACHABLE_HERE_HINT}".strip()
            raise

    def delete(self, upload: Upload | str) -> None:
        """Delete the object, every version of it, and make sure that it is gone. Deleting twice is harmless.

        It is given as what `upload` returned, or by its key alone.

        In a bucket that keeps versions the key must be allowed to list and delete them; without the right to
        list, versions that repeated tries left behind cannot be known.

        Raises:
            StorageError: It could not be deleted, or is still there.
        """
        key, version_id = (upload, None) if isinstance(upload, str) else (upload.key, upload.version_id)
        delete_every_version(self._connection, key, version_id, RetryBudget(self._budget_s))

    def round_trip(self) -> RoundTrip:
        """Put 256 random bytes, fetch them without keys, delete them.

        Raises:
            StorageError: The first of these that failed.
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
            stored = self._uploads.put(key, content, content_type, budget)
        except BaseException as error:
            if content.left_this_machine:
                self._take_back(key, error)
            raise
        date = stored["ResponseMetadata"]["HTTPHeaders"].get("date")
        print_ = content.fingerprint
        return Upload(
            key=key,
            bytes=print_.bytes,
            md5=print_.md5,
            sha256=print_.sha256,
            version_id=stored.get("VersionId"),
            content_type=content_type,
            first_bytes=print_.first_bytes,
            clock_skew_s=clock_skew_s(date),
        )

    def _take_back(self, key: str, error: BaseException) -> None:
        """Delete what a failed upload may have stored; where that fails too, `error` says so."""
        try:
            delete_every_version(self._connection, key, None, RetryBudget(0))
        except StorageError:
            if isinstance(error, StorageError):
                error.left_behind = True

    def _require_bucket(self, budget: RetryBudget) -> None:
        """Ask for the bucket once: SeaweedFS makes a missing one on the first put of an administrator."""
        if self._bucket_seen:
            return
        bucket, prefix = self._target.bucket, self._settings.prefix
        with suppress(NotPermitted):  # a key with few rights; the put shows whether they are enough
            answer: dict[str, Any] = budget.call(
                lambda: self._connection.ask(
                    lambda c: dict(c.head_bucket(Bucket=bucket)),
                    with_body=lambda c: c.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1),
                )
            )
            if "html" in answer["ResponseMetadata"]["HTTPHeaders"].get("content-type", ""):
                raise web_page(self._target)
            # botocore follows AWS's redirects to the right region; URLs would still sign the wrong one.
            region = answer.get("BucketRegion")
            if self._target.provider.name == "aws" and region not in {None, self._target.signing_region}:
                raise wrong_region(self._target, region, "x-amz-bucket-region")
        self._bucket_seen = True
