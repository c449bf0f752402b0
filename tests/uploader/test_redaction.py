"""No secret key and no query of a URL appears in logs, messages and tracebacks; importing is cheap."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

import uploader
from tests.support.scripted_storage import Answer, ScriptedServer, refusal
from tests.uploader.conftest import M4A, SECRET, MakeScripted
from uploader import StorageError, StorageFailed, StorageSettings
from uploader.redaction import one_line, without_query


def test_no_log_and_no_traceback_shows_a_signature(
    server: ScriptedServer,
    make_scripted: MakeScripted,
    take: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    storage = make_scripted(server, budget_s=0.1)
    upload = storage.upload(take, **M4A)
    link = storage.presign(upload)
    storage.verify_link(link, upload)
    shown: list[str] = [repr(link), str(link), repr(upload), str(storage.describe())]
    for failure in (Answer(reset=True), refusal(403, "AccessDenied"), Answer(206, {"Content-Range": "x"})):
        server.script["GET object"].extend([failure] * 20)
        with pytest.raises(StorageError) as caught:
            storage.verify_link(link, upload)
        shown += traceback.format_exception(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        server.script["GET object"].clear()
    text = "".join(shown) + caplog.text
    assert "urllib3.connectionpool" in caplog.text
    for secret in ("X-Amz-Signature=", "X-Amz-Credential=S", link.url.rpartition("=")[2], SECRET):
        assert secret not in text


def test_a_refusal_that_quotes_the_key_is_shown_without_it(
    server: ScriptedServer, make_scripted: MakeScripted, take: Path
) -> None:
    storage = make_scripted(server, budget_s=0.1)
    upload = storage.upload(take, **M4A)
    body = f"<Error><Code>InvalidAccessKeyId</Code><Message>SCRIPTEDKEY, {SECRET}</Message></Error>".encode()
    server.script["GET object"].extend([Answer(403, {"Content-Type": "application/xml"}, body)] * 20)
    with pytest.raises(StorageError, match="InvalidAccessKeyId") as caught:
        storage.verify_link(storage.presign(upload), upload)
    assert "SCRIPTEDKEY" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_an_unreachable_endpoint_shows_no_query(make_scripted: MakeScripted, take: Path) -> None:
    with ScriptedServer() as server:
        storage = make_scripted(server, budget_s=0.1)
        upload = storage.upload(take, **M4A)
        link = storage.presign(upload)
    with pytest.raises(StorageError) as caught:
        storage.verify_link(link, upload)
    assert "X-Amz" not in "".join(traceback.format_exception(caught.value))


def test_settings_hide_their_secrets() -> None:
    settings = StorageSettings("takes", access_key_id="AKEY", secret_access_key="hush", session_token="hush")
    assert "hush" not in repr(settings)
    assert "AKEY" not in repr(settings)


def test_redaction() -> None:
    url = "https://h/b/k.m4a?X-Amz-Signature=abc&X-Amz-Date=1"
    assert without_query(f"GET {url} HTTP/1.1") == "GET https://h/b/k.m4a?… HTTP/1.1"
    assert "abc" not in without_query("see X-Amz-Signature=abc, Signature=abc")
    assert one_line("a\n\x1b[31mb" + "c" * 999) == "a [31mb" + "c" * 292 + "…"


def test_errors_survive_pickling() -> None:
    error = StorageFailed("it broke", service_code="500", retry_for_s=3)
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.message, copy.hint, copy.service_code) == (error.message, error.hint, "500")


def test_public_names() -> None:
    assert {name: getattr(uploader, name) for name in uploader.__all__}
    kinds = [getattr(uploader, n) for n in uploader.__all__ if isinstance(getattr(uploader, n), type)]
    errors = [kind for kind in kinds if issubclass(kind, StorageError)]
    assert len({error.kind for error in errors}) == len(errors) == 21
    assert all(error.__name__ in str(uploader.errors.__doc__) for error in errors)
    with pytest.raises(AttributeError):
        _ = uploader.nothing_of_that_name


def test_importing_is_cheap() -> None:
    code = (
        "import sys, uploader; assert not {m for m in sys.modules if m.startswith('uploader.')}; "
        "from uploader import Storage, StorageSettings; "
        "Storage(StorageSettings('takes', 'gcs')); "
        "others = ('boto3', 'botocore', 'requests', 'preflight', 'client', 'onetake'); "
        "print([m for m in others if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
