"""`onetake doctor`: each part that fails is named, with what to do, and nothing is sent to the clone service."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from tests.client.scripted_server import ScriptedServer, answers
from tests.onetake.conftest import Say
from tests.onetake.services import READER, Services
from tests.uploader.scripted_server import Answer, Request
from tests.uploader.scripted_server import ScriptedServer as ScriptedStorage


def parts(say: Say, *arguments: str) -> tuple[int, dict[str, int]]:
    ran = say("doctor", "--json", *arguments)
    told = json.loads(ran.out)["parts"]
    assert all(part["message"] and bool(part["hint"]) == (part["status"] != 0) for part in told)
    return ran.status, {part["name"]: part["status"] for part in told}


def test_all_is_well(say: Say, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(answers(200, {})) as endpoint:
        for name, value in services.settings(ONETAKE_BASE_URL=endpoint.base_url).items():
            monkeypatch.setenv(name, value)
        assert parts(say) == (0, {"decoders": 0, "settings": 0, "ledger": 0, "key": 0, "storage": 0})
        assert endpoint.connections == 0
    assert services.objects() == {}
    ran = say("doctor")
    assert [line.split()[0] for line in ran.out.splitlines()] == ["ok"] * 5


@pytest.mark.parametrize(
    ("changes", "status", "failing"),
    [
        ({"ONETAKE_API_KEY": ""}, 2, "key"),
        ({"ONETAKE_API_KEY": "two words"}, 2, "key"),
        ({"ONETAKE_BUCKET": ""}, 2, "storage"),
        ({"ONETAKE_BUCKET": "no-such-bucket-here"}, 3, "storage"),
        ({"ONETAKE_SECRET_ACCESS_KEY": "wrong-secret-0123456789"}, 3, "storage"),
        (
            {"ONETAKE_ACCESS_KEY_ID": READER.access_key_id, "ONETAKE_SECRET_ACCESS_KEY": READER.secret_access_key},
            3,
            "storage",
        ),
        ({"ONETAKE_BASE_URL": "https://service.example"}, 3, "storage"),  # which could not fetch from a loopback host
        ({"ONETAKE_HOME": "/dev/null/home"}, 2, "ledger"),
    ],
)
def test_what_fails_is_named(
    say: Say, services: Services, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], status: int, failing: str
) -> None:
    for name, value in services.settings(**changes).items():
        monkeypatch.setenv(name, value)
    ended, found = parts(say)
    assert ended == status
    assert [name for name, ended in found.items() if ended] == [failing]
    ran = say("doctor")
    assert f"PROBLEM  {failing}" in ran.out
    assert "bug" not in ran.out


class LateStorage(ScriptedStorage):
    """A storage whose clock is ten minutes behind; it says so only in its answers' dates."""

    def _behave(self, request: Request) -> Answer:
        return dataclasses.replace(super()._behave(request), clock_offset_s=-600)


def test_a_clock_that_is_a_little_off(say: Say, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """By ten minutes signatures still hold, but a URL that lives shorter is dead on arrival."""
    with LateStorage() as storage:
        for name, value in services.settings(ONETAKE_S3_ENDPOINT=storage.endpoint, ONETAKE_BUCKET="takes").items():
            monkeypatch.setenv(name, value)
        ran = say("doctor", "--json")
    told = {part["name"]: part for part in json.loads(ran.out)["parts"]}["storage"]
    assert told["status"] == 3
    assert "clock" in told["message"]
    assert "clock" in told["hint"]


def test_the_sandbox_is_well(say: Say, home: Path) -> None:
    assert parts(say, "--sandbox") == (0, {"decoders": 0, "settings": 0, "ledger": 0, "key": 0, "storage": 0})
