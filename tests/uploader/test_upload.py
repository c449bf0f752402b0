"""Uploads to services that fail, stall and corrupt: real HTTP from a scripted server."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.support.scripted_storage import Answer, ScriptedServer, refusal
from tests.uploader.conftest import M4A, MakeScripted
from uploader import (
    BadBucketName,
    ClockSkewed,
    CorruptStored,
    CredentialsExpired,
    FileChanged,
    LinkRefused,
    NoSuchBucket,
    Storage,
    StorageError,
    StorageFailed,
    Unreachable,
    Upload,
    WrongRegion,
)


def test_the_put_is_plain(server: ScriptedServer, make_scripted: MakeScripted, take: Path) -> None:
    make_scripted(server).upload(take, **M4A)
    (put,) = server.asked("PUT object")
    assert put.body == take.read_bytes()
    assert put.headers["content-type"] == "audio/mp4"
    assert "content-md5" in put.headers
    assert not [name for name in put.headers if "checksum" in name or "acl" in name or name == "x-amz-trailer"]
    assert "aws-chunked" not in str(put.headers)
    assert put.headers["authorization"].startswith("AWS4-HMAC-SHA256")


@pytest.mark.parametrize(
    "failures",
    [
        [refusal(503, "SlowDown"), refusal(500, "InternalError")],
        [Answer(reset=True)],
        [refusal(400, "BadDigest")],
        [refusal(429, "TooManyRequests")],
        [Answer(502, {"Content-Type": "text/html"}, b"<html>bad gateway</html>")],
        [Answer(headers={"ETag": '"' + "0" * 32 + '"'})],
        [Answer(wait_s=0.5)],
    ],
    ids=["busy", "reset", "digest", "429", "html", "other etag", "silent"],
)
def test_a_transient_failure_is_retried(
    server: ScriptedServer, make_scripted: MakeScripted, take: Path, failures: list[Answer]
) -> None:
    server.script["PUT object"].extend(failures)
    upload = make_scripted(server, read_timeout_s=0.3).upload(take, **M4A)
    puts = server.asked("PUT object")
    assert len(puts) == len(failures) + 1
    assert len({put.target for put in puts}) == 1  # a retry overwrites the same object
    assert hashlib.md5(puts[-1].body).hexdigest() == upload.md5


def test_the_service_says_how_long_to_wait(server: ScriptedServer, make_scripted: MakeScripted, take: Path) -> None:
    """Longer than the budget: so the failure is reported at once, with that time."""
    busy = Answer(503, {"Retry-After": "300"}, refusal(503, "SlowDown").body)
    server.script["PUT object"].append(busy)
    with pytest.raises(StorageFailed, match="SlowDown") as caught:
        make_scripted(server, budget_s=120).upload(take, **M4A)
    assert len(server.asked("PUT object")) == 1
    assert caught.value.hint == "the service is overloaded or failing: try again in 300 s"


def test_retries_end_with_the_budget(server: ScriptedServer, make_scripted: MakeScripted, take: Path) -> None:
    server.script["PUT object"].extend([refusal(503, "SlowDown")] * 50)
    with pytest.raises(StorageFailed, match="SlowDown") as caught:
        make_scripted(server, budget_s=0.6).upload(take, **M4A)
    assert len(server.asked("PUT object")) < 50
    assert caught.value.service_code == "SlowDown"
    assert server.asked("DELETE object")  # what may have been stored is deleted


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (301, "PermanentRedirect", WrongRegion),
        (307, "TemporaryRedirect", WrongRegion),
        (400, "AuthorizationHeaderMalformed", WrongRegion),
        (400, "IllegalLocationConstraintException", WrongRegion),
        (400, "ExpiredToken", CredentialsExpired),
        (400, "InvalidBucketName", BadBucketName),
        (404, "NoSuchBucket", NoSuchBucket),
        (400, "EntityTooLarge", StorageFailed),
        (418, "Teapot", StorageFailed),
    ],
)
def test_a_permanent_failure_is_reported_at_once(
    server: ScriptedServer,
    make_scripted: MakeScripted,
    take: Path,
    status: int,
    code: str,
    kind: type[StorageError],
) -> None:
    server.script["PUT object"].extend([refusal(status, code)] * 5)
    with pytest.raises(kind) as caught:
        make_scripted(server).upload(take, **M4A)
    assert type(caught.value) is kind
    assert len(server.asked("PUT object")) == 1


def test_a_bucket_that_always_redirects(server: ScriptedServer, make_scripted: MakeScripted, take: Path) -> None:
    server.script["HEAD bucket"].extend([Answer(301)] * 50)
    with pytest.raises(WrongRegion):
        make_scripted(server).upload(take, **M4A)
    assert len(server.asked("HEAD bucket")) == 1
    assert not server.asked("PUT object")


def test_a_wrong_clock_is_reported(server: ScriptedServer, make_scripted: MakeScripted, take: Path) -> None:
    server.script["PUT object"].append(refusal(403, "RequestTimeTooSkewed", clock_offset_s=1200))
    with pytest.raises(ClockSkewed, match="20 min behind"):
        make_scripted(server).upload(take, **M4A)


def test_a_missing_bucket_gets_no_put(server: ScriptedServer, make_scripted: MakeScripted, take: Path) -> None:
    server.script["HEAD bucket"].append(Answer(404))
    with pytest.raises(NoSuchBucket):
        make_scripted(server).upload(take, **M4A)
    assert not server.asked("PUT object")


def test_a_key_with_permission_to_put_only(server: ScriptedServer, make_scripted: MakeScripted, take: Path) -> None:
    server.script["HEAD bucket"].append(Answer(403))
    server.script["HEAD object"].append(Answer(403))
    make_scripted(server).upload(take, **M4A)


def test_a_wrong_size_is_reported(server: ScriptedServer, make_scripted: MakeScripted, take: Path) -> None:
    server.script["HEAD object"].extend([Answer(headers={"Content-Length": "7"})] * 20)
    with pytest.raises(CorruptStored, match="7 bytes of 300000"):
        make_scripted(server, budget_s=0.1).upload(take, **M4A)
    assert not server.objects


def test_a_service_that_does_not_answer(server: ScriptedServer, make_scripted: MakeScripted, take: Path) -> None:
    server.script["HEAD bucket"].extend([Answer(wait_s=1)] * 9)
    with pytest.raises(Unreachable, match="stopped answering"):
        make_scripted(server, budget_s=0.3, read_timeout_s=0.3).upload(take, **M4A)


def test_a_web_page_instead_of_s3(server: ScriptedServer, make_scripted: MakeScripted, take: Path) -> None:
    page = Answer(405, {"Content-Type": "text/html"}, b"<html><body>Console</body></html>")
    server.script["PUT object"].extend([page] * 9)
    with pytest.raises(StorageFailed):
        make_scripted(server).upload(take, **M4A)


@pytest.mark.parametrize("change", ["rewritten", "cut"])
def test_a_file_that_changes_while_it_is_sent(
    server: ScriptedServer, make_scripted: MakeScripted, tmp_path: Path, change: str
) -> None:
    path = tmp_path / "growing.wav"
    path.write_bytes(b"a" * 2_000_000)
    server.script["PUT object"].append(refusal(400, "BadDigest"))

    def change_file(sent: int, _: int) -> None:
        if sent < 300_000:
            with path.open("r+b") as file:
                if change == "cut":
                    file.truncate(1_000_000)
                else:
                    file.seek(1_500_000)
                    file.write(b"b")

    with pytest.raises(FileChanged):
        make_scripted(server, read_timeout_s=1).upload(path, **M4A, progress=change_file)


def stored(server: ScriptedServer, storage: Storage, take: Path) -> Upload:
    upload = storage.upload(take, **M4A)
    assert server.objects
    return upload


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Answer(302, {"Location": "http://127.0.0.1:1/login"}), "redirects"),
        (Answer(200, {"Content-Type": "text/html"}, b"<html>sign in</html>"), "text/html"),
        (Answer(206, {"Content-Type": "audio/mp4", "Content-Range": "bytes 0-3/4"}, b"abcd"), "4 bytes"),
        (
            Answer(206, {"Content-Type": "audio/mp4", "Content-Range": "bytes 0-63/300000"}, b"x" * 64),
            "different",
        ),
        (Answer(206, {"Content-Type": "audio/mp4"}, b"x" * 64), "64 bytes"),
        (refusal(403, "AccessDenied"), "AccessDenied"),
        (Answer(200, {"Content-Type": "audio/mp4", "Content-Length": "-1"}), "bytes instead"),
    ],
)
def test_the_link_serves_something_else(
    server: ScriptedServer, make_scripted: MakeScripted, take: Path, answer: Answer, text: str
) -> None:
    storage = make_scripted(server, budget_s=0.1)
    upload = stored(server, storage, take)
    server.script["GET object"].extend([answer] * 9)
    with pytest.raises((LinkRefused, Unreachable), match=text):
        storage.verify_link(storage.presign(upload), upload)


def test_the_public_fetch_sends_no_keys(
    server: ScriptedServer, make_scripted: MakeScripted, take: Path, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login user password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    storage = make_scripted(server)
    upload = stored(server, storage, take)
    server.script["GET object"].append(refusal(503, "SlowDown"))
    storage.verify_link(storage.presign(upload), upload)
    *_, get = server.asked("GET object")
    assert "authorization" not in get.headers
    assert get.headers["range"] == "bytes=0-63"


def test_a_service_that_ignores_ranges(server: ScriptedServer, make_scripted: MakeScripted, take: Path) -> None:
    storage = make_scripted(server)
    upload = stored(server, storage, take)
    server.script["GET object"].append(Answer(200, {"Content-Type": "audio/mp4"}, take.read_bytes()))
    storage.verify_link(storage.presign(upload), upload)


def test_a_link_refused_at_once_is_reported_as_a_wrong_clock(
    server: ScriptedServer, make_scripted: MakeScripted, take: Path
) -> None:
    storage = make_scripted(server)
    upload = stored(server, storage, take)
    server.script["GET object"].append(refusal(403, "AccessDenied", clock_offset_s=840))
    with pytest.raises(ClockSkewed, match="14 min behind"):
        storage.verify_link(storage.presign(upload), upload)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Answer(200, {"Content-Type": "text/html"}, b"<!doctype html><title>Sign in</title><br>"), "web page.*Sign in"),
        (Answer(200, {}, b"<html><title>Sign in</title><br>"), "HTTP 200 and: Sign in"),
        (Answer(200, {"Content-Type": "application/json"}, b'{"message": "no such route"}'), "no such route"),
        (Answer(303, {"Location": "/login"}), "redirect to /login"),
        (refusal(507, "XMinioStorageFull"), "XMinioStorageFull"),
        (refusal(200, "AccessDenied"), "AccessDenied"),
    ],
)
def test_what_is_no_success_of_s3_is_not_repeated(
    server: ScriptedServer, make_scripted: MakeScripted, take: Path, answer: Answer, text: str
) -> None:
    server.script["PUT object"].append(answer)
    with pytest.raises(StorageError, match=text):
        make_scripted(server).upload(take, **M4A)
    assert len(server.asked("PUT object")) == 1


def test_an_error_with_status_200_is_an_error(server: ScriptedServer, make_scripted: MakeScripted, take: Path) -> None:
    server.script["PUT object"].append(refusal(200, "SlowDown"))
    make_scripted(server).upload(take, **M4A)
    assert len(server.asked("PUT object")) == 2


def test_a_success_may_have_a_remark(server: ScriptedServer, make_scripted: MakeScripted, take: Path) -> None:
    storage = make_scripted(server)
    digest = hashlib.md5(take.read_bytes()).hexdigest()
    server.script["PUT object"].append(Answer(200, {"ETag": digest, "Content-Type": "text/plain"}, b"OK"))
    size = str(take.stat().st_size)
    server.script["HEAD object"].append(Answer(200, {"Content-Length": size}))
    assert storage.upload(take, **M4A).md5 == digest


def test_a_response_that_cannot_be_parsed(server: ScriptedServer, make_scripted: MakeScripted, take: Path) -> None:
    server.script["HEAD object"].append(Answer(200, {"Transfer-Encoding": "chunked", "Content-Length": ""}))
    with pytest.raises(StorageFailed, match="cannot be read"):
        make_scripted(server).upload(take, **M4A)
