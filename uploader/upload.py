"""One put under an unguessable key, and the proof that what is stored is what was sent."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from contextlib import closing, suppress
from typing import IO, TYPE_CHECKING, Any, cast

from uploader.connection import Connection
from uploader.errors import CorruptStored, NotPermitted, ObjectMissing, SettingsError, StorageError, StorageFailed
from uploader.retry import BRIEF_S, MODERATE_S, VISIBILITY_S, RetryBudget
from uploader.service_errors import web_page
from uploader.settings import StorageSettings
from uploader.upload_body import Content

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectOutputTypeDef

_MD5 = re.compile(r"[0-9a-f]{32}")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,16}")
_CONTENT_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(?:; ?[a-z]+=[A-Za-z0-9._-]+)?")
_CHUNK = 1 << 20


def new_key(prefix: str, suffix: str) -> str:
    """Return a new key: the prefix, 192 random bits in URL-safe letters, and the suffix.

    The key contains neither a date nor the file's name, and never starts with a hyphen, so that it can be an argument
    of other commands. A repeated put overwrites its own object only. `If-None-Match: *` would not be an alternative:
    if the answer to a successful put is lost, its retry fails with 412.

    Raises:
        SettingsError: The suffix is not of the form `.ext`.

    >>> key = new_key("voices/", ".m4a")
    >>> len(key), key.startswith("voices/"), key.endswith(".m4a")
    (43, True, True)
    """
    if not _SUFFIX.fullmatch(suffix):
        raise SettingsError(f"suffix {suffix!r} is not of the form .ext", setting="suffix")
    name = secrets.token_urlsafe(24)
    while name.startswith(("-", "_")):
        name = secrets.token_urlsafe(24)
    return f"{prefix}{name}{suffix}"


def require_content_type(content_type: str) -> None:
    """Refuse a value that is not a media type.

    Raises:
        SettingsError: It is not of the form `type/subtype`.
    """
    if not _CONTENT_TYPE.fullmatch(content_type):
        raise SettingsError(f"content type {content_type!r} is not of the form type/subtype", setting="content_type")


class VerifiedPut:
    """Puts to one target, each verified.

    One of three things proves what is stored: the service compared Content-MD5 on arrival and its ETag does not
    contradict it; or the ETag is the MD5; or the whole object, read back, has the MD5. An ETag is an MD5 only for
    objects that are not encrypted, or with SSE-S3, and some services return other values
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html).

    Content-MD5 and not `x-amz-checksum-*`, which R2, B2, OSS, GCS and older MinIO refuse.
    """

    def __init__(self, connection: Connection, settings: StorageSettings) -> None:
        self._connection = connection
        # What the service, or a proxy in front of it, was found not to support is left out of later requests.
        self._supports_md5 = True
        self._supports_expect = True
        self._encryption: dict[str, Any] = {}
        if settings.sse is not None:
            self._encryption["ServerSideEncryption"] = settings.sse
        if settings.sse_kms_key_id is not None:
            self._encryption["SSEKMSKeyId"] = settings.sse_kms_key_id

    def put(self, key: str, content: Content, content_type: str, budget: RetryBudget) -> PutObjectOutputTypeDef:
        """Store the content under a key, and verify it. A repeated put overwrites the object.

        Raises:
            CorruptStored: What is stored differs from what was sent, or cannot be verified.
            FileChanged: The file changed while it was sent.
            StorageError: The put or the verification failed.
        """
        stored = budget.call(lambda: self._put_once(key, content, content_type))
        self._require_size(key, content.fingerprint.bytes, budget)
        return stored

    def _put_once(self, key: str, content: Content, content_type: str) -> PutObjectOutputTypeDef:
        try:
            answer = self._send(key, content, content_type)
        except StorageFailed as error:
            if not self._adapts_to(error):
                content.require_unchanged()  # a changed file is the likelier cause of a BadDigest
                raise
            answer = self._send(key, content, content_type)
        except StorageError:
            content.require_unchanged()
            raise
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        if not answer.get("ETag") and "html" in headers.get("content-type", ""):
            raise web_page(self._connection.target)
        # W/ marks a weak validator (RFC 9110, 8.8.1), which proxies that compress make of the original.
        etag = str(answer.get("ETag", "")).removeprefix("W/").strip('"').lower()
        if etag == content.fingerprint.md5:
            return answer
        looks_wrong = _MD5.fullmatch(etag) is not None and not _etag_is_not_md5(answer)
        if looks_wrong or not self._supports_md5:
            self._require_same(key, content)
        return answer

    def _adapts_to(self, error: StorageFailed) -> bool:
        """Return whether the service, or a proxy, refused a header that the next try can leave out."""
        if self._supports_md5 and _refuses_md5(error):
            self._supports_md5 = False
            return True
        if self._supports_expect and error.service_code == "417":  # RFC 9110, 10.1.1: repeat without Expect
            self._supports_expect = False
            return True
        return False

    def _send(self, key: str, content: Content, content_type: str) -> PutObjectOutputTypeDef:
        content.rewind()
        content.expects_continue = self._supports_expect
        digest = base64.b64encode(bytes.fromhex(content.fingerprint.md5)).decode()
        options: dict[str, Any] = {**self._encryption, **({"ContentMD5": digest} if self._supports_md5 else {})}
        # put_object, not upload_file: that splits 20 MB into five requests, and may choose the CRT client, which
        # ignores endpoint_url.
        return self._connection.call(
            lambda client: client.put_object(
                Bucket=self._connection.target.bucket,
                Key=key,
                Body=cast(IO[bytes], content),
                ContentLength=content.fingerprint.bytes,
                ContentType=content_type,  # botocore sends none by itself, and GCS then refuses the signature
                **options,
            )
        )

    def _require_same(self, key: str, content: Content) -> None:
        """Read the whole object back and compare its MD5."""
        where, bucket = self._connection.target.display_name, self._connection.target.bucket

        def md5_of(client: S3Client) -> str:
            digest = hashlib.md5(usedforsecurity=False)
            # Not `with body`: StreamingBody's context manager returns urllib3's response, without botocore's checks.
            with closing(client.get_object(Bucket=bucket, Key=key)["Body"]) as body:
                for chunk in body.iter_chunks(_CHUNK):
                    digest.update(chunk)
            return digest.hexdigest()

        try:
            same = self._connection.call(md5_of) == content.fingerprint.md5
        except (NotPermitted, ObjectMissing) as error:
            content.require_unchanged()
            reason = f"{where} did not confirm the checksum, and reading the object back failed: {error.message}"
            raise CorruptStored(reason, retry_for_s=MODERATE_S) from None
        if not same:
            content.require_unchanged()
            raise CorruptStored(f"{where} stored different bytes than were sent", retry_for_s=MODERATE_S)

    def _require_size(self, key: str, size: int, budget: RetryBudget) -> None:
        bucket, where = self._connection.target.bucket, self._connection.target.display_name

        def compare() -> None:
            try:
                stored = self._connection.call(
                    lambda c: c.head_object(Bucket=bucket, Key=key),
                    with_body=lambda c: c.get_object(Bucket=bucket, Key=key, Range="bytes=0-0")["Body"].close(),
                )["ContentLength"]
            except ObjectMissing as error:
                error.retry_for_s = VISIBILITY_S
                raise
            if stored != size:
                raise CorruptStored(f"{where} stored {stored} bytes of {size}", retry_for_s=BRIEF_S)

        with suppress(NotPermitted):  # a key without read permission; the public fetch compares the size too
            budget.call(compare)


def _refuses_md5(error: StorageFailed) -> bool:
    return error.service_code == "NotImplemented" or "content-md5" in error.message.lower()


def _etag_is_not_md5(answer: PutObjectOutputTypeDef) -> bool:
    return answer.get("ServerSideEncryption", "AES256") != "AES256" or "SSECustomerAlgorithm" in answer
