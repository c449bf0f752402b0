"""Responses that providers, proxies, firewalls and consoles really send, in front of a real S3 server."""

from __future__ import annotations

import gzip
import os
import time
from email.utils import formatdate
from typing import Any

import pytest

from onetake.sandbox.s3_server import SandboxStorage
from tests.support.odd_storage import (
    Reply,
    Rule,
    Seen,
    always,
    error,
    on,
    page,
    to_https,
    with_header,
    without,
)
from tests.uploader.conftest import M4A
from uploader import (
    ClockSkewed,
    CorruptStored,
    CredentialsExpired,
    NotPermitted,
    ObjectLocked,
    SettingsError,
    Storage,
    StorageError,
    StorageFailed,
    Unreachable,
    Upload,
)
from uploader.error_body import read_error_body

CONTENT = os.urandom(3000)
DENIED = error(403, "AccessDenied", "User ann may not perform s3:PutObject, with an explicit deny in a policy")


def store(storage: Storage) -> Upload:
    return storage.upload(CONTENT, **M4A)


def refused(storage: Storage, kind: type[StorageError]) -> StorageError:
    with pytest.raises(kind) as caught:
        store(storage)
    assert type(caught.value) is kind
    assert caught.value.message.isprintable()
    return caught.value


@pytest.mark.parametrize(
    ("reply", "kind", "text", "hint"),
    [
        (error(400, "ExpiredToken", "The token has expired."), CredentialsExpired, "The token has expired.", "token"),
        (
            error(400, "InvalidArgument", "S3 API Requests must be made to API port."),
            StorageFailed,
            "must be made to API port",
            "9000",
        ),
        (
            lambda _: error(
                403,
                "RequestTimeTooSkewed",
                "The difference is too large.",
                Date=formatdate(time.time() + 2415, usegmt=True),
            ),
            ClockSkewed,
            "40 min behind",
            "clock",
        ),
        (page(403, "Request blocked"), StorageFailed, "403: Request blocked", "firewall"),
        (Reply(403), StorageFailed, "403", "proxy"),
        (page(200, "MinIO Console"), StorageFailed, "web page", "API"),
        (
            Reply(400, {"Content-Type": "application/json"}, b'{"error": "x", "message": "Bucket is \\u001b[31mred"}'),
            StorageFailed,
            "400: Bucket is [31mred",
            "",
        ),
        (Reply(407, {"Proxy-Authenticate": "Basic"}), Unreachable, "407", "user name and a password"),
        (to_https(301), SettingsError, "only over https", "https://"),
        (to_https(307), SettingsError, "only over https", "https://"),
        (to_https(308), SettingsError, "only over https", "https://"),
        (page(302, "Moved", Location="https://login.example/?next=secret"), SettingsError, "https", "endpoint"),
    ],
)
def test_message_and_hint_of_a_refusal(
    behind: Any, reply: Reply | Rule, kind: type[StorageError], text: str, hint: str
) -> None:
    rule = always(reply) if isinstance(reply, Reply) else reply
    with behind(rule) as (storage, odd):
        found = refused(storage, kind)
    assert text in found.message
    assert hint in found.hint
    assert "secret" not in found.message
    assert not odd.asked("PUT")  # no recording was sent to a server that is not a storage


@pytest.mark.parametrize(
    ("reply", "text"),
    [(page(403, "Sorry, you have been blocked | CDN"), "403: Sorry, you have been blocked | CDN"), (Reply(403), "403")],
)
def test_a_firewall_that_refuses_only_the_put(behind: Any, reply: Reply, text: str) -> None:
    with behind(on("PUT", reply)) as (storage, odd):
        found = refused(storage, StorageFailed)
    assert found.message.endswith(f"answered {text}")
    assert "firewall" in found.hint
    assert len(odd.asked("PUT")) == 1


def test_path_addressing_that_is_refused_without_a_body(behind: Any) -> None:
    """HEAD has no body: only a GET explains the refusal."""
    with behind(always(error(400, "PathStyleRequestNotAllowed", "Use virtual-hosted style."))) as (storage, odd):
        found = refused(storage, SettingsError)
    assert "Use virtual-hosted style." in found.message
    assert found.hint == "set addressing to virtual"
    assert [seen.method for seen in odd.seen] == ["HEAD", "GET"]


def test_a_policy_that_requires_encryption(behind: Any) -> None:
    rule = without("PUT", "x-amz-server-side-encryption", DENIED)
    with behind(rule) as (storage, _):
        found = refused(storage, NotPermitted)
        assert "explicit deny" in found.message
        assert "sse" in found.hint
    with behind(rule, settings={"sse": "AES256"}) as (storage, odd):
        storage.delete(store(storage))
        assert odd.asked("PUT")[0].headers["x-amz-server-side-encryption"] == "AES256"


def test_an_etag_of_kms_is_not_an_md5(behind: Any) -> None:
    def encrypt(seen: Seen, reply: Reply) -> None:
        if seen.method == "PUT" and reply.status == 200:
            reply.headers |= {"ETag": f'"{"0" * 32}"', "x-amz-server-side-encryption": "aws:kms"}

    def unencrypted(seen: Seen) -> Reply | None:  # SeaweedFS has no KMS
        for name in ("x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"):
            requested.append(seen.headers.pop(name, ""))
        return None

    requested: list[str] = []
    settings = {"sse": "aws:kms", "sse_kms_key_id": "alias/takes"}
    # the signature covers these headers, so this one goes without its own check by the real server
    with behind(unencrypted, _accepting(), change=encrypt, settings=settings) as (storage, odd):
        store(storage)
        assert {"aws:kms", "alias/takes"} <= set(requested)
        assert len(odd.asked("PUT")) == 1


def _accepting() -> Rule:
    """A storage of its own for puts and heads; it says that it encrypts."""
    sizes: dict[str, int] = {}

    def rule(seen: Seen) -> Reply | None:
        if seen.method == "PUT":
            sizes[seen.target] = len(seen.body)
            return Reply(200, {"ETag": f'"{"0" * 32}"', "x-amz-server-side-encryption": "aws:kms"})
        if seen.method == "HEAD" and seen.is_object:
            return Reply(200, {"Content-Length": str(sizes[seen.target.partition("?")[0]])})
        return None

    return rule


def test_an_etag_that_is_not_the_md5_is_checked_by_reading_back(behind: Any) -> None:
    def other_etag(seen: Seen, reply: Reply) -> None:
        if seen.method == "PUT" and reply.status == 200:
            reply.headers["ETag"] = f'"{"0" * 32}"'

    with behind(change=other_etag) as (storage, odd):
        storage.delete(store(storage))
        assert len(odd.asked("PUT")) == 1
    with behind(on("GET", DENIED), change=other_etag, settings={"budget_s": 0.1}) as (storage, _):
        refused(storage, CorruptStored)


def test_a_proxy_that_does_not_support_expect(behind: Any) -> None:
    with behind(with_header("PUT", "expect", Reply(417))) as (storage, odd):
        storage.delete(store(storage))
        storage.delete(store(storage))
        assert ["expect" in put.headers for put in odd.asked("PUT")] == [True, False, False]


def test_a_weak_etag(behind: Any) -> None:
    def weaken(seen: Seen, reply: Reply) -> None:
        if seen.method == "PUT" and "ETag" in reply.headers:
            reply.headers["ETag"] = "W/" + reply.headers["ETag"]

    with behind(change=weaken) as (storage, odd):
        storage.delete(store(storage))
        assert not odd.asked("GET")


def test_a_storage_that_does_not_support_content_md5(behind: Any) -> None:
    rule = with_header("PUT", "content-md5", error(501, "NotImplemented", "Content-MD5"))

    def other_etag(seen: Seen, reply: Reply) -> None:
        if seen.method == "PUT" and reply.status == 200:
            reply.headers["ETag"] = '"not-a-digest"'

    with behind(rule, change=other_etag) as (storage, odd):
        storage.delete(store(storage))
        assert ["content-md5" in put.headers for put in odd.asked("PUT")] == [True, False]
        assert odd.asked("GET")  # verified by reading back
        storage.delete(store(storage))
        assert len(odd.asked("PUT")) == 3  # the next put leaves it out at once


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (403, "AccessDenied", "Access Denied because object protected by object lock."),
        (400, "InvalidRequest", "Object is WORM protected and cannot be overwritten"),
        (409, "FileImmutable", "The object you specified is immutable."),
        (403, "AccessDenied", "Bypass of governance mode is not allowed"),
    ],
)
def test_a_locked_object_is_reported(behind: Any, status: int, code: str, message: str) -> None:
    with behind(on("DELETE", error(status, code, message))) as (storage, odd):
        upload = store(storage)
        with pytest.raises(ObjectLocked, match=code) as caught:
            storage.delete(upload)
        assert "retention" in caught.value.hint
        assert message in caught.value.message
        assert len(odd.asked("DELETE")) == 1


def test_a_key_without_permission_to_head_the_bucket(behind: Any) -> None:
    with behind(on("HEAD", Reply(403), objects=False)) as (storage, _):
        storage.delete(store(storage))


def test_a_secret_that_the_service_echoes(behind: Any, sandbox: SandboxStorage) -> None:
    message = f"the string to sign was made with {sandbox.secret_access_key} for {sandbox.access_key_id}"
    with behind(on("PUT", error(403, "AccessDenied", message))) as (storage, _):
        found = refused(storage, NotPermitted)
    assert sandbox.secret_access_key not in str(found)
    assert sandbox.access_key_id not in str(found)


_GBK = '<?xml version="1.0" encoding="GBK"?><Error><Code>X</Code><Message>请求参数错误</Message></Error>'


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (
            _GBK.replace("GBK", "ISO-8859-1").replace("请求参数错误", "Clé inconnue").encode("latin-1"),
            "",
            "Clé inconnue",
        ),
        ("<Error><Code>X</Code><Message>ключ</Message></Error>".encode("cp1251"), "a/b; charset=windows-1251", "ключ"),
        (b"<Error><Code>X</Code><Message>long" + b" " * 20_000, "", "long"),
        (_GBK.encode("gbk"), "application/xml", "请求参数错误"),
        ("<Error><Code>X</Code><Message>请求</Message></Error>".encode("gbk"), "", "请求"),
        ("<Error><Code>X</Code><Message>表示</Message></Error>".encode("cp932"), "text/xml; charset=Shift_JIS", "表示"),
        ("<Error><Code>X</Code><Message>é</Message></Error>".encode("utf-16"), "", "é"),
        ("<Error><Code>X</Code><Message>é</Message></Error>".encode("utf-16-be"), "", "é"),
        (gzip.compress(b"<Error><Code>X</Code><Message>zip</Message></Error>", mtime=0), "", "zip"),
        ("<Error><Code>X</Code><Message>é</Message></Error>".encode() + b"\xe2\x82", "", "é"),
        (b"<Error><Code>X</Code><Message>a\xffb</Message></Error>", "text/xml; charset=rot13", "a\ufffdb"),
    ],
)
def test_an_error_body_in_another_encoding(body: bytes, content_type: str, message: str) -> None:
    assert read_error_body(body, content_type) == ("X", message)
