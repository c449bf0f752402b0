"""The public fetch of a link behind CDNs, caches and separate public endpoints."""

from __future__ import annotations

import os
from typing import Any

import pytest
import requests

from onetake.sandbox.s3_server import SandboxStorage
from tests.support.odd_storage import OddStorage, Reply, Rule, Seen, error, on
from tests.uploader.conftest import M4A, MakeStorage
from uploader import LinkRefused, Storage, Unreachable, Upload

CONTENT = os.urandom(3000)
DENIED = error(403, "AccessDenied", "User ann may not perform s3:GetObject, with an explicit deny in a policy")


def store(storage: Storage) -> Upload:
    return storage.upload(CONTENT, **M4A)


@pytest.mark.parametrize(
    "rule",
    [
        on("GET", error(404, "NoSuchKey", "The specified key does not exist."), times=2),
        on("HEAD", error(404, "NoSuchKey", ""), times=2),
    ],
)
def test_an_object_that_is_not_visible_yet_is_retried(behind: Any, rule: Rule) -> None:
    with behind(rule) as (storage, _):
        upload = store(storage)
        assert storage.verify_link(storage.presign(upload), upload) == ()
        storage.delete(upload)


def test_a_link_that_stays_missing_is_reported_with_its_reason(behind: Any, make_storage: MakeStorage) -> None:
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


def test_a_partial_response_without_the_whole_length(behind: Any) -> None:
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
    unreachable: dict[str, Any] = {"public_endpoint": "http://127.0.0.1:1", "budget_s": 0.1}
    with behind(settings=unreachable) as (storage, _):
        upload = store(storage)
        with pytest.raises(Unreachable) as caught:
            storage.verify_link(storage.presign(upload), upload)
        assert "link_check" in caught.value.hint
    with behind(settings={**unreachable, "link_check": "warn"}) as (storage, _):
        (warning,) = storage.verify_link(storage.presign(upload), upload)
        assert "could not be checked from this machine" in warning
    with behind(settings={**unreachable, "link_check": "off"}) as (storage, _):
        assert storage.verify_link(storage.presign(upload), upload) == ()


def test_a_refused_link_is_an_error_even_where_the_check_only_warns(behind: Any) -> None:
    with behind(on("GET", DENIED), settings={"link_check": "warn", "budget_s": 0.1}) as (storage, _):
        upload = store(storage)
        with pytest.raises(LinkRefused):
            storage.verify_link(storage.presign(upload), upload)
