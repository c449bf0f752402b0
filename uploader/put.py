"""One put, and the proof that what is stored is what was sent."""

from __future__ import annotations

import base64
import hashlib
import re
from contextlib import closing, suppress
from typing import IO, TYPE_CHECKING, Any, cast

from uploader.connection import Connection
from uploader.content import Content
from uploader.errors import CorruptStored, NotPermitted, ObjectMissing, StorageError, StorageFailed
from uploader.retry import BRIEF_S, SETTLING_S, SOME_S, RetryBudget
from uploader.service_errors import web_page
from uploader.settings import StorageSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectOutputTypeDef

_MD5 = re.compile(r"[0-9a-f]{32}")
_CHUNK = 1 << 20


class Uploads:
    """Puts to one target.

    What is stored is proven in one of three ways: the service compared Content-MD5 on arrival and its ETag does not
    contradict; or the ETag is the MD5; or the whole object, read back, has the MD5. An ETag is an MD5 only of objects
    that are not encrypted, or with SSE-S3
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html), and some services make up others.
    """

    def __init__(self, connection: Connection, settings: StorageSettings) -> None:
        self._connection = connection
        self._takes_md5 = True
        self._takes_expect = True
        self._encryption: dict[str, Any] = {}
        if settings.sse is not None:
            self._encryption["ServerSideEncryption"] = settings.sse
        if settings.sse_kms_key_id is not None:
            self._encryption["SSEKMSKeyId"] = settings.sse_kms_key_id

    def put(self, key: str, content: Content, content_type: str, budget: RetryBudget) -> PutObjectOutputTypeDef:
        """Store the content under a key, and verify it. A repeat overwrites.

        Raises:
            CorruptStored: What is stored is not what was sent, or cannot be verified.
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
                content.require_unchanged()
                raise
            answer = self._send(key, content, content_type)
        except StorageError:
            content.require_unchanged()
            raise
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        if not answer.get("ETag") and "html" in headers.get("content-type", ""):
            raise web_page(self._connection.target)
        etag = str(answer.get("ETag", "")).removeprefix("W/").strip('"').lower()
        if etag == content.fingerprint.md5:
            return answer
        looks_wrong = _MD5.fullmatch(etag) is not None and not _etag_is_not_md5(answer)
        if looks_wrong or not self._takes_md5:
            self._require_same(key, content)
        return answer

    def _adapts_to(self, error: StorageFailed) -> bool:
        """Whether the service, or a proxy before it, refuses something that the next try can leave out."""
        if self._takes_md5 and _refuses_md5(error):
            self._takes_md5 = False
            return True
        if self._takes_expect and error.service_code == "417":  # RFC 9110, 10.1.1: repeat without Expect
            self._takes_expect = False
            return True
        return False

    def _send(self, key: str, content: Content, content_type: str) -> PutObjectOutputTypeDef:
        content.rewind()
        content.expects_continue = self._takes_expect
        digest = base64.b64encode(bytes.fromhex(content.fingerprint.md5)).decode()
        options: dict[str, Any] = {**self._encryption, **({"ContentMD5": digest} if self._takes_md5 else {})}
        return self._connection.ask(
            lambda client: client.put_object(
                Bucket=self._connection.target.bucket,
                Key=key,
                Body=cast(IO[bytes], content),
                ContentLength=content.fingerprint.bytes,
                ContentType=content_type,
                **options,
            )
        )

    def _require_same(self, key: str, content: Content) -> None:
        """Read the whole object back and compare its MD5."""
        where, bucket = self._connection.target.shown, self._connection.target.bucket

        def md5_of(client: S3Client) -> str:
            digest = hashlib.md5(usedforsecurity=False)
            # not its own `with`, which gives the HTTP library's response and none of botocore's checks and errors
            with closing(client.get_object(Bucket=bucket, Key=key)["Body"]) as body:
                for chunk in body.iter_chunks(_CHUNK):
                    digest.update(chunk)
            return digest.hexdigest()

        try:
            same = self._connection.ask(md5_of) == content.fingerprint.md5
        except (NotPermitted, ObjectMissing) as error:
            content.require_unchanged()
            reason = f"{where} did not confirm the checksum, and reading the object back failed: {error.message}"
            raise CorruptStored(reason, retry_for_s=SOME_S) from None
        if not same:
            content.require_unchanged()
            raise CorruptStored(f"{where} stored other bytes than were sent", retry_for_s=SOME_S)

    def _require_size(self, key: str, size: int, budget: RetryBudget) -> None:
        bucket, where = self._connection.target.bucket, self._connection.target.shown

        def look() -> None:
            try:
                stored = self._connection.ask(
                    lambda c: c.head_object(Bucket=bucket, Key=key),
                    with_body=lambda c: c.get_object(Bucket=bucket, Key=key, Range="bytes=0-0")["Body"].close(),
                )["ContentLength"]
            except ObjectMissing as error:
                error.retry_for_s = SETTLING_S
                raise
            if stored != size:
                raise CorruptStored(f"{where} stored {stored} bytes of {size}", retry_for_s=BRIEF_S)

        with suppress(NotPermitted):  # a key that may not read; the public fetch compares the size too
            budget.call(look)


def _refuses_md5(error: StorageFailed) -> bool:
    return error.service_code == "NotImplemented" or "content-md5" in error.message.lower()


def _etag_is_not_md5(answer: PutObjectOutputTypeDef) -> bool:
    return answer.get("ServerSideEncryption", "AES256") != "AES256" or "SSECustomerAlgorithm" in answer
