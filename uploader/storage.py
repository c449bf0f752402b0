"""The storage: put, presign, show to a stranger, delete."""

from __future__ import annotations

import base64
import io
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import urlsplit

from uploader.answers import clock_skew_s, wrong_region
from uploader.connection import Connection
from uploader.content import Content, Progress
from uploader.erasure import erase
from uploader.errors import (
    CorruptStored,
    FileChanged,
    NotPermitted,
    StorageError,
)
from uploader.keys import new_key, require_content_type
from uploader.opening import Uploadable, opened, shown
from uploader.patience import BRIEF_S, SOME_S, Patience
from uploader.results import Link, RoundTrip, Upload
from uploader.settings import StorageSettings, target_of
from uploader.stranger import fetch_as_stranger, refuse_inside_host

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import PutObjectOutputTypeDef

_MD5 = re.compile(r"[0-9a-f]{32}")


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
        self._bucket_seen = False

    def describe(self) -> dict[str, str | int | None]:
        """Where uploads go, for people; no secrets. `endpoint` is None where the SDK knows it (AWS)."""
        return {
            "provider": self._target.provider.name,
            "endpoint": self._target.endpoint,
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
        """Refuse, before anything is sent, an endpoint that nobody outside could reach.

        Does nothing when the setting `public_only` is off. May look the host's name up.

        Raises:
            UrlNotPublic: Links from this storage would be of no use to a stranger.
        """
        if self._settings.public_only and self._target.endpoint is not None:
            refuse_inside_host(urlsplit(self._target.endpoint).hostname or "")

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
        """A URL with which anybody can fetch the object until it expires. Nothing is sent.

        URLs signed with session credentials die with these; when that is cannot be known here.

        Raises:
            CredentialsMissing: No keys were given and none were found.
        """
        expires_s = self._settings.url_expires_s
        signed_at = datetime.now(UTC).replace(microsecond=0)
        parameters = {"Bucket": self._target.bucket, "Key": upload.key}
        url = self._connection.ask(
            lambda client: client.generate_presigned_url("get_object", parameters, ExpiresIn=expires_s)
        )
        return Link(url, signed_at + timedelta(seconds=expires_s))

    def verify_link(self, link: Link, upload: Upload) -> None:
        """Fetch the first bytes as a stranger would, and compare them, the size and the content type.

        Raises:
            UrlNotPublic: The host cannot be reached from outside (unless `public_only` is off).
            LinkRefused: The fetch was refused, or gave something else.
            ClockSkewed: It was refused, and this computer's clock is off.
            Unreachable: No connection, or no answer in time.
            TlsFailed: No trusted encrypted connection.
        """
        public_only = self._settings.public_only
        if public_only:
            refuse_inside_host(urlsplit(link.url).hostname or "")
        patience = Patience(min(self._budget_s, SOME_S))
        patience.call(lambda: fetch_as_stranger(link.url, upload, trust_own_authorities=not public_only))

    def delete(self, upload: Upload | str) -> None:
        """Delete the object, every version of it, and make sure that it is gone. Deleting twice is harmless.

        It is given as what `upload` returned, or by its key alone.

        In a bucket that keeps versions the key must be allowed to list and delete them; without the right to
        list, versions that repeated tries left behind cannot be known.

        Raises:
            StorageError: It could not be deleted, or is still there.
        """
        key, version_id = (upload, None) if isinstance(upload, str) else (upload.key, upload.version_id)
        erase(self._connection, key, version_id, Patience(self._budget_s))

    def round_trip(self) -> RoundTrip:
        """Put 256 random bytes, fetch them as a stranger, delete them.

        Raises:
            StorageError: The first of these that failed.
        """
        started = time.monotonic()
        content = Content(io.BytesIO(secrets.token_bytes(256)), "the test object")
        upload = self._store(new_key(self._settings.prefix, ".bin"), content, "application/octet-stream")
        try:
            self.verify_link(self.presign(upload), upload)
        finally:
            self.delete(upload)
        return RoundTrip(time.monotonic() - started, upload.clock_skew_s)

    def _store(self, key: str, content: Content, content_type: str) -> Upload:
        patience = Patience(self._budget_s)
        self._require_bucket(patience)
        try:
            stored = patience.call(lambda: self._put(key, content, content_type))
            self._require_size(key, content.fingerprint.bytes, patience)
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
        """Delete what a failed upload may have stored; where that fails too, `error` tells."""
        try:
            erase(self._connection, key, None, Patience(0))
        except StorageError:
            if isinstance(error, StorageError):
                error.left_behind = True

    def _require_bucket(self, patience: Patience) -> None:
        """Ask for the bucket once: SeaweedFS makes a missing one on the first put of an administrator."""
        if self._bucket_seen:
            return
        bucket = self._target.bucket
        with suppress(NotPermitted):  # a key with few rights; the put will tell
            answer = patience.call(lambda: self._connection.ask(lambda c: c.head_bucket(Bucket=bucket)))
            # botocore follows AWS's redirects to the right region; URLs would still sign the wrong one.
            region = answer.get("BucketRegion")
            if self._target.provider.name == "aws" and region not in {None, self._target.signing_region}:
                raise wrong_region(self._target, region, "x-amz-bucket-region")
        self._bucket_seen = True

    def _put(self, key: str, content: Content, content_type: str) -> PutObjectOutputTypeDef:
        md5 = content.fingerprint.md5
        content.rewind()
        try:
            answer = self._connection.ask(
                lambda client: client.put_object(
                    Bucket=self._target.bucket,
                    Key=key,
                    Body=cast(IO[bytes], content),
                    ContentLength=content.fingerprint.bytes,
                    ContentMD5=base64.b64encode(bytes.fromhex(md5)).decode(),
                    ContentType=content_type,
                )
            )
        except StorageError:
            content.require_unchanged()
            raise
        etag = str(answer.get("ETag", "")).strip('"').lower()
        if _MD5.fullmatch(etag) and etag != md5 and not _etag_is_no_md5(answer):
            content.require_unchanged()
            raise CorruptStored(f"{self._target.shown} stored other bytes than were sent", patience_s=SOME_S)
        return answer

    def _require_size(self, key: str, size: int, patience: Patience) -> None:
        bucket, where = self._target.bucket, self._target.shown

        def look() -> None:
            stored = self._connection.ask(lambda c: c.head_object(Bucket=bucket, Key=key))["ContentLength"]
            if stored != size:
                raise CorruptStored(f"{where} stored {stored} bytes of {size}", patience_s=BRIEF_S)

        with suppress(NotPermitted):  # a key that may not read; a stranger's fetch tells the size too
            patience.call(look)


def _etag_is_no_md5(answer: PutObjectOutputTypeDef) -> bool:
    return answer.get("ServerSideEncryption", "AES256") != "AES256" or "SSECustomerAlgorithm" in answer
