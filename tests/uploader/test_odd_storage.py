"""Storage as people have it: what providers, proxies, consoles and CDNs do, before a real S3 server."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from typing import Any

import pytest
import requests

from onetake.sandbox.storage import SandboxStorage
from tests.support.odd_storage import (
    OddStorage,
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
from tests.uploader.conftest import M4A, MakeStorage
from uploader import (
    ClockSkewed,
    CorruptStored,
    CredentialsExpired,
    LinkRefused,
    NotPermitted,
    ObjectLocked,
    SettingsError,
    Storage,
    StorageError,
    StorageFailed,
    Unreachable,
    Upload,
)

CONTENT = os.urandom(3000)
DENIED = error(403, "AccessDenied", "User ann may not perform s3:PutObject, with an explicit deny in a policy")


@pytest.fixture
def behind(sandbox: SandboxStorage, make_storage: MakeStorage) -> Any:
    """A storage behind a front with some rules; both end with the block."""

    @contextmanager
    def make(
        *rules: Rule, settings: dict[str, Any] | None = None, **front: Any
    ) -> Iterator[tuple[Storage, OddStorage]]:
        with OddStorage(sandbox.endpoint, *rules, **front) as odd:
            yield make_storage(endpoint=odd.endpoint, **(settings or {})), odd

    return make


def store(storage: Storage) -> Upload:
    return storage.upload(CONTENT, **M4A)


def refused(storage: Storage, kind: type[StorageError]) -> StorageError:
    with pytest.raises(kind) as caught:
        store(storage)
    assert type(caught.value) is kind
    assert caught.value.message.isprintable()
    return caught.value


@pytest.mark.parametrize(
    ("reply", "kind", "words", "hint"),
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
        (Reply(407, {"Proxy-Authenticate": "Basic"}), Unreachable, "407", "user and a password"),
        (to_https(301), SettingsError, "only over https", "https://"),
        (to_https(307), SettingsError, "only over https", "https://"),
        (to_https(308), SettingsError, "only over https", "https://"),
        (page(302, "Moved", Location="https://login.example/?next=secret"), SettingsError, "https", "endpoint"),
    ],
)
def test_words_and_hint_of_a_refusal(
    behind: Any, reply: Reply | Rule, kind: type[StorageError], words: str, hint: str
) -> None:
    rule = always(reply) if isinstance(reply, Reply) else reply
    with behind(rule) as (storage, odd):
        found = refused(storage, kind)
    assert words in found.message
    assert hint in found.hint
    assert "secret" not in found.message
    assert not odd.asked("PUT")  # nothing was sent to somebody who is not a storage


@pytest.mark.parametrize(
    ("reply", "words"),
    [(page(403, "Sorry, you have been blocked | CDN"), "403: Sorry, you have been blocked | CDN"), (Reply(403), "403")],
)
def test_a_firewall_that_refuses_the_put_only(behind: Any, reply: Reply, words: str) -> None:
    with behind(on("PUT", reply)) as (storage, odd):
        found = refused(storage, StorageFailed)
    assert found.message.endswith(f"answered {words}")
    assert "firewall" in found.hint
    assert len(odd.asked("PUT")) == 1


def test_path_addressing_that_is_refused_without_words(behind: Any) -> None:
    """HEAD has no body: only a GET tells why."""
    with behind(always(error(400, "PathStyleRequestNotAllowed", "Use virtual-hosted style."))) as (storage, odd):
        found = refused(storage, SettingsError)
    assert "Use virtual-hosted style." in found.message
    assert found.hint == "Set addressing to virtual."
    assert [seen.method for seen in odd.seen] == ["HEAD", "GET"]


def test_a_policy_that_demands_encryption(behind: Any) -> None:
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


def test_an_etag_that_is_made_up_is_checked_by_reading_back(behind: Any) -> None:
    def other_etag(seen: Seen, reply: Reply) -> None:
        if seen.method == "PUT" and reply.status == 200:
            reply.headers["ETag"] = f'"{"0" * 32}"'

    with behind(change=other_etag) as (storage, odd):
        storage.delete(store(storage))
        assert len(odd.asked("PUT")) == 1
    with behind(on("GET", DENIED), change=other_etag, settings={"budget_s": 0.1}) as (storage, _):
        refused(storage, CorruptStored)


def test_a_proxy_that_knows_no_expect(behind: Any) -> None:
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


def test_a_storage_that_knows_no_content_md5(behind: Any) -> None:
    rule = with_header("PUT", "content-md5", error(501, "NotImplemented", "Content-MD5"))

    def other_etag(seen: Seen, reply: Reply) -> None:
        if seen.method == "PUT" and reply.status == 200:
            reply.headers["ETag"] = '"not-a-digest"'

    with behind(rule, change=other_etag) as (storage, odd):
        storage.delete(store(storage))
        assert ["content-md5" in put.headers for put in odd.asked("PUT")] == [True, False]
        assert odd.asked("GET")  # verified by reading back
        storage.delete(store(storage))
        assert len(odd.asked("PUT")) == 3  # it is remembered


@pytest.mark.parametrize(
    "rule",
    [
        on("GET", error(404, "NoSuchKey", "The specified key does not exist."), times=3),
        on("HEAD", error(404, "NoSuchKey", ""), times=3),
    ],
)
def test_an_object_that_is_not_visible_yet(behind: Any, rule: Rule) -> None:
    with behind(rule) as (storage, _):
        upload = store(storage)
        assert storage.verify_link(storage.presign(upload), upload) == ()
        storage.delete(upload)


def test_a_link_that_never_comes_says_why(behind: Any, make_storage: MakeStorage) -> None:
    missing = on("GET", error(404, "NoSuchKey", "The specified key does not exist."))
    with behind(missing, settings={"budget_s": 1}) as (storage, odd):
        upload = store(storage)
        with pytest.raises(LinkRefused, match=r"404, NoSuchKey: The specified key does not exist\."):
            storage.verify_link(storage.presign(upload), upload)
        assert 2 <= len(odd.asked("GET")) < 10


@pytest.mark.parametrize("chunked", [False, True])
def test_a_cdn_that_ignores_ranges(behind: Any, chunked: bool) -> None:
    def change(seen: Seen, reply: Reply) -> None:
        reply.chunked = chunked and seen.method == "GET" and seen.is_object

    with behind(change=change, ignore_ranges=True) as (storage, _):
        upload = store(storage)
        assert storage.verify_link(storage.presign(upload), upload) == ()


def test_a_part_whose_whole_has_no_length(behind: Any) -> None:
    def change(seen: Seen, reply: Reply) -> None:
        if reply.status == 206:
            reply.headers = {name: value for name, value in reply.headers.items() if name.lower() != "content-range"}

    with behind(change=change) as (storage, odd):
        upload = store(storage)
        assert storage.verify_link(storage.presign(upload), upload) == ()
        assert ["range" in get.headers for get in odd.asked("GET")] == [True, False]


def test_a_body_of_another_length_without_content_length(behind: Any) -> None:
    def change(seen: Seen, reply: Reply) -> None:
        if seen.method == "GET" and seen.is_object:
            reply.chunked, reply.body = True, reply.body[:2000]

    with behind(change=change, ignore_ranges=True, settings={"budget_s": 0.1}) as (storage, _):
        upload = store(storage)
        with pytest.raises(LinkRefused, match="2000 bytes instead of 3000"):
            storage.verify_link(storage.presign(upload), upload)


def test_another_content_type_is_a_warning(behind: Any) -> None:
    def change(seen: Seen, reply: Reply) -> None:
        if seen.method == "GET":
            reply.headers = {n: v for n, v in reply.headers.items() if n.lower() != "content-type"}
            reply.headers["Content-Type"] = "application/octet-stream"

    with behind(change=change) as (storage, _):
        upload = store(storage)
        (warning,) = storage.verify_link(storage.presign(upload), upload)
        assert "application/octet-stream instead of audio/mp4" in warning
        assert storage.round_trip().warnings == ()


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (403, "AccessDenied", "Access Denied because object protected by object lock."),
        (400, "InvalidRequest", "Object is WORM protected and cannot be overwritten"),
        (409, "FileImmutable", "The object you specified is immutable."),
        (403, "AccessDenied", "Bypass of governance mode is not allowed"),
    ],
)
def test_an_object_that_is_locked(behind: Any, status: int, code: str, message: str) -> None:
    with behind(on("DELETE", error(status, code, message))) as (storage, odd):
        upload = store(storage)
        with pytest.raises(ObjectLocked, match=code) as caught:
            storage.delete(upload)
        assert "retention" in caught.value.hint
        assert message in caught.value.message
        assert len(odd.asked("DELETE")) == 1


def test_a_key_that_may_not_head_the_bucket(behind: Any) -> None:
    with behind(on("HEAD", Reply(403), objects=False)) as (storage, _):
        storage.delete(store(storage))


def test_a_secret_that_the_service_repeats(behind: Any, sandbox: SandboxStorage) -> None:
    words = f"the string to sign was made with {sandbox.secret_access_key} for {sandbox.access_key_id}"
    with behind(on("PUT", error(403, "AccessDenied", words))) as (storage, _):
        found = refused(storage, NotPermitted)
    assert sandbox.secret_access_key not in str(found)
    assert sandbox.access_key_id not in str(found)


def test_the_link_names_the_public_endpoint(behind: Any, sandbox: SandboxStorage) -> None:
    with (
        OddStorage(sandbox.endpoint) as public,
        behind(settings={"public_endpoint": public.endpoint}) as (storage, odd),
    ):
        upload = store(storage)
        link = storage.presign(upload)
        assert link.url.startswith(public.endpoint)
        assert storage.verify_link(link, upload) == ()
        assert requests.get(link.url, timeout=10).content == CONTENT
        assert not odd.asked("GET")
        assert [seen.method for seen in public.seen] == ["GET", "GET"]
        assert storage.describe()["public_endpoint"] == public.endpoint
        storage.delete(upload)


def test_a_public_endpoint_that_this_machine_cannot_reach(behind: Any) -> None:
    nobody: dict[str, Any] = {"public_endpoint": "http://127.0.0.1:1", "budget_s": 0.1}
    with behind(settings=nobody) as (storage, _):
        upload = store(storage)
        with pytest.raises(Unreachable) as caught:
            storage.verify_link(storage.presign(upload), upload)
        assert "link_check" in caught.value.hint
    with behind(settings={**nobody, "link_check": "warn"}) as (storage, _):
        (warning,) = storage.verify_link(storage.presign(upload), upload)
        assert "could not be tried from this machine" in warning
    with behind(settings={**nobody, "link_check": "off"}) as (storage, _):
        assert storage.verify_link(storage.presign(upload), upload) == ()


def test_a_refused_link_is_an_error_even_where_the_check_only_warns(behind: Any) -> None:
    with behind(on("GET", DENIED), settings={"link_check": "warn", "budget_s": 0.1}) as (storage, _):
        upload = store(storage)
        with pytest.raises(LinkRefused):
            storage.verify_link(storage.presign(upload), upload)
