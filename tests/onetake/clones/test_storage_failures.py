"""Failures of the storage: one line, the right status, and no call to the clone endpoint."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.onetake.conftest import Say
from tests.support.scripted_service import ScriptedServer, answers
from tests.support.scripted_storage import ScriptedServer as ScriptedStorage
from tests.support.scripted_storage import refusal
from tests.support.selection import parametrize_some
from tests.support.services import FIXTURES, KEY, READER, Services, paid_calls

TAKE = str(FIXTURES / "good.m4a")


@pytest.fixture
def endpoint() -> Iterator[ScriptedServer]:
    """A clone endpoint that would charge for every call."""
    with ScriptedServer(answers(200, {"voice_id": "bought"})) as server:
        yield server


@pytest.fixture
def clone_with(
    say: Say, home: Path, services: Services, endpoint: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, dict[str, str]]]:
    def clone(**changes: str) -> tuple[int, dict[str, str]]:
        for name, value in services.settings(ONETAKE_BASE_URL=endpoint.base_url, **changes).items():
            monkeypatch.setenv(name, value)
        ran = say("clone", TAKE, "--json")
        error: dict[str, str] = json.loads(ran.out)["error"]
        assert error["message"] in ran.err
        assert "\n" not in error["message"]
        assert endpoint.connections == 0
        assert paid_calls(home) == []
        assert services.objects() == {}
        for secret in (KEY, READER.secret_access_key, services.storage.secret_access_key, "X-Amz-Signature"):
            assert secret not in ran.out + ran.err
        return ran.status, error

    return clone


def closed_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


Failing = Callable[..., tuple[int, dict[str, str]]]


@parametrize_some(
    ("changes", "status", "kind"),
    [
        ({"ONETAKE_ACCESS_KEY_ID": "NOSUCHKEYNOSUCHKEY"}, 3, "wrong-key"),
        ({"ONETAKE_SECRET_ACCESS_KEY": "wrong-secret-0123456789"}, 3, "wrong-secret"),
        ({"ONETAKE_BUCKET": "no-such-bucket-here"}, 3, "no-such-bucket"),
        (
            {"ONETAKE_ACCESS_KEY_ID": READER.access_key_id, "ONETAKE_SECRET_ACCESS_KEY": READER.secret_access_key},
            3,
            "not-permitted",
        ),
        ({"ONETAKE_BUCKET": "No_Bucket!"}, 2, "bad-bucket-name"),
        ({"ONETAKE_BUCKET": ""}, 2, "bad-setting"),
        ({"ONETAKE_PROVIDER": "nonesuch"}, 2, "bad-setting"),
        ({"ONETAKE_ACCESS_KEY_ID": ""}, 2, "bad-setting"),
        ({"ONETAKE_ACCESS_KEY_ID": "", "ONETAKE_SECRET_ACCESS_KEY": ""}, 2, "credentials-missing"),
        ({"ONETAKE_URL_EXPIRES_S": "99999999"}, 2, "bad-setting"),
        ({"ONETAKE_ADDRESSING": "sideways"}, 2, "bad-setting"),
    ],
    fast=4,
)
def test_settings_that_the_storage_refuses_are_reported(
    clone_with: Failing, changes: dict[str, str], status: int, kind: str
) -> None:
    ended, error = clone_with(**changes)
    assert (ended, error["kind"]) == (status, kind)
    assert error["hint"]


def test_a_storage_without_tls_is_reported(clone_with: Failing, services: Services) -> None:
    endpoint = services.storage.endpoint.replace("http:", "https:")
    status, error = clone_with(ONETAKE_S3_ENDPOINT=endpoint)
    assert (status, error["kind"]) == (3, "tls-failed")


@pytest.mark.slow
def test_an_unreachable_storage_is_reported(clone_with: Failing) -> None:
    status, error = clone_with(ONETAKE_S3_ENDPOINT=f"http://127.0.0.1:{closed_port()}")
    assert (status, error["kind"]) == (3, "unreachable")


def test_a_skewed_clock_is_reported(clone_with: Failing) -> None:
    with ScriptedStorage() as storage:
        storage.script["PUT object"].extend([refusal(403, "RequestTimeTooSkewed", clock_offset_s=3600)] * 9)
        status, error = clone_with(ONETAKE_S3_ENDPOINT=storage.endpoint, ONETAKE_BUCKET="takes")
    assert (status, error["kind"]) == (3, "clock-skewed")


def test_a_link_that_serves_other_content_is_reported(clone_with: Failing) -> None:
    with ScriptedStorage() as storage:
        storage.script["GET object"].extend([refusal(403, "AccessDenied")] * 99)
        status, error = clone_with(ONETAKE_S3_ENDPOINT=storage.endpoint, ONETAKE_BUCKET="takes")
        assert (status, error["kind"]) == (3, "link-refused")
        assert storage.objects == {}


def test_a_private_address_is_not_sent_to_a_public_service(
    say: Say, home: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in services.settings(ONETAKE_BASE_URL="https://service.example").items():
        monkeypatch.setenv(name, value)
    ran = say("clone", TAKE, "--json", "--consent", "the tester, today")
    assert (ran.status, json.loads(ran.out)["error"]["kind"]) == (3, "url-not-public")
    assert services.objects() == {}
